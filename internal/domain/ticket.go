package domain

import "time"

// TicketTTL is the lifetime of a ticket: a page requests one right before it connects.
const TicketTTL = 30 * time.Second

// Ticket authorizes its holder to open one stream: browsers can't send headers when they
// open one, and keys do not belong in URLs. The ticket itself is shown once and not stored.
type Ticket struct {
	Hash      [32]byte // of the ticket, see HashToken
	Caller    Caller   // the caller who requested it
	ExpiresAt time.Time
}
