package domain

import (
	"slices"
	"time"
)

// Change is what one commit does to an order: the order, the events it causes and the rows that are committed with them.
type Change struct {
	// Order is the order as stored; change it through its methods only.
	Order  *Order
	Events []Event
	// Idempotency, when set, is recorded even when nothing changed. A key that was
	// recorded before fails the change with ErrRecorded.
	Idempotency *Idempotency
	// InboundID, when set, is the id of an inbound message that is applied once, recorded
	// even when it changes nothing. A repeat fails the change with ErrRecorded.
	InboundID string
	// Shipment, when set together with events, is the job to store for the order's shipment. A different client reference
	// replaces the stored job; the same one only updates its names.
	Shipment *ShipmentJob
	// Deliveries are the messages that the events cause; without events they are not stored.
	Deliveries []Delivery
	// Images belong to what the events tell; without events they are not stored. One that exists stays.
	Images []Image
	// Imported is set for a new order that comes with a history from elsewhere. Its events are stored but only the first one
	// is published, with the order as it stands. Its courier takes it without a capacity check.
	Imported bool
}

// Add records events that a method of the order returned.
func (c *Change) Add(events ...Event) { c.Events = append(c.Events, events...) }

// ErrRecorded means that the change's idempotency key or inbound id was committed before; nothing was changed.
var ErrRecorded = Errorf(CodeIdempotencyRunning, "this request was applied already")

// State is a snapshot of an order: what is needed to announce a change of it.
type State struct {
	Seq       int64  `json:"seq"`
	Version   int64  `json:"version"`
	Status    Status `json:"status"`
	CourierID string `json:"courier_id,omitempty"`
	Priority  int    `json:"priority,omitempty"`
	// These decide who sees the courier's position.
	MerchantID string     `json:"merchant_id,omitempty"`
	CustodyAt  *time.Time `json:"custody_at,omitempty"`
	Dropoff    *Point     `json:"dropoff,omitempty"`
}

// Glimpse is Order.Glimpse for an order in this state.
func (s State) Glimpse(rule ShowCourier) Glimpse {
	return Glimpse{Status: s.Status, CustodyAt: s.CustodyAt, Dropoff: s.Dropoff, Rule: rule}
}

// State returns the order's current state.
func (o *Order) State() State {
	return State{
		Seq: o.Bookkeeping.Seq, Version: o.Version, Status: o.Status, CourierID: o.CourierID, Priority: o.Priority,
		MerchantID: o.MerchantID, CustodyAt: o.Bookkeeping.CustodyAt, Dropoff: o.Dropoff.Location,
	}
}

// Announcement describes what one commit did to an order: the entries it added (at least
// one, oldest first), each with the state after it and its JSON, encoded once for all readers.
type Announcement struct {
	OrderID string
	Events  []Event
}

// Announce builds the announcement of a committed change; the change must not be modified afterwards.
func Announce(o *Order, events []Event) Announcement {
	for i := range events {
		e := &events[i]
		if e.state == nil {
			state := o.State()
			if e.after != nil {
				state = e.after.State()
			}
			e.state, e.after = &state, nil
		}
		e.JSON()
	}
	return Announcement{OrderID: o.ID, Events: events}
}

// Heard restores an entry that another process announced, with the same bytes and state.
func Heard(e Event, wire []byte, after State) Event {
	e.wire, e.state = wire, &after
	return e
}

// After returns the order's state after the entry; false for an entry read back from the history, which does not store it.
func (e *Event) After() (State, bool) {
	if e.state == nil {
		return State{}, false
	}
	return *e.state, true
}

// JSON returns the entry as defined in the contract, encoded on first use; the bytes must
// not be modified. Announced entries are safe for concurrent readers.
func (e *Event) JSON() []byte {
	if e.wire == nil {
		e.wire = e.AppendJSON(make([]byte, 0, 512))
	}
	return e.wire
}

// OrderJSON returns the order as it stood after an entry that was just made.
func (e *Event) OrderJSON() ([]byte, error) { return e.after.MarshalJSON() }

// copied is a copy of the order that later changes do not touch.
func (o *Order) copied() *Order {
	c := *o
	c.wire = nil
	if o.Shipment != nil {
		s := *o.Shipment
		s.Events = slices.Clip(s.Events)
		c.Shipment = &s
	}
	return &c
}
