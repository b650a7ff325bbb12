package usecase

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

// How long the lane believes what it knows of a courier: changes made by this replica
// are known at once, those of others within this time.
const (
	laneFresh = 10 * time.Second
	laneIdle  = time.Hour // a courier who is silent for so long is forgotten
)

// lane is the way of positions: judge, live store, watchers, fences, history. It
// answers before the history is on disk, which takes less than a second.
type lane struct {
	*core
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

// tracked is what the lane knows of one courier.
type tracked struct {
	mu      sync.Mutex
	judge   domain.Judge
	courier *domain.Courier
	orders  []*domain.Order // in its hands
	carried []string        // ids of those in its custody
	fences  map[string]*orderFences
	read    time.Time // when courier and orders were read; zero: never
	used    time.Time
	reading bool

	changed atomic.Bool // something of it was changed by this replica
}

func newLane(c *core) *lane {
	l := &lane{core: c, couriers: map[string]*tracked{}}
	l.counts.dropped = map[domain.DropReason]*atomic.Int64{}
	for _, r := range domain.DropReasons() {
		l.counts.dropped[r] = new(atomic.Int64)
	}
	l.history = &history{core: c, counts: &l.counts}
	l.feed = &feed{core: c, counts: &l.counts, place: map[string]int{}}
	l.arrival = &arrivals{core: c, queue: make(chan conclusion, arrivalQueue)}
	return l
}

// courier returns what is known of the courier, locked and read at least once; or
// courier_not_found.
func (l *lane) courier(ctx context.Context, id string, now time.Time) (*tracked, error) {
	l.mu.Lock()
	t := l.couriers[id]
	if t == nil {
		t = &tracked{fences: map[string]*orderFences{}}
		l.couriers[id] = t
	}
	l.mu.Unlock()
	t.mu.Lock()
	t.used = now
	switch {
	case t.read.IsZero() || t.changed.Swap(false):
		if err := l.readInto(ctx, id, t, now); err != nil {
			t.mu.Unlock()
			if domain.CodeOf(err) == domain.CodeCourierNotFound {
				l.mu.Lock()
				delete(l.couriers, id)
				l.mu.Unlock()
			}
			return nil, err
		}
	case !l.Alone && now.Sub(t.read) > laneFresh && !t.reading:
		t.reading = true
		l.background.Go(func() { l.refresh(id, t) })
	}
	return t, nil
}

// readInto reads the courier and its orders; t is locked.
func (l *lane) readInto(ctx context.Context, id string, t *tracked, now time.Time) error {
	courier, orders, err := l.readCourier(ctx, id)
	if err != nil {
		t.changed.Store(true)
		return err
	}
	if t.read.IsZero() {
		if p, err := l.Live.Position(ctx, id); err == nil && p != nil {
			t.judge.Seed(*p)
		}
	}
	t.take(courier, orders, now)
	return nil
}

func (l *lane) readCourier(ctx context.Context, id string) (*domain.Courier, []*domain.Order, error) {
	courier, err := l.Store.Courier(ctx, id)
	if err != nil || courier.ActiveOrders == 0 {
		return courier, nil, err
	}
	orders, _, err := l.Store.Orders(ctx, domain.OrderFilter{CourierID: id, Active: new(true)}, domain.Page{Size: domain.MaxPageSize})
	return courier, orders, err
}

// refresh reads again what another replica may have changed.
func (l *lane) refresh(id string, t *tracked) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	courier, orders, err := l.readCourier(ctx, id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading = false
	if err == nil {
		t.take(courier, orders, l.Clock.Now())
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

// courierChanged has the courier and its orders read again before its next position.
func (l *lane) courierChanged(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.couriers[id]; t != nil {
		t.changed.Store(true)
	}
}

// orderChanged is courierChanged for those who have or had the order.
func (l *lane) orderChanged(o *domain.Order, events []domain.Event) {
	l.courierChanged(o.CourierID)
	for _, e := range events {
		if previous, ok := e.Data["previous_courier_id"].(string); ok {
			l.courierChanged(previous)
		}
	}
}

// report judges positions of a courier and passes on what is of use. It fails with
// courier_not_found, or unavailable while the history takes no more.
func (l *lane) report(ctx context.Context, courierID string, positions []domain.Position, now time.Time) (Received, error) {
	if err := l.history.room(len(positions)); err != nil {
		return Received{}, err
	}
	t, err := l.courier(ctx, courierID, now)
	if err != nil {
		return Received{}, err
	}
	defer t.mu.Unlock()
	l.counts.received.Add(int64(len(positions)))
	if !t.courier.OnDuty {
		l.counts.drop(domain.DropOffDuty, int64(len(positions)))
		return Received{Dropped: len(positions)}, nil
	}
	before, known := t.judge.Newest()
	var kept []domain.Fix
	if l.KeepHistory {
		kept = make([]domain.Fix, 0, len(positions))
	}
	taken, moved := 0, false
	for _, p := range positions {
		drop, moves := t.judge.Take(p, now, l.Plausible)
		if drop != "" {
			l.counts.drop(drop, 1)
			continue
		}
		taken++
		if l.KeepHistory {
			kept = append(kept, domain.Fix{CourierID: courierID, Position: p})
		}
		if moves {
			moved = true
			if len(t.orders) > 0 {
				l.pass(t, before, known, domain.Fix{CourierID: courierID, Position: p})
			}
			before, known = p, true
		}
	}
	l.history.add(kept)
	if moved {
		l.show(ctx, t, domain.Fix{CourierID: courierID, Position: before})
	}
	return Received{Accepted: taken, Dropped: len(positions) - taken}, nil
}

// show moves the courier on the map and for those who wait for its orders. What is
// shown heals with the next position, so failures are not the reporter's.
func (l *lane) show(ctx context.Context, t *tracked, newest domain.Fix) {
	moved, err := l.Live.PutFixes(context.WithoutCancel(ctx), []domain.Fix{newest})
	if err != nil {
		l.Log.Debug("position not shown", zap.String("courier_id", newest.CourierID), zap.Error(err))
	}
	if err == nil && !moved[0] {
		return // another replica has a newer one
	}
	l.Audience.CourierMoved(newest, t.carried)
	l.feed.add(newest, t.carried)
	if len(t.carried) == 0 {
		return
	}
	facts := eta.Facts{Vehicle: t.courier.Vehicle, Position: &newest.Position, Now: l.Clock.Now()}
	for _, o := range t.orders {
		if !o.Status.InCustody() {
			continue
		}
		facts.Order = o
		if e, err := l.Estimate.Estimate(facts); err == nil {
			l.Audience.Estimated(e)
		}
	}
}

// sweep forgets couriers who have been silent for long.
func (l *lane) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, t := range l.couriers {
		if t.mu.TryLock() {
			if now.Sub(t.used) > laneIdle {
				delete(l.couriers, id)
			}
			t.mu.Unlock()
		}
	}
}
