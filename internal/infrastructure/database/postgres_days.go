package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Positions are kept in a partition per day (UTC), so that old ones go by dropping
// a table and not row by row.

const day = 24 * time.Hour

// days knows which partitions exist.
type days struct {
	mu    sync.Mutex
	known map[int64]bool // by the day's first microsecond
}

func dayOf(us int64) int64 {
	d := day.Microseconds()
	return us - ((us%d)+d)%d
}

func partition(start int64) string {
	return "courier_positions_" + fromMicros(start).Format("20060102")
}

// storeFixes runs a job that inserts rows of positions once their partitions exist.
// It runs again when another replica has dropped one in between.
func (e *postgres) storeFixes(ctx context.Context, rows [][]any, job func() error) error {
	for try := 1; ; try++ {
		if err := e.ensureDays(ctx, rows); err != nil {
			return err
		}
		err := job()
		var pg *pgconn.PgError
		if try > 1 || !errors.As(err, &pg) || pg.Code != "23514" { // no partition for a row
			return err
		}
		e.days.mu.Lock()
		clear(e.days.known)
		e.days.mu.Unlock()
	}
}

// ensureDays makes the partitions for rows of positions. They are made in
// transactions of their own: making one locks the table.
func (e *postgres) ensureDays(ctx context.Context, rows [][]any) error {
	e.days.mu.Lock()
	defer e.days.mu.Unlock()
	if e.days.known == nil {
		e.days.known = map[int64]bool{}
	}
	for _, r := range rows {
		at, _ := r[1].(int64)
		if start := dayOf(at); !e.days.known[start] {
			if err := e.createDay(ctx, start); err != nil {
				return err
			}
			e.days.known[start] = true
		}
	}
	return nil
}

func (e *postgres) createDay(ctx context.Context, start int64) error {
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	// One at a time over all replicas: IF NOT EXISTS alone does not stand a race.
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, e.lockKey+1); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s PARTITION OF courier_positions FOR VALUES FROM (%d) TO (%d)`,
		partition(start), start, start+day.Microseconds()))
	if err != nil {
		return err
	}
	return tx.Commit()
}

// purgeFixes drops the days that are over before the time and deletes what is older
// in the day that it falls into.
func (e *postgres) purgeFixes(ctx context.Context, before int64) error {
	rows, err := e.read.QueryContext(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'courier_positions'::regclass ORDER BY c.relname`)
	names, err := collect(rows, err, func(r *sql.Rows) (string, error) {
		var name string
		return name, r.Scan(&name)
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		at, err := time.Parse("courier_positions_20060102", name)
		if err != nil || at.Add(day).UnixMicro() > before {
			continue
		}
		if err := e.dropDay(ctx, name, at.UnixMicro()); err != nil {
			return err
		}
	}
	return e.store.purge(ctx, `DELETE FROM courier_positions WHERE (courier_id, recorded_at) IN
		(SELECT courier_id, recorded_at FROM courier_positions WHERE recorded_at < $1 LIMIT $2)`, before)
}

func (e *postgres) dropDay(ctx context.Context, name string, start int64) error {
	e.days.mu.Lock()
	defer e.days.mu.Unlock()
	delete(e.days.known, start)
	_, err := e.write.ExecContext(ctx, `DROP TABLE IF EXISTS `+name)
	return err
}
