package push

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// maxAhead bounds the entries that wait for an earlier one; what does not fit is read
	// from the store again.
	maxAhead = 256
	// fleetHold is how long the fleet's watchers keep an order's place in its history
	// after it changed: longer than two checks.
	fleetHold = 3 * time.Second
)

// track is how far the room's order was told. It belongs to the room's lock.
type track struct {
	state
	// seq is the newest entry of the history that was told, once the account has begun.
	seq   int64
	begun bool
	// ahead is the entries that can't be told before an earlier one is, oldest first.
	ahead []domain.Event
	// behind says that the store has more than was told.
	behind bool
	queued bool // for catching up
	// known says that the state's courier is.
	known     bool
	heldUntil time.Time
	// waiting is a position that came before the state was known.
	waiting *domain.Fix
}

// state is what the hub must know of an order to tell of it.
type state struct {
	version   int64
	status    domain.Status
	courierID string
}

func stateOf(o *domain.Order) state {
	return state{version: o.Version, status: o.Status, courierID: o.CourierID}
}

// apply brings the state behind the event.
func (s *state) apply(e domain.Event) {
	if e.Note() {
		return
	}
	s.version, s.status = e.Version, e.Status
	if e.Type != domain.EventStatusChanged {
		return
	}
	switch e.Status {
	case domain.StatusAssigned:
		if id, ok := e.Data["courier_id"].(string); ok {
			s.courierID = id
		}
	case domain.StatusConfirmed:
		s.courierID = ""
	}
}

// held says whether the fleet's watchers still need the room of the order.
func (r *room) held() bool {
	return r.hub.fleet.watched() && r.hub.clock.Now().Before(r.track.heldUntil)
}

// carriedBy says whether the fix moves the order: it is in the custody of that courier.
func (r *room) carriedBy(fix domain.Fix) bool {
	t := r.track
	if !t.begun {
		t.waiting = &fix
		return false
	}
	return t.status.InCustody() && t.courierID == fix.CourierID && fix.RecordedAt.After(r.latest)
}

// OrderChanged announces the events that made this version of the order. Racing
// announcements may come in any order.
func (h *Hub) OrderChanged(o *domain.Order, events []domain.Event) {
	if len(events) == 0 {
		return
	}
	h.changed(o.ID, events, func(t *track) {
		if o.Ledger.Seq == t.seq {
			t.state, t.known = stateOf(o), true
		}
	})
	if h.peers != nil {
		h.peers.changed(o.ID, events)
	}
}

// changed offers entries to the order's room, if there is one or the fleet's watchers
// need one. then, when not nil, runs while the room is locked.
func (h *Hub) changed(orderID string, events []domain.Event, then func(*track)) {
	fleet := h.fleet.watched()
	r := h.orders.lock(orderID, fleet)
	if r == nil {
		return
	}
	w := newWakes()
	t := r.track
	if fleet {
		t.heldUntil = h.clock.Now().Add(fleetHold)
		if !t.begun && len(r.members) == 0 {
			// The fleet's watchers hear of this order from here on.
			t.begun, t.seq = true, events[0].Seq-1
		}
	}
	r.offer(events, w)
	if then != nil {
		then(t)
	}
	r.mu.Unlock()
	w.fire()
}

// offer takes entries of the history, tells what can be told and has the rest
// fetched; the room is locked.
func (r *room) offer(events []domain.Event, w *wakes) {
	t := r.track
	for _, e := range events {
		if e.Seq <= t.seq {
			continue
		}
		if t.begun && e.Seq == t.seq+1 && len(t.ahead) == 0 { // as it nearly always is
			r.next(e, w)
			continue
		}
		i, found := slices.BinarySearchFunc(t.ahead, e.Seq, func(a domain.Event, seq int64) int {
			return int(a.Seq - seq)
		})
		if !found {
			t.ahead = slices.Insert(t.ahead, i, e)
		}
	}
	r.advance(w)
}

// advance tells the entries whose turn has come; the room is locked.
func (r *room) advance(w *wakes) {
	t := r.track
	n := 0
	for ; t.begun && n < len(t.ahead) && t.ahead[n].Seq <= t.seq+1; n++ {
		if e := t.ahead[n]; e.Seq == t.seq+1 {
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

// next tells the entry whose turn it is; the room is locked.
func (r *room) next(e domain.Event, w *wakes) {
	r.track.seq = e.Seq
	r.track.apply(e)
	r.announce(e, w)
}

// announce tells one entry; the room is locked.
func (r *room) announce(e domain.Event, w *wakes) {
	fleet := r.hub.fleet.watched()
	if len(r.members) == 0 && !fleet {
		return
	}
	f := eventFrame(e)
	if f == nil {
		return
	}
	r.tell(f, w)
	if fleet && f.Type == TypeStatus {
		r.hub.fleet.tellOrder(r, f, w)
	}
	if f.Type == TypeStatus && e.Status.Terminal() {
		r.finish(w)
	}
}

// finish ends the topic for all who have its snapshot; the others see the end when
// they enter. The room is locked.
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

// finish tells the member the end and takes it out of the room, which is locked.
func (m *member) finish(end *Frame, w *wakes) {
	if m.sub.finish(m, end) {
		w.add(m.sub)
	}
	m.room.remove(m)
}

// joinOrder gives the member the order as it stands and what it missed.
func (h *Hub) joinOrder(ctx context.Context, m *member, since *int64) error {
	o, err := h.order(ctx, m.room.topic.ID, since)
	if err != nil {
		return err
	}
	st, seq := stateOf(o), o.Ledger.Seq
	snapshot, err := h.orderSnapshot(ctx, o)
	if err != nil {
		return err
	}
	first := []*Frame{snapshot}
	if since != nil {
		// An entry's seq is never below its version, so this finds all later versions.
		from := max(0, min(*since, o.Version))
		events, err := h.store.Events(ctx, o.ID, from)
		if err != nil {
			return err
		}
		for _, e := range events {
			replayed := !e.Note() && e.Version > from
			if f := eventFrame(e); f != nil && (replayed || e.Seq > seq) {
				first = append(first, f)
			}
		}
		for _, e := range events {
			if e.Seq > seq {
				seq = e.Seq
				st.apply(e)
			}
		}
	}
	for !m.enterOrder(first, seq, st) {
		// The copy of the order was older than what the room had told before the member came.
		events, err := h.store.Events(ctx, o.ID, seq)
		if err != nil {
			return err
		}
		for _, e := range events {
			if f := eventFrame(e); f != nil {
				first = append(first, f)
			}
			seq = e.Seq
			st.apply(e)
		}
	}
	return nil
}

// order returns the order, not older than what the reader has seen.
func (h *Hub) order(ctx context.Context, id string, since *int64) (*domain.Order, error) {
	o, err := h.live.CachedOrder(ctx, id)
	if err == nil && o != nil && (since == nil || *since <= o.Version) {
		return o, nil
	}
	return h.store.Order(ctx, id)
}

// enterOrder gives the member its first frames, which tell the order's history up to
// seq, where it stood as st. It returns false when the room is further than that.
func (m *member) enterOrder(first []*Frame, seq int64, st state) bool {
	r, t := m.room, m.room.track
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
	if !t.begun { // the first to know begins the room's account
		t.state, t.known, t.begun, t.seq = st, true, true, seq
		if len(t.ahead) > 0 { // the fleet's watchers have not heard of these
			t.seq = min(seq, t.ahead[0].Seq-1)
		}
		for _, other := range r.members { // those who still read were not told what came before
			other.joined = max(other.joined, t.seq)
		}
		r.advance(w)
	}
	if !t.known {
		t.courierID, t.known = st.courierID, true
	}
	if t.seq < seq {
		t.behind = true
		r.hub.catchup.add(r)
	}
	m.enter(w, seq, first...)
	if st.status.Terminal() || t.status.Terminal() {
		m.finish(endFrame(r.topic.ID, r.hub.clock.Now()), w)
		return true
	}
	if fix := t.waiting; fix != nil {
		t.waiting = nil
		if r.carriedBy(*fix) {
			r.tellFix(*fix, w)
		}
	}
	return true
}

// orderSnapshot is the order with its courier and, in custody, its position beside.
func (h *Hub) orderSnapshot(ctx context.Context, o *domain.Order) (*Frame, error) {
	data, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var extra struct {
		Courier  *domain.Courier  `json:"courier,omitempty"`
		Position *domain.Position `json:"position,omitempty"`
	}
	if o.CourierID != "" {
		extra.Courier, err = h.store.Courier(ctx, o.CourierID)
		if err != nil && domain.CodeOf(err) != domain.CodeCourierNotFound {
			return nil, err
		}
		if o.Status.InCustody() {
			extra.Position = h.position(ctx, o.CourierID)
		}
	}
	if extra.Courier != nil || extra.Position != nil {
		more, err := json.Marshal(extra)
		if err != nil {
			return nil, err
		}
		// Two objects become one: the order's members, a comma, the others.
		data = slices.Concat(data[:len(data)-1], []byte(","), more[1:])
	}
	return &Frame{
		Type: TypeSnapshot, Topic: OrderTopic(o.ID), Version: o.Version, mark: o.Ledger.Seq,
		JSON: Encode(TypeSnapshot, o.ID, o.Version, h.clock.Now(), json.RawMessage(data)),
	}, nil
}
