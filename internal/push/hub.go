package push

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Config limits the cost of subscriptions.
type Config struct {
	// Queue is the maximum number of unread frames without a conflation key; default 256.
	Queue int
	// MaxSubscriptions is the maximum number of open subscriptions; 0 is no limit.
	MaxSubscriptions int
	// FleetTick is the interval at which the fleet's moves are published; default 100 ms.
	FleetTick time.Duration
	// Wakeups exchanges changes with the other replicas; nil for a single process.
	Wakeups domain.Wakeups
	// ShowCourier returns a merchant's rule for showing the courier to customers; nil is custody.
	ShowCourier func(merchantID string) domain.ShowCourier
	// Glimpse returns where the courier of an order is as far as the view shows it; nil shows nobody.
	Glimpse func(ctx context.Context, o *domain.Order, v domain.View) (*domain.Position, error)
	// Duties returns a courier's route and offers; nil publishes none.
	Duties func(ctx context.Context, courierID string) (Duties, error)
}

// checkEvery is the interval at which watched orders are compared with the store.
const checkEvery = time.Second

// Hub distributes changes to subscriptions. It implements domain.Audience and domain.Watchers.
type Hub struct {
	cfg   Config
	store domain.Store
	live  domain.LiveStore
	clock domain.Clock
	log   *zap.Logger

	orders   table
	couriers table
	fleet    fleet
	feed     feed
	catchup  catchup
	duties   dutyQueue
	peers    *peers // nil for a single process

	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	closed chan struct{}
}

// New makes a hub; Run must run for it to detect changes that were not announced.
func New(cfg Config, store domain.Store, live domain.LiveStore, clock domain.Clock, log *zap.Logger) *Hub {
	if cfg.Queue <= 0 {
		cfg.Queue = 256
	}
	if cfg.FleetTick <= 0 {
		cfg.FleetTick = 100 * time.Millisecond
	}
	h := &Hub{
		cfg: cfg, store: store, live: live, clock: clock, log: log, subs: map[*Subscription]struct{}{},
		closed: make(chan struct{}), duties: dutyQueue{due: map[string]bool{}, wake: make(chan struct{}, 1)},
	}
	h.orders.make = func(id string) *room { return &room{hub: h, topic: OrderTopic(id), track: new(track)} }
	h.couriers.make = func(id string) *room { return &room{hub: h, topic: CourierTopic(id)} }
	h.fleet.room = room{hub: h, topic: FleetTopic()}
	h.feed.room = room{hub: h, topic: OrdersTopic()}
	h.catchup.init(log)
	if cfg.Wakeups != nil {
		h.peers = &peers{hub: h, wakeups: cfg.Wakeups, id: domain.NewID()}
	}
	return h
}

// Open is OpenFor with the view of staff.
func (h *Hub) Open(wake func()) *Subscription { return h.OpenFor(domain.ViewStaff, wake) }

// OpenFor opens a subscription without topics, whose reader has this view of orders; a rejected one fails with ErrFull or
// ErrGoingAway when it is used. wake, when not nil, is called when the subscription gets its first unread frame: never
// concurrently with itself, and it must not block.
func (h *Hub) OpenFor(view domain.View, wake func()) *Subscription {
	s := &Subscription{hub: h, view: view, wake: wake}
	s.queue = s.inline[:0]
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.goesAway():
		s.err = ErrGoingAway
		return s
	case h.cfg.MaxSubscriptions > 0 && len(h.subs) >= h.cfg.MaxSubscriptions:
		s.err = ErrFull
		return s
	}
	h.subs[s] = struct{}{}
	return s
}

// glimpse returns the data that decides who sees the courier of an order in the state, with this number of stops before it.
func (h *Hub) glimpse(s domain.State, stops *int) domain.Glimpse {
	var rule domain.ShowCourier
	if h.cfg.ShowCourier != nil {
		rule = h.cfg.ShowCourier(s.MerchantID)
	}
	g := s.Glimpse(rule)
	g.Stops = stops
	return g
}

// Watchers returns the number of open subscriptions.
func (h *Hub) Watchers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

// Watching reports whether anybody watches an order, here or on another replica.
func (h *Hub) Watching(ctx context.Context, orderID string) bool {
	if r := h.orders.lock(orderID, false); r != nil {
		watched := len(r.members) > 0
		if r.mu.Unlock(); watched {
			return true
		}
	}
	return h.peers != nil && h.peers.wakeups.Watched(ctx, OrderTopic(orderID).String())
}

func (h *Hub) forget(s *Subscription) {
	h.mu.Lock()
	delete(h.subs, s)
	h.mu.Unlock()
}

// GoingAway is closed once the hub shuts down, for readers without a subscription, which can't be opened any more.
func (h *Hub) GoingAway() <-chan struct{} { return h.closed }

func (h *Hub) goesAway() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// Close ends every subscription with ErrGoingAway, later ones too, and waits for the hub's goroutines.
func (h *Hub) Close() { h.Shutdown(context.Background(), 0) }

// Shutdown is Close spread evenly over a period, so that clients do not all reconnect at once. It hurries when the context ends.
func (h *Hub) Shutdown(ctx context.Context, spread time.Duration) {
	h.mu.Lock()
	if !h.goesAway() {
		close(h.closed)
	}
	subs := slices.Collect(maps.Keys(h.subs))
	h.mu.Unlock()
	const steps = 50
	for i := range steps {
		for _, s := range subs[len(subs)*i/steps : len(subs)*(i+1)/steps] {
			s.End(ErrGoingAway)
		}
		if len(subs) > 0 && spread > 0 && i < steps-1 && !background.Sleep(ctx, spread/steps) {
			spread = 0
		}
	}
	h.catchup.close()
}

// Run does the background work until the context ends: once a second it compares
// watched orders with the store, and each tick it publishes the fleet's moves.
func (h *Hub) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { background.Loop(ctx, nil, h.cfg.FleetTick, h.turn) })
	if h.peers != nil {
		wg.Go(func() { h.peers.run(ctx) })
	}
	wg.Go(func() { h.readDuties(ctx) })
	background.Loop(ctx, nil, checkEvery, func() time.Duration {
		h.check(ctx)
		h.feed.turn()
		return checkEvery
	})
	wg.Wait()
	return nil
}

// turn ends a tick: it publishes the moves, and returns when to do so again.
func (h *Hub) turn() time.Duration {
	h.fleet.turn()
	if h.peers != nil {
		h.peers.turn()
	}
	return h.cfg.FleetTick
}

// table is the index of the rooms of one topic kind.
type table struct {
	rooms sync.Map // *room by id
	make  func(id string) *room
}

// get returns a room by id, or nil; it may be removed before it is locked.
func (t *table) get(id string) *room {
	found, _ := t.rooms.Load(id)
	r, _ := found.(*room)
	return r
}

// lock returns a live room by id, locked; if there is none it is created when create is set, otherwise nil.
func (t *table) lock(id string, create bool) *room {
	for {
		r := t.get(id)
		if r == nil && create {
			made, _ := t.rooms.LoadOrStore(id, t.make(id))
			r, _ = made.(*room)
		}
		if r == nil {
			return nil
		}
		r.mu.Lock()
		if !r.dead {
			return r
		}
		r.mu.Unlock() // its last user is removing it, or has
	}
}

// with calls fn with a room by id, locked, if there is one or create is set, and then wakes the readers.
func (t *table) with(id string, create bool, fn func(r *room, w *wakes)) {
	r := t.lock(id, create)
	if r == nil {
		return
	}
	w := newWakes()
	fn(r, w)
	r.mu.Unlock()
	w.fire()
}

// remove removes a room, which is locked, permanently.
func (t *table) remove(r *room) {
	r.dead = true
	t.rooms.CompareAndDelete(r.topic.ID, r)
}

// all returns all rooms.
func (t *table) all() (out []*room) {
	for _, r := range t.rooms.Range {
		out = append(out, r.(*room))
	}
	return out
}
