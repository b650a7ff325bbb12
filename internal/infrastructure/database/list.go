package database

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// A page of orders is a union of branches. Each is a range of one index, already in the page's order and limited to the page's
// size, so that a page costs the same whatever the planner assumes about a million orders: one branch per requested status, one
// each for a courier's unfinished and finished orders.

// listing builds the query of a page.
type listing struct {
	page  domain.Page
	args  []any
	where []string // of every branch
	// narrow is set when a filter leaves few orders, whose own index is to be read whatever
	// the planner assumes: the other columns are hidden in expressions. promised is set when that is the promise.
	narrow, promised bool
	// sorted is set when that index is in the order of lists; unsorted when the orders are counted.
	sorted, unsorted bool
}

// newListing starts a query; its first parameter is the page size plus one.
func newListing(p domain.Page) *listing {
	p.Size = max(1, p.Size)
	return &listing{page: p, args: []any{p.Size + 1}}
}

// read runs the query and makes the next cursor from the page's last row.
func read[T any](
	ctx context.Context, s *Store, l *listing, text string, scan func(*sql.Rows) (T, error), cursor func(T) domain.Cursor,
) ([]T, *domain.Cursor, error) {
	found, err := varying(ctx, s, scan, text, l.args)
	if err != nil || len(found) <= l.page.Size {
		return found, nil, err
	}
	next := cursor(found[l.page.Size-1])
	return found[:l.page.Size], &next, nil
}

// arg adds a parameter and returns its placeholder.
func (l *listing) arg(v any) string {
	l.args = append(l.args, v)
	return fmt.Sprintf("$%d", len(l.args))
}

func (l *listing) and(format string, v any) { l.where = append(l.where, fmt.Sprintf(format, l.arg(v))) }

// when is and, if the filter asks for that.
func (l *listing) when(asked bool, format string, v any) {
	if asked {
		l.and(format, v)
	}
}

// fromCursor leaves out what came on earlier pages.
func (l *listing) fromCursor() {
	if c := l.page.After; !c.CreatedAt.IsZero() {
		l.where = append(l.where, l.after(c))
	}
}

// varying reads every row of a query with dynamically built SQL, which is planned for its arguments.
func varying[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), text string, args []any) ([]T, error) {
	rows, err := s.queryVarying(ctx, text, slices.Concat(s.d.listMode, args)...)
	return collect(rows, err, scan)
}

// after is the keyset condition for rows after the cursor.
func (l *listing) after(c domain.Cursor) string {
	return fmt.Sprintf("(%s, id) < (%s, %s)", l.column("created_at"), l.arg(micros(c.CreatedAt)), l.arg(c.ID))
}

// newest selects columns of the matching rows, newest first.
func (l *listing) newest(columns, table string, conditions ...string) string {
	order := " ORDER BY " + l.column("created_at") + " DESC, id DESC"
	if l.unsorted {
		order = ""
	}
	return "SELECT " + columns + " FROM " + table + l.conditions(conditions...) + order + " LIMIT $1"
}

// column is a column that is to be read by its index, unless the filter has a better one.
func (l *listing) column(name string) string {
	switch {
	case !l.narrow, name == "created_at" && l.sorted:
		return name
	case name == "created_at":
		return "+created_at"
	}
	return name + " || ''"
}

// conditions is the WHERE clause of the common conditions and more.
func (l *listing) conditions(more ...string) string {
	where := slices.Concat(l.where, more)
	if len(where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(where, " AND ")
}

// branch is one range: its own conditions in addition to the common ones.
func (l *listing) branch(conditions ...string) string {
	columns := "id, created_at"
	if l.page.ActiveFirst {
		columns += ", finished" // others need no table row
	}
	return "SELECT * FROM (" + l.newest(columns, "orders", conditions...) + ") b"
}

// Orders returns a page of orders; see domain.Store.
func (s *Store) Orders(ctx context.Context, f domain.OrderFilter, p domain.Page) ([]*domain.Order, *domain.Cursor, error) {
	if f.Search != "" {
		return s.searchOrders(ctx, f, p)
	}
	return s.listOrders(ctx, f, p, nil)
}

// listOrders reads a page by the index of one of its filters. With the alternatives of a
// search it leaves out most orders that do not match; the caller checks the others.
func (s *Store) listOrders(
	ctx context.Context, f domain.OrderFilter, p domain.Page, search []searchTerms,
) ([]*domain.Order, *domain.Cursor, error) {
	statuses, all := wanted(f)
	if len(statuses) == 0 || f.CourierID != "" && !isID(f.CourierID) {
		return nil, nil, nil
	}
	l := newListing(p)
	var err error
	if l.promised, err = s.fewPromised(ctx, f); err != nil {
		return nil, nil, err
	}
	parts := [][]string{nil}
	if !f.PromisedTo.IsZero() && !narrow(f) && !l.promised { // most are promised for later than they are created, the others have an index
		until := l.arg(micros(f.PromisedTo))
		parts = [][]string{{"created_at < " + until}, {"created_at >= " + until, "promised_at < created_at"}}
	}
	var branches []string
	for i, where := range parts {
		l.where, l.narrow, l.sorted = where, l.promised || i > 0, i > 0
		l.filter(f)
		if search != nil {
			l.where = append(l.where, l.searchCondition(s.d.position, "TRUE", search))
		}
		branches = append(branches, l.branches(f, statuses, all)...)
	}
	if len(branches) == 0 {
		return nil, nil, nil
	}
	order := "k.created_at DESC, k.id DESC"
	if p.ActiveFirst {
		order = "k.finished, " + order
	}
	text := "SELECT o.data, o.ledger FROM (SELECT k.* FROM (" + strings.Join(branches, " UNION ALL ") +
		") k ORDER BY " + order + " LIMIT $1) k JOIN orders o ON o.id = k.id ORDER BY " + order
	return read(ctx, s, l, text, scanOrder, func(o *domain.Order) domain.Cursor {
		return domain.Cursor{CreatedAt: o.CreatedAt, ID: o.ID, Finished: p.ActiveFirst && !o.Active()}
	})
}

// fewPromised reports whether few orders are promised for a time without an end or a beginning.
func (s *Store) fewPromised(ctx context.Context, f domain.OrderFilter) (bool, error) {
	few := s.segment / 32 // 2,048, unless in tests
	if narrow(f) || f.PromisedFrom.IsZero() && f.PromisedTo.IsZero() {
		return false, nil
	}
	from, to, n := int64(math.MinInt64), int64(math.MaxInt64), 0
	if !f.PromisedFrom.IsZero() {
		from = micros(f.PromisedFrom)
	}
	if !f.PromisedTo.IsZero() {
		to = micros(f.PromisedTo)
	}
	_, err := s.one(ctx, `SELECT count(*) FROM (SELECT 1 FROM orders WHERE promised_at >= $1 AND promised_at < $2 LIMIT $3) p`, []any{from, to, few + 1}, &n)
	return n <= few, err
}

func scanOrder(r *sql.Rows) (*domain.Order, error) {
	var data, ledger []byte
	if err := r.Scan(&data, &ledger); err != nil {
		return nil, err
	}
	return thaw(data, ledger)
}

// wanted lists the statuses that match the filter, and reports whether that is all of them.
func wanted(f domain.OrderFilter) (statuses []domain.Status, all bool) {
	for _, s := range domain.Statuses() {
		if len(f.Statuses) > 0 && !slices.Contains(f.Statuses, s) || f.Active != nil && *f.Active == s.Terminal() {
			continue
		}
		statuses = append(statuses, s)
	}
	return statuses, len(statuses) == len(domain.Statuses())
}

// narrowTo is the longest range of promises that is read by their index: they are sorted.
const narrowTo = 7 * 24 * time.Hour

// soon reports whether few orders are promised for the time that is asked for.
func soon(f domain.OrderFilter) bool {
	return !f.PromisedFrom.IsZero() && !f.PromisedTo.IsZero() && f.PromisedTo.Sub(f.PromisedFrom) <= narrowTo
}

// narrow reports whether a filter leaves few orders.
func narrow(f domain.OrderFilter) bool {
	return soon(f) || f.Late != nil && *f.Late || f.Incident != nil && *f.Incident || f.Exception != ""
}

// filter adds the conditions of every branch.
func (l *listing) filter(f domain.OrderFilter) {
	late := f.Late != nil && *f.Late
	incident := f.Incident != nil && *f.Incident
	l.narrow = l.narrow || narrow(f)
	l.sorted = l.sorted || (incident || f.Exception != "") && !late && !soon(f)
	promised := "promised_at"
	if !soon(f) && !l.promised {
		promised = "+promised_at"
	}
	if f.Exception == domain.AnyException {
		l.where = append(l.where, "exception IS NOT NULL")
	}
	if incident {
		l.where = append(l.where, "incident")
	} else if f.Incident != nil {
		l.where = append(l.where, "NOT incident")
	}
	merchant := "merchant_id = %s AND merchant_id <> ''" // the second condition makes the partial index usable
	if l.narrow {
		merchant = l.column("merchant_id") + " = %s"
	}
	l.when(f.MerchantID != "", merchant, f.MerchantID)
	l.when(f.ExternalID != "", "external_id = %s", f.ExternalID)
	l.when(f.CustomerPhone != "", "customer_phone = %s", f.CustomerPhone)
	l.when(f.CourierID != "", "courier_id = %s", f.CourierID)
	l.when(!f.CreatedFrom.IsZero(), l.column("created_at")+" >= %s", micros(f.CreatedFrom))
	l.when(!f.CreatedTo.IsZero(), l.column("created_at")+" < %s", micros(f.CreatedTo))
	l.when(f.Exception != "" && f.Exception != domain.AnyException, "exception = %s", f.Exception)
	l.when(late, "late_at <= %s", micros(f.Now))
	l.when(f.Late != nil && !late, "coalesce(late_at > %s, TRUE)", micros(f.Now))
	l.when(!f.PromisedFrom.IsZero(), promised+" >= %s", micros(f.PromisedFrom))
	l.when(!f.PromisedTo.IsZero(), promised+" < %s", micros(f.PromisedTo))
}

// branches chooses the ranges to read.
func (l *listing) branches(f domain.OrderFilter, statuses []domain.Status, all bool) []string {
	if f.CourierID != "" || l.page.ActiveFirst {
		if !all {
			l.where = append(l.where, l.among(statuses))
		}
		return l.activeAndFinished()
	}
	l.fromCursor()
	few := l.narrow || f.ExternalID != "" || f.CustomerPhone != "" // few orders have that
	switch {
	case all && (few || f.MerchantID == ""):
		return []string{l.branch()}
	case few:
		return []string{l.branch(l.among(statuses))}
	}
	return domain.Each(statuses, func(s domain.Status) string { return l.branch("status = " + l.arg(string(s))) })
}

func (l *listing) among(statuses []domain.Status) string {
	places := domain.Each(statuses, func(s domain.Status) string { return l.arg(string(s)) })
	return l.column("status") + " IN (" + strings.Join(places, ", ") + ")"
}

// activeAndFinished reads unfinished and finished orders as separate branches. In a list sorted by time the cursor applies to
// both; where active orders come first, it applies to the part it points into.
func (l *listing) activeAndFinished() []string {
	c := l.page.After
	started := !c.CreatedAt.IsZero()
	var out []string
	for _, finished := range []bool{false, true} {
		conditions := []string{"finished = " + l.arg(finished)}
		switch {
		case !started:
		case !l.page.ActiveFirst || finished == c.Finished:
			conditions = append(conditions, l.after(c))
		case c.Finished: // the active orders were already listed
			l.args = l.args[:len(l.args)-1]
			continue
		}
		out = append(out, l.branch(conditions...))
	}
	return out
}
