package database

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Kinds of lessons, as in the migration.
const (
	lessonBegun = 0
	lessonEnded = 1
)

func kindOf(ended bool) int {
	if ended {
		return lessonEnded
	}
	return lessonBegun
}

// PendingLessons returns the lessons to work out; see domain.Lessons.
func (s *Store) PendingLessons(ctx context.Context, limit int) ([]domain.LessonRef, error) {
	return list(ctx, s, func(r *sql.Rows) (l domain.LessonRef, err error) {
		err = r.Scan(&l.OrderID, &l.Ended)
		return l, err
	}, `SELECT order_id, kind = 1 FROM lessons WHERE pos IS NULL ORDER BY order_id, kind LIMIT $1`, limit)
}

// KeepLessons commits worked-out lessons. The row with the last place is held until the
// commit, so that places appear in their order.
func (s *Store) KeepLessons(ctx context.Context, lessons []domain.Lesson) error {
	return failure(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var last int64
		err := tx.QueryRowContext(ctx, `UPDATE estimates SET place = place + $1 WHERE name = 'last' RETURNING place`, len(lessons)).Scan(&last)
		for i, l := range lessons {
			if err != nil {
				break
			}
			var off *float64
			if l.Error != nil {
				off = new(l.Error.Seconds())
			}
			_, err = tx.ExecContext(ctx, `UPDATE lessons SET pos = $3, at = $4, data = $5, merchant_id = $6, carrier = $7, zone = $8,
				error_s = $9, early = $10, late = $11 WHERE order_id = $1 AND kind = $2 AND pos IS NULL`,
				l.OrderID, kindOf(l.Ended), last-int64(len(lessons)-i-1), micros(l.At), string(l.Data), l.MerchantID, l.Carrier, l.Zone,
				off, l.Early, l.Late)
		}
		return err
	}))
}

// LessonsAfter returns the lessons behind a place; see domain.Lessons.
func (s *Store) LessonsAfter(ctx context.Context, place int64, limit int) ([]domain.Lesson, error) {
	return list(ctx, s, func(r *sql.Rows) (l domain.Lesson, err error) {
		err = r.Scan(&l.OrderID, &l.Ended, &l.Place, instant{&l.At}, &l.Data)
		return l, err
	}, `SELECT order_id, kind = 1, pos, at, data FROM lessons WHERE pos > $1 ORDER BY pos LIMIT $2`, place, limit)
}

// KeepBook commits a snapshot; see domain.Lessons.
func (s *Store) KeepBook(ctx context.Context, place int64, data []byte) error {
	return failure(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE estimates SET place = $1, data = $2 WHERE name = 'book' AND (place < $1 OR data IS NULL)`, place, data)
		return err
	}))
}

// Book returns the newest snapshot, or nil.
func (s *Store) Book(ctx context.Context) (data []byte, err error) {
	_, err = s.one(ctx, `SELECT data FROM estimates WHERE name = 'book'`, nil, &data)
	return data, err
}

// reportColumns are the expressions that reports group by; weeks begin on Monday.
var reportColumns = map[domain.EstimateReportBy]string{
	domain.ReportByAll: `''`, domain.ReportByMerchant: `merchant_id`, domain.ReportByCarrier: `carrier`, domain.ReportByZone: `zone`,
	domain.ReportByWeek: `CAST((at - 345600000000) / 604800000000 AS TEXT)`,
}

// EstimateReport returns how well first estimates held; see domain.Lessons.
func (s *Store) EstimateReport(
	ctx context.Context, by domain.EstimateReportBy, merchantID string, from, to time.Time, limit int,
) ([]domain.EstimateGroup, error) {
	column, ok := reportColumns[by]
	if !ok {
		return nil, domain.Invalid("/by", "unknown", "must be all, merchant, carrier, zone or week")
	}
	found, err := list(ctx, s, func(r *sql.Rows) (g domain.EstimateGroup, err error) {
		err = r.Scan(&g.Group, &g.Orders, &g.MAE, &g.Bias, &g.Coverage, &g.LateShare)
		return g, err
	}, `SELECT `+column+`, count(*), avg(abs(error_s)) / 60, avg(error_s) / 60,
			1 - avg(CASE WHEN early OR late THEN 1.0 ELSE 0.0 END), avg(CASE WHEN late THEN 1.0 ELSE 0.0 END)
		FROM lessons WHERE error_s IS NOT NULL AND at >= $1 AND at < $2 AND ($3 = '' OR merchant_id = $3)
		GROUP BY 1 ORDER BY (count(*) - sum(CASE WHEN early OR late THEN 1 ELSE 0 END) + 8.0) / (count(*) + 10), 2 DESC, 1 LIMIT $4`, micros(from), micros(to), merchantID, limit)
	for i := range found {
		if by == domain.ReportByWeek {
			week, _ := strconv.ParseInt(found[i].Group, 10, 64) // a number by the query
			found[i].Group = time.Unix(week*7*86400+4*86400, 0).UTC().Format(time.DateOnly)
		}
	}
	return found, err
}
