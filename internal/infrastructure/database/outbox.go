package database

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Lead makes this process the relaying leader; see domain.Outbox.
func (s *Store) Lead(ctx context.Context) (domain.Outbox, func(), error) {
	box, resign, err := s.d.lead(ctx)
	return box, resign, failure(err)
}

const pendingPositions = `SELECT pos FROM outbox ORDER BY pos LIMIT $1`

// pendingEvents reads the rows at positions; a join may scan the whole history.
func (s *Store) pendingEvents() string {
	return `SELECT pos, data, order_data FROM order_events WHERE pos` + s.d.among + ` ORDER BY pos`
}

func pendingTargets(e *domain.OutboxEntry) []any {
	return []any{&e.Position, encoded{&e.Event}, &e.Order}
}

// forget deletes outbox positions.
func (s *Store) forget() string { return `DELETE FROM outbox WHERE pos` + s.d.among }

// Pending returns the oldest unpublished events; see domain.Outbox.
func (s *Store) Pending(ctx context.Context, limit int) ([]domain.OutboxEntry, error) {
	positions, err := list(ctx, s, scanOne[int64], pendingPositions, limit)
	if err != nil || len(positions) == 0 {
		return nil, err
	}
	return list(ctx, s, into(pendingTargets), s.pendingEvents(), s.d.list(positions))
}

// Published deletes the entries at these positions.
func (s *Store) Published(ctx context.Context, positions []int64) error {
	if len(positions) == 0 {
		return nil
	}
	return s.do(ctx, s.forget(), s.d.list(positions))
}

// Republish makes every publishable event pending and returns how many were not. It is one
// statement: a partial run would let newer events of an order overtake older ones.
func (s *Store) Republish(ctx context.Context) (int64, error) {
	added, err := s.changeBy(ctx, s.d.longJob, `INSERT INTO outbox (pos)
		SELECT pos FROM order_events WHERE order_data IS NOT NULL ORDER BY pos ON CONFLICT (pos) DO NOTHING`)
	if err == nil {
		s.signal()
	}
	return int64(added), err
}

// Backlog returns how many events are pending.
func (s *Store) Backlog(ctx context.Context) (int64, error) {
	return value[int64](ctx, s, `SELECT count(*) FROM outbox`)
}

// Committed receives a coalesced signal when events may be pending.
func (s *Store) Committed() <-chan struct{} { return s.committed }

func (s *Store) signal() { background.Wake(s.committed) }
