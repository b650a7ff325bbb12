package domain

import "time"

// TicketTTL is how long a ticket is good for: a page asks for one right before it
// connects.
const TicketTTL = 30 * time.Second

// Ticket lets whoever shows it open one stream as somebody: browsers can't send
// headers when they open one, and an address is no place for a key. The ticket itself is
// shown once and not kept.
type Ticket struct {
	Hash      [32]byte // of the ticket, see HashToken
	Caller    Caller   // who asked for it
	ExpiresAt time.Time
}
