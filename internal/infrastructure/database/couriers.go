package database

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// CreateCourier commits a courier; see domain.Store.
func (s *Store) CreateCourier(ctx context.Context, c *domain.Courier, idem *domain.Idempotency) error {
	return s.within(ctx, func(t *txn) {
		t.record(idem)
		t.exec(`INSERT INTO couriers (id, on_duty, capacity, search, data, created_at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`, append(courierValues(c), micros(c.CreatedAt))...)
		if c.OnDuty {
			t.exec(beginDuty, c.ID, micros(c.CreatedAt))
		}
	})
}

// storedCourier is the JSON of a courier's row: what is shown, and the trail, which is not.
type storedCourier struct {
	*bareCourier
	Trail domain.Trail `json:"trail,omitzero"`
}

// bareCourier is without the methods that encode a courier for people.
type bareCourier domain.Courier

// courierValues encodes a courier's row; its position and load are stored elsewhere.
func courierValues(c *domain.Courier) []any {
	stored := *c
	stored.Position, stored.ActiveOrders = nil, 0
	return []any{c.ID, c.OnDuty, c.Capacity, courierSearch(c), encoded{storedCourier{(*bareCourier)(&stored), c.Trail}}}
}

const selectCourier = `SELECT data, active_orders FROM couriers WHERE id = $1`

func scanCourier(r *sql.Rows) (*domain.Courier, error) {
	c := new(domain.Courier)
	var active int
	stored := storedCourier{bareCourier: (*bareCourier)(c)}
	err := r.Scan(encoded{&stored}, &active)
	c.Trail = stored.Trail
	c.ActiveOrders, c.Version = active, max(c.Version, 1) // older rows have no version
	return c, err
}

// UpdateCourier changes a courier; see domain.Store.
func (s *Store) UpdateCourier(ctx context.Context, id string, idem *domain.Idempotency, fn func(*domain.Courier) error) (*domain.Courier, error) {
	var out *domain.Courier
	err := s.within(ctx, func(t *txn) {
		found := rowsOf(t, scanCourier, selectCourier+s.d.forUpdate, ident(id))
		if len(found) == 0 {
			t.fail(courierNotFound(id))
			return
		}
		out = found[0]
		active, duty := out.ActiveOrders, out.OnDuty
		if t.fail(fn(out)); t.err != nil {
			return
		}
		out.ID, out.ActiveOrders, out.Position = id, active, nil // the closure must not change these
		t.recordAnswer(idem, out)
		t.exec(`UPDATE couriers SET on_duty = $2, capacity = $3, search = $4, data = $5 WHERE id = $1`, courierValues(out)...)
		switch {
		case duty && !out.OnDuty:
			t.exec(endDuty, id, micros(out.UpdatedAt))
		case !duty && out.OnDuty:
			t.exec(beginDuty, id, micros(out.UpdatedAt))
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Courier returns a courier without its position, or courier_not_found.
func (s *Store) Courier(ctx context.Context, id string) (*domain.Courier, error) {
	found, err := list(ctx, s, scanCourier, selectCourier, ident(id))
	if err != nil || len(found) == 0 {
		return nil, cmp.Or(err, courierNotFound(id))
	}
	return found[0], nil
}

// CouriersByID returns the couriers with these ids, skipping unknown ids; see domain.Store.
func (s *Store) CouriersByID(ctx context.Context, ids []string) (map[string]*domain.Courier, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isID(id) })
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := list(ctx, s, scanCourier, `SELECT data, active_orders FROM couriers WHERE id`+s.d.among, s.d.list(ids))
	out := make(map[string]*domain.Courier, len(found))
	for _, c := range found {
		out[c.ID] = c
	}
	return out, err
}

// OrdersInHand returns the active orders of couriers; see domain.Store.
func (s *Store) OrdersInHand(ctx context.Context, courierIDs []string) (map[string][]*domain.Order, error) {
	orders, err := list(ctx, s, scanOrder, `SELECT data, ledger FROM orders WHERE courier_id`+s.d.among+
		` AND NOT finished ORDER BY created_at DESC, id DESC`, s.d.list(courierIDs))
	out := map[string][]*domain.Order{}
	for _, o := range orders {
		out[o.CourierID] = append(out[o.CourierID], o)
	}
	return out, err
}

// LateOrders returns the ids of orders that are late; see domain.Store.
func (s *Store) LateOrders(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list(ctx, s, scanOne[string], `SELECT CAST(id AS text) FROM orders WHERE watch_at < $1 ORDER BY watch_at LIMIT $2`, micros(now), limit)
}

// BusyCouriers returns the ids of the couriers with active orders.
func (s *Store) BusyCouriers(ctx context.Context) ([]string, error) {
	return list(ctx, s, scanOne[string], `SELECT CAST(id AS text) FROM couriers WHERE active_orders > 0 ORDER BY id`)
}

// Couriers returns a page of couriers; see domain.Store.
func (s *Store) Couriers(ctx context.Context, f domain.CourierFilter, p domain.Page) ([]*domain.Courier, *domain.Cursor, error) {
	l := newListing(p)
	l.when(f.OnDuty != nil, "on_duty = %s", f.OnDuty)
	if f.Search != "" {
		alternatives := parseSearch(f.Search)
		if len(alternatives) == 0 {
			return nil, nil, nil
		}
		// Couriers stored by older versions have no folded text until they change.
		old := s.d.position + "(search, " + l.arg(strings.ToLower(f.Search)) + ") > 0"
		l.where = append(l.where, l.searchCondition(s.d.position, old, alternatives))
	}
	l.fromCursor()
	return read(ctx, s, l, l.newest("data, active_orders", "couriers"), scanCourier, func(c *domain.Courier) domain.Cursor {
		return domain.Cursor{CreatedAt: c.CreatedAt, ID: c.ID}
	})
}

// KeepToken commits a token; see domain.PhoneTokens.
func (s *Store) KeepToken(ctx context.Context, t domain.PhoneToken, idem *domain.Idempotency) error {
	return s.within(ctx, func(tx *txn) {
		if tx.exec(`INSERT INTO courier_tokens (id, courier_id, hash, created_at)
			SELECT $2, id, $3, $4 FROM couriers WHERE id = $1`, ident(t.CourierID), t.ID, t.Hash[:], micros(t.CreatedAt)) == 0 {
			tx.fail(courierNotFound(t.CourierID))
		}
		tx.record(idem)
	})
}

// Tokens returns a courier's tokens, newest first.
func (s *Store) Tokens(ctx context.Context, courierID string) ([]domain.PhoneToken, error) {
	return list(ctx, s, func(r *sql.Rows) (domain.PhoneToken, error) {
		t := domain.PhoneToken{CourierID: courierID}
		var hash []byte
		err := r.Scan(&t.ID, &hash, instant{&t.CreatedAt})
		copy(t.Hash[:], hash)
		return t, err
	}, `SELECT id, hash, created_at FROM courier_tokens WHERE courier_id = $1 ORDER BY created_at DESC, id DESC`, ident(courierID))
}

// TokenOwner returns the id of the courier who owns the token with this hash, or "".
func (s *Store) TokenOwner(ctx context.Context, hash [32]byte) (string, error) {
	return value[string](ctx, s, `SELECT courier_id FROM courier_tokens WHERE hash = $1`, hash[:])
}

// DropTokens deletes a courier's tokens; see domain.PhoneTokens.
func (s *Store) DropTokens(ctx context.Context, courierID, id string, idem *domain.Idempotency) (ids []string, err error) {
	one, args := "", []any{ident(courierID)}
	if id != "" {
		one, args = " AND id = $2", append(args, ident(id))
	}
	err = s.within(ctx, func(t *txn) {
		ids = rowsOf(t, scanOne[string], `DELETE FROM courier_tokens WHERE courier_id = $1`+one+` RETURNING id`, args...)
		if len(ids) > 0 || id == "" {
			t.recordAnswer(idem, ids)
		}
	})
	return ids, err
}
