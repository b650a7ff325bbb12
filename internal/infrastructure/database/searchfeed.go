package database

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// The search index is fed after orders are committed, by one process at a time. Orders newer than the newest segment need no
// index: searches scan them. Once there are enough, they become a segment, and several small segments become a large one.
//
// An order that belongs to a segment, but was committed after it, or whose text changed, is queued in the order's own
// transaction. Searches check what is queued, and the segment is built again from the stored orders after a while. So a search
// never misses an order, whatever the feed has done or not done: a process that is killed leaves a segment that is not live.

const (
	fullSegment = 1 << 16
	// smallSegments are this many to a full one.
	smallSegments = 16
	// queueSize and queueTime limit how much searches check in the queue, and how long replaced text remains in the index.
	queueSize = 1000
	queueTime = 10 * time.Minute
	// settled is after what time most orders have ended.
	settled = 12 * time.Hour

	// publishTries is how often a finished segment waits for orders that are being committed.
	publishTries = 20

	partsPerJob = 1000
	bytesPerJob = 1 << 20
)

// segment is a live segment: the orders with from < key <= to.
type segment struct {
	id       int64
	docs     int
	from, to doc
	// open is how many orders had not ended when it was built, at built; nil if that was not noted yet.
	open  *int
	built int64
}

// beginning is before all keys.
var beginning = doc{at: math.MinInt64}

func (d doc) compare(other doc) int {
	switch {
	case d.at < other.at:
		return -1
	case d.at > other.at:
		return 1
	}
	return slices.Compare(d.id[:], other.id[:])
}

func docOf(o *domain.Order) doc {
	id, err := uuid.Parse(o.ID)
	if err != nil { // stored ids are UUIDs
		return doc{at: micros(o.CreatedAt)}
	}
	return doc{micros(o.CreatedAt), id}
}

const liveSegments = `SELECT id, docs, from_at, from_id, to_at, to_id, open, built_at FROM search_segments WHERE live ORDER BY to_at DESC, to_id DESC`

func scanSegment(r *sql.Rows) (g segment, err error) {
	err = r.Scan(&g.id, &g.docs, &g.from.at, &g.from.id, &g.to.at, &g.to.id, &g.open, &g.built)
	return g, err
}

// IndexSearch takes one step; see domain.SearchIndex.
func (s *Store) IndexSearch(ctx context.Context) (more bool, err error) {
	release, err := s.d.leadFeed(ctx)
	if err != nil || release == nil {
		return false, failure(err)
	}
	defer release()
	if err := s.dropDeadSegments(ctx); err != nil {
		return false, failure(err)
	}
	live, err := list(ctx, s, scanSegment, liveSegments)
	if err != nil {
		return false, err
	}
	slices.Reverse(live) // oldest first
	for _, step := range []func(context.Context, []segment) (bool, error){s.seal, s.merge, s.renew} {
		if more, err = step(ctx, live); more || err != nil {
			if errors.Is(err, errOvertaken) {
				return true, nil
			}
			return more, failure(err)
		}
	}
	return false, nil
}

// dropDeadSegments deletes segments that were replaced or never finished.
func (s *Store) dropDeadSegments(ctx context.Context) error {
	dead, err := list(ctx, s, scanOne[int64], `SELECT id FROM search_segments WHERE NOT live`)
	if err != nil {
		return err
	}
	for _, id := range dead {
		err := s.purge(ctx, `DELETE FROM search_parts WHERE (segment, part) IN
			(SELECT segment, part FROM search_parts WHERE segment = $1 ORDER BY part LIMIT $2)`, id)
		if err != nil {
			return err
		}
		if _, err := s.change(ctx, `DELETE FROM search_segments WHERE id = $1 AND NOT live`, id); err != nil {
			return err
		}
	}
	return nil
}

// seal makes a segment of orders newer than the others, if there are enough.
func (s *Store) seal(ctx context.Context, live []segment) (bool, error) {
	from := beginning
	if len(live) > 0 {
		from = live[len(live)-1].to
	}
	small := s.segment / smallSegments
	enough := func(n int) (bool, error) {
		return s.one(ctx, `SELECT 1 FROM orders WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT 1 OFFSET $3`,
			[]any{from.at, from.id, n - 1}, new(int))
	}
	// The newest orders are left: others, created a moment before, may be still to come.
	if found, err := enough(small + small/16); err != nil || !found {
		return false, err
	}
	size := small
	if found, err := enough(s.segment); err != nil {
		return false, err
	} else if found {
		size = s.segment
	}
	return true, s.build(ctx, segment{docs: size, from: from}, nil)
}

// merge replaces small segments by a larger one.
func (s *Store) merge(ctx context.Context, live []segment) (bool, error) {
	for at := 0; at < len(live); at++ {
		docs, n := 0, 0
		for n < len(live)-at && live[at+n].docs < s.segment/2 && docs+live[at+n].docs <= s.segment {
			docs += live[at+n].docs
			n++
		}
		if n >= smallSegments || n > 1 && docs >= s.segment*3/4 {
			run := live[at : at+n]
			return true, s.build(ctx, segment{from: run[0].from, to: run[n-1].to}, run)
		}
	}
	return false, nil
}

// queued is an entry of the queue.
type queued struct {
	pos int64
	doc doc
	at  int64
}

func scanQueued(r *sql.Rows) (q queued, err error) {
	err = r.Scan(&q.pos, &q.doc.at, &q.doc.id, &q.at)
	return q, err
}

const queuedAll = `SELECT pos, created_at, order_id, queued_at FROM search_queue ORDER BY pos`

// renew builds the segment again of which most orders are queued, if those are many or old, or one that does not know how its orders ended.
func (s *Store) renew(ctx context.Context, live []segment) (bool, error) {
	all, err := list(ctx, s, scanQueued, queuedAll)
	if err != nil || len(live) == 0 {
		return false, err
	}
	counts := make([]int, len(live))
	n, old := 0, -1
	for _, q := range all {
		i, _ := slices.BinarySearchFunc(live, q.doc, func(g segment, d doc) int { return g.to.compare(d) })
		if i == len(live) {
			continue // newer than all segments
		}
		if old < 0 && time.Since(fromMicros(q.at)) >= s.patience {
			old = i
		}
		counts[i]++
		n++
	}
	if old < 0 && n < queueSize {
		if old = slices.IndexFunc(live, segment.outlived); old < 0 {
			return false, nil
		}
	} else if old < 0 {
		old = slices.Index(counts, slices.Max(counts))
	}
	g := live[old]
	return true, s.build(ctx, segment{from: g.from, to: g.to}, []segment{g})
}

// outlived reports whether many orders of a segment will have ended since it was built: its orders are twice as old as then.
func (g segment) outlived() bool {
	age := time.Since(fromMicros(g.to.at))
	return g.open == nil || *g.open > g.docs/16 && age > settled && age > 2*fromMicros(g.built).Sub(fromMicros(g.to.at))
}

// searchEntry is the order's entry in the queue.
func (r *orderRow) searchEntry() []any { return []any{r.id, r.key.at, micros(time.Now())} }

// foldedText is what searches look at, also of an order that an older program stored.
func (r *orderRow) foldedText() string {
	if strings.HasPrefix(r.search, foldedMark) {
		return r.search
	}
	o, err := r.order()
	if err != nil {
		return ""
	}
	return orderSearch(o)
}

// errOvertaken means that a segment missed orders that were committed meanwhile, or that another process feeds the index now.
var errOvertaken = errors.New("the search index changed meanwhile")

// build stores a segment in place of others. If it replaces none it covers the next orders
// after the newest segment, as many as g.docs.
func (s *Store) build(ctx context.Context, g segment, replaced []segment) error {
	waiting, err := list(ctx, s, scanQueued, queuedAll)
	if err != nil {
		return err
	}
	b := newSegmentBuilder()
	if err := s.readSegment(ctx, g, b); err != nil {
		return err
	}
	g.docs = len(b.docs)
	if len(replaced) == 0 {
		if g.docs == 0 {
			return errOvertaken
		}
		g.to = b.docs[g.docs-1]
	}
	ids, err := changed(ctx, s, scanOne[int64], `INSERT INTO search_segments (live, docs, from_at, from_id, to_at, to_id, open, built_at)
		VALUES (FALSE, $1, $2, $3, $4, $5, $6, $7) RETURNING id`, g.docs, g.from.at, g.from.id, g.to.at, g.to.id, b.open, micros(time.Now()))
	if err != nil {
		return err
	}
	g.id = ids[0]
	if err := s.writeParts(ctx, g.id, b); err != nil {
		return err
	}
	var done []int64
	for _, q := range waiting {
		if q.doc.compare(g.from) > 0 && q.doc.compare(g.to) <= 0 {
			done = append(done, q.pos)
		}
	}
	for try := 1; ; try++ {
		err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error { return s.publish(ctx, tx, g, replaced, done) })
		if err == nil || errors.Is(err, errOvertaken) || !passing(err) || try == publishTries || !background.Sleep(ctx, 50*time.Millisecond) {
			return err
		}
	}
}

// readSegment adds the orders of a segment to the builder.
func (s *Store) readSegment(ctx context.Context, g segment, b *segmentBuilder) error {
	end, limit := g.to, math.MaxInt32
	if g.docs > 0 {
		end, limit = doc{at: math.MaxInt64}, g.docs
	}
	ended, _ := wanted(domain.OrderFilter{Active: new(false)})
	l := &listing{args: []any{g.from.at, g.from.id, end.at, end.id, limit}}
	// An index has all of an order that is open.
	text := `SELECT created_at, id, merchant_id, status, CASE WHEN ` + l.among(ended) + ` THEN coalesce(CAST(courier_id AS text), '') ELSE '' END,
			search, CASE WHEN substr(search, 1, 1) = ' ' THEN NULL ELSE data END FROM orders
		WHERE (created_at, id) > ($1, $2) AND (created_at, id) <= ($3, $4) ORDER BY created_at, id LIMIT $5`
	rows, err := s.query(ctx, text, l.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var d doc
		var merchant, courier, search string
		var status domain.Status
		var old []byte
		if err := rows.Scan(&d.at, &d.id, &merchant, &status, &courier, &search, &old); err != nil {
			return badRow(err)
		}
		if old != nil {
			o, err := thaw(old, []byte("{}"))
			if err != nil {
				return err
			}
			search = orderSearch(o)
		}
		b.add(d, search, merchant, status, courier)
	}
	return rows.Err()
}

// writeParts stores the parts in several short transactions.
func (s *Store) writeParts(ctx context.Context, id int64, b *segmentBuilder) error {
	var rows [][]any
	size := 0
	flush := func() error {
		err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := s.d.insert(ctx, tx, searchParts, rows)
			return err
		})
		rows, size = rows[:0], 0
		return err
	}
	err := b.parts(len(b.docs) < s.segment/2, func(part int64, data []byte) error {
		rows = append(rows, []any{id, part, data})
		if size += len(data); len(rows) < partsPerJob && size < bytesPerJob {
			return nil
		}
		return flush()
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return flush()
}

// publish makes a segment live. While it does, no order is committed, so that one is either
// in the segment or finds itself older than the newest segment, and is queued.
func (s *Store) publish(ctx context.Context, tx *sql.Tx, g segment, replaced []segment, done []int64) error {
	if err := s.d.holdOrders(ctx, tx); err != nil {
		return err
	}
	if len(replaced) == 0 {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM orders WHERE (created_at, id) > ($1, $2) AND (created_at, id) <= ($3, $4)`,
			g.from.at, g.from.id, g.to.at, g.to.id).Scan(&n)
		if err != nil {
			return err
		}
		if n != g.docs {
			return errOvertaken
		}
		if _, err := tx.ExecContext(ctx, `UPDATE search_state SET sealed_at = $1, sealed_id = $2`, g.to.at, g.to.id); err != nil {
			return err
		}
	}
	flip := func(id int64, live bool) error {
		n, err := affected(tx.ExecContext(ctx, `UPDATE search_segments SET live = $2 WHERE id = $1 AND live <> $2`, id, live))
		if err == nil && n == 0 {
			err = errOvertaken
		}
		return err
	}
	if err := flip(g.id, true); err != nil {
		return err
	}
	for _, r := range replaced {
		if err := flip(r.id, false); err != nil {
			return err
		}
	}
	if len(done) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM search_queue WHERE pos`+s.d.among, s.d.list(done))
	return err
}
