package domain

import (
	"slices"
	"time"
)

// State is where an order stands: what must be known of it to tell of it.
type State struct {
	Seq       int64  `json:"seq"`
	Version   int64  `json:"version"`
	Status    Status `json:"status"`
	CourierID string `json:"courier_id,omitempty"`
	Priority  int    `json:"priority,omitempty"`
	// What decides who sees where the courier is.
	MerchantID string     `json:"merchant_id,omitempty"`
	CustodyAt  *time.Time `json:"custody_at,omitempty"`
	Dropoff    *Point     `json:"dropoff,omitempty"`
}

// Glimpse is Order.Glimpse of an order in this state.
func (s State) Glimpse(rule ShowCourier) Glimpse {
	return Glimpse{Status: s.Status, CustodyAt: s.CustodyAt, Dropoff: s.Dropoff, Rule: rule}
}

// State returns where the order stands.
func (o *Order) State() State {
	return State{
		Seq: o.Bookkeeping.Seq, Version: o.Version, Status: o.Status, CourierID: o.CourierID, Priority: o.Priority,
		MerchantID: o.MerchantID, CustodyAt: o.Bookkeeping.CustodyAt, Dropoff: o.Dropoff.Location,
	}
}

// Announcement is what one commit did to an order, as everybody is told of it: the
// entries that it made, oldest first and at least one, each with the state after it and
// its JSON, which is encoded once for all.
type Announcement struct {
	OrderID string
	Events  []Event
}

// Announce makes the announcement of a committed change, which may not be changed any more.
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

// Heard is an entry as another process announced it: these bytes, in this state.
func Heard(e Event, wire []byte, after State) Event {
	e.wire, e.state = wire, &after
	return e
}

// After returns where the order stood after the entry; false for one that was read back
// from the history, which does not say it.
func (e *Event) After() (State, bool) {
	if e.state == nil {
		return State{}, false
	}
	return *e.state, true
}

// JSON returns the entry as the contract shows it, encoded when first asked for; it must
// not be changed. Announced entries are safe for concurrent readers.
func (e *Event) JSON() []byte {
	if e.wire == nil {
		e.wire = e.AppendJSON(make([]byte, 0, 512))
	}
	return e.wire
}

// OrderJSON returns the order as it stood after an entry that was just made.
func (e *Event) OrderJSON() ([]byte, error) { return e.after.MarshalJSON() }

// copied is the order as it stands, untouched by what its verbs do to it later.
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
