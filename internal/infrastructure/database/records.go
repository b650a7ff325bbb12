package database

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// record stores an idempotency record with the transaction; ErrRecorded when the
// key exists.
func (s *Store) record(ctx context.Context, tx *sql.Tx, idem *domain.Idempotency) error {
	if idem == nil {
		return nil
	}
	added, err := s.d.insert(ctx, tx, &idempotencyTable, [][]any{idempotencyValues(idem)})
	if err == nil && added == 0 {
		return domain.ErrRecorded
	}
	return err
}

// Recorded returns the record of an idempotency key, or nil.
func (s *Store) Recorded(ctx context.Context, scope, key string) (*domain.Idempotency, error) {
	rec := &domain.Idempotency{Scope: scope, Key: key}
	var created int64
	err := s.queryRow(ctx, `SELECT hash, created_at, result FROM idempotency WHERE scope = $1 AND idem_key = $2`,
		scope, key).Scan(&rec.Hash, &created, &rec.Result)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	rec.CreatedAt = fromMicros(created)
	return rec, nil
}

// purgeChunk is how many rows a transaction deletes: few enough to keep no writer waiting.
const purgeChunk = 2000

// Purge deletes what is older than the given times, in short transactions.
func (s *Store) Purge(ctx context.Context, idempotency, inbound, fixes, tickets time.Time) error {
	err := s.purge(ctx, `DELETE FROM idempotency WHERE (scope, idem_key) IN
		(SELECT scope, idem_key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, micros(idempotency))
	if err == nil {
		err = s.purge(ctx, `DELETE FROM inbound WHERE id IN
			(SELECT id FROM inbound WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2)`, micros(inbound))
	}
	if err == nil {
		err = s.purge(ctx, `DELETE FROM tickets WHERE hash IN
			(SELECT hash FROM tickets WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, micros(tickets))
	}
	if err == nil {
		err = s.d.purgeFixes(ctx, micros(fixes))
	}
	return unavailable(err)
}

// purge repeats a DELETE until it finds less than a chunk. Its last parameter is the chunk's size.
func (s *Store) purge(ctx context.Context, text string, args ...any) error {
	args = append(args, purgeChunk)
	for {
		var deleted int64
		err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, text, args...)
			if err != nil {
				return err
			}
			deleted, err = res.RowsAffected()
			return err
		})
		if err != nil || deleted < purgeChunk {
			return err
		}
	}
}

// What a plan claimed and then did not want.
const (
	deleteKey     = `DELETE FROM idempotency WHERE scope = $1 AND idem_key = $2`
	deleteInbound = `DELETE FROM inbound WHERE id = $1`
	deleteOrder   = `DELETE FROM orders WHERE id = $1`
)
