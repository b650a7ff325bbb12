package push

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// dutiesEvery is how often the duties of watched couriers are read without a cause:
	// their times change, and an announcement may have been lost.
	dutiesEvery = 15 * time.Second
	dutyReaders = 4
	// dutyShift is by how much an expected time must change to be published.
	dutyShift = time.Minute
)

// Duties is what a courier has to do, and the newest offers to him. Of his orders' changes
// only the fact is announced: the duties are read again, and what differs is published.
type Duties struct {
	Route  *domain.Route
	Offers []domain.Offer // newest first
}

// published is the duties that a courier's room has published; the room's lock protects it.
type published struct {
	readAt time.Time
	route  *domain.Route
	offers map[string]domain.Offer // by id
}

// dutyQueue holds the couriers whose duties may differ from what was published.
type dutyQueue struct {
	mu   sync.Mutex
	due  map[string]bool
	wake chan struct{}
}

// CourierChanged announces that the courier's duties may have changed.
func (h *Hub) CourierChanged(courierID string) {
	h.dutiesChanged(courierID)
	if h.peers != nil {
		h.peers.publish(peerMessage{Duties: true}, CourierTopic(courierID))
	}
}

// couriersOf returns the couriers whose duties the entries may change.
func couriersOf(events []domain.Event) map[string]bool {
	out := map[string]bool{}
	for i := range events {
		if after, ok := events[i].After(); ok && after.CourierID != "" {
			out[after.CourierID] = true
		}
		for _, key := range []string{"courier_id", "previous_courier_id"} {
			if id, ok := events[i].Data[key].(string); ok {
				out[id] = true
			}
		}
	}
	return out
}

// dutiesChanged schedules a read of the courier's duties if somebody watches him here.
func (h *Hub) dutiesChanged(courierID string) {
	if h.cfg.Duties == nil {
		return
	}
	if r := h.couriers.get(courierID); r != nil {
		h.duties.add(courierID)
	}
}

func (q *dutyQueue) add(courierID string) {
	q.mu.Lock()
	q.due[courierID] = true
	q.mu.Unlock()
	background.Wake(q.wake)
}

// readDuties reads and publishes changed duties until the context ends.
func (h *Hub) readDuties(ctx context.Context) {
	if h.cfg.Duties == nil {
		return
	}
	tick := time.NewTicker(dutiesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, r := range h.couriers.all() {
				h.duties.add(r.topic.ID)
			}
		case <-h.duties.wake:
		}
		h.duties.mu.Lock()
		due := slices.Collect(maps.Keys(h.duties.due))
		clear(h.duties.due)
		h.duties.mu.Unlock()
		var readers errgroup.Group
		readers.SetLimit(dutyReaders)
		for _, id := range due {
			readers.Go(func() error { h.refreshDuties(ctx, id); return nil })
		}
		_ = readers.Wait() // a failure is made up for by the next read
	}
}

// refreshDuties publishes what has changed of the courier's duties.
func (h *Hub) refreshDuties(ctx context.Context, courierID string) {
	at, d := h.clock.Now(), h.dutiesOf(ctx, courierID)
	h.couriers.with(courierID, false, func(r *room, w *wakes) { r.publishDuties(d, at, w) })
}

// dutiesOf returns the courier's duties, or nil; the next read makes up for a failed one.
func (h *Hub) dutiesOf(ctx context.Context, courierID string) *Duties {
	if h.cfg.Duties == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	d, err := h.cfg.Duties(ctx, courierID)
	if err != nil {
		h.log.Debug("duties of a courier not read", zap.String("courier_id", courierID), zap.Error(err))
		return nil
	}
	return &d
}

// publishDuties publishes the differences to what was published; the room is locked. Duties
// read before those published last are ignored.
func (r *room) publishDuties(d *Duties, at time.Time, w *wakes) {
	if d == nil || r.duties != nil && at.Before(r.duties.readAt) {
		return
	}
	old := r.duties
	if old == nil {
		old = &published{}
	}
	now := &published{readAt: at, route: old.route, offers: make(map[string]domain.Offer, len(d.Offers))}
	if d.Route != nil && !sameRoute(old.route, d.Route) {
		now.route = d.Route
		r.publish(r.routeFrame(d.Route), w)
	}
	for _, f := range slices.Backward(d.Offers) {
		now.offers[f.ID] = f
		if before, known := old.offers[f.ID]; known && before.Status != f.Status || !known && f.Status == domain.OfferOpen {
			r.publish(r.offerFrame(f), w)
		}
	}
	r.duties = now
}

// dutyFrames are the published duties for a new member; the room is locked.
func (r *room) dutyFrames() (out []*Frame) {
	if r.duties == nil {
		return nil
	}
	if r.duties.route != nil {
		out = append(out, r.routeFrame(r.duties.route))
	}
	for _, id := range slices.Sorted(maps.Keys(r.duties.offers)) { // ids begin with their time
		if f := r.duties.offers[id]; f.Status == domain.OfferOpen {
			out = append(out, r.offerFrame(f))
		}
	}
	return out
}

func (r *room) routeFrame(route *domain.Route) *Frame {
	return &Frame{Type: TypeRoute, Topic: r.topic, key: keyRoute, JSON: Encode(TypeRoute, "", 0, r.hub.clock.Now(), route)}
}

func (r *room) offerFrame(f domain.Offer) *Frame {
	return &Frame{Type: TypeOffer, Topic: r.topic, JSON: Encode(TypeOffer, f.OrderID, 0, r.hub.clock.Now(), f)}
}

// sameRoute reports whether two routes differ in nothing that people need to know.
func sameRoute(a, b *domain.Route) bool {
	return a != nil && a.Version == b.Version && slices.EqualFunc(a.Stops, b.Stops, func(x, y domain.RouteStop) bool {
		return x.OrderID == y.OrderID && x.Kind == y.Kind && x.Done == y.Done && x.Address == y.Address &&
			equal(x.Location, y.Location) && equal(x.Window, y.Window) && near(x.ETA, y.ETA)
	})
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func near(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || b.Sub(*a).Abs() < dutyShift)
}
