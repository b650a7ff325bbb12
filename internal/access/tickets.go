package access

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Tickets let pages open streams without exposing a key.
type Tickets struct {
	Store domain.Tickets
	Clock domain.Clock
}

// IssuedTicket is a new ticket; it is shown only once.
type IssuedTicket struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Issue makes a ticket with which the caller can open one stream, on any replica, within domain.TicketTTL.
func (t *Tickets) Issue(ctx context.Context) (*IssuedTicket, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	issued := &IssuedTicket{Ticket: rand.Text(), ExpiresAt: domain.Timestamp(t.Clock.Now()).Add(domain.TicketTTL)} // 130 bits
	return issued, t.Store.KeepTicket(ctx, domain.Ticket{Hash: domain.HashToken(issued.Ticket), Caller: *caller, ExpiresAt: issued.ExpiresAt})
}

// Redeem returns the caller the ticket was issued to. A ticket that was already used or has expired is unauthenticated.
func (t *Tickets) Redeem(ctx context.Context, ticket string) (*domain.Caller, error) {
	kept, err := t.Store.TakeTicket(ctx, domain.HashToken(ticket))
	if err != nil {
		return nil, err
	}
	if kept == nil || t.Clock.Now().After(kept.ExpiresAt) {
		return nil, domain.Errorf(domain.CodeUnauthenticated, "the ticket is unknown, used or expired; ask for a new one")
	}
	return &kept.Caller, nil
}
