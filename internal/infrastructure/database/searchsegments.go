package database

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"sort"

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
		if err == nil && g.to.at > q.until && set.more(0) {
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
	all []int64
	// first are those that leave few candidates: they are read of many segments at once.
	first, rest []int64
}

const (
	minGrams, maxFirst = 4, 6
	// manyCandidates is from how many candidates of a segment the rest is read too: reading an order costs more than that.
	manyCandidates = 16
)

// plan chooses the grams that are looked up first, by how they would do in a segment.
func (q *searching) plan(ctx context.Context, g segment) error {
	for _, terms := range q.alternatives {
		all := gramsOf(terms)
		if q.f.MerchantID != "" {
			all = append(all, namedGram(gramMerchant, q.f.MerchantID))
		}
		found, err := q.grams(ctx, []segment{g}, all)
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

// first reads the grams that are looked up first.
func (q *searching) first(ctx context.Context, batch []segment) (map[[2]int64][]byte, error) {
	grams := slices.Concat(q.ends()...)
	for _, p := range q.plans {
		grams = append(grams, p.first...)
	}
	return q.grams(ctx, batch, grams)
}

// candidates returns which orders of a segment may have all grams of an alternative.
func (q *searching) candidates(ctx context.Context, g segment, found map[[2]int64][]byte) (bitmap, error) {
	asked := newBitmap(g.docs)
	asked.fill(g.docs)
	for _, either := range q.ends() {
		if g.open == nil {
			break // nobody noted how its orders ended
		}
		some := newBitmap(g.docs)
		for _, part := range either {
			some.or(postings(found[[2]int64{g.id, part}], g.docs))
		}
		asked.and(some)
	}
	out := newBitmap(g.docs)
	for _, p := range q.plans {
		set := intersection(g, p.first, found)
		set.and(asked)
		if len(p.rest) > 0 && set.more(manyCandidates) {
			more, err := q.grams(ctx, []segment{g}, p.rest)
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
	found, err := q.parts(ctx, q.s.d.searchGrams, q.s.d.list(ids), q.s.d.list(parts))
	out := make(map[[2]int64][]byte, len(found))
	for key, data := range found {
		if key[1]>>(2*runeBits) == gramsPacked {
			unpack(key[0], data, out)
		} else {
			out[key] = data
		}
	}
	return out, err
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

// cut removes orders of a segment that are newer than asked for. The keys are sorted.
func (q *searching) cut(ctx context.Context, g segment, set bitmap) (err error) {
	n := sort.Search(g.docs, func(ordinal int) bool {
		if err != nil {
			return true
		}
		page := [2]int64{g.id, docPage(ordinal)}
		if q.pages[page] == nil {
			q.pages, err = q.parts(ctx, q.s.d.searchPages, q.s.d.pairs([][2]int64{page})...)
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
		ids = append(ids, d.id.String())
	}
	return ids, nil
}
