package push

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Config bounds what a subscription may cost.
type Config struct {
	// Queue is how many unread facts a subscription may have; default 256.
	Queue int
	// MaxSubscriptions is how many may be open at once; 0 is no limit.
	MaxSubscriptions int
	// FleetTick is how often the fleet's moves are published; default 100 ms.
	FleetTick time.Duration
	// Wakeups carries what happens here to the other replicas and back; nil where there
	// is one process.
	Wakeups domain.Wakeups
	// ShowCourier returns a merchant's rule of when customers see the courier; nil is custody.
	ShowCourier func(merchantID string) domain.ShowCourier
}

// checkEvery is how often watched orders are compared with the store.
const checkEvery = time.Second

// Hub passes on what happens to subscriptions. It implements domain.Audience and domain.Watchers.
type Hub struct {
	cfg   Config
	store domain.Store
	live  domain.LiveStore
	clock domain.Clock
	log   *zap.Logger

	orders   table
	couriers table
	fleet    fleet
	catchup  catchup
	peers    *peers // nil where there is one process

	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	closed chan struct{}
}

// New makes a hub; Run must run for it to notice what was not announced.
func New(cfg Config, store domain.Store, live domain.LiveStore, clock domain.Clock, log *zap.Logger) *Hub {
	if cfg.Queue <= 0 {
		cfg.Queue = 256
	}
	if cfg.FleetTick <= 0 {
		cfg.FleetTick = 100 * time.Millisecond
	}
	h := &Hub{
		cfg: cfg, store: store, live: live, clock: clock, log: log, subs: map[*Subscription]struct{}{},
		closed: make(chan struct{}),
	}
	h.orders.init(func(id string) *room { return &room{hub: h, topic: OrderTopic(id), track: new(track)} })
	h.couriers.init(func(id string) *room { return &room{hub: h, topic: CourierTopic(id)} })
	h.fleet.room = room{hub: h, topic: FleetTopic()}
	h.catchup.init()
	if cfg.Wakeups != nil {
		h.peers = &peers{hub: h, wakeups: cfg.Wakeups, id: domain.NewID()}
	}
	return h
}

// Open is OpenFor staff.
func (h *Hub) Open(wake func()) *Subscription { return h.OpenFor(domain.ViewStaff, wake) }

// OpenFor starts a subscription without topics whose reader has this view of orders; one that may not be fails with ErrFull or
// ErrGoingAway when it is used. wake, when not nil, is called when the
// subscription goes from nothing to read to something to read: never concurrently
// with itself, and it must not block.
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

// glimpse says who sees where the courier of an order in the state is.
func (h *Hub) glimpse(s domain.State) domain.Glimpse {
	if h.cfg.ShowCourier == nil {
		return s.Glimpse(domain.ShowCourier{})
	}
	return s.Glimpse(h.cfg.ShowCourier(s.MerchantID))
}

// Watchers returns how many subscriptions are open.
func (h *Hub) Watchers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

func (h *Hub) forget(s *Subscription) {
	h.mu.Lock()
	delete(h.subs, s)
	h.mu.Unlock()
}

// GoingAway is closed once the hub goes away, for those who wait for that and need no
// subscription, of which there may be no more.
func (h *Hub) GoingAway() <-chan struct{} { return h.closed }

func (h *Hub) goesAway() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// Close ends every subscription with ErrGoingAway, later ones too, and waits for the
// hub's goroutines.
func (h *Hub) Close() { h.Shutdown(context.Background(), 0) }

// Shutdown is Close with the ends spread evenly over a time, so that those who come
// back do not come all at once. It hurries when the context ends.
func (h *Hub) Shutdown(ctx context.Context, spread time.Duration) {
	h.mu.Lock()
	if !h.goesAway() {
		close(h.closed)
	}
	subs := make([]*Subscription, 0, len(h.subs))
	for s := range h.subs {
		subs = append(subs, s)
	}
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
	wg.Go(func() {
		every(ctx, h.cfg.FleetTick, h.turn)
	})
	if h.peers != nil {
		wg.Go(func() { h.peers.run(ctx) })
	}
	every(ctx, checkEvery, func() { h.check(ctx) })
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

// turn ends a tick: it publishes who moved in it.
func (h *Hub) turn() {
	h.fleet.turn()
	if h.peers != nil {
		h.peers.turn()
	}
}

// table finds the rooms of a kind of topics.
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

// get returns the room of the id, or nil; it may die before it is locked.
func (t *table) get(id string) *room {
	sh := &t.shards[maphash.String(t.seed, id)%uint64(len(t.shards))]
	sh.Lock()
	defer sh.Unlock()
	return sh.rooms[id]
}

// lock returns the room of the id alive and locked, made when there is none and
// create says so; otherwise nil.
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
		r.mu.Unlock() // its last user is about to remove it, or has
	}
}

// remove forgets a room, which is locked, for good.
func (t *table) remove(r *room) {
	r.dead = true
	sh := &t.shards[maphash.String(t.seed, r.topic.ID)%uint64(len(t.shards))]
	sh.Lock()
	if sh.rooms[r.topic.ID] == r {
		delete(sh.rooms, r.topic.ID)
	}
	sh.Unlock()
}

// all returns the rooms that there are.
func (t *table) all() []*room {
	var out []*room
	for i := range t.shards {
		sh := &t.shards[i]
		sh.Lock()
		for _, r := range sh.rooms {
			out = append(out, r)
		}
		sh.Unlock()
	}
	return out
}
