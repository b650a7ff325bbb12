package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Positions are partitioned by day (UTC), so that old ones are deleted by dropping a table instead of row by row.

const day = 24 * time.Hour

// dayOf returns the first microsecond of the day.
func dayOf(us int64) int64 {
	d := day.Microseconds()
	return us - ((us%d)+d)%d
}

// storeFixes runs a job that inserts positions. If a partition is missing, because the day
// is new or another replica dropped it, it creates the partitions and runs the job again.
func (e *postgres) storeFixes(ctx context.Context, rows [][]any, job func() error) error {
	err := job()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "23514" { // no partition for a row
		return err
	}
	starts := map[int64]bool{}
	for _, r := range rows {
		at, _ := r[1].(int64)
		starts[dayOf(at)] = true
	}
	// In a separate transaction: creating a partition locks the table.
	err = e.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// One at a time across all replicas: IF NOT EXISTS alone is not race-free.
		_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, e.lockKey+1)
		for start := range starts {
			if err == nil {
				_, err = tx.ExecContext(ctx, fmt.Sprintf(
					`CREATE TABLE IF NOT EXISTS courier_positions_%s PARTITION OF courier_positions FOR VALUES FROM (%d) TO (%d)`,
					fromMicros(start).Format("20060102"), start, start+day.Microseconds()))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return job()
}

// purgeFixes drops the days that end before the time and deletes older rows of the day that contains it.
func (e *postgres) purgeFixes(ctx context.Context, before int64) error {
	rows, err := e.read.QueryContext(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'courier_positions'::regclass ORDER BY c.relname`)
	names, err := collect(rows, err, scanOne[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		at, err := time.Parse("courier_positions_20060102", name)
		if err != nil || at.Add(day).UnixMicro() > before {
			continue
		}
		if _, err := e.write.ExecContext(ctx, `DROP TABLE IF EXISTS `+name); err != nil {
			return err
		}
	}
	return e.store.purge(ctx, `DELETE FROM courier_positions WHERE (courier_id, recorded_at) IN
		(SELECT courier_id, recorded_at FROM courier_positions WHERE recorded_at < $1 LIMIT $2)`, before)
}
