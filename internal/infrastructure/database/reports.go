package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// The summary of days. What an order added is stored with it, so that a change takes that away and adds the new; both, and
// the queue, are one transaction. Who holds the lease's row is the only one who does it.

const reportLease = `SELECT name FROM leases WHERE name = 'reports'`

// Couriers' times on duty.
const (
	beginDuty = `INSERT INTO courier_duty (courier_id, began_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	endDuty   = `UPDATE courier_duty SET ended_at = $2 WHERE courier_id = $1 AND ended_at IS NULL`
)

// newSums describes a summary of days.
func newSums(name string, sums ...string) *table {
	t := &table{name: name, cols: []column{{"scope", "text"}, {"dimension", "text"}, {"day", "bigint"}, {"name", "text"}}}
	var sets []string
	for _, c := range sums {
		t.cols = append(t.cols, column{c, "bigint"})
		sets = append(sets, c+" = "+name+"."+c+" + excluded."+c)
	}
	t.conflict = " ON CONFLICT (scope, dimension, day, name) DO UPDATE SET " + strings.Join(sets, ", ")
	return t
}

// reported reports whether a change may change what the order adds to reports.
func reported(ch *domain.Change) bool {
	return !ch.Order.Active() || slices.ContainsFunc(ch.Events, func(e domain.Event) bool { _, ok := domain.OfferIn(&e); return ok })
}

// changedOrder is an order to be summed, with what it added before.
type changedOrder struct {
	order  *domain.Order
	before []domain.ReportShare
}

// SumOrders adds changed orders to the summary; see domain.Reports.
func (s *Store) SumOrders(
	ctx context.Context, limit int, shares func(*domain.Order, []domain.Event, []domain.ReportShare) []domain.ReportShare,
) (more bool, err error) {
	var pos int64
	if some, err := s.one(ctx, `SELECT pos FROM report_queue LIMIT 1`, nil, &pos); err != nil || !some {
		return false, err
	}
	err = s.within(ctx, func(t *txn) {
		more = false
		if mine := rowsOf(t, scanOne[string], reportLease+s.d.skipLocked); len(mine) == 0 {
			return
		}
		queued := rowsOf(t, scanOne[int64], `SELECT pos FROM report_queue ORDER BY pos LIMIT $1`, limit)
		if len(queued) == 0 {
			return
		}
		more = len(queued) == limit
		orders := rowsOf(t, scanChanged, `SELECT o.data, o.ledger, r.shares FROM orders o LEFT JOIN report_orders r ON r.order_id = o.id
			WHERE o.id IN (SELECT order_id FROM report_queue WHERE pos`+s.d.among+`)`, s.d.list(queued))
		after := map[string][]domain.ReportShare{}
		for _, c := range orders {
			var history []domain.Event
			if len(c.order.Bookkeeping.Offers) > 0 {
				history = rowsOf(t, scanEvent, `SELECT data FROM order_events WHERE order_id = $1 ORDER BY seq`, c.order.ID)
			}
			after[c.order.ID] = shares(c.order, history, c.before)
		}
		t.replaceShares(orders, after)
		t.exec(`DELETE FROM report_queue WHERE pos`+s.d.among, s.d.list(queued))
	})
	return more, err
}

func scanChanged(r *sql.Rows) (c changedOrder, err error) {
	var data, ledger []byte
	if err := r.Scan(&data, &ledger, encoded{&c.before}); err != nil {
		return c, err
	}
	c.order, err = thaw(data, ledger)
	return c, err
}

var scanEvent = into(func(e *domain.Event) []any { return []any{encoded{e}} })

// replaceShares takes away what orders added before, and adds what they add now.
func (t *txn) replaceShares(orders []changedOrder, after map[string][]domain.ReportShare) {
	sums := map[domain.ReportKey]domain.ReportSums{}
	taken := map[domain.ReportKey]domain.ReportSums{}
	var kept [][]any
	for _, c := range orders {
		domain.AddShares(sums, c.before, -1)
		domain.AddShares(taken, c.before, 1)
		domain.AddShares(sums, after[c.order.ID], 1)
		b, err := json.Marshal(after[c.order.ID])
		t.fail(err)
		kept = append(kept, []any{c.order.ID, string(b)})
	}
	addBlocks(sums)
	addBlocks(taken)
	t.insert(reportDays, sumRows(sums, len(reportDays.cols))...)
	none := strings.Join(domain.ReportColumns(), " = 0 AND ") + " = 0"
	for key := range taken { // nothing stays of a group that nobody is in any more
		t.exec(`DELETE FROM report_days WHERE scope = $1 AND dimension = $2 AND day = $3 AND name = $4 AND `+none,
			key.Scope, string(key.By), int64(key.Day), key.Name)
	}
	t.insert(reportShares, kept...)
}

// sumRows encodes sums as rows of a summary with so many columns.
func sumRows(sums map[domain.ReportKey]domain.ReportSums, columns int) (rows [][]any) {
	for key, sum := range sums {
		if sum != (domain.ReportSums{}) {
			row := []any{key.Scope, string(key.By), int64(key.Day), key.Name}
			for _, v := range sum[:columns-len(row)] {
				row = append(row, v)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// reportBlocks are how many days in a row are also summed, of what has many names a day: a year of days is too much to read.
var (
	reportBlocks = []domain.ReportDay{64, 8}
	blocked      = []domain.ReportBy{domain.ByMerchant, domain.ByZone, domain.ByCourier}
)

func blockOf(by domain.ReportBy, days domain.ReportDay) domain.ReportBy {
	return by + domain.ReportBy(fmt.Sprintf("/%d", days))
}

// addBlocks adds the sums of days to those of their blocks.
func addBlocks(sums map[domain.ReportKey]domain.ReportSums) {
	for key, sum := range maps.Clone(sums) {
		if key.Scope != "" || !slices.Contains(blocked, key.By) {
			continue
		}
		for _, n := range reportBlocks {
			sum.AddTo(sums, domain.ReportKey{By: blockOf(key.By, n), Day: key.Day / n * n, Name: key.Name}, 1)
		}
	}
}

// days selects days of a summary; the first parameter is the scope.
func (l *listing) days(text, scope string, by domain.ReportBy, from, to domain.ReportDay) []string {
	var blocks []domain.ReportDay
	if scope == "" && slices.Contains(blocked, by) {
		blocks = reportBlocks
	}
	return domain.Each(l.runs(by, from, to, blocks), func(run string) string { return text + " WHERE scope = $1 AND " + run })
}

// runs divides days into conditions, with blocks where they fit.
func (l *listing) runs(by domain.ReportBy, from, to domain.ReportDay, blocks []domain.ReportDay) []string {
	in := func(by domain.ReportBy, from, to domain.ReportDay) []string {
		return []string{fmt.Sprintf("dimension = %s AND day BETWEEN %s AND %s", l.arg(string(by)), l.arg(int64(from)), l.arg(int64(to)))}
	}
	if len(blocks) == 0 {
		return in(by, from, to)
	}
	n := blocks[0]
	first, end := (from+n-1)/n*n, (to+1)/n*n
	if first >= end {
		return l.runs(by, from, to, blocks[1:])
	}
	return slices.Concat(l.runs(by, from, first-1, blocks[1:]), in(blockOf(by, n), first, end-1), l.runs(by, end, to, blocks[1:]))
}

// eraseReasons takes the reasons for declining an order's offers out of the summary.
func eraseReasons(t *txn, orderID string) {
	rowsOf(t, scanOne[string], reportLease+t.d.forUpdate)
	orders := rowsOf(t, scanChanged, `SELECT o.data, o.ledger, r.shares FROM orders o JOIN report_orders r ON r.order_id = o.id WHERE o.id = $1`, orderID)
	if len(orders) == 0 {
		return
	}
	after := slices.Clone(orders[0].before)
	for i := range after {
		after[i].Reason = ""
	}
	if !slices.Equal(after, orders[0].before) {
		t.replaceShares(orders, map[string][]domain.ReportShare{orders[0].order.ID: after})
	}
}

// reportGroups are the names of groups that are no dimension; weeks begin on Monday.
var reportGroups = map[domain.ReportBy]string{
	domain.ByAll: "''", domain.ByDay: "CAST(day AS text)", domain.ByWeek: "CAST((day + 3) / 7 * 7 - 3 AS text)",
}

// grouping returns the dimension of the summary to read, and the names of its groups.
func grouping(by domain.ReportBy) (dimension domain.ReportBy, group string) {
	if group = reportGroups[by]; group != "" {
		return domain.ByAll, group
	}
	return by, "name"
}

// Report adds up days; see domain.Reports.
func (s *Store) Report(ctx context.Context, f domain.ReportFilter) ([]domain.ReportRow, error) {
	l := &listing{args: []any{f.MerchantID, f.Limit}}
	by, group := grouping(f.By)
	days := strings.Join(l.days("SELECT * FROM report_days", f.MerchantID, by, f.From, f.To), " UNION ALL ")
	order := "sum(delivered) DESC, sum(offers) DESC, sum(failed + returned + cancelled) DESC, 1"
	if f.By == domain.ByDay || f.By == domain.ByWeek {
		order = "min(day)"
	}
	columns := domain.ReportColumns()
	for i, c := range columns {
		columns[i] = "CAST(sum(" + c + ") AS bigint)"
	}
	return varying(ctx, s, into(func(row *domain.ReportRow) []any {
		dest := []any{&row.Name}
		for i := range row.Sums {
			dest = append(dest, &row.Sums[i])
		}
		return dest
	}), `SELECT `+group+`, `+strings.Join(columns, ", ")+` FROM (`+days+`) d GROUP BY 1 ORDER BY `+order+` LIMIT $2`, l.args)
}

// HoursOnDuty returns how long couriers were on duty; see domain.Reports.
func (s *Store) HoursOnDuty(ctx context.Context, from, to time.Time) ([]domain.OnDuty, error) {
	return list(ctx, s, func(r *sql.Rows) (d domain.OnDuty, err error) {
		var us int64
		err = r.Scan(&d.CourierID, &us)
		d.For = time.Duration(us) * time.Microsecond
		return d, err
	}, `SELECT CAST(courier_id AS text), CAST(sum(CASE WHEN ended_at < $2 THEN ended_at ELSE $2 END - CASE WHEN began_at > $1 THEN began_at ELSE $1 END) AS bigint)
		FROM courier_duty WHERE began_at < $2 AND (ended_at > $1 OR ended_at IS NULL) GROUP BY 1 ORDER BY 2 DESC, 1`, micros(from), micros(to))
}
