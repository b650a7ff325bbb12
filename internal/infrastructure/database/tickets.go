package database

import (
	"context"
	"database/sql"
	"errors"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeepTicket commits a ticket.
func (s *Store) KeepTicket(ctx context.Context, t domain.Ticket) error {
	return unavailable(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tickets (hash, actor_kind, actor_id, expires_at) VALUES ($1, $2, $3, $4)`,
			t.Hash[:], t.Actor.Kind, t.Actor.ID, micros(t.ExpiresAt))
		return err
	}))
}

// TakeTicket forgets the ticket with this hash and returns it; see domain.Tickets.
func (s *Store) TakeTicket(ctx context.Context, hash [32]byte) (*domain.Ticket, error) {
	t := &domain.Ticket{Hash: hash}
	var expires int64
	err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM tickets WHERE hash = $1 RETURNING actor_kind, actor_id, expires_at`, hash[:]).
			Scan(&t.Actor.Kind, &t.Actor.ID, &expires)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	t.ExpiresAt = fromMicros(expires)
	return t, unavailable(err)
}
