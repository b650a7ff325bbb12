package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// AppendFixes adds positions to the history; see domain.Store.
func (s *Store) AppendFixes(ctx context.Context, fixes []domain.Fix, idem *domain.Idempotency) (int, error) {
	if len(fixes) == 0 && idem == nil {
		return 0, nil
	}
	// Sorted, so that two writers of the same positions can't deadlock.
	fixes = slices.Clone(fixes)
	slices.SortFunc(fixes, func(a, b domain.Fix) int {
		return cmp.Or(cmp.Compare(a.CourierID, b.CourierID), a.RecordedAt.Compare(b.RecordedAt))
	})
	rows := domain.Each(fixes, fixValues)
	added := 0
	err := s.d.storeFixes(ctx, rows, func() error {
		return s.within(ctx, func(t *txn) {
			t.record(idem)
			added = t.insert(positionsTable, rows...)
		})
	})
	return added, failure(err)
}

var positionColumns = positionsTable.list("p.%[1]s")

func scanFix(r *sql.Rows) (f domain.Fix, err error) {
	err = r.Scan(&f.CourierID, instant{&f.RecordedAt}, instant{&f.ReceivedAt}, &f.Lat, &f.Lon,
		&f.Accuracy, &f.Speed, &f.Heading, &f.Altitude, &f.Battery, encoded{&f.Attributes})
	return f, err
}

// Trail returns a courier's positions with from <= recorded_at <= to, oldest first, at most limit.
func (s *Store) Trail(ctx context.Context, courierID string, from, to time.Time, limit int) ([]domain.Position, error) {
	return list(ctx, s, func(r *sql.Rows) (domain.Position, error) {
		f, err := scanFix(r)
		return f.Position, err
	}, `SELECT `+positionColumns+` FROM courier_positions p
		WHERE p.courier_id = $1 AND p.recorded_at >= $2 AND p.recorded_at <= $3 ORDER BY p.recorded_at LIMIT $4`,
		ident(courierID), micros(from), micros(to), limit)
}

// LatestFixes returns the newest position of every courier recorded after since; see domain.Store.
func (s *Store) LatestFixes(ctx context.Context, since time.Time) ([]domain.Fix, error) {
	// One index lookup per courier instead of a scan of the history.
	return list(ctx, s, scanFix, `SELECT `+positionColumns+` FROM couriers c
		JOIN courier_positions p ON p.courier_id = c.id AND p.recorded_at =
			(SELECT q.recorded_at FROM courier_positions q WHERE q.courier_id = c.id AND q.recorded_at > $1
			 AND coalesce(q.attributes, '') NOT LIKE '%"secondary":true%' ORDER BY q.recorded_at DESC LIMIT 1)`, micros(since))
}

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
