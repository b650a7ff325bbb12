package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// CreateCourier commits a courier; see domain.Store.
func (s *Store) CreateCourier(ctx context.Context, c *domain.Courier, idem *domain.Idempotency) error {
	data, err := courierJSON(c)
	if err != nil {
		return err
	}
	return unavailable(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.record(ctx, tx, idem); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO couriers (id, created_at, on_duty, capacity, search, data)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
			c.ID, micros(c.CreatedAt), c.OnDuty, c.Capacity, searchText(c.Name, c.Phone), data)
		return err
	}))
}

// courierJSON encodes what is stored of a courier as such: its position and its
// load are kept elsewhere.
func courierJSON(c *domain.Courier) (string, error) {
	stored := *c
	stored.Position, stored.ActiveOrders = nil, 0
	b, err := json.Marshal(stored)
	return string(b), err
}

// UpdateCourier changes a courier; see domain.Store.
func (s *Store) UpdateCourier(ctx context.Context, id string, fn func(*domain.Courier) error) (*domain.Courier, error) {
	if !isID(id) {
		return nil, courierNotFound(id)
	}
	var out *domain.Courier
	err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := scanCourier(tx.QueryRowContext(ctx,
			`SELECT data, active_orders FROM couriers WHERE id = $1`+s.d.forUpdate, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return courierNotFound(id)
		}
		if err != nil {
			return err
		}
		active := c.ActiveOrders
		if err := safelyEdit(c, fn); err != nil {
			return err
		}
		c.ActiveOrders, c.Position = active, nil // not the closure's to change
		data, err := courierJSON(c)
		if err != nil {
			return err
		}
		out = c
		_, err = tx.ExecContext(ctx,
			`UPDATE couriers SET on_duty = $2, capacity = $3, search = $4, data = $5 WHERE id = $1`,
			id, c.OnDuty, c.Capacity, searchText(c.Name, c.Phone), data)
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

func safelyEdit(c *domain.Courier, fn func(*domain.Courier) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = domain.Errorf(domain.CodeInternal, "the change failed unexpectedly: %v", v)
		}
	}()
	return fn(c)
}

func scanCourier(scan func(...any) error) (*domain.Courier, error) {
	var data []byte
	var active int
	if err := scan(&data, &active); err != nil {
		return nil, err
	}
	c := new(domain.Courier)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("stored courier: %w", err)
	}
	c.ActiveOrders = active
	return c, nil
}

// Courier returns a courier without its position, or courier_not_found.
func (s *Store) Courier(ctx context.Context, id string) (*domain.Courier, error) {
	if !isID(id) {
		return nil, courierNotFound(id)
	}
	c, err := scanCourier(s.queryRow(ctx, `SELECT data, active_orders FROM couriers WHERE id = $1`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, courierNotFound(id)
	}
	return c, unavailable(err)
}

// Couriers returns a page of couriers; see domain.Store.
func (s *Store) Couriers(ctx context.Context, f domain.CourierFilter, p domain.Page) ([]*domain.Courier, *domain.Cursor, error) {
	size := max(1, p.Size)
	l := &listing{args: []any{size + 1}}
	if f.OnDuty != nil {
		l.and("on_duty = %s", *f.OnDuty)
	}
	if f.Search != "" {
		l.and(s.d.position+"(search, %s) > 0", searchText(f.Search))
	}
	if !p.After.CreatedAt.IsZero() {
		l.where = append(l.where, l.after(p.After))
	}
	text := "SELECT data, active_orders FROM couriers"
	if len(l.where) > 0 {
		text += " WHERE " + strings.Join(l.where, " AND ")
	}
	rows, err := s.queryVarying(ctx, text+" ORDER BY created_at DESC, id DESC LIMIT $1", s.d.listArgs(l.args)...)
	found, err := collect(rows, err, func(r *sql.Rows) (*domain.Courier, error) { return scanCourier(r.Scan) })
	if err != nil || len(found) <= size {
		return found, nil, err
	}
	last := found[size-1]
	return found[:size], &domain.Cursor{CreatedAt: last.CreatedAt, ID: last.ID}, nil
}
