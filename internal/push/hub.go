package push

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

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
	h.orders.init(func(id string) *room { return &room{hub: h, topic: OrderTopic(id), track: new(track)} })
	h.couriers.init(func(id string) *room { return &room{hub: h, topic: CourierTopic(id)} })
	h.fleet.room = room{hub: h, topic: FleetTopic()}
	h.feed.room = room{hub: h, topic: OrdersTopic()}
	h.catchup.init()
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
		if len(subs) > 0 && spread > 0 && i < steps-1 {
			select {
			case <-time.After(spread / steps):
			case <-ctx.Done():
				spread = 0
			}
		}
	}
	h.catchup.close()
}

// Run does the background work until the context ends: once a second it compares
// watched orders with the store, and each tick it publishes the fleet's moves.
func (h *Hub) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { every(ctx, h.cfg.FleetTick, h.turn) })
	if h.peers != nil {
		wg.Go(func() { h.peers.run(ctx) })
	}
	wg.Go(func() { h.readDuties(ctx) })
	every(ctx, checkEvery, func() { h.check(ctx); h.feed.turn() })
	wg.Wait()
	return nil
}

func every(ctx context.Context, d time.Duration, fn func()) {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fn()
		}
	}
}

// turn ends a tick: it publishes the moves.
func (h *Hub) turn() {
	h.fleet.turn()
	if h.peers != nil {
		h.peers.turn()
	}
}

// table is the index of the rooms of one topic kind.
type table struct {
	seed   maphash.Seed
	make   func(id string) *room
	shards [64]struct {
		sync.Mutex
		rooms map[string]*room
	}
}

func (t *table) init(makeRoom func(id string) *room) {
	t.seed, t.make = maphash.MakeSeed(), makeRoom
	for i := range t.shards {
		t.shards[i].rooms = map[string]*room{}
	}
}

// get returns a room by id, or nil; it may be removed before it is locked.
func (t *table) get(id string) *room {
	sh := &t.shards[maphash.String(t.seed, id)%uint64(len(t.shards))]
	sh.Lock()
	defer sh.Unlock()
	return sh.rooms[id]
}

// lock returns a live room by id, locked; if there is none it is created when create is set, otherwise nil.
func (t *table) lock(id string, create bool) *room {
	sh := &t.shards[maphash.String(t.seed, id)%uint64(len(t.shards))]
	for {
		sh.Lock()
		r := sh.rooms[id]
		if r == nil && create {
			r = t.make(id)
			sh.rooms[id] = r
		}
		sh.Unlock()
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
	sh := &t.shards[maphash.String(t.seed, r.topic.ID)%uint64(len(t.shards))]
	sh.Lock()
	if sh.rooms[r.topic.ID] == r {
		delete(sh.rooms, r.topic.ID)
	}
	sh.Unlock()
}

// all returns all rooms.
func (t *table) all() []*room {
	var out []*room
	for i := range t.shards {
		sh := &t.shards[i]
		sh.Lock()
		out = slices.AppendSeq(out, maps.Values(sh.rooms))
		sh.Unlock()
	}
	return out
}
