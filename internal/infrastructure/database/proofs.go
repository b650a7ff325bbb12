package database

import (
	"context"
	"database/sql"
	"time"
)

// Image returns an image; see domain.Proofs.
func (s *Store) Image(ctx context.Context, orderID, ownerID, kind string) (data []byte, err error) {
	if !isID(orderID) || !isID(ownerID) {
		return nil, nil
	}
	_, err = s.one(ctx, `SELECT data FROM order_images WHERE order_id = $1 AND owner_id = $2 AND kind = $3`, []any{orderID, ownerID, kind}, &data)
	return data, err
}

// TryPIN counts a try in one statement, so that tries at once count too; see domain.Proofs.
func (s *Store) TryPIN(ctx context.Context, orderID string, right bool, most int, now, until time.Time) (locked time.Time, err error) {
	if !isID(orderID) {
		return locked, orderNotFound(orderID)
	}
	wrong := 1
	if right {
		wrong = 0
	}
	found, err := changed(ctx, s, func(r *sql.Rows) (at time.Time, err error) { return at, r.Scan(instant{&at}) },
		`INSERT INTO order_pins (order_id, wrong, locked_until) VALUES ($1, $2, NULL) ON CONFLICT (order_id) DO UPDATE SET
		wrong = CASE WHEN order_pins.locked_until > $3 THEN order_pins.wrong WHEN $2 = 0 OR order_pins.wrong + 1 >= $5 THEN 0 ELSE order_pins.wrong + 1 END,
		locked_until = CASE WHEN order_pins.locked_until > $3 THEN order_pins.locked_until WHEN $2 = 1 AND order_pins.wrong + 1 >= $5 THEN $4 END
		RETURNING locked_until`, orderID, wrong, micros(now), micros(until), most)
	if err != nil {
		return locked, err
	}
	return found[0], nil
}
