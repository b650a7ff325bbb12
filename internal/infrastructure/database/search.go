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
	// fewOrders is up to how many orders are read for a search instead of using the index.
	fewOrders = 2000
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
	if len(alternatives) == 0 || len(statuses) == 0 {
		return nil, nil, nil
	}
	scan := p.ActiveFirst || f.CourierID != "" || f.CustomerPhone != "" || f.ExternalID != ""
	if !scan && !all {
		var err error
		if scan, err = s.few(ctx, statuses, fewOrders); err != nil {
			return nil, nil, err
		}
	}
	q := &searching{s: s, f: f, page: p, alternatives: alternatives, seen: map[string]bool{}}
	if !all {
		q.statuses = statuses
	}
	var err error
	if scan {
		err = q.scan(func(at domain.Page) ([]*domain.Order, *domain.Cursor, error) {
			return s.listOrders(ctx, f, at, alternatives)
		})
	} else {
		err = q.snapshot(ctx)
	}
	if err != nil {
		return nil, nil, failure(err)
	}
	found, next := q.result()
	return found, next, nil
}

// few reports whether at most limit orders have one of the statuses.
func (s *Store) few(ctx context.Context, statuses []domain.Status, limit int) (bool, error) {
	for _, status := range statuses {
		var n int
		_, err := s.one(ctx, `SELECT count(*) FROM (SELECT 1 FROM orders WHERE status = $1 LIMIT $2) f`, []any{string(status), limit + 1}, &n)
		if limit -= n; err != nil || limit < 0 {
			return false, err
		}
	}
	return true, nil
}

// searching is one search.
type searching struct {
	s            *Store
	f            domain.OrderFilter
	statuses     []domain.Status // nil for all
	page         domain.Page
	alternatives []searchTerms
	tx           *sql.Tx
	plans        []gramPlan // one an alternative, once a segment was looked at

	seen map[string]bool
	hits []*domain.Order
	// inOrder is how many hits were found newest first; the others were queued.
	inOrder int
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

// rows runs a query of the snapshot.
func readAt[T any](ctx context.Context, q *searching, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.tx.QueryContext(ctx, text, slices.Concat(q.s.d.listMode, args)...)
	return collect(rows, err, scan)
}

// filtered adds what all orders of the page have.
func (q *searching) filtered(l *listing) {
	l.filter(q.f)
	if q.statuses != nil {
		l.where = append(l.where, l.among(q.statuses))
	}
	if c := l.page.After; !c.CreatedAt.IsZero() {
		l.where = append(l.where, l.after(c))
	}
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

// segments searches segment by segment.
func (q *searching) segments(ctx context.Context) error {
	live, err := readAt(ctx, q, scanSegment, liveSegments)
	if err != nil {
		return err
	}
	live = slices.DeleteFunc(live, func(g segment) bool {
		c := q.page.After
		return !q.f.CreatedFrom.IsZero() && g.to.at < micros(q.f.CreatedFrom) ||
			!q.f.CreatedTo.IsZero() && g.from.at >= micros(q.f.CreatedTo) ||
			!c.CreatedAt.IsZero() && g.from.at > micros(c.CreatedAt)
	})
	// Most searches find enough in the newest orders.
	for n := 1; len(live) > 0; n *= 4 {
		n = min(n, len(live))
		if err := q.searchSegments(ctx, live[:n]); err != nil || q.full() {
			return err
		}
		live = live[n:]
	}
	return nil
}

// candidate is an order of a segment.
type candidate struct {
	segment int64
	ordinal int
}

// searchSegments checks the candidates of segments in order, in growing chunks.
func (q *searching) searchSegments(ctx context.Context, batch []segment) error {
	if q.plans == nil {
		if err := q.plan(ctx, batch[0]); err != nil {
			return err
		}
	}
	found, err := q.first(ctx, batch)
	if err != nil {
		return err
	}
	var chunk []candidate
	limit := min(maxChecked, q.page.Size+q.page.Size/4+1)
	flush := func() error {
		ids, err := q.resolve(ctx, chunk)
		if err == nil && len(ids) > 0 {
			err = q.check(ctx, ids, true)
		}
		chunk, limit = chunk[:0], min(maxChecked, 2*limit)
		return err
	}
	for _, g := range batch {
		set, err := q.candidates(ctx, g, found)
		if err != nil {
			return err
		}
		for from := len(set) - 1; ; {
			ordinal := set.last(&from)
			if ordinal < 0 {
				break
			}
			if chunk = append(chunk, candidate{g.id, ordinal}); len(chunk) < limit {
				continue
			}
			if err := flush(); err != nil || q.full() {
				return err
			}
		}
	}
	return flush()
}

// gramPlan is what to look up for an alternative.
type gramPlan struct {
	all []int64
	// first are those that leave few candidates: they are read of many segments at once.
	first, rest []int64
}

const (
	minGrams, maxFirst = 4, 6
	// manyCandidates is from how many candidates of a segment the rest is read too: reading an
	// order costs more than that.
	manyCandidates = 16
)

// plan chooses the grams that are looked up first, by how they would do in a segment.
func (q *searching) plan(ctx context.Context, g segment) error {
	for _, terms := range q.alternatives {
		all := gramsOf(terms)
		if q.f.MerchantID != "" {
			all = append(all, merchantGram(q.f.MerchantID))
		}
		found, err := q.parts(ctx, q.s.d.searchGrams, q.s.d.list([]int64{g.id}), q.s.d.list(all))
		if err != nil {
			return err
		}
		p := gramPlan{all: all, rest: slices.Clone(all)}
		set := newBitmap(g.docs)
		set.fill(g.docs)
		for left := g.docs; len(p.rest) > 0 && len(p.first) < maxFirst && (left > 0 || len(p.first) < minGrams); {
			best, fewest, size := 0, left+1, 0
			for i, part := range p.rest {
				n, data := set.both(found[[2]int64{g.id, part}], g.docs), len(found[[2]int64{g.id, part}])
				if n < fewest || n == fewest && data < size {
					best, fewest, size = i, n, data
				}
			}
			part := p.rest[best]
			set.and(postings(found[[2]int64{g.id, part}], g.docs))
			p.first, p.rest, left = append(p.first, part), slices.Delete(p.rest, best, best+1), fewest
		}
		q.plans = append(q.plans, p)
	}
	return nil
}

// first reads the grams that are looked up first.
func (q *searching) first(ctx context.Context, batch []segment) (map[[2]int64][]byte, error) {
	var grams []int64
	for _, p := range q.plans {
		grams = append(grams, p.first...)
	}
	ids := make([]int64, len(batch))
	for i, g := range batch {
		ids[i] = g.id
	}
	return q.parts(ctx, q.s.d.searchGrams, q.s.d.list(ids), q.s.d.list(grams))
}

// candidates returns which orders of a segment may have all grams of an alternative.
func (q *searching) candidates(ctx context.Context, g segment, found map[[2]int64][]byte) (bitmap, error) {
	out := newBitmap(g.docs)
	for _, p := range q.plans {
		set := intersection(g, p.first, found)
		if len(p.rest) > 0 && set.more(manyCandidates) {
			more, err := q.parts(ctx, q.s.d.searchGrams, q.s.d.list([]int64{g.id}), q.s.d.list(p.rest))
			if err != nil {
				return nil, err
			}
			set.and(intersection(g, p.rest, more))
		}
		out.or(set)
	}
	return out, nil
}

// intersection is which orders of a segment have all of the grams.
func intersection(g segment, all []int64, parts map[[2]int64][]byte) bitmap {
	for _, part := range all { // mostly a rare one is missing
		if len(parts[[2]int64{g.id, part}]) == 0 {
			return newBitmap(g.docs)
		}
	}
	set := newBitmap(g.docs)
	set.fill(g.docs)
	for _, part := range all {
		set.and(postings(parts[[2]int64{g.id, part}], g.docs))
	}
	return set
}

// parts reads parts by segment and number.
func (q *searching) parts(ctx context.Context, text string, args ...any) (map[[2]int64][]byte, error) {
	out := map[[2]int64][]byte{}
	_, err := readAt(ctx, q, func(r *sql.Rows) (key [2]int64, err error) {
		var data []byte
		err = r.Scan(&key[0], &key[1], &data)
		out[key] = data
		return key, err
	}, text, args...)
	return out, err
}

// resolve returns the ids of candidates.
func (q *searching) resolve(ctx context.Context, chunk []candidate) ([]string, error) {
	if len(chunk) == 0 {
		return nil, nil
	}
	var pages [][2]int64
	for _, c := range chunk {
		if page := [2]int64{c.segment, docPage(c.ordinal)}; len(pages) == 0 || pages[len(pages)-1] != page {
			pages = append(pages, page)
		}
	}
	parts, err := q.parts(ctx, q.s.d.searchPages, q.s.d.pairs(pages)...)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(chunk))
	for _, c := range chunk {
		d, ok := docAt(parts[[2]int64{c.segment, docPage(c.ordinal)}], c.ordinal)
		if !ok {
			return nil, badRow(fmt.Errorf("segment %d of the search index has no order %d", c.segment, c.ordinal))
		}
		if c := q.page.After; !c.CreatedAt.IsZero() && d.at > micros(c.CreatedAt) {
			continue // listed on a page before
		}
		ids = append(ids, d.id.String())
	}
	return ids, nil
}
