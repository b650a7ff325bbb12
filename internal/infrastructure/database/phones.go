package database

import (
	"context"
	"database/sql"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
