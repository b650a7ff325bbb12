package push

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// maxAhead bounds the entries that wait for an earlier one; the rest is read from the store again.
	maxAhead = 256
	// fleetHold is how long an order's room is kept for the fleet's watchers after a change: longer than two checks.
	fleetHold = 3 * time.Second
)

// track is the publishing progress of the room's order. It is protected by the room's lock.
type track struct {
	// state is the order's state after the newest published entry.
	state domain.State
	// seq is that entry's, once publishing has begun.
	seq   int64
	begun bool
	// ahead holds entries that wait for an earlier one, oldest first.
	ahead []domain.Event
	// behind is set when the store has entries that were not published.
	behind    bool
	queued    bool // for catching up
	heldUntil time.Time
	// waiting is a position that arrived before the state was known.
	waiting *domain.Fix
	// last is the newest published position, for the visibility rules.
	last *domain.Position
	// stops is how many the courier had before the order's then; nil: unknown.
	stops *int
}

// held reports whether the fleet's watchers still need the room of the order.
func (r *room) held() bool { return r.hub.watchesAll() && r.hub.clock.Now().Before(r.track.heldUntil) }

// carriedBy reports whether the fix moves the order: it is in the custody of that courier.
func (r *room) carriedBy(fix domain.Fix) bool {
	t := r.track
	if !t.begun {
		t.waiting = &fix
		return false
	}
	return t.state.CourierID == fix.CourierID && fix.RecordedAt.After(r.latest) && t.state.Status.ShowsPlace() &&
		(t.state.CustodyAt == nil || !fix.RecordedAt.Before(*t.state.CustodyAt))
}

// OrderChanged announces a commit's changes of an order. Concurrent announcements may come in any order.
func (h *Hub) OrderChanged(a domain.Announcement) {
	h.changed(a.OrderID, a.Events)
	if h.peers != nil {
		h.peers.changed(a)
	}
	for id := range couriersOf(a.Events) {
		h.CourierChanged(id)
	}
}

// changed offers entries to the order's room, if there is one or the fleet's watchers need one.
func (h *Hub) changed(orderID string, events []domain.Event) {
	fleet := h.watchesAll()
	h.orders.with(orderID, fleet, func(r *room, w *wakes) {
		if t := r.track; fleet {
			t.heldUntil = h.clock.Now().Add(fleetHold)
			if !t.begun && len(r.members) == 0 {
				// The fleet's watchers get this order from here on.
				t.begun, t.seq = true, events[0].Seq-1
			}
		}
		r.offer(events, w)
	})
}

// offer accepts history entries, publishes those that are next and schedules a read of missing ones; the room is locked.
func (r *room) offer(events []domain.Event, w *wakes) {
	t := r.track
	for i := range events {
		e := &events[i]
		if e.Seq <= t.seq {
			continue
		}
		if t.begun && e.Seq == t.seq+1 && len(t.ahead) == 0 { // nearly always
			r.next(e, w)
			continue
		}
		i, found := slices.BinarySearchFunc(t.ahead, e.Seq, func(a domain.Event, seq int64) int { return int(a.Seq - seq) })
		if !found {
			t.ahead = slices.Insert(t.ahead, i, *e)
		}
	}
	r.advance(w)
}

// advance publishes the entries that are next in sequence; the room is locked.
func (r *room) advance(w *wakes) {
	t := r.track
	n := 0
	for ; t.begun && n < len(t.ahead) && t.ahead[n].Seq <= t.seq+1; n++ {
		if e := &t.ahead[n]; e.Seq == t.seq+1 {
			r.next(e, w)
		}
	}
	if t.ahead = slices.Delete(t.ahead, 0, n); len(t.ahead) == 0 {
		t.ahead = nil
		return
	}
	if len(t.ahead) > maxAhead {
		t.ahead, t.behind = slices.Clone(t.ahead[:maxAhead]), true
	}
	if t.begun {
		r.hub.catchup.add(r)
	}
}

// next publishes the next entry in sequence; the room is locked.
func (r *room) next(e *domain.Event, w *wakes) {
	r.track.seq = e.Seq
	if after, ok := e.After(); ok {
		r.track.state = after
	}
	r.announce(e, w)
}

// announce publishes one entry; the room is locked.
func (r *room) announce(e *domain.Event, w *wakes) {
	fleet, feed := r.hub.fleet.watched(), r.hub.feed.watched()
	if len(r.members) == 0 && !fleet && !feed {
		return
	}
	f := eventFrame(e, domain.ViewStaff)
	if f == nil {
		return
	}
	r.publishViews(w, everyMember, func(v domain.View) *Frame {
		if v == domain.ViewStaff {
			return f
		}
		return eventFrame(e, v)
	})
	if feed {
		r.hub.feed.publishOrder(r, e, w)
	}
	if fleet && f.Type != TypeNotification {
		if offer, ok := domain.OfferIn(e); ok {
			f = r.offerFrame(offer)
		}
		r.hub.fleet.publishOrder(r, f, w)
	}
	if f.Type == TypeStatus && e.Status.Terminal() {
		r.finish(w)
	}
}

// finish ends the topic for all members that have its snapshot; the others see the end when they enter. The room is locked.
func (r *room) finish(w *wakes) {
	var end *Frame
	for i := 0; i < len(r.members); {
		m := r.members[i]
		if m.joining != nil {
			i++
			continue
		}
		if end == nil {
			end = endFrame(r.topic.ID, r.hub.clock.Now())
		}
		m.finish(end, w)
	}
	r.retire()
}

// finish sends the end frame to the member and removes it from the room, which is locked.
func (m *member) finish(end *Frame, w *wakes) {
	if m.sub.finish(m, end) {
		w.add(m.sub)
	}
	m.room.remove(m)
}

// joinOrder gives the member the current order and the entries it missed.
func (h *Hub) joinOrder(ctx context.Context, m *member, since *int64) error {
	o, err := h.order(ctx, m.room.topic.ID, since)
	if err != nil {
		return err
	}
	snapshot, err := h.orderSnapshot(ctx, o, m.sub.view)
	if err != nil {
		return err
	}
	first, shown := []*Frame{snapshot}, o.Bookkeeping.Seq
	if since != nil {
		// An entry's seq is never below its version, so this finds all later versions.
		from := max(0, min(*since, o.Version))
		if o, first, err = h.framesAfter(ctx, m, o, first, from, func(e *domain.Event) bool {
			return !e.Note() && e.Version > from || e.Seq > shown
		}); err != nil {
			return err
		}
	}
	for !m.enterOrder(first, o.State()) {
		// The copy of the order was older than what the room had published before the member joined.
		if o, first, err = h.framesAfter(ctx, m, o, first, o.Bookkeeping.Seq, func(*domain.Event) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// framesAfter appends the member's frames for an order's wanted entries after a seq. It
// returns the order as it stood after the last of them.
func (h *Hub) framesAfter(
	ctx context.Context, m *member, o *domain.Order, to []*Frame, after int64, wanted func(*domain.Event) bool,
) (*domain.Order, []*Frame, error) {
	events, err := h.store.Events(ctx, o.ID, after)
	if n := len(events); err == nil && n > 0 && events[n-1].Seq > o.Bookkeeping.Seq {
		// Reading the order before the rest of its history leaves no gap.
		if o, err = h.store.Order(ctx, o.ID); err == nil {
			var rest []domain.Event
			rest, err = h.store.Events(ctx, o.ID, events[n-1].Seq)
			events = append(events, rest...)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	for i := range events {
		if e := &events[i]; e.Seq <= o.Bookkeeping.Seq && wanted(e) {
			if f := eventFrame(e, m.sub.view); f != nil {
				to = append(to, f)
			}
		}
	}
	return o, to, nil
}

// order returns the order, no older than the version the reader has seen.
func (h *Hub) order(ctx context.Context, id string, since *int64) (*domain.Order, error) {
	o, err := h.live.CachedOrder(ctx, id)
	if err == nil && o != nil && (since == nil || *since <= o.Version) {
		return o, nil
	}
	return h.store.Order(ctx, id)
}

// enterOrder gives the member its first frames, which cover the order's history up to the
// state. It returns false when the room is ahead of that.
func (m *member) enterOrder(first []*Frame, st domain.State) bool {
	r, t, seq := m.room, m.room.track, st.Seq
	w := newWakes()
	defer w.fire()
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.left {
		return true
	}
	if m.joined > seq {
		return false
	}
	if !t.begun { // the first member with a state starts the room's publishing
		t.state, t.begun, t.seq = st, true, seq
		if len(t.ahead) > 0 { // not yet sent to the fleet's watchers
			t.seq = min(seq, t.ahead[0].Seq-1)
		}
		for _, other := range r.members { // members still reading missed the earlier entries
			other.joined = max(other.joined, t.seq)
		}
		r.advance(w)
	}
	if t.seq < seq {
		t.behind = true
		r.hub.catchup.add(r)
	}
	m.enter(w, seq, first...)
	if st.Status.Terminal() || t.state.Status.Terminal() {
		m.finish(endFrame(r.topic.ID, r.hub.clock.Now()), w)
		return true
	}
	if fix := t.waiting; fix != nil {
		t.waiting = nil
		if r.carriedBy(*fix) {
			r.publishFix(*fix, w)
		}
	}
	return true
}

// Beside is what an order's snapshot has beside the order.
type Beside struct {
	Courier  *domain.Courier  `json:"courier,omitempty" doc:"the order's courier"`
	Position *domain.Position `json:"position,omitempty" doc:"the courier's position, while the courier has the goods"`
}

// orderSnapshot is the order with its courier and, in custody, its position, as the view shows them.
func (h *Hub) orderSnapshot(ctx context.Context, o *domain.Order, v domain.View) (*Frame, error) {
	data, err := o.For(v).MarshalJSON()
	if err != nil {
		return nil, err
	}
	extra := Beside{Courier: o.Performer()}
	if o.CourierID != "" {
		extra.Courier, err = h.store.Courier(ctx, o.CourierID)
		if err != nil && domain.CodeOf(err) != domain.CodeCourierNotFound {
			return nil, err
		}
	}
	if extra.Courier = extra.Courier.For(v, o.Status); extra.Courier != nil && h.cfg.Glimpse != nil {
		if p, err := h.cfg.Glimpse(ctx, o, v); err == nil { // otherwise the courier is not on the map
			extra.Position = p
		}
	}
	if extra.Courier != nil || extra.Position != nil {
		more, err := json.Marshal(extra)
		if err != nil {
			return nil, err
		}
		// Merges two objects: the order's fields, a comma, the others.
		data = slices.Concat(data[:len(data)-1], []byte(","), more[1:])
	}
	return &Frame{
		Type: TypeSnapshot, Topic: OrderTopic(o.ID), Version: o.Version, mark: o.Bookkeeping.Seq,
		JSON: Encode(TypeSnapshot, o.ID, o.Version, h.clock.Now(), json.RawMessage(data)),
	}, nil
}
