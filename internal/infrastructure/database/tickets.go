package database

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeepTicket commits a ticket.
func (s *Store) KeepTicket(ctx context.Context, t domain.Ticket) error {
	caller, err := json.Marshal(t.Caller)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, `INSERT INTO tickets (hash, caller, expires_at) VALUES ($1, $2, $3)`,
		t.Hash[:], string(caller), micros(t.ExpiresAt))
	return err
}

// TakeTicket deletes and returns the ticket with this hash; see domain.Tickets.
func (s *Store) TakeTicket(ctx context.Context, hash [32]byte) (*domain.Ticket, error) {
	taken, err := changed(ctx, s, func(r *sql.Rows) (*domain.Ticket, error) {
		t := &domain.Ticket{Hash: hash}
		return t, r.Scan(encoded{&t.Caller}, instant{&t.ExpiresAt})
	}, `DELETE FROM tickets WHERE hash = $1 RETURNING caller, expires_at`, hash[:])
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	return taken[0], nil
}
