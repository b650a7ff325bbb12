package database

import (
	"context"
	"database/sql"
	"errors"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeepToken commits a token; see domain.PhoneTokens.
func (s *Store) KeepToken(ctx context.Context, t domain.PhoneToken) error {
	if !isID(t.CourierID) {
		return courierNotFound(t.CourierID)
	}
	return unavailable(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var known int
		err := tx.QueryRowContext(ctx, `SELECT 1 FROM couriers WHERE id = $1`, t.CourierID).Scan(&known)
		if errors.Is(err, sql.ErrNoRows) {
			return courierNotFound(t.CourierID)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO courier_tokens (id, courier_id, hash, created_at) VALUES ($1, $2, $3, $4)`,
				t.ID, t.CourierID, t.Hash[:], micros(t.CreatedAt))
		}
		return err
	}))
}

// Tokens returns a courier's tokens, newest first.
func (s *Store) Tokens(ctx context.Context, courierID string) ([]domain.PhoneToken, error) {
	if !isID(courierID) {
		return nil, nil
	}
	rows, err := s.query(ctx, `SELECT id, hash, created_at FROM courier_tokens
		WHERE courier_id = $1 ORDER BY created_at DESC, id DESC`, courierID)
	return collect(rows, err, func(r *sql.Rows) (domain.PhoneToken, error) {
		t := domain.PhoneToken{CourierID: courierID}
		var hash []byte
		var created int64
		err := r.Scan(&t.ID, &hash, &created)
		copy(t.Hash[:], hash)
		t.CreatedAt = fromMicros(created)
		return t, err
	})
}

// TokenOwner returns the courier of the token with this hash, or "".
func (s *Store) TokenOwner(ctx context.Context, hash [32]byte) (string, error) {
	var courierID string
	err := s.queryRow(ctx, `SELECT courier_id FROM courier_tokens WHERE hash = $1`, hash[:]).Scan(&courierID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return courierID, unavailable(err)
}

// DropTokens forgets a courier's tokens; see domain.PhoneTokens.
func (s *Store) DropTokens(ctx context.Context, courierID, id string) (int, error) {
	if !isID(courierID) || (id != "" && !isID(id)) {
		return 0, nil
	}
	text, args := `DELETE FROM courier_tokens WHERE courier_id = $1`, []any{courierID}
	if id != "" {
		text, args = text+` AND id = $2`, append(args, id)
	}
	var dropped int64
	err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		dropped, err = res.RowsAffected()
		return err
	})
	return int(dropped), unavailable(err)
}
