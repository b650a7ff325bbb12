package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// A search reads, newest first, the orders after the newest segment and then the candidates
// of each segment, until the page is full. What is queued is checked beforehand. Every
// candidate's own text decides, so the index may be outdated but a search is not.

const (
	// maxScan limits the orders that are read for a search because they are not indexed.
	maxScan = 50_000
	// maxChecked is how many candidates are read at once.
	maxChecked = 500
)

// searchOrders returns a page of the orders that match the filter's search.
func (s *Store) searchOrders(ctx context.Context, f domain.OrderFilter, p domain.Page) ([]*domain.Order, *domain.Cursor, error) {
	p.Size = max(1, p.Size)
	alternatives := parseSearch(f.Search)
	statuses, all := wanted(f)
	if len(alternatives) == 0 || len(statuses) == 0 || f.CourierID != "" && !isID(f.CourierID) {
		return nil, nil, nil
	}
	q := &searching{s: s, f: f, page: p, alternatives: alternatives, seen: map[string]bool{}}
	if !all {
		q.statuses = statuses
	}
	read := q.snapshot
	if narrow(f) || p.ActiveFirst || f.CustomerPhone != "" || f.ExternalID != "" {
		read = func(ctx context.Context) error {
			return q.scan(func(at domain.Page) ([]*domain.Order, *domain.Cursor, error) {
				return s.listOrders(ctx, f, at, alternatives)
			})
		}
	}
	if err := read(ctx); err != nil {
		return nil, nil, failure(err)
	}
	found, next := q.result()
	return found, next, nil
}

// searching is one search.
type searching struct {
	s            *Store
	f            domain.OrderFilter
	statuses     []domain.Status // nil for all
	page         domain.Page
	alternatives []searchTerms
	tx           *sql.Tx
	beside       *sql.Tx    // nil, or one that sees the same segments
	plans        []gramPlan // one an alternative, once a segment was looked at

	seen map[string]bool
	hits []*domain.Order
	// inOrder is how many hits were found newest first; the others were queued.
	inOrder int
	until   int64               // no order that is asked for is newer
	pages   map[[2]int64][]byte // read last by cut
}

func (q *searching) full() bool { return q.inOrder > q.page.Size }

// take keeps those of the orders that match.
func (q *searching) take(found []*domain.Order, inOrder bool) {
	for _, o := range found {
		if !matches(orderSearch(o), q.alternatives) {
			continue
		}
		if inOrder {
			q.inOrder++
		}
		if !q.seen[o.ID] {
			q.seen[o.ID] = true
			q.hits = append(q.hits, o)
		}
	}
}

// result is the page and the next cursor.
func (q *searching) result() ([]*domain.Order, *domain.Cursor) {
	slices.SortFunc(q.hits, func(a, b *domain.Order) int {
		if q.page.ActiveFirst && a.Active() != b.Active() {
			if a.Active() {
				return -1
			}
			return 1
		}
		return docOf(b).compare(docOf(a))
	})
	if len(q.hits) <= q.page.Size {
		return q.hits, nil
	}
	last := q.hits[q.page.Size-1]
	return q.hits[:q.page.Size], &domain.Cursor{CreatedAt: last.CreatedAt, ID: last.ID, Finished: q.page.ActiveFirst && !last.Active()}
}

// scan reads a list until the page is full.
func (q *searching) scan(read func(domain.Page) ([]*domain.Order, *domain.Cursor, error)) error {
	for at := q.page; !q.full(); {
		found, next, err := read(at)
		if err != nil {
			return err
		}
		q.take(found, true)
		if next == nil {
			return nil
		}
		at.After = *next
	}
	return nil
}

// snapshot searches with the index, as it is at one moment.
func (q *searching) snapshot(ctx context.Context) (err error) {
	if err := q.s.alive(ctx); err != nil {
		return err
	}
	if q.tx, err = q.s.read.BeginTx(ctx, q.s.d.snapshot); err != nil {
		return err
	}
	defer func() { _ = q.tx.Rollback() }()
	var sealed doc
	if err := q.tx.QueryRowContext(ctx, `SELECT sealed_at, sealed_id FROM search_state`).Scan(&sealed.at, &sealed.id); err != nil {
		return err
	}
	if err := q.tail(ctx, sealed); err != nil || q.full() {
		return err
	}
	if err := q.queue(ctx); err != nil {
		return err
	}
	return q.segments(ctx)
}

// readAt runs a query of the snapshot.
func readAt[T any](ctx context.Context, q *searching, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	return readIn(ctx, q, q.tx, scan, text, args...)
}

func readIn[T any](ctx context.Context, q *searching, tx *sql.Tx, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(ctx, text, slices.Concat(q.s.d.listMode, args)...)
	return collect(rows, err, scan)
}

// filtered adds what all orders of the page have.
func (q *searching) filtered(l *listing) {
	l.filter(q.f)
	if q.statuses != nil {
		l.where = append(l.where, l.among(q.statuses))
	}
	l.fromCursor()
}

// newer adds the condition for orders newer than a key.
func (l *listing) newer(d doc) {
	l.where = append(l.where, fmt.Sprintf("(created_at, id) > (%s, %s)", l.arg(d.at), l.arg(d.id)))
}

// tail scans the orders newer than all segments.
func (q *searching) tail(ctx context.Context, sealed doc) error {
	// Usually they are few. When they are not, such as after an upgrade, the search says so.
	times := &searching{f: domain.OrderFilter{CreatedFrom: q.f.CreatedFrom, CreatedTo: q.f.CreatedTo}}
	l := newListing(domain.Page{After: q.page.After})
	l.args[0] = 1
	l.newer(sealed)
	times.filtered(l)
	limit, err := readAt(ctx, q, func(r *sql.Rows) (d doc, err error) { err = r.Scan(&d.at, &d.id); return d, err },
		l.newest("created_at, id", "orders")+" OFFSET "+l.arg(maxScan), l.args...)
	if err != nil {
		return err
	}
	if len(limit) > 0 {
		sealed = limit[0]
	}
	err = q.scan(func(at domain.Page) ([]*domain.Order, *domain.Cursor, error) {
		l := newListing(at)
		l.newer(sealed)
		q.filtered(l)
		l.where = append(l.where, l.searchCondition(q.s.d.position, "TRUE", q.alternatives))
		found, err := readAt(ctx, q, scanOrder, l.newest("data, ledger", "orders"), l.args...)
		if err != nil || len(found) <= l.page.Size {
			return found, nil, err
		}
		last := found[len(found)-1]
		return found, &domain.Cursor{CreatedAt: last.CreatedAt, ID: last.ID}, nil
	})
	if err == nil && len(limit) > 0 && !q.full() {
		err = domain.Errorf(domain.CodeUnavailable, "the search index is being built; narrow the search by created_from, or try again in a minute")
	}
	return err
}

// queue checks the orders that are queued.
func (q *searching) queue(ctx context.Context) error {
	ids, err := readAt(ctx, q, scanOne[string], `SELECT CAST(order_id AS text) FROM search_queue ORDER BY pos`)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, maxChecked) {
		if err := q.check(ctx, chunk, false); err != nil {
			return err
		}
	}
	return nil
}

// check reads the orders that match the filter, of these ids.
func (q *searching) check(ctx context.Context, ids []string, inOrder bool) error {
	l := &listing{page: q.page, args: []any{q.s.d.list(ids)}}
	q.filtered(l)
	l.where = append(l.where, l.searchCondition(q.s.d.position, "TRUE", q.alternatives))
	found, err := readAt(ctx, q, scanOrder, "SELECT data, ledger FROM orders"+l.conditions("id"+q.s.d.among), l.args...)
	q.take(found, inOrder)
	return err
}
