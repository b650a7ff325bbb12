package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeepErasures remembers orders to be erased; see domain.Privacy.
func (s *Store) KeepErasures(ctx context.Context, list []domain.Erasure, audit *domain.AuditEntry, idem *domain.Idempotency) error {
	return s.within(ctx, func(t *txn) {
		t.record(idem)
		for _, e := range list {
			t.exec(`INSERT INTO erasures (order_id, mark) VALUES ($1, $2) ON CONFLICT DO NOTHING`, e.OrderID, e.Mark)
		}
		t.appendAudit(audit)
	})
}

// DueErasures returns remembered orders that are final; see domain.Privacy.
func (s *Store) DueErasures(ctx context.Context, limit int) (due []domain.Erasure, waiting bool, err error) {
	if found, err := s.one(ctx, `SELECT EXISTS (SELECT 1 FROM erasures)`, nil, &waiting); !found || err != nil || !waiting {
		return nil, false, err
	}
	due, err = list(ctx, s, into(func(e *domain.Erasure) []any { return []any{&e.OrderID, &e.Mark} }),
		`SELECT CAST(e.order_id AS text), e.mark FROM erasures e JOIN orders o ON o.id = e.order_id WHERE o.finished
		ORDER BY e.order_id LIMIT $1`, limit)
	return due, waiting, err
}

// OldOrders returns final orders with their customers' data; see domain.Privacy.
func (s *Store) OldOrders(ctx context.Context, before time.Time, after domain.Cursor, limit int) ([]domain.Cursor, error) {
	if after.ID == "" {
		after.ID, after.CreatedAt = "00000000-0000-0000-0000-000000000000", time.UnixMicro(0)
	}
	return list(ctx, s, into(func(c *domain.Cursor) []any { return []any{&c.ID, instant{&c.CreatedAt}} }),
		`SELECT CAST(id AS text), created_at FROM orders WHERE finished AND NOT erased AND created_at < $1 AND (created_at, id) > ($2, $3)
		ORDER BY created_at, id LIMIT $4`, micros(before), micros(after.CreatedAt), after.ID, limit)
}

// EraseTraces erases everything about erased orders, in a transaction for each; see domain.Privacy.
func (s *Store) EraseTraces(ctx context.Context, orderIDs []string, audit *domain.AuditEntry) error {
	for _, id := range orderIDs {
		err := s.within(ctx, func(t *txn) {
			for _, p := range places {
				p.erase(t, id)
			}
		})
		if err != nil {
			return err
		}
	}
	return s.within(ctx, func(t *txn) {
		if t.exec(`DELETE FROM erasures WHERE order_id`+s.d.among, s.d.list(orderIDs)) > 0 {
			t.appendAudit(audit)
		}
	})
}

// Traces returns what is held about an order; see domain.Privacy.
func (s *Store) Traces(ctx context.Context, orderID string) (map[string][]map[string]any, error) {
	out := map[string][]map[string]any{}
	for _, p := range places {
		if p.held == "" {
			continue
		}
		found, err := list(ctx, s, scanMap, p.held, orderID)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			out[p.table] = found
		}
	}
	return out, nil
}

// scanMap reads a row by the names of its columns. JSON stays JSON, other bytes become base64.
func scanMap(r *sql.Rows) (map[string]any, error) {
	names, err := r.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := r.Scan(into...); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for i, name := range names {
		v := values[i]
		if b, ok := v.([]byte); ok && utf8.Valid(b) {
			v = string(b)
		}
		if text, ok := v.(string); ok && (len(text) > 0 && (text[0] == '{' || text[0] == '[')) && json.Valid([]byte(text)) {
			v = json.RawMessage(text)
		}
		if v != nil {
			out[name] = v
		}
	}
	return out, nil
}
