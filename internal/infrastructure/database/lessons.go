package database

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// PendingLessons returns the lessons to work out; see domain.Lessons.
func (s *Store) PendingLessons(ctx context.Context, limit int) ([]domain.LessonRef, error) {
	return list(ctx, s, into(func(l *domain.LessonRef) []any { return []any{&l.OrderID, &l.Ended} }),
		`SELECT order_id, kind = 1 FROM lessons WHERE pos IS NULL ORDER BY order_id, kind LIMIT $1`, limit)
}

// KeepLessons commits worked-out lessons. The row with the last place is held until the
// commit, so that places appear in their order.
func (s *Store) KeepLessons(ctx context.Context, lessons []domain.Lesson) error {
	return s.within(ctx, func(t *txn) {
		sums := map[domain.ReportKey]domain.ReportSums{}
		last := rowsOf(t, scanOne[int64], `UPDATE estimates SET place = place + $1 WHERE name = 'last' RETURNING place`, len(lessons))
		for i, l := range lessons {
			if t.err != nil {
				return
			}
			var off *float64
			if l.Error != nil {
				off = new(l.Error.Seconds())
			}
			n := t.exec(`UPDATE lessons SET pos = $3, at = $4, data = $5, merchant_id = $6, carrier = $7, zone = $8,
				error_s = $9, early = $10, late = $11 WHERE order_id = $1 AND kind = CASE WHEN $2 THEN 1 ELSE 0 END AND pos IS NULL`,
				l.OrderID, l.Ended, last[0]-int64(len(lessons)-i-1), micros(l.At), string(l.Data), l.MerchantID, l.Carrier, l.Zone,
				off, l.Early, l.Late)
			if n > 0 && off != nil {
				addLesson(sums, l)
			}
		}
		addBlocks(sums)
		t.insert(lessonDays, sumRows(sums, len(lessonDays.cols))...)
	})
}

// LessonsAfter returns the lessons behind a place; see domain.Lessons.
func (s *Store) LessonsAfter(ctx context.Context, place int64, limit int) ([]domain.Lesson, error) {
	return list(ctx, s, into(func(l *domain.Lesson) []any {
		return []any{&l.OrderID, &l.Ended, &l.Place, instant{&l.At}, &l.Data}
	}), `SELECT order_id, kind = 1, pos, at, data FROM lessons WHERE pos > $1 ORDER BY pos LIMIT $2`, place, limit)
}

// KeepBook commits a snapshot; see domain.Lessons.
func (s *Store) KeepBook(ctx context.Context, place int64, data []byte) error {
	return s.do(ctx, `UPDATE estimates SET place = $1, data = $2 WHERE name = 'book' AND (place < $1 OR data IS NULL)`, place, data)
}

// Book returns the newest snapshot, or nil.
func (s *Store) Book(ctx context.Context) ([]byte, error) {
	return value[[]byte](ctx, s, `SELECT data FROM estimates WHERE name = 'book'`)
}

// addLesson adds to the days of all that a lesson is about: an order, by how many microseconds the estimate was off, without and
// with the sign, and whether the order came outside the first window, or even late.
func addLesson(sums map[domain.ReportKey]domain.ReportSums, l domain.Lesson) {
	one := domain.ReportSums{1, l.Error.Abs().Microseconds(), l.Error.Microseconds()}
	if l.Late {
		one[4] = 1
	}
	if l.Early || l.Late {
		one[3] = 1
	}
	for _, scope := range slices.Compact([]string{"", l.MerchantID}) {
		for by, name := range map[domain.ReportBy]string{domain.ByAll: "", domain.ByMerchant: l.MerchantID, domain.ByCarrier: l.Carrier, domain.ByZone: l.Zone} {
			one.AddTo(sums, domain.ReportKey{Scope: scope, By: by, Day: domain.DayOf(l.At, time.UTC), Name: name}, 1)
		}
	}
}

const dayMicros = 24 * 60 * 60 * 1_000_000

// lessonGroups are the names of groups in lessons.
var lessonGroups = map[domain.ReportBy]string{
	domain.ByAll: "''", domain.ByWeek: "''", domain.ByMerchant: "merchant_id", domain.ByCarrier: "carrier", domain.ByZone: "zone",
}

// EstimateReport returns how well first estimates held; see domain.Lessons. Whole days are read from their summary.
func (s *Store) EstimateReport(
	ctx context.Context, by domain.ReportBy, merchantID string, from, to time.Time, limit int,
) ([]domain.EstimateGroup, error) {
	name := lessonGroups[by]
	if name == "" {
		return nil, domain.Invalid("/by", "unknown", "must be all, merchant, carrier, zone or week")
	}
	l := &listing{args: []any{merchantID, limit}}
	lessons := func(from, to int64) string {
		return fmt.Sprintf(`SELECT %s AS name, at / %d AS day, 1 AS orders, abs(error_s) * 1000000 AS off, error_s * 1000000 AS bias,
			CASE WHEN early OR late THEN 1 ELSE 0 END AS missed, CASE WHEN late THEN 1 ELSE 0 END AS late
			FROM lessons WHERE error_s IS NOT NULL AND at >= %s AND at < %s AND ($1 = '' OR merchant_id = $1)`, name, dayMicros, l.arg(from), l.arg(to))
	}
	dimension, group := grouping(by)
	begin, end := micros(from), micros(to)
	parts := []string{}
	if first, last := (begin+dayMicros-1)/dayMicros, end/dayMicros; first < last {
		parts = append(l.days("SELECT name, day, orders, off, bias, missed, late FROM lesson_days", merchantID, dimension, domain.ReportDay(first), domain.ReportDay(last-1)),
			lessons(begin, first*dayMicros))
		begin = last * dayMicros
	}
	parts = append(parts, lessons(begin, end))
	found, err := varying(ctx, s, into(func(g *domain.EstimateGroup) []any {
		return []any{&g.Group, &g.Orders, &g.MAE, &g.Bias, &g.Coverage, &g.LateShare}
	}), `SELECT `+group+`, CAST(sum(orders) AS bigint), sum(off) / 60000000.0 / sum(orders), sum(bias) / 60000000.0 / sum(orders),
			1 - 1.0 * sum(missed) / sum(orders), 1.0 * sum(late) / sum(orders)
		FROM (`+strings.Join(parts, " UNION ALL ")+`) d GROUP BY 1 ORDER BY (sum(orders) - sum(missed) + 8.0) / (sum(orders) + 10), 2 DESC, 1 LIMIT $2`,
		l.args)
	for i := range found {
		if by == domain.ByWeek {
			monday, _ := strconv.ParseInt(found[i].Group, 10, 64) // a number by the query
			found[i].Group = domain.ReportDay(monday).String()
		}
	}
	return found, err
}
