package push

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// maxMoves is how many couriers' moves go into one message.
	maxMoves = 500
	// maxEvents is the same for entries of orders' histories.
	maxEvents = 100
	// fleetPause is how long entries are gathered for the fleet's watchers elsewhere after
	// some were published.
	fleetPause = 5 * time.Millisecond
)

// peers is the other replicas: what is announced here is published to those that
// watch it, and what they publish is passed on here. Messages carry the events themselves,
// so that in the usual case nobody has to read them; they are offered to the order's
// room like announcements, which puts them in order and reads what is missing.
type peers struct {
	hub     *Hub
	wakeups domain.Wakeups
	id      string // of this replica, before each message: a replica receives its own messages

	mu      sync.Mutex
	moves   map[string]domain.Fix // for the fleet's watchers elsewhere, since the last tick
	events  []domain.Event        // for them, since the last message
	pausing bool
}

// peerMessage is what replicas send to each other.
type peerMessage struct {
	Events   []peerEntry      `json:"events,omitempty"` // those of an order side by side
	Fixes    []domain.Fix     `json:"fixes,omitempty"`
	Estimate *domain.Estimate `json:"estimate,omitempty"`
}

func (p *peers) publish(m peerMessage, topics ...Topic) {
	data, err := json.Marshal(m)
	if err != nil {
		return // nothing that the domain validated gets here
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

// publishFleet publishes what has gathered for the fleet's watchers, and again after a
// pause, until there is nothing.
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

// publishEvents is publish for what happens most.
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

func (p *peers) moved(fix domain.Fix, orderIDs []string) {
	topics := make([]Topic, 0, len(orderIDs)+1)
	topics = append(topics, CourierTopic(fix.CourierID))
	for _, id := range orderIDs {
		topics = append(topics, OrderTopic(id))
	}
	p.publish(peerMessage{Fixes: []domain.Fix{fix}}, topics...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moves == nil {
		p.moves = map[string]domain.Fix{}
	}
	if old, known := p.moves[fix.CourierID]; !known || fix.RecordedAt.After(old.RecordedAt) {
		p.moves[fix.CourierID] = fix
	}
}

// turn publishes who moved since the last one.
func (p *peers) turn() {
	p.mu.Lock()
	moves := p.moves
	p.moves = nil
	p.mu.Unlock()
	batch := make([]domain.Fix, 0, min(len(moves), maxMoves))
	for _, fix := range moves {
		if batch = append(batch, fix); len(batch) == maxMoves {
			p.publish(peerMessage{Fixes: batch}, FleetTopic())
			batch = batch[:0]
		}
	}
	if len(batch) > 0 {
		p.publish(peerMessage{Fixes: batch}, FleetTopic())
	}
}

// run receives until the context ends.
func (p *peers) run(ctx context.Context) {
	if err := p.wakeups.Receive(ctx, p.receive); err != nil && ctx.Err() == nil {
		p.hub.log.Error("other replicas can't be reached any more; statuses arrive by polling the database only", zap.Error(err))
	}
}

// receive passes on what another replica published.
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
		p.hub.log.Debug("a replica's message can't be read", zap.String("topic", topic), zap.Error(err))
		return
	}
	for _, fix := range m.Fixes {
		switch t.Kind {
		case KindOrder:
			p.hub.movedOrder(t.ID, fix)
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
}

// entries decodes the entries of a message; one that can't be read is found by the check.
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
