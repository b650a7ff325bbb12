package tracking

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

// How long the pipeline believes what it knows of a courier: changes made by this replica
// are known at once, those of others within this time.
const (
	believedFor    = 10 * time.Second
	forgottenAfter = time.Hour // a courier who is silent for so long is forgotten
)

// pipeline is the way of positions: judge, live store, watchers, fences, history. It
// answers before the history is on disk, which takes less than a second.
type pipeline struct {
	*Deps
	history *history
	feed    *feed
	arrival *arrivals
	counts  Counts
	// background is the reads of couriers that are under way.
	background sync.WaitGroup

	mu       sync.Mutex // taken for moments; who holds it waits for no courier
	couriers map[string]*tracked
}

// Counts is what became of positions since the start.
type Counts struct {
	received atomic.Int64
	stored   atomic.Int64
	lost     atomic.Int64
	alive    atomic.Int64
	dropped  map[domain.DropReason]*atomic.Int64
}

// Received counts positions that came in.
func (c *Counts) Received() int64 { return c.received.Load() }

// Stored counts positions that are in the history.
func (c *Counts) Stored() int64 { return c.stored.Load() }

// Unpublished counts positions that the bus did not take in time.
func (c *Counts) Unpublished() int64 { return c.lost.Load() }

// SignsOfLife counts what phones sent without a position.
func (c *Counts) SignsOfLife() int64 { return c.alive.Load() }

// Dropped counts positions that were of no use, by reason.
func (c *Counts) Dropped(r domain.DropReason) int64 { return c.dropped[r].Load() }

func (c *Counts) drop(r domain.DropReason, n int64) { c.dropped[r].Add(n) }

// tracked is what the pipeline knows of one courier.
type tracked struct {
	mu      sync.Mutex
	judge   domain.PlausibilityFilter
	courier *domain.Courier
	orders  []*domain.Order // in its hands
	carried []string        // ids of those in its custody
	fences  map[string]*orderFences
	read    time.Time // when courier and orders were read; zero: never
	used    time.Time
	reading bool

	changed atomic.Bool // something of it was changed by this replica
}

func newPipeline(d *Deps) *pipeline {
	pl := &pipeline{Deps: d, couriers: map[string]*tracked{}}
	pl.counts.dropped = map[domain.DropReason]*atomic.Int64{}
	for _, r := range domain.DropReasons() {
		pl.counts.dropped[r] = new(atomic.Int64)
	}
	pl.history = &history{Deps: d, counts: &pl.counts}
	pl.feed = &feed{Deps: d, counts: &pl.counts, place: map[string]int{}}
	pl.arrival = &arrivals{Deps: d, queue: make(chan conclusion, arrivalQueue)}
	return pl
}

// courier returns what is known of the courier, locked and read at least once; or
// courier_not_found.
func (pl *pipeline) courier(ctx context.Context, id string, now time.Time) (*tracked, error) {
	pl.mu.Lock()
	t := pl.couriers[id]
	if t == nil {
		t = &tracked{fences: map[string]*orderFences{}}
		pl.couriers[id] = t
	}
	pl.mu.Unlock()
	t.mu.Lock()
	t.used = now
	switch {
	case t.read.IsZero() || t.changed.Swap(false):
		if err := pl.readInto(ctx, id, t, now); err != nil {
			t.mu.Unlock()
			if domain.CodeOf(err) == domain.CodeCourierNotFound {
				pl.mu.Lock()
				delete(pl.couriers, id)
				pl.mu.Unlock()
			}
			return nil, err
		}
	case !pl.Alone && now.Sub(t.read) > believedFor && !t.reading:
		t.reading = true
		pl.background.Go(func() { pl.refresh(id, t) })
	}
	return t, nil
}

// readInto reads the courier and its orders; t is locked.
func (pl *pipeline) readInto(ctx context.Context, id string, t *tracked, now time.Time) error {
	courier, orders, err := pl.readCourier(ctx, id)
	if err != nil {
		t.changed.Store(true)
		return err
	}
	if t.read.IsZero() {
		if p, err := pl.Live.Position(ctx, id); err == nil && p != nil {
			t.judge.Seed(*p)
		}
	}
	t.take(courier, orders, now)
	return nil
}

func (pl *pipeline) readCourier(ctx context.Context, id string) (*domain.Courier, []*domain.Order, error) {
	courier, err := pl.Store.Courier(ctx, id)
	if err != nil || courier.ActiveOrders == 0 {
		return courier, nil, err
	}
	orders, _, err := pl.Store.Orders(ctx, domain.OrderFilter{CourierID: id, Active: new(true)}, domain.Page{Size: domain.MaxPageSize})
	return courier, orders, err
}

// refresh reads again what another replica may have changed.
func (pl *pipeline) refresh(id string, t *tracked) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	courier, orders, err := pl.readCourier(ctx, id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading = false
	if err == nil {
		t.take(courier, orders, pl.Clock.Now())
	}
}

func (t *tracked) take(courier *domain.Courier, orders []*domain.Order, now time.Time) {
	t.courier, t.orders, t.read = courier, orders, now
	t.carried = nil
	for _, o := range orders {
		if o.Status.InCustody() {
			t.carried = append(t.carried, o.ID)
		}
	}
	maps.DeleteFunc(t.fences, func(id string, _ *orderFences) bool {
		return !slices.ContainsFunc(orders, func(o *domain.Order) bool { return o.ID == id })
	})
}

// CourierChanged has the courier and its orders read again before its next position.
func (s *Service) CourierChanged(id string) {
	pl := s.pipeline
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if t := pl.couriers[id]; t != nil {
		t.changed.Store(true)
	}
}

// OrderChanged is CourierChanged for those who have or had the order.
func (s *Service) OrderChanged(a domain.Announcement) {
	for _, e := range a.Events {
		if after, ok := e.After(); ok {
			s.CourierChanged(after.CourierID)
		}
		if previous, ok := e.Data["previous_courier_id"].(string); ok {
			s.CourierChanged(previous)
		}
	}
}

// report judges positions of a courier and passes on what is of use. It fails with
// courier_not_found, or unavailable while the history takes no more.
func (pl *pipeline) report(ctx context.Context, courierID string, positions []domain.Position, now time.Time) (Received, error) {
	if err := pl.history.room(len(positions)); err != nil {
		return Received{}, err
	}
	t, err := pl.courier(ctx, courierID, now)
	if err != nil {
		return Received{}, err
	}
	defer t.mu.Unlock()
	pl.counts.received.Add(int64(len(positions)))
	if !t.courier.OnDuty {
		pl.counts.drop(domain.DropOffDuty, int64(len(positions)))
		return Received{Dropped: len(positions)}, nil
	}
	before, known := t.judge.Newest()
	var kept []domain.Fix
	if pl.KeepHistory {
		kept = make([]domain.Fix, 0, len(positions))
	}
	taken, moved := 0, false
	for _, p := range positions {
		drop, moves := t.judge.Take(p, now, pl.Plausible)
		if drop != "" {
			pl.counts.drop(drop, 1)
			continue
		}
		taken++
		if pl.KeepHistory {
			kept = append(kept, domain.Fix{CourierID: courierID, Position: p})
		}
		if moves {
			moved = true
			if len(t.orders) > 0 {
				pl.pass(t, before, known, domain.Fix{CourierID: courierID, Position: p})
			}
			before, known = p, true
		}
	}
	pl.history.add(kept)
	if moved {
		pl.show(ctx, t, domain.Fix{CourierID: courierID, Position: before})
	}
	return Received{Accepted: taken, Dropped: len(positions) - taken}, nil
}

// show moves the courier on the map and for those who wait for its orders. What is
// shown heals with the next position, so failures are not the reporter's.
func (pl *pipeline) show(ctx context.Context, t *tracked, newest domain.Fix) {
	moved, err := pl.Live.PutFixes(context.WithoutCancel(ctx), []domain.Fix{newest})
	if err != nil {
		pl.Log.Debug("position not shown", zap.String("courier_id", newest.CourierID), zap.Error(err))
	}
	if err == nil && !moved[0] {
		return // another replica has a newer one
	}
	pl.Watchers.CourierMoved(newest, t.carried)
	pl.feed.add(newest, t.carried)
	if len(t.carried) == 0 {
		return
	}
	facts := eta.Facts{Vehicle: t.courier.Vehicle, Position: &newest.Position, Now: pl.Clock.Now()}
	for _, o := range t.orders {
		if !o.Status.InCustody() {
			continue
		}
		facts.Order = o
		if e, err := pl.Estimate.Estimate(facts); err == nil {
			pl.Watchers.Estimated(e)
		}
	}
}

// sweep forgets couriers who have been silent for long.
func (pl *pipeline) sweep(now time.Time) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	for id, t := range pl.couriers {
		if t.mu.TryLock() {
			if now.Sub(t.used) > forgottenAfter {
				delete(pl.couriers, id)
			}
			t.mu.Unlock()
		}
	}
}
