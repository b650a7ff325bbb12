package push

import (
	"context"
	"encoding/json"
	"sync"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// maxMoves is how many couriers' moves go into one message.
const maxMoves = 500

// peers is the other replicas: what is announced here is published to those that
// watch it, and what they publish is told here. Messages carry the events themselves,
// so that in the usual case nobody has to read them; they are offered to the order's
// room like announcements, which puts them in order and reads what is missing.
type peers struct {
	hub     *Hub
	wakeups domain.Wakeups
	id      string // of this replica, before each message: a replica hears itself

	mu    sync.Mutex
	moves map[string]domain.Fix // for the fleet's watchers elsewhere, since the last tick
}

// peerMessage is what replicas tell each other.
type peerMessage struct {
	OrderID  string           `json:"order_id,omitempty"`
	Events   []domain.Event   `json:"events,omitempty"` // of OrderID
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

func (p *peers) changed(orderID string, events []domain.Event) {
	p.publish(peerMessage{OrderID: orderID, Events: events}, OrderTopic(orderID), FleetTopic())
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
		p.hub.log.Error("replicas are not heard any more; statuses come by the check alone", zap.Error(err))
	}
}

// receive tells here what another replica published.
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
	if len(m.Events) > 0 {
		p.hub.changed(m.OrderID, m.Events, nil)
	}
	if m.Estimate != nil {
		p.hub.estimated(*m.Estimate)
	}
}
