package push

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	catchers     = 4 // maximum number of goroutines that read missed entries
	storeTimeout = 5 * time.Second
)

// catchup is the queue of rooms that must read from the store.
type catchup struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	rooms   []*room
	running int
	closed  bool
	outage  background.Outage
}

func (c *catchup) init(log *zap.Logger) {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.outage = background.Outage{
		Log: log, Lost: "can't compare watched orders with the database; retrying every second",
		Back: "comparing watched orders with the database again",
	}
}

// close abandons the reads in progress and waits for them to stop.
func (c *catchup) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
}

// add schedules a read of the missing entries for a room, which is locked.
func (c *catchup) add(r *room) {
	if r.track.queued {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	r.track.queued = true
	c.rooms = append(c.rooms, r)
	if c.running < catchers {
		c.running++
		c.wg.Go(c.work)
	}
}

// work reads for queued rooms until none is left.
func (c *catchup) work() {
	for {
		c.mu.Lock()
		if len(c.rooms) == 0 || c.closed {
			c.running--
			c.rooms = nil
			c.mu.Unlock()
			return
		}
		r := c.rooms[0]
		c.rooms = c.rooms[1:]
		c.mu.Unlock()
		r.catchUp(c.ctx)
	}
}

// catchUp reads and publishes the entries the room has missed. When the store does not respond, the next check retries.
func (r *room) catchUp(ctx context.Context) {
	r.mu.Lock()
	t := r.track
	t.queued = false
	after, needed := t.seq, t.begun && !r.dead && (t.behind || len(t.ahead) > 0)
	r.mu.Unlock()
	if !needed {
		return // the missing entries were announced meanwhile
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	events, err := r.hub.missed(ctx, r.topic.ID, after)
	r.hub.noteOutage(err)
	if err != nil {
		return
	}
	w := newWakes()
	r.mu.Lock()
	t.behind = false
	r.offer(events, w)
	r.mu.Unlock()
	w.fire()
}

// missed returns an order's entries after a seq, the last of them with the state after it.
func (h *Hub) missed(ctx context.Context, id string, after int64) ([]domain.Event, error) {
	o, err := h.store.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := h.store.Events(ctx, id, after)
	events = slices.DeleteFunc(events, func(e domain.Event) bool { return e.Seq > o.Bookkeeping.Seq }) // they are announced
	if n := len(events); n > 0 {
		events[n-1] = domain.Heard(events[n-1], nil, o.State())
	}
	return events, err
}

// check compares the watched orders with the store and schedules reads of missed entries.
func (h *Hub) check(ctx context.Context) {
	rooms := h.watched()
	if len(rooms) == 0 {
		return
	}
	ids := domain.Each(rooms, func(r *room) string { return r.topic.ID })
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	versions, err := h.store.Versions(ctx, ids)
	h.noteOutage(err)
	for _, r := range rooms {
		r.mu.Lock()
		if t := r.track; !r.dead && (versions[r.topic.ID] > t.state.Version || t.behind || len(t.ahead) > 0) {
			t.behind = true
			h.catchup.add(r)
		}
		r.mu.Unlock()
	}
}

// watched returns the rooms of orders that can still change and retires those that are no longer needed.
func (h *Hub) watched() []*room {
	rooms := h.orders.all()
	kept := rooms[:0]
	for _, r := range rooms {
		r.mu.Lock()
		r.retire()
		if !r.dead && r.track.begun && !r.track.state.Status.Terminal() {
			kept = append(kept, r)
		}
		r.mu.Unlock()
	}
	return kept
}

// noteOutage logs the start and end of a store outage, but not that closing cut off a read.
func (h *Hub) noteOutage(err error) {
	if h.catchup.ctx.Err() == nil {
		h.catchup.outage.Note(err)
	}
}
