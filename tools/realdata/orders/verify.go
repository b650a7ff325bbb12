package orders

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// verify reads everything back and records differences as faults.
func (d *driver) verify(ctx context.Context, plans []*plan) {
	d.awaitTail(ctx)
	d.verifyBus(plans)
	d.verifyList(ctx)
	seen := &identities{ids: map[string]string{}}
	d.each(ctx, len(plans), func(ctx context.Context, i int) error {
		r := d.driven[plans[i].externalID]
		if r == nil {
			return fmt.Errorf("%s was not driven to its end", plans[i].externalID)
		}
		if err := d.verifyOrder(ctx, r, seen); err != nil {
			return fmt.Errorf("%s (order %s): %w", r.externalID, r.orderID, err)
		}
		return nil
	})
	d.verifyCouriers(ctx)
}

// awaitTail waits for the last messages: every order's last version.
func (d *driver) awaitTail(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.within)
	defer cancel()
	for _, r := range d.driven {
		if !d.tail.await(ctx, r.orderID, r.want.version) {
			return // what is missing shows in the comparison
		}
	}
}

// verifyBus checks for unexpected messages.
func (d *driver) verifyBus(plans []*plan) {
	d.tail.mu.Lock()
	defer d.tail.mu.Unlock()
	known := map[string]bool{}
	for _, r := range d.driven {
		known[r.orderID] = true
		if said, ok := d.tail.refused[r.orderID]; ok {
			d.faults.add("%s (order %s): in the dead-letter topic with %s", r.externalID, r.orderID, said)
		}
	}
	for id, p := range d.tail.orders {
		if !known[id] && len(p.messages) > 0 {
			d.faults.add("order %s was published and no row of the %d made it", id, len(plans))
		}
	}
}

// verifyList looks for every order of the run, once, in the list.
func (d *driver) verifyList(ctx context.Context) {
	listed := map[string]int{}
	for o, err := range d.rest.Orders(ctx, client.OrderFilter{Search: d.run + "-", PageSize: 500}) {
		if err != nil {
			d.faults.add("the list of orders: %v", err)
			return
		}
		listed[o.ExternalID]++
		if r := d.driven[o.ExternalID]; r == nil || r.orderID != o.ID {
			d.faults.add("the list has order %s (%s), which is not the one that the driver made", o.ID, o.ExternalID)
		}
	}
	for externalID := range d.driven {
		if listed[externalID] != 1 {
			d.faults.add("%s is in the list %d times", externalID, listed[externalID])
		}
	}
}

func (d *driver) verifyOrder(ctx context.Context, r *driven, seen *identities) error {
	got, err := d.rest.Order(ctx, r.orderID)
	if err != nil {
		return err
	}
	events, err := d.rest.Events(ctx, r.orderID)
	if err != nil {
		return err
	}
	if len(events) != len(r.want.entries) {
		return fmt.Errorf("the history has %d entries instead of %d: %s", len(events), len(r.want.entries), outline(events))
	}
	courierID := d.couriers[r.rider]
	for i, e := range events {
		if diff := cmp.Diff(r.want.entries[i].event(r.orderID, courierID, int64(i+1), e), e); diff != "" {
			return fmt.Errorf("entry %d of the history (-expected +is):\n%s", i+1, diff)
		}
		if i > 0 && e.RecordedAt.Before(events[i-1].RecordedAt) {
			return fmt.Errorf("entry %d was recorded at %s, before the one that it follows", i+1, e.RecordedAt)
		}
		if err := seen.add(e.ID, r.externalID); err != nil {
			return err
		}
	}
	if diff := cmp.Diff(r.order(courierID, events, got), got); diff != "" {
		return fmt.Errorf("the order (-expected +is):\n%s", diff)
	}
	return d.verifyMessages(r, courierID, events, got)
}

// outline writes a history on a line.
func outline(events []client.Event) (s string) {
	for _, e := range events {
		s += fmt.Sprintf(" %d:%s/%s", e.Seq, e.Type, e.Status)
	}
	return s
}

// event is the entry as the API should show it. What the product alone knows, the id
// and when it was recorded, is taken from what it shows.
func (e entry) event(orderID, courierID string, seq int64, is client.Event) client.Event {
	out := client.Event{
		ID: is.ID, OrderID: orderID, Seq: seq, Version: e.version, Type: e.kind, Status: e.status,
		PreviousStatus: e.previous, OccurredAt: e.occurred, RecordedAt: is.RecordedAt,
		Actor: client.Actor{Kind: "admin", ID: is.Actor.ID}, Source: "api",
		Reason: e.reason, Location: e.location, Data: e.data,
	}
	if e.occurred.IsZero() {
		out.OccurredAt = is.RecordedAt
	}
	if e.reported {
		out.Actor, out.Source = client.Actor{Kind: "system", ID: "kafka"}, source
	}
	if e.data["courier_id"] == theCourier {
		out.Data = map[string]any{"courier_id": courierID}
	}
	return out
}

// order is the row as the API should show it at its end. The id, the number and the
// estimate are the product's own.
func (p *plan) order(courierID string, events []client.Event, is *client.Order) *client.Order {
	d := p.draft()
	return &client.Order{
		ID: is.ID, Number: is.Number, ExternalID: d.ExternalID, Status: p.want.status, Version: p.want.version,
		Customer: d.Customer, Pickup: d.Pickup, Dropoff: *d.Dropoff, Items: d.Items, Metadata: d.Metadata,
		CourierID: courierID, ETA: is.ETA, Attempts: 1,
		CreatedAt: events[0].RecordedAt, UpdatedAt: events[len(events)-1].RecordedAt, DeliveredAt: &p.arrived,
	}
}

// verifyMessages compares what was published of an order with its history and itself.
func (d *driver) verifyMessages(r *driven, courierID string, events []client.Event, got *client.Order) error {
	d.tail.mu.Lock()
	messages := d.tail.of(r.orderID).messages
	d.tail.mu.Unlock()
	var created, updated []message
	for _, m := range messages {
		if m.topic == topicCreated {
			created = append(created, m)
		} else {
			updated = append(updated, m)
		}
	}
	all := append(created, updated...)
	changes := r.want.changes()
	if len(created) != 1 || len(all) != len(changes) {
		return fmt.Errorf("%d messages on %s and %d on %s instead of 1 and %d", len(created), topicCreated,
			len(updated), topicUpdated, len(changes)-1)
	}
	byVersion := map[int64]client.Event{}
	for _, e := range events {
		if e.Type != typeLate {
			byVersion[e.Version] = e
		}
	}
	last := standingOf(*got)
	for i, m := range all {
		version := int64(i + 1)
		if diff := cmp.Diff(byVersion[version], m.event); diff != "" {
			return fmt.Errorf("message %d should be version %d of the history (-history +published):\n%s", i+1, version, diff)
		}
		want := standingAt(r.plan, changes[:i+1], courierID, m, last)
		if diff := cmp.Diff(want, m.order, cmp.AllowUnexported(standing{})); diff != "" {
			return fmt.Errorf("the order in the message of version %d (-expected +is):\n%s", version, diff)
		}
	}
	return nil
}

// standingAt is the order as it stood after the last of the changes.
func standingAt(p *plan, changes []entry, courierID string, m message, last standing) standing {
	c := changes[len(changes)-1]
	s := standing{
		status: c.status, version: c.version, eta: m.order.eta, updatedAt: m.event.RecordedAt, fixed: last.fixed,
	}
	for _, e := range changes {
		if e.status == client.StatusAssigned {
			s.courierID = courierID
		}
	}
	if c.status == client.StatusDelivered {
		s.attempts, s.deliveredAt, s.eta = 1, &p.arrived, last.eta
	}
	return s
}

// verifyCouriers looks for each rider's orders, all of them delivered.
func (d *driver) verifyCouriers(ctx context.Context) {
	orders := map[string]map[string]bool{}
	for _, r := range d.driven {
		if orders[r.rider] == nil {
			orders[r.rider] = map[string]bool{}
		}
		orders[r.rider][r.orderID] = true
	}
	riders := make([]string, 0, len(orders))
	for rider := range orders {
		riders = append(riders, rider)
	}
	d.each(ctx, len(riders), func(ctx context.Context, i int) error {
		rider := riders[i]
		id := d.couriers[rider]
		c, err := d.rest.Courier(ctx, id)
		if err != nil {
			return fmt.Errorf("courier %s: %w", id, err)
		}
		if c.Name != rider || c.ActiveOrders != 0 || c.Capacity != 1000 || c.Vehicle != "motorbike" {
			return fmt.Errorf("courier %s: not %s on a motorbike with free hands: %+v", id, rider, *c)
		}
		had := 0
		for o, err := range d.rest.CourierOrders(ctx, id, 500) {
			if err != nil {
				return fmt.Errorf("orders of courier %s: %w", id, err)
			}
			if !orders[rider][o.ID] {
				return fmt.Errorf("courier %s has order %s of somebody else", id, o.ID)
			}
			had++
		}
		if had != len(orders[rider]) {
			return fmt.Errorf("courier %s (%s) had %d orders instead of %d", id, rider, had, len(orders[rider]))
		}
		return nil
	})
}

// identities are the ids of entries, which no two may share.
type identities struct {
	mu  sync.Mutex
	ids map[string]string
}

func (s *identities) add(id, of string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.ids[id]; ok {
		return fmt.Errorf("event %s is also one of %s", id, before)
	}
	s.ids[id] = of
	return nil
}

// latencies are durations to be summed up.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}
