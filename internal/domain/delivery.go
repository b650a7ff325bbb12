package domain

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// DeliveryState is how a delivery stands.
type DeliveryState string

// The states of deliveries. Those but waiting have no further try, unless somebody asks for one.
const (
	DeliveryWaiting   DeliveryState = "waiting"   // for its next try
	DeliverySent      DeliveryState = "sent"      // the receiver took it
	DeliveryExhausted DeliveryState = "exhausted" // every try failed
	DeliveryHeld      DeliveryState = "held"      // the receiver is disabled
	DeliveryRefused   DeliveryState = "refused"   // for good: an unknown address, a permanent error
	DeliverySkipped   DeliveryState = "skipped"   // it was not to be sent any more; the error tells why
)

// DeliveryStates lists every state.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{DeliveryWaiting, DeliverySent, DeliveryExhausted, DeliveryHeld, DeliveryRefused, DeliverySkipped}
}

// Delivery is one message to one receiver about one event of an order. A receiver gets the
// messages about an order in the order of their seq.
type Delivery struct {
	// Receiver is the id of a webhook, or the name of a channel to customers.
	Receiver string
	OrderID  string
	// Seq is the event's. Part tells a channel's messages about the same event apart.
	Seq  int64
	Part int
	// EventID identifies a webhook's delivery: it is the same on every try.
	EventID string
	Type    EventType
	// Template is the text that a channel sends; empty for webhooks and texts by hand.
	Template string
	State    DeliveryState
	// DueAt is when it is tried next; zero unless it is waiting.
	DueAt time.Time
	// Tries counts the tries so far, TriedAt is the latest one's time, Code its answer (HTTP
	// or SMTP; 0 for none) and Error its failure.
	Tries   int
	TriedAt time.Time
	Code    int
	Error   string
	// LaneDue is the latest DueAt of the receiver's waiting deliveries about the order up to
	// this one: it must not be tried before. Only set by DueDeliveries.
	LaneDue time.Time
}

// NewDelivery is the delivery of an event to a receiver, due at a time.
func NewDelivery(receiver string, e *Event, due time.Time) Delivery {
	return Delivery{
		Receiver: receiver, OrderID: e.OrderID, Seq: e.Seq, EventID: e.ID, Type: e.Type, State: DeliveryWaiting, DueAt: Timestamp(due),
	}
}

// DeliveryContent is what a delivery tells.
type DeliveryContent struct {
	Event Event
	// Order is the order's JSON as it stood after the event.
	Order []byte
}

// Reach is whether a channel reaches an order's customer.
type Reach struct {
	Channel string
	// Obstacle tells why not: off, no_address; empty if it does.
	Obstacle string
}

// Receiver is the state of a leased receiver.
type Receiver struct {
	Name string
	// FailingSince is the time of the first failure since the last success; zero for none.
	FailingSince time.Time
}

// DeliveryFilter narrows the log of a receiver; zero fields match everything.
type DeliveryFilter struct {
	Receiver string
	EventID  string
	State    DeliveryState
	// From and To limit the time of the event; To is exclusive.
	From, To time.Time
}

// DeliveryBacklog describes what waits.
type DeliveryBacklog struct {
	// Oldest is when the longest overdue delivery was due; zero for none.
	Oldest time.Time
	// Failing counts the receivers that fail.
	Failing int
}

// EventIDAt is the smallest event id of a time: ids are UUIDv7 and sort by time.
func EventIDAt(t time.Time) string {
	var id uuid.UUID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, t.UnixMilli()))) //nolint:gosec // not negative
	copy(id[:6], ms[2:])
	id[6], id[8] = 0x70, 0x80
	return id.String()
}

// EventTime is the time in an event's id, in milliseconds; zero when it is no UUIDv7.
func EventTime(id string) time.Time {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, u[:6]...)))).UTC() //nolint:gosec // 48 bits
}
