package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// record stores an idempotency record in the transaction; it returns ErrRecorded if the key exists.
func (s *Store) record(ctx context.Context, tx *sql.Tx, idem *domain.Idempotency) error {
	if idem == nil {
		return nil
	}
	added, err := s.d.insert(ctx, tx, idempotencyTable, [][]any{idempotencyValues(idem)})
	if err == nil && added == 0 {
		return domain.ErrRecorded
	}
	return err
}

// recordAnswer is record for an answer that is known only inside the transaction.
func (s *Store) recordAnswer(ctx context.Context, tx *sql.Tx, idem *domain.Idempotency, answer any) (err error) {
	if idem == nil {
		return nil
	}
	with := *idem
	if with.Result, err = json.Marshal(answer); err != nil {
		return err
	}
	return s.record(ctx, tx, &with)
}

// Recorded returns the record of an idempotency key, or nil.
func (s *Store) Recorded(ctx context.Context, scope, key string) (*domain.Idempotency, error) {
	rec := &domain.Idempotency{Scope: scope, Key: key}
	found, err := s.one(ctx, `SELECT hash, created_at, result FROM idempotency WHERE scope = $1 AND idem_key = $2`,
		[]any{scope, key}, &rec.Hash, instant{&rec.CreatedAt}, &rec.Result)
	if !found {
		return nil, err
	}
	return rec, nil
}

// change runs one statement and returns the number of affected rows.
func (s *Store) change(ctx context.Context, text string, args ...any) (int, error) {
	return s.changeBy(ctx, s.d.job, text, args...)
}

func (s *Store) changeBy(ctx context.Context, job func(context.Context, txFunc) error, text string, args ...any) (n int, err error) {
	err = job(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		n, err = affected(tx.ExecContext(ctx, text, args...))
		return err
	})
	return n, failure(err)
}

// affected is the number of rows affected by a statement.
func affected(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// changed runs one writing statement and returns its rows.
func changed[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), text string, args ...any) (out []T, err error) {
	err = s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, text, args...)
		out, err = collect(rows, err, scan)
		return err
	})
	return out, failure(err)
}

// purgeChunk is how many rows a transaction deletes: few enough not to delay writers.
const purgeChunk = 2000

// Purge deletes rows older than the given times, in short transactions.
func (s *Store) Purge(ctx context.Context, idempotency, inbound, fixes, expired time.Time) error {
	for _, old := range []struct {
		table, key, at string
		before         time.Time
	}{
		{"idempotency", "scope, idem_key", "created_at", idempotency},
		{"inbound", "id", "recorded_at", inbound},
		{"tickets", "hash", "expires_at", expired},
		{"credentials", "id", "expires_at", expired},
	} {
		err := s.purge(ctx, fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < $1 ORDER BY %[3]s LIMIT $2)`,
			old.table, old.key, old.at), micros(old.before))
		if err != nil {
			return err
		}
	}
	return failure(s.d.purgeFixes(ctx, micros(fixes)))
}

// purge repeats a DELETE until it affects less than a chunk. Its last parameter is the chunk size.
func (s *Store) purge(ctx context.Context, text string, args ...any) error {
	args = append(args, purgeChunk)
	for {
		if deleted, err := s.change(ctx, text, args...); err != nil || deleted < purgeChunk {
			return err
		}
	}
}
