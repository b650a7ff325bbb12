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

// ident is an id as an argument: what can't be a stored id is NULL, which equals nothing.
func ident(id string) any {
	if !isID(id) {
		return nil
	}
	return id
}

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
	return list(ctx, s, scanEvent, `SELECT data FROM order_events WHERE order_id = $1 AND seq > $2 ORDER BY seq`, ident(orderID), afterSeq)
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
