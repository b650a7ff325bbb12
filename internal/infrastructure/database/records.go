package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

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

// errUnknown means that it could not be determined whether a commit happened. The caller has to retry with its idempotency key.
var errUnknown = errors.New("the outcome of the commit is unknown")

// findOut limits how long the outcome of a commit is looked up.
const findOut = 10 * time.Second

// commit commits the plan. If that fails the outcome is unknown, since the answer may have been lost in transit. Then it
// looks for one of the rows in the database, which decides for all, as they were one transaction.
func (s *Store) commit(ctx context.Context, w *work, p *plan, sh *shift) error {
	err := w.commit()
	if err == nil {
		return nil
	}
	w.rollback()
	if pgconn.SafeToRetry(err) || sqliteResult(err) == sqliteFull { // it did not reach the database, or the disk was full
		return fmt.Errorf("commit: %w", err)
	}
	sh.standIn()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findOut)
	defer cancel()
	s.log.Warn("a commit failed; checking whether it took effect", zap.Error(err))
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		happened, lookErr := s.happened(ctx, w, p)
		if lookErr == nil && happened {
			return nil
		}
		if lookErr == nil {
			return fmt.Errorf("commit: %w", err)
		}
		if !wait(ctx, pause) {
			return fmt.Errorf("%w: %w", errUnknown, err)
		}
	}
}

// happened reports whether the plan's transaction was committed. For every kind of row the
// compared columns are unique together: they include a UUID or a time.
func (s *Store) happened(ctx context.Context, w *work, p *plan) (bool, error) {
	if err := w.settle(ctx); err != nil {
		return false, err
	}
	there := func(t *table, row []any) (bool, error) {
		text := "SELECT 1 FROM " + t.name + " WHERE "
		for i := range row {
			text += fmt.Sprintf("%s = $%d AND ", t.cols[i].name, i+1)
		}
		return s.one(ctx, text+"TRUE", row, new(int))
	}
	keys, inbound := p.claims[idempotencyTable], p.claims[inboundTable]
	switch {
	case len(p.events) > 0:
		return there(eventsTable, p.events[0][:3])
	case len(keys) > 0:
		return there(idempotencyTable, keys[0].values[:4])
	case len(inbound) > 0:
		return there(inboundTable, inbound[0].values)
	}
	return false, nil // only jobs, which may all run twice
}
