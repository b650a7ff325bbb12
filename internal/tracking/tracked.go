package tracking

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// The pipeline's courier data is current for changes by this replica. Changes by others
// arrive a little later: reporting couriers are read again, many in one query.
const (
	believedFor    = 500 * time.Millisecond
	rereadEvery    = 250 * time.Millisecond
	rereadTimeout  = 5 * time.Second
	forgottenAfter = time.Hour       // silence after which a courier is forgotten
	contactEvery   = 5 * time.Second // minimum time between contacts recorded without news
)

// tracked is the pipeline's state of one courier.
type tracked struct {
	mu      sync.Mutex
	filter  domain.PlausibilityFilter
	courier *domain.Courier
	orders  []*domain.Order // in its hands
	carried []string        // ids of those in its custody
	fences  map[string]*orderFences
	shown   map[string]domain.Estimate // the last estimate that watchers were told, by order
	read    time.Time                  // when courier and orders were read; zero: never
	reads   int                        // number of reads, to detect outdated answers
	used    time.Time
	contact domain.Contact // the last one recorded

	changed atomic.Bool // this replica changed the courier or its orders
}

// courier returns the state of the courier, locked and read at least once; or courier_not_found.
func (pl *pipeline) courier(ctx context.Context, id string, now time.Time) (*tracked, error) {
	pl.mu.Lock()
	t := pl.couriers[id]
	if t == nil {
		t = &tracked{fences: map[string]*orderFences{}, shown: map[string]domain.Estimate{}}
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
	case !pl.Alone && now.Sub(t.read) > believedFor:
		pl.mu.Lock()
		pl.old[id] = t
		pl.mu.Unlock()
	}
	return t, nil
}

// readInto reads the courier and its orders; t is locked.
func (pl *pipeline) readInto(ctx context.Context, id string, t *tracked, now time.Time) error {
	couriers, orders, err := pl.readCouriers(ctx, []string{id})
	if err == nil && couriers[id] == nil {
		err = domain.Errorf(domain.CodeCourierNotFound, "there is no courier %s", id)
	}
	if err != nil {
		t.changed.Store(true)
		return err
	}
	if t.read.IsZero() {
		if p, err := pl.Live.Position(ctx, id); err == nil && p != nil {
			t.filter.Seed(*p)
		}
	}
	t.take(couriers[id], orders[id], now)
	return nil
}

// readCouriers returns couriers and the orders in their hands, both by the courier's id.
func (pl *pipeline) readCouriers(ctx context.Context, ids []string) (map[string]*domain.Courier, map[string][]*domain.Order, error) {
	couriers, err := pl.Store.CouriersByID(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return couriers[id] == nil || couriers[id].ActiveOrders == 0 })
	if len(ids) == 0 {
		return couriers, nil, nil
	}
	orders, err := pl.Store.OrdersInHand(ctx, ids)
	return couriers, orders, err
}

// reread refreshes data that other replicas may have changed, until the context ends.
func (pl *pipeline) reread(ctx context.Context) {
	background.Loop(ctx, nil, rereadEvery, func() time.Duration {
		pl.mu.Lock()
		old := pl.old
		pl.old = map[string]*tracked{}
		pl.mu.Unlock()
		for ids := range slices.Chunk(slices.Collect(maps.Keys(old)), domain.MaxPageSize) {
			pl.rereadSome(ctx, ids, old)
		}
		return rereadEvery
	})
}

func (pl *pipeline) rereadSome(ctx context.Context, ids []string, old map[string]*tracked) {
	reads := make(map[string]int, len(ids))
	for _, id := range ids {
		t := old[id]
		t.mu.Lock()
		reads[id] = t.reads
		t.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	couriers, orders, err := pl.readCouriers(ctx, ids)
	if err != nil {
		return // retried with their next positions
	}
	now := pl.Clock.Now()
	for _, id := range ids {
		t := old[id]
		t.mu.Lock()
		// Data changed or read by this replica meanwhile is newer than the answer.
		if couriers[id] != nil && t.reads == reads[id] && !t.changed.Load() {
			t.take(couriers[id], orders[id], now)
		}
		t.mu.Unlock()
	}
}

func (t *tracked) take(courier *domain.Courier, orders []*domain.Order, now time.Time) {
	t.courier, t.orders, t.read = courier, orders, now
	t.reads++
	t.carried = nil
	for _, o := range orders {
		if o.Status.ShowsPlace() {
			t.carried = append(t.carried, o.ID)
		}
	}
	gone := func(id string) bool {
		return !slices.ContainsFunc(orders, func(o *domain.Order) bool { return o.ID == id })
	}
	maps.DeleteFunc(t.fences, func(id string, _ *orderFences) bool { return gone(id) })
	maps.DeleteFunc(t.shown, func(id string, _ domain.Estimate) bool { return gone(id) })
}

// shows reports whether the estimate differs enough from the one that watchers know to be
// worth a frame, and then takes it for shown. They know that of the order's version, too.
func (t *tracked) shows(o *domain.Order, e domain.Estimate) bool {
	last, told := t.shown[o.ID]
	if o.ETA != nil && (!told || o.ETA.ComputedAt.After(last.ComputedAt)) {
		last, told = *o.ETA, true
	}
	if told && !e.Moved(last) {
		return false
	}
	t.shown[o.ID] = e
	return true
}

// noteContact records contact with the phone of the courier, who is locked: at once when
// it brings news, now and then otherwise. A failure costs operators a hint.
func (pl *pipeline) noteContact(ctx context.Context, t *tracked, courierID string, c domain.Contact) {
	last := t.contact
	if c.Kind == last.Kind && c.DroppedReason == last.DroppedReason && c.At.Sub(last.At) < contactEvery {
		return
	}
	if c.Battery == nil {
		c.Battery = last.Battery
	}
	t.contact = c
	if err := pl.Live.PutContact(context.WithoutCancel(ctx), courierID, c); err != nil {
		pl.Log.Debug("phone contact not recorded", zap.String("courier_id", courierID), zap.Error(err))
	}
}

// CourierChanged makes the courier and its orders be read again before its next position.
func (s *Service) CourierChanged(id string) {
	pl := s.pipeline
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if t := pl.couriers[id]; t != nil {
		t.changed.Store(true)
	}
}

// OrderChanged is CourierChanged for the previous and current couriers of the order.
func (s *Service) OrderChanged(a domain.Announcement) {
	for _, e := range a.Events {
		if after, ok := e.After(); ok {
			s.CourierChanged(after.CourierID)
			if after.Status.Terminal() {
				background.Wake(s.learner.wake)
			}
		}
		if previous, ok := e.Data["previous_courier_id"].(string); ok {
			s.CourierChanged(previous)
		}
	}
}
