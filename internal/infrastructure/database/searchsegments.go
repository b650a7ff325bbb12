package database

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"sort"

	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// span is when the first and the last order were created that have one of the statuses:
// unfinished orders are rarely old, finished ones rarely new.
func (q *searching) span(ctx context.Context) (from, to int64, err error) {
	from, to = math.MaxInt64, math.MinInt64
	for _, status := range q.statuses {
		for _, direction := range []string{"", " DESC"} {
			found, err := readAt(ctx, q, scanOne[int64],
				`SELECT created_at FROM orders WHERE status = $1 ORDER BY created_at`+direction+`, id`+direction+` LIMIT 1`, string(status))
			if err != nil {
				return 0, 0, err
			}
			for _, at := range found {
				from, to = min(from, at), max(to, at)
			}
		}
	}
	return from, to, nil
}

// segments searches segment by segment.
func (q *searching) segments(ctx context.Context) error {
	live, err := readAt(ctx, q, scanSegment, liveSegments)
	if err != nil {
		return err
	}
	done, err := q.second(ctx, live)
	defer done()
	if err != nil {
		return err
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if q.statuses != nil {
		if from, to, err = q.span(ctx); err != nil {
			return err
		}
	}
	if !q.f.CreatedFrom.IsZero() {
		from = max(from, micros(q.f.CreatedFrom))
	}
	if !q.f.CreatedTo.IsZero() {
		to = min(to, micros(q.f.CreatedTo)-1)
	}
	if c := q.page.After; !c.CreatedAt.IsZero() {
		to = min(to, micros(c.CreatedAt))
	}
	q.until = to
	live = slices.DeleteFunc(live, func(g segment) bool { return g.to.at < from || g.from.at > to })
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
	grams := slices.Concat(q.ends()...)
	for _, p := range q.plans {
		grams = append(grams, p.first...)
	}
	found, err := q.grams(ctx, batch, grams)
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
		if err == nil && g.to.at > q.until && set.count() > 0 {
			err = q.cut(ctx, g, set)
		}
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
	// first leave few candidates, and are read of many segments at once; rest are read where those are many, common, which
	// most orders have, where they are very many.
	first, rest, common []int64
}

const (
	minGrams, maxFirst = 5, 7
	// manyCandidates is from how many candidates of a segment the rest is read too: reading an order costs more than that.
	manyCandidates, veryManyCandidates = 8, 256
	manySegments                       = 16 // from so many on, they are read with two connections
)

// plan chooses the grams that are looked up first, by how they would do in a segment.
func (q *searching) plan(ctx context.Context, g segment) error {
	for i, terms := range q.alternatives {
		all, enough := gramsOf(terms), minGrams-2*i // the whole query as one word is rare
		if q.f.MerchantID != "" {
			all = append(all, namedGram(gramMerchant, q.f.MerchantID))
		}
		found, err := q.grams(ctx, []segment{g}, all)
		if err != nil {
			return err
		}
		set, p := allOf(g.docs), gramPlan{}
		for _, part := range all {
			if set.both(found[[2]int64{g.id, part}]) > g.docs/4*3 {
				p.common = append(p.common, part)
			} else {
				p.rest = append(p.rest, part)
			}
		}
		if len(p.rest) == 0 {
			p.rest, p.common = p.common, nil
		}
		for left := g.docs; len(p.rest) > 0 && len(p.first) < maxFirst && (left > 0 || len(p.first) < enough); {
			best, fewest, size := 0, left+1, 0
			for i, part := range p.rest {
				n, data := set.both(found[[2]int64{g.id, part}]), len(found[[2]int64{g.id, part}])
				if n < fewest || n == fewest && data < size {
					best, fewest, size = i, n, data
				}
			}
			part := p.rest[best]
			set.only(found[[2]int64{g.id, part}])
			p.first, p.rest, left = append(p.first, part), slices.Delete(p.rest, best, best+1), fewest
		}
		q.plans = append(q.plans, p)
	}
	return nil
}

// ends are grams of which an order that is asked for has one of each: how it ended, or that it was open when its segment was built.
func (q *searching) ends() (all [][]int64) {
	if q.statuses != nil {
		either := []int64{openGram}
		for _, s := range q.statuses {
			either = append(either, namedGram(gramEnded, string(s)))
		}
		all = append(all, either)
	}
	if q.f.CourierID != "" {
		all = append(all, []int64{openGram, namedGram(gramEnded, q.f.CourierID)})
	}
	return all
}

// candidates returns which orders of a segment may have all grams of an alternative.
func (q *searching) candidates(ctx context.Context, g segment, found map[[2]int64][]byte) (bitmap, error) {
	asked := allOf(g.docs)
	for _, either := range q.ends() {
		if g.open == nil {
			break // nobody noted how its orders ended
		}
		some := make(bitmap, len(asked))
		for _, part := range either {
			some.or(postings(found[[2]int64{g.id, part}], g.docs))
		}
		asked.and(some)
	}
	out := make(bitmap, len(asked))
	for _, p := range q.plans {
		set := slices.Clone(asked)
		set.narrow(g, p.first, found)
		for _, more := range []struct {
			grams []int64
			from  int
		}{{p.rest, manyCandidates}, {p.common, veryManyCandidates}} {
			if len(more.grams) == 0 || set.count() <= more.from {
				continue
			}
			parts, err := q.grams(ctx, []segment{g}, more.grams)
			if err != nil {
				return nil, err
			}
			set.narrow(g, more.grams, parts)
		}
		out.or(set)
	}
	return out, nil
}

// narrow keeps the orders of a segment that have all of the grams.
func (b bitmap) narrow(g segment, all []int64, parts map[[2]int64][]byte) {
	if slices.ContainsFunc(all, func(part int64) bool { return len(parts[[2]int64{g.id, part}]) == 0 }) { // mostly a rare one is missing
		clear(b)
		return
	}
	for _, part := range all {
		b.only(parts[[2]int64{g.id, part}])
	}
}

// grams reads postings by segment and gram.
func (q *searching) grams(ctx context.Context, segments []segment, grams []int64) (map[[2]int64][]byte, error) {
	parts := slices.Clone(grams)
	if slices.ContainsFunc(segments, func(g segment) bool { return g.docs < q.s.segment/2 }) { // only those are packed
		for _, g := range grams {
			parts = append(parts, packedPart(g))
		}
		slices.Sort(parts)
		parts = slices.Compact(parts)
	}
	ids := domain.Each(segments, func(g segment) int64 { return g.id })
	txs, size := []*sql.Tx{q.tx}, len(ids)
	if q.beside != nil && len(ids) >= manySegments/2 {
		txs, size = append(txs, q.beside), (len(ids)+1)/2
	}
	found := make([]map[[2]int64][]byte, len(txs))
	var all errgroup.Group
	for i, tx := range txs {
		all.Go(func() (err error) {
			found[i], err = q.parts(ctx, tx, q.s.d.searchGrams, q.s.d.list(ids[i*size:min(len(ids), (i+1)*size)]), q.s.d.list(parts))
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	out := map[[2]int64][]byte{}
	for _, some := range found {
		for key, data := range some {
			out[key] = data
			if key[1]>>(2*runeBits) == gramsPacked {
				unpack(key[0], data, out)
			}
		}
	}
	return out, nil
}

// second opens a snapshot to read segments with beside the first, if nobody else has one, connections are free and the
// segments are the same there: their parts never change.
func (q *searching) second(ctx context.Context, live []segment) (done func(), err error) {
	use := q.s.read.Stats()
	if len(live) < manySegments || use.MaxOpenConnections > 0 && 2*use.InUse > use.MaxOpenConnections || !q.s.besides.TryLock() {
		return func() {}, nil
	}
	tx, err := q.s.read.BeginTx(ctx, q.s.d.snapshot)
	if err != nil {
		return q.s.besides.Unlock, err
	}
	now, err := readIn(ctx, q, tx, scanSegment, liveSegments)
	if slices.EqualFunc(live, now, func(a, b segment) bool { return a.id == b.id }) {
		q.beside = tx
	}
	return func() { _ = tx.Rollback(); q.s.besides.Unlock() }, err
}

// parts reads parts by segment and number.
func (q *searching) parts(ctx context.Context, tx *sql.Tx, text string, args ...any) (map[[2]int64][]byte, error) {
	out := map[[2]int64][]byte{}
	_, err := readIn(ctx, q, tx, func(r *sql.Rows) (key [2]int64, err error) {
		var data []byte
		err = r.Scan(&key[0], &key[1], &data)
		out[key] = data
		return key, err
	}, text, args...)
	return out, err
}

// cut removes orders of a segment that are newer than asked for. The keys are sorted.
func (q *searching) cut(ctx context.Context, g segment, set bitmap) (err error) {
	n := sort.Search(g.docs, func(ordinal int) bool {
		if err != nil {
			return true
		}
		page := [2]int64{g.id, docPage(ordinal)}
		if q.pages[page] == nil {
			q.pages, err = q.parts(ctx, q.tx, q.s.d.searchPages, q.s.d.pairs([][2]int64{page})...)
		}
		d, _ := docAt(q.pages[page], ordinal)
		return d.at > q.until
	})
	set.cut(n)
	return err
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
	parts, err := q.parts(ctx, q.tx, q.s.d.searchPages, q.s.d.pairs(pages)...)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(chunk))
	for _, c := range chunk {
		d, ok := docAt(parts[[2]int64{c.segment, docPage(c.ordinal)}], c.ordinal)
		if !ok {
			return nil, badRow(fmt.Errorf("segment %d of the search index has no order %d", c.segment, c.ordinal))
		}
		ids = append(ids, d.id.String())
	}
	return ids, nil
}
