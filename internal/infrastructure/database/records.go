package database

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// txn is a transaction. Once something in it has failed, the rest does nothing.
type txn struct {
	ctx context.Context //nolint:containedctx // the transaction's own
	tx  *sql.Tx
	d   *dialect
	err error
}

// within commits what the function does in a transaction; it may run several times.
func (s *Store) within(ctx context.Context, fn func(*txn)) error {
	return failure(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t := &txn{ctx: ctx, tx: tx, d: s.d}
		fn(t)
		return t.err
	}))
}

// fail makes the transaction fail, unless err is nil or it has failed before.
func (t *txn) fail(err error) { t.err = cmp.Or(t.err, err) }

// exec runs a statement and returns the number of affected rows.
func (t *txn) exec(text string, args ...any) (n int) {
	if t.err == nil {
		n, t.err = affected(t.tx.ExecContext(t.ctx, text, args...))
	}
	return n
}

// insert stores rows and returns how many were new.
func (t *txn) insert(into *table, rows ...[]any) (n int) {
	if t.err == nil {
		n, t.err = t.d.insert(t.ctx, t.tx, into, rows)
	}
	return n
}

// rowsOf reads every row of a query in a transaction.
func rowsOf[T any](t *txn, scan func(*sql.Rows) (T, error), text string, args ...any) (out []T) {
	if t.err == nil {
		rows, err := t.tx.QueryContext(t.ctx, text, args...)
		out, t.err = collect(rows, err, scan)
	}
	return out
}

// record stores an idempotency record; the transaction fails with ErrRecorded if the key exists.
func (t *txn) record(idem *domain.Idempotency) {
	if idem != nil && t.insert(idempotencyTable, idempotencyValues(idem)) == 0 {
		t.fail(domain.ErrRecorded)
	}
}

// recordAnswer is record for an answer that is known only inside the transaction.
func (t *txn) recordAnswer(idem *domain.Idempotency, answer any) {
	if idem != nil {
		result, err := json.Marshal(answer)
		t.fail(err)
		with := *idem
		with.Result = result
		t.record(&with)
	}
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

// do is change for callers who know how many there are.
func (s *Store) do(ctx context.Context, text string, args ...any) error {
	_, err := s.change(ctx, text, args...)
	return err
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
