package push

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// maxMoves is the maximum number of couriers' moves in one message.
	maxMoves = 500
	// maxEvents is the same for entries of orders' histories.
	maxEvents = 100
	// fleetPause is the time for which entries for other replicas' fleet watchers are batched after a message.
	fleetPause = 5 * time.Millisecond
)

// peers is the connection to the other replicas: announcements made here are published to replicas that watch the topic, and
// theirs are passed on here. Messages carry the events themselves, so that usually nothing has to be read; they are offered
// to the order's room like announcements, which restores their order and reads missing ones.
type peers struct {
	hub     *Hub
	wakeups domain.Wakeups
	id      string // of this replica, sent before each message: a replica receives its own messages

	mu      sync.Mutex
	moves   map[string]domain.Fix // for the fleet's watchers elsewhere, since the last tick
	events  []domain.Event        // for them, since the last message
	pausing bool
	all     int // rooms that want the entries of all orders: those of the fleet and of all orders
}

// watch asks the other replicas for what the topic's room needs, and unwatch no longer.
func (p *peers) watch(t Topic) { p.want(t, 1, p.wakeups.Watch) }

func (p *peers) unwatch(t Topic) { p.want(t, -1, p.wakeups.Unwatch) }

func (p *peers) want(t Topic, rooms int, tell func(topic string)) {
	if t.Kind != KindFleet && t.Kind != KindOrders {
		tell(t.String())
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.all
	if p.all += rooms; before == 0 || p.all == 0 {
		tell(FleetTopic().String())
	}
}

// peerMessage is a message between replicas.
type peerMessage struct {
	Events   []peerEntry      `json:"events,omitempty"` // those of an order side by side
	Fixes    []domain.Fix     `json:"fixes,omitempty"`
	Estimate *domain.Estimate `json:"estimate,omitempty"`
	Stops    map[string]*int  `json:"stops,omitempty"`  // before the drop-offs of the courier's orders, by order
	Duties   bool             `json:"duties,omitempty"` // the courier's may have changed
}

func (p *peers) publish(m peerMessage, topics ...Topic) {
	data, err := json.Marshal(m)
	if err != nil {
		return // can't happen for validated data
	}
	data = append([]byte(p.id), data...)
	for _, t := range topics {
		p.wakeups.Publish(t.String(), data)
	}
}

// peerEntry is an entry announced by another replica, with the state after it.
type peerEntry struct {
	Event json.RawMessage `json:"event"`
	After domain.State    `json:"after"`
}

func (p *peers) changed(a domain.Announcement) {
	if a.Events[0].Seq > 1 { // nobody watches an order that was just made
		p.publishEvents(OrderTopic(a.OrderID), a.Events)
	}
	p.mu.Lock()
	p.events = append(p.events, a.Events...)
	pausing := p.pausing
	p.pausing = true
	p.mu.Unlock()
	if !pausing {
		p.publishFleet()
	}
}

// publishFleet publishes the batched entries for other replicas' fleet watchers, and again after a pause, until none are left.
func (p *peers) publishFleet() {
	p.mu.Lock()
	events := p.events
	p.events = nil
	p.pausing = len(events) > 0
	p.mu.Unlock()
	if len(events) == 0 {
		return
	}
	for batch := range slices.Chunk(events, maxEvents) {
		p.publishEvents(FleetTopic(), batch)
	}
	time.AfterFunc(fleetPause, p.publishFleet)
}

// publishEvents is publish for the most frequent message.
func (p *peers) publishEvents(t Topic, events []domain.Event) {
	b := append(make([]byte, 0, 64+600*len(events)), p.id...)
	b = append(b, `{"events":`...)
	for i := range events {
		after, _ := events[i].After()
		state, err := json.Marshal(after)
		if err != nil {
			return // numbers and names always encode
		}
		b = append(append(b, "[,"[min(i, 1)]), `{"event":`...)
		b = append(append(append(b, events[i].JSON()...), `,"after":`...), state...)
		b = append(b, '}')
	}
	p.wakeups.Publish(t.String(), append(b, `]}`...))
}

func (p *peers) estimated(e domain.Estimate) {
	p.publish(peerMessage{Estimate: &e}, OrderTopic(e.OrderID))
}

func (p *peers) moved(fix domain.Fix, orders []domain.Carried) {
	topics := make([]Topic, 0, len(orders)+1)
	if fix.CourierID != "" {
		topics = append(topics, CourierTopic(fix.CourierID))
	}
	stops := make(map[string]*int, len(orders))
	for _, o := range orders {
		topics = append(topics, OrderTopic(o.OrderID))
		stops[o.OrderID] = o.Stops
	}
	p.publish(peerMessage{Fixes: []domain.Fix{fix}, Stops: stops}, topics...)
	if fix.CourierID == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moves == nil {
		p.moves = map[string]domain.Fix{}
	}
	if old, known := p.moves[fix.CourierID]; !known || fix.RecordedAt.After(old.RecordedAt) {
		p.moves[fix.CourierID] = fix
	}
}

// turn publishes the moves since the last tick.
func (p *peers) turn() {
	p.mu.Lock()
	moves := p.moves
	p.moves = nil
	p.mu.Unlock()
	for batch := range slices.Chunk(slices.Collect(maps.Values(moves)), maxMoves) {
		p.publish(peerMessage{Fixes: batch}, FleetTopic())
	}
}

// run receives until the context ends.
func (p *peers) run(ctx context.Context) {
	if err := p.wakeups.Receive(ctx, p.receive); err != nil && ctx.Err() == nil {
		p.hub.log.Error("lost the connection to other replicas; their statuses now arrive only by polling the database", zap.Error(err))
	}
}

// receive applies a message of another replica.
func (p *peers) receive(topic string, message []byte) {
	if len(message) < len(p.id) || string(message[:len(p.id)]) == p.id {
		return
	}
	t, err := ParseTopic(topic)
	if err != nil {
		return
	}
	var m peerMessage
	if err := json.Unmarshal(message[len(p.id):], &m); err != nil {
		p.hub.log.Debug("unreadable message from another replica", zap.String("topic", topic), zap.Error(err))
		return
	}
	for _, fix := range m.Fixes {
		switch t.Kind {
		case KindOrder:
			p.hub.movedOrder(domain.Carried{OrderID: t.ID, Stops: m.Stops[t.ID]}, fix)
		case KindCourier:
			p.hub.movedCourier(fix)
		case KindFleet:
			p.hub.fleet.moved(fix)
		}
	}
	for rest := m.entries(); len(rest) > 0; {
		id := rest[0].OrderID
		n := slices.IndexFunc(rest, func(e domain.Event) bool { return e.OrderID != id })
		if n < 0 {
			n = len(rest)
		}
		p.hub.changed(id, rest[:n])
		rest = rest[n:]
	}
	if m.Estimate != nil {
		p.hub.estimated(*m.Estimate)
	}
	if m.Duties && t.Kind == KindCourier {
		p.hub.dutiesChanged(t.ID)
	}
}

// entries decodes a message's entries; the check makes up for unreadable ones.
func (m *peerMessage) entries() []domain.Event {
	out := make([]domain.Event, 0, len(m.Events))
	for _, h := range m.Events {
		var e domain.Event
		if json.Unmarshal(h.Event, &e) == nil {
			out = append(out, domain.Heard(e, h.Event, h.After))
		}
	}
	return out
}
