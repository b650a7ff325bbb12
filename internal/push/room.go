package push

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// room is a topic and its members.
type room struct {
	hub   *Hub
	topic Topic

	mu      sync.Mutex
	dead    bool // removed from its table
	members []*member
	// watchers counts the members; in the feed also one more while entries are kept for those who come back.
	watchers atomic.Int32
	track    *track     // of an order
	latest   time.Time  // device time of the newest published position
	duties   *published // of a courier; nil before the first read
}

// member is a subscription in a room. Its fields are protected by the room's lock.
type member struct {
	sub     *Subscription
	room    *room
	at      int          // index in room.members
	slots   [keys]uint64 // queue places of the unread frames by conflation key
	seq     int64        // of the newest history entry sent to it
	joined  int64        // of the newest entry the room had published when it joined
	joining *[]*Frame    // frames published while its snapshot is being read; nil afterwards
	left    bool
}

// Add subscribes to a topic: its snapshot is queued first; with since, each status frame of the order with a later version
// follows; then live frames. An existing topic is left unchanged. It fails with order_not_found, courier_not_found,
// validation_failed, or the reason why the subscription ended.
func (s *Subscription) Add(ctx context.Context, t Topic, since *int64) error {
	t, err := t.canonical()
	if err != nil {
		return err
	}
	m, err := s.join(t)
	if m == nil {
		return err
	}
	switch t.Kind {
	case KindOrder:
		err = s.hub.joinOrder(ctx, m, since)
	case KindCourier:
		err = s.hub.joinCourier(ctx, m)
	case KindFleet:
		err = s.hub.joinFleet(ctx, m)
	case KindOrders:
		err = domain.Invalid("/topic", "unknown_topic", "is added by AddOrders")
	}
	if err != nil {
		s.Remove(t)
	}
	return err
}

// Remove unsubscribes from a topic; its queued frames stay queued.
func (s *Subscription) Remove(t Topic) {
	t, err := t.canonical()
	if err != nil {
		return
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.members, func(m *member) bool { return m.room.topic == t })
	if i < 0 {
		s.mu.Unlock()
		return
	}
	found := s.members[i]
	s.members = slices.Delete(s.members, i, i+1)
	s.mu.Unlock()
	found.room.leave(found)
}

// join makes the subscription a member of the topic's room, which holds frames for it
// until enter. It returns nil when it is a member already or has ended.
func (s *Subscription) join(t Topic) (*member, error) {
	r := s.hub.room(t)
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		r.retire()
		return nil, s.err
	}
	if slices.ContainsFunc(s.members, func(m *member) bool { return m.room.topic == t }) {
		return nil, nil
	}
	m := &member{sub: s, room: r, at: len(r.members), joining: new([]*Frame)}
	if r.track != nil {
		m.joined = r.track.seq
	}
	r.members = append(r.members, m)
	s.members = append(s.members, m)
	s.topics++
	r.watchers.Add(1)
	if len(r.members) == 1 && s.hub.peers != nil {
		s.hub.peers.watch(t)
	}
	return m, nil
}

// room returns the topic's room, locked.
func (h *Hub) room(t Topic) *room {
	switch t.Kind {
	case KindOrder:
		return h.orders.lock(t.ID, true)
	case KindCourier:
		return h.couriers.lock(t.ID, true)
	}
	r := &h.fleet.room
	if t.Kind == KindOrders {
		r = &h.feed.room
	}
	r.mu.Lock()
	return r
}

// watched reports whether anybody wants what happens here.
func (r *room) watched() bool { return r.watchers.Load() > 0 }

// leave removes the member from the room.
func (r *room) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(m)
}

// remove is leave for a locked room.
func (r *room) remove(m *member) {
	if m.left {
		return
	}
	m.left = true
	last := len(r.members) - 1
	r.members[m.at] = r.members[last]
	r.members[m.at].at = m.at
	r.members[last] = nil
	r.members = r.members[:last]
	if last < cap(r.members)/4 && cap(r.members) > 16 {
		r.members = append(make([]*member, 0, last*2), r.members...)
	}
	r.watchers.Add(-1)
	if last == 0 && r.topic.Kind == KindOrders {
		r.hub.feed.linger() // before the other replicas are told that nobody listens
	}
	if last == 0 && r.hub.peers != nil {
		r.hub.peers.unwatch(r.topic)
	}
	r.retire()
}

// retire removes a room that nobody needs; it is locked.
func (r *room) retire() {
	if len(r.members) > 0 || r.dead {
		return
	}
	switch r.topic.Kind {
	case KindOrder:
		if !r.held() {
			r.hub.orders.remove(r)
		}
	case KindCourier:
		r.hub.couriers.remove(r)
	case KindFleet:
		r.hub.fleet.reset()
	}
}

// each calls stays for every member and removes those for whom it is false; the room is locked.
func (r *room) each(stays func(m *member) bool) {
	for i := 0; i < len(r.members); {
		if m := r.members[i]; !stays(m) {
			r.remove(m) // another member is in its place now
			continue
		}
		i++
	}
}

// publish sends a frame to every member; the room is locked.
func (r *room) publish(f *Frame, w *wakes) { r.each(func(m *member) bool { return m.take(f, w) }) }

// everyMember wants all frames.
func everyMember(*member) bool { return true }

// publishViews sends every member that wants it the frame for its view, made once per view, nil for none. The room is locked.
func (r *room) publishViews(w *wakes, wants func(*member) bool, frame func(domain.View) *Frame) {
	var frames [domain.Views]*Frame
	var made [domain.Views]bool
	r.each(func(m *member) bool {
		if !wants(m) {
			return true
		}
		v := m.sub.view
		if !made[v] {
			frames[v], made[v] = frame(v), true
		}
		return frames[v] == nil || m.take(frames[v], w)
	})
}

// slot is the queue place of the unread frame with the same conflation key; nil for frames without one.
func (m *member) slot(f *Frame) *uint64 {
	if f.key == keyNone {
		return nil
	}
	return &m.slots[f.key]
}

// take queues a frame for the member and reports whether the member stays.
func (m *member) take(f *Frame, w *wakes) bool {
	if f.key == keyNone && f.mark != 0 {
		if f.mark <= m.seq {
			return true
		}
		m.seq = f.mark
	}
	if m.joining != nil {
		return m.hold(f, w)
	}
	wake, alive := m.sub.put(f, m.slot(f))
	if wake {
		w.add(m.sub)
	}
	return alive
}

// hold keeps a frame until the member has its snapshot.
func (m *member) hold(f *Frame, w *wakes) bool {
	if f.key != keyNone {
		for i, old := range *m.joining {
			if old.key == f.key {
				(*m.joining)[i] = merge(old, f)
				return true
			}
		}
	}
	if len(*m.joining) >= m.sub.hub.cfg.Queue+keys {
		if m.sub.fail(ErrTooSlow) {
			w.add(m.sub)
		}
		return false
	}
	*m.joining = append(*m.joining, f)
	return true
}

// enter gives a member its first frames and the held ones, without history entries up to seq; the room is locked.
func (m *member) enter(w *wakes, seq int64, first ...*Frame) {
	held := *m.joining
	m.joining, m.seq = nil, max(m.seq, seq)
	if wake := m.sub.putOwn(first); wake {
		w.add(m.sub)
	}
	for _, f := range held {
		if f.key == keyNone && f.mark != 0 && f.mark <= seq {
			continue
		}
		if wake, _ := m.sub.put(f, m.slot(f)); wake {
			w.add(m.sub)
		}
	}
}

// CourierSnapshot is the first frame of a courier.
type CourierSnapshot struct {
	Courier  *domain.Courier  `json:"courier"`
	Position *domain.Position `json:"position,omitempty"`
}

// joinCourier gives the member the current courier, its route and its open offers.
func (h *Hub) joinCourier(ctx context.Context, m *member) error {
	id := m.room.topic.ID
	c, err := h.store.Courier(ctx, id)
	if err != nil {
		return err
	}
	snapshot := CourierSnapshot{c, h.position(ctx, id)}
	at, d := h.clock.Now(), h.dutiesOf(ctx, id)
	first := &Frame{Type: TypeSnapshot, Topic: m.room.topic, JSON: Encode(TypeSnapshot, "", 0, at, snapshot)}
	m.enterSimple(func(w *wakes) []*Frame {
		m.room.publishDuties(d, at, w)
		// The member gets all that was published, not what came while it was joining.
		*m.joining = slices.DeleteFunc(*m.joining, func(f *Frame) bool { return f.Type == TypeRoute || f.Type == TypeOffer })
		return append([]*Frame{first}, m.room.dutyFrames()...)
	})
	return nil
}

// enterSimple is enter for topics without a history; first is called with the room locked.
func (m *member) enterSimple(first func(w *wakes) []*Frame) {
	w := newWakes()
	m.room.mu.Lock()
	if !m.left {
		m.enter(w, 0, first(w)...)
	}
	m.room.mu.Unlock()
	w.fire()
}

// position returns the courier's newest position or nil; during an outage of the live store the courier is not on the map.
func (h *Hub) position(ctx context.Context, courierID string) *domain.Position {
	p, err := h.live.Position(ctx, courierID)
	if err != nil || p == nil {
		return nil
	}
	shown := *p
	shown.Attributes = nil // additional phone data is hidden from watchers of an order
	return &shown
}
