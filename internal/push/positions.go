package push

import (
	"context"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// fleet is the room of the fleet's watchers: the moves of all couriers, merged per tick, and the statuses of all orders at once.
type fleet struct {
	room

	// Under the room's lock: the newest position of each courier that moved while the fleet was watched, with the tick that
	// publishes it, and the couriers that moved since the last tick.
	moves map[string]move
	due   []string
	tick  int64
}

type move struct {
	fix  domain.Fix
	tick int64
}

// FleetPositions are couriers' positions: all of them in the fleet's first frame, the changed ones in later frames.
type FleetPositions struct {
	Couriers []domain.Fix `json:"couriers"`
}

// reset clears the moves when the last watcher has left; the room is locked.
func (f *fleet) reset() { f.moves, f.due = nil, nil }

// moved records a position for the next tick, unless a newer one is known.
func (f *fleet) moved(fix domain.Fix) {
	if !f.watched() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.members) == 0 {
		return
	}
	if f.moves == nil {
		f.moves = map[string]move{}
	}
	old, known := f.moves[fix.CourierID]
	if known && !fix.RecordedAt.After(old.fix.RecordedAt) {
		return
	}
	if !known || old.tick <= f.tick {
		f.due = append(f.due, fix.CourierID)
	}
	f.moves[fix.CourierID] = move{fix, f.tick + 1}
}

// turn publishes all couriers that moved since the last tick in one frame.
func (f *fleet) turn() {
	if !f.watched() {
		return
	}
	w := newWakes()
	f.mu.Lock()
	if len(f.due) > 0 {
		moved := FleetPositions{make([]domain.Fix, len(f.due))}
		for i, id := range f.due {
			moved.Couriers[i] = f.moves[id].fix
		}
		f.due = f.due[:0]
		f.tick++
		f.publish(f.frame(moved, f.tick-1), w)
	}
	f.mu.Unlock()
	w.fire()
}

// frame encodes the moves after a tick.
func (f *fleet) frame(moved FleetPositions, after int64) *Frame {
	return &Frame{
		Type: TypePositions, Topic: f.topic, key: keyPosition, mark: after,
		JSON: Encode(TypePositions, "", 0, f.hub.clock.Now(), moved),
	}
}

// publishOrder publishes a status of an order, whose room is locked, to the fleet's
// watchers who do not also watch that order itself or all orders; there, an offer is a note.
func (f *fleet) publishOrder(r *room, status *Frame, w *wakes) {
	bare := *status
	bare.mark = 0 // a seq counts within one order only
	f.mu.Lock()
	defer f.mu.Unlock()
	f.each(func(m *member) bool {
		return status.Type != TypeOffer && (m.sub.watches(r) || m.sub.watches(&f.hub.feed.room)) || m.take(&bare, w)
	})
}

// watches reports whether the subscription is in the room.
func (s *Subscription) watches(r *room) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	// With one member it watches only the fleet.
	return len(s.members) > 1 && slices.ContainsFunc(s.members, func(m *member) bool { return m.room == r })
}

// resolve encodes a merged frame of several ticks when its reader takes it.
func (h *Hub) resolve(f *Frame) {
	if f.JSON != nil {
		return
	}
	h.fleet.mu.Lock()
	moved := FleetPositions{[]domain.Fix{}}
	for _, m := range h.fleet.moves {
		if m.tick > f.mark {
			moved.Couriers = append(moved.Couriers, m.fix)
		}
	}
	h.fleet.mu.Unlock()
	f.JSON = h.fleet.frame(moved, f.mark).JSON
}

// joinFleet gives the member the positions of all couriers.
func (h *Hub) joinFleet(ctx context.Context, m *member) error {
	now := h.clock.Now()
	since := now.Add(-domain.MaxPositionAge)
	fixes, err := h.live.Fixes(ctx, since)
	if err != nil {
		if fixes, err = h.store.LatestFixes(ctx, since); err != nil {
			return err
		}
	}
	if fixes == nil {
		fixes = []domain.Fix{}
	}
	for i := range fixes {
		fixes[i].Attributes = nil
	}
	snapshot := &Frame{Type: TypeSnapshot, Topic: m.room.topic, JSON: Encode(TypeSnapshot, "", 0, now, FleetPositions{fixes})}
	m.enterSimple(func(*wakes) []*Frame { return []*Frame{snapshot} })
	return nil
}

// CourierMoved announces a courier's newest position and the orders in its custody.
func (h *Hub) CourierMoved(fix domain.Fix, orders []domain.Carried) {
	fix.Attributes = nil
	for _, o := range orders {
		h.movedOrder(o, fix)
	}
	if fix.CourierID != "" { // a carrier's is nobody of the fleet
		h.movedCourier(fix)
		h.fleet.moved(fix)
	}
	if h.peers != nil {
		h.peers.moved(fix, orders)
	}
}

func (h *Hub) movedCourier(fix domain.Fix) {
	h.couriers.with(fix.CourierID, false, func(r *room, w *wakes) {
		if fix.RecordedAt.After(r.latest) {
			r.publishFix(fix, w)
		}
	})
}

func (h *Hub) movedOrder(o domain.Carried, fix domain.Fix) {
	h.orders.with(o.OrderID, false, func(r *room, w *wakes) {
		if r.track.stops = o.Stops; r.carriedBy(fix) {
			r.publishFix(fix, w)
		}
	})
}

// publishFix publishes a position; the room is locked.
func (r *room) publishFix(fix domain.Fix, w *wakes) {
	r.latest = fix.RecordedAt
	if len(r.members) == 0 {
		return
	}
	frame := func(orderID string, data any) *Frame {
		return &Frame{
			Type: TypePosition, Topic: r.topic, key: keyPosition, form: new(form),
			JSON: Encode(TypePosition, orderID, 0, fix.ReceivedAt, data),
		}
	}
	if r.topic.Kind != KindOrder {
		r.publish(frame("", fix), w)
		return
	}
	r.track.last = &fix.Position
	glimpse, now := r.hub.glimpse(r.track.state, r.track.stops), r.hub.clock.Now()
	r.publishViews(w, everyMember, func(v domain.View) *Frame {
		p := glimpse.Position(v, &fix.Position, now)
		switch {
		case p == nil:
			return nil
		case v == domain.ViewCustomer || fix.CourierID == "": // customers must not learn the courier's identity
			return frame(r.topic.ID, p)
		}
		return frame(r.topic.ID, domain.Fix{CourierID: fix.CourierID, Position: *p})
	})
}

// Estimated announces a changed estimate.
func (h *Hub) Estimated(e domain.Estimate) {
	h.estimated(e)
	if h.peers != nil {
		h.peers.estimated(e)
	}
}

func (h *Hub) estimated(e domain.Estimate) {
	h.orders.with(e.OrderID, false, func(r *room, w *wakes) {
		t, now := r.track, h.clock.Now()
		if len(r.members) == 0 || t.state.Status.Terminal() {
			return
		}
		r.publishViews(w, everyMember, func(v domain.View) *Frame {
			place := v != domain.ViewCustomer || h.glimpse(t.state, t.stops).Position(v, t.last, now) != nil
			return &Frame{
				Type: TypeETA, Topic: r.topic, key: keyEstimate, form: new(form),
				JSON: Encode(TypeETA, e.OrderID, 0, now, e.For(v, place)),
			}
		})
	})
}
