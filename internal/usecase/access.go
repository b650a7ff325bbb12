package usecase

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Access lets callers in by other ways than their key.
type Access struct{ *core }

// IssuedTicket is a new ticket, which is shown this once.
type IssuedTicket struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
}

// IssueTicket makes a ticket with which the caller opens one stream, on any replica,
// within domain.TicketTTL.
func (u *Access) IssueTicket(ctx context.Context) (*IssuedTicket, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	t := &IssuedTicket{Ticket: rand.Text(), ExpiresAt: domain.Timestamp(u.Clock.Now()).Add(domain.TicketTTL)} // 130 bits
	return t, u.Store.KeepTicket(ctx, domain.Ticket{Hash: domain.HashToken(t.Ticket), Caller: *caller, ExpiresAt: t.ExpiresAt})
}

// RedeemTicket returns who asked for the ticket, once; later, and when it has expired,
// the ticket is unauthenticated.
func (u *Access) RedeemTicket(ctx context.Context, ticket string) (*domain.Caller, error) {
	t, err := u.Store.TakeTicket(ctx, domain.HashToken(ticket))
	if err != nil {
		return nil, err
	}
	if t == nil || u.Clock.Now().After(t.ExpiresAt) {
		return nil, domain.Errorf(domain.CodeUnauthenticated, "the ticket is unknown, used or expired; ask for a new one")
	}
	return &t.Caller, nil
}
