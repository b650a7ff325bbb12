// Package outbox relays committed events to the bus.
//
// Invariants: the oldest pending event is published first, none is ever skipped, and an event is deleted only after the bus
// has acknowledged it. So events first appear in commit order, and a crash between acknowledgement and deletion repeats
// events (with the same ce_id) but loses none.
//
// Concurrency: of the processes that share an outbox one leads and relays; the others try to take over every 500 ms.
// Leadership only limits repeats; order does not depend on it. Run is a Relay's only goroutine. Lifecycle: Run until its
// context ends, then one last Drain in a graceful shutdown. Its ports are domain.Outbox and domain.Bus.
package outbox

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	batch    = 1000
	poll     = 500 * time.Millisecond // in case a wake-up was lost
	maxPause = 5 * time.Second
)

// Relay drains an outbox to a bus.
type Relay struct {
	// Forget, if set before Run, receives the newest version of each order, so that a cache drops older copies: the process
	// that made the change may have been killed before it could do so.
	Forget func(ctx context.Context, versions map[string]int64) error

	// Published counts the events acknowledged by the bus, repeats included.
	Published atomic.Int64
	// Truncated counts the events that the brokers accepted only without their order, and
	// Unpublished those that they rejected entirely.
	Truncated, Unpublished atomic.Int64

	box domain.Outbox
	bus domain.Bus
	log *zap.Logger

	draining chan struct{} // held while draining; guards the fields below
	led      domain.Outbox // the outbox of this process while it leads
	resign   func()
}

// New makes a relay.
func New(box domain.Outbox, bus domain.Bus, log *zap.Logger) *Relay {
	return &Relay{box: box, bus: bus, log: log, draining: make(chan struct{}, 1)}
}

// Run relays until the context ends. An outage of the bus or the database is logged once and waited out.
func (r *Relay) Run(ctx context.Context) {
	defer r.stepDown()
	pause := time.Duration(0)
	outage := background.Outage{Log: r.log, Lost: "publishing events failed; retrying until it works", Back: "events are published again"}
	for {
		leads, err := r.drain(ctx)
		if ctx.Err() != nil {
			return
		}
		if outage.Note(err); err == nil {
			pause = 0
			wake := r.box.Committed()
			if !leads {
				wake = nil // another process publishes
			}
			select {
			case <-ctx.Done():
				return
			case <-wake:
			case <-time.After(poll):
			}
			continue
		}
		pause = min(max(2*pause, 100*time.Millisecond), maxPause)
		if !background.Sleep(ctx, pause/2+rand.N(pause/2)) { //nolint:gosec // jitter, not a secret
			return
		}
	}
}

// Drain publishes until nothing is pending, or does nothing while another process leads.
func (r *Relay) Drain(ctx context.Context) error {
	defer r.stepDown()
	_, err := r.drain(ctx)
	return err
}

// stepDown gives up leadership.
func (r *Relay) stepDown() {
	r.draining <- struct{}{}
	defer func() { <-r.draining }()
	r.giveUp()
}

func (r *Relay) giveUp() {
	if r.led != nil {
		r.resign()
		r.led, r.resign = nil, nil
	}
}

// drain publishes until nothing is pending and reports whether this process leads. On a
// failure it gives up leadership, since another process may succeed.
func (r *Relay) drain(ctx context.Context) (leads bool, err error) {
	select {
	case r.draining <- struct{}{}:
		defer func() { <-r.draining }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if r.led == nil {
		if r.led, r.resign, err = r.box.Lead(ctx); err != nil || r.led == nil {
			r.led = nil
			return false, err
		}
	}
	if err := r.publish(ctx); err != nil {
		r.giveUp()
		return false, err
	}
	return true, nil
}

// publish empties the outbox.
func (r *Relay) publish(ctx context.Context) error {
	for {
		entries, err := r.led.Pending(ctx, batch)
		if err != nil || len(entries) == 0 {
			return err
		}
		msgs := make([]domain.Message, len(entries))
		positions := make([]int64, len(entries))
		for i, e := range entries {
			msgs[i], positions[i] = message(e), e.Position
		}
		r.forget(ctx, entries)
		err = r.bus.Publish(ctx, msgs)
		if domain.CodeOf(err) == domain.CodeTooLarge {
			err = r.oneByOne(ctx, entries, msgs)
		}
		if err != nil {
			return err
		}
		r.Published.Add(int64(len(msgs)))
		// Acknowledged events are deleted even while stopping, to spare consumers repeats.
		if err := r.led.Published(context.WithoutCancel(ctx), positions); err != nil {
			return err
		}
	}
}

// oneByOne publishes a batch with a message that the brokers permanently reject: that one in
// short form, in its place, or not at all if they reject this too. It must not block the rest.
func (r *Relay) oneByOne(ctx context.Context, entries []domain.OutboxEntry, msgs []domain.Message) error {
	for i, m := range msgs {
		err := r.bus.Publish(ctx, []domain.Message{m})
		if domain.CodeOf(err) == domain.CodeTooLarge {
			e := entries[i].Event
			about := []zap.Field{
				zap.String("topic", m.Topic), zap.String("order_id", e.OrderID), zap.String("event_id", e.ID),
				zap.Int("bytes", len(m.Value)), zap.Error(domain.Explained(err)),
			}
			r.log.Error("the brokers rejected an event; it is published without its order", about...)
			r.Truncated.Add(1)
			err = r.bus.Publish(ctx, []domain.Message{short(entries[i])})
			if domain.CodeOf(err) == domain.CodeTooLarge {
				r.log.Error("the brokers rejected an event even without its order; it is in no topic", about...)
				r.Unpublished.Add(1)
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget makes the cache drop older copies of the orders; new orders have none. The cache handles its own failures.
func (r *Relay) forget(ctx context.Context, entries []domain.OutboxEntry) {
	if r.Forget == nil {
		return
	}
	versions := map[string]int64{}
	for _, e := range entries {
		if e.Event.Version > 1 {
			versions[e.Event.OrderID] = max(versions[e.Event.OrderID], e.Event.Version)
		}
	}
	if len(versions) == 0 {
		return
	}
	if err := r.Forget(ctx, versions); err != nil {
		r.log.Debug("older copies of orders were not dropped", zap.Error(err))
	}
}

// message encodes an event as a CloudEvent: the value is the event with the order as it stood after it.
func message(e domain.OutboxEntry) domain.Message {
	return enclose(e.Event, `,"order":`+string(e.Order)+"}")
}

// short is an event's message without the order, for brokers with a lower size limit.
func short(e domain.OutboxEntry) domain.Message {
	m := enclose(e.Event, `,"truncated":true}`)
	m.Time = time.Time{} // now, since the brokers may have rejected the event's own time
	return m
}

// enclose appends further members to the event's JSON object.
func enclose(e domain.Event, rest string) domain.Message {
	event := e.AppendJSON(make([]byte, 0, 512+len(rest)))
	event = append(event[:len(event)-1], rest...)
	topic := domain.TopicOrderUpdated
	if e.Type == domain.EventCreated {
		topic = domain.TopicOrderCreated
	}
	return domain.Message{
		Topic: topic, Key: e.OrderID, Value: event, Time: e.RecordedAt,
		Headers: domain.CloudEventHeaders(e.ID, string(e.Type), e.OccurredAt, e.OrderID),
	}
}
