package database

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

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
