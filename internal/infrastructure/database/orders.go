package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// CreateOrder commits a new order; see domain.Store.
func (s *Store) CreateOrder(ctx context.Context, c *domain.Change) (*domain.Order, error) {
	row, events, err := encodeChange(c)
	if err != nil {
		return nil, err
	}
	return s.submit(ctx, &call{id: c.Order.ID, create: c, row: row, events: events})
}

// UpdateOrder changes an order; see domain.Store.
func (s *Store) UpdateOrder(ctx context.Context, id string, fn func(*domain.Change) error) (*domain.Order, error) {
	if !isID(id) {
		return nil, orderNotFound(id)
	}
	return s.submit(ctx, &call{id: id, fn: fn})
}

// isID reports whether s is a UUID and so can be a stored id; PostgreSQL refuses to compare a UUID with anything else.
func isID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// Order returns the newest committed version of an order, or order_not_found.
func (s *Store) Order(ctx context.Context, id string) (*domain.Order, error) {
	if !isID(id) {
		return nil, orderNotFound(id)
	}
	var data, ledger []byte
	found, err := s.one(ctx, `SELECT data, ledger FROM orders WHERE id = $1`, []any{id}, &data, &ledger)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, orderNotFound(id)
	}
	return thaw(data, ledger)
}

func thaw(data, ledger []byte) (*domain.Order, error) {
	var l domain.Bookkeeping
	if err := json.Unmarshal(ledger, &l); err != nil {
		return nil, badRow(err)
	}
	o, err := domain.Thaw(data, l)
	return o, badRow(err)
}

// Events returns the order's entries with a seq above afterSeq, oldest first.
func (s *Store) Events(ctx context.Context, orderID string, afterSeq int64) ([]domain.Event, error) {
	if !isID(orderID) {
		return nil, nil
	}
	return list(ctx, s, func(r *sql.Rows) (e domain.Event, err error) {
		err = r.Scan(encoded{&e})
		return e, err
	}, `SELECT data FROM order_events WHERE order_id = $1 AND seq > $2 ORDER BY seq`, orderID, afterSeq)
}

// Versions returns the versions of the existing orders.
func (s *Store) Versions(ctx context.Context, orderIDs []string) (map[string]int64, error) {
	ids := slices.DeleteFunc(slices.Clone(orderIDs), func(id string) bool { return !isID(id) })
	out := make(map[string]int64, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	_, err := list(ctx, s, func(r *sql.Rows) (id string, err error) {
		var version int64
		err = r.Scan(&id, &version)
		out[id] = version
		return id, err
	}, `SELECT id, version FROM orders WHERE id`+s.d.among, s.d.list(ids))
	return out, err
}

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

// forget deletes outbox positions.
func (s *Store) forget() string { return `DELETE FROM outbox WHERE pos` + s.d.among }

// Pending returns the oldest unpublished events; see domain.Outbox.
func (s *Store) Pending(ctx context.Context, limit int) ([]domain.OutboxEntry, error) {
	positions, err := list(ctx, s, scanOne[int64], pendingPositions, limit)
	if err != nil || len(positions) == 0 {
		return nil, err
	}
	return list(ctx, s, func(r *sql.Rows) (e domain.OutboxEntry, err error) {
		err = r.Scan(&e.Position, encoded{&e.Event}, &e.Order)
		return e, err
	}, s.pendingEvents(), s.d.list(positions))
}

// Published deletes the entries at these positions.
func (s *Store) Published(ctx context.Context, positions []int64) error {
	if len(positions) == 0 {
		return nil
	}
	_, err := s.change(ctx, s.forget(), s.d.list(positions))
	return err
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
	var n int64
	_, err := s.one(ctx, `SELECT count(*) FROM outbox`, nil, &n)
	return n, err
}

// Committed receives a coalesced signal when events may be pending.
func (s *Store) Committed() <-chan struct{} { return s.committed }

func (s *Store) signal() { signal(s.committed) }

// signal wakes the current or next receiver of the channel; signals are coalesced.
func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
