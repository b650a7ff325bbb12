package domain

import (
	"slices"
	"time"
)

// EventType names what happened to an order.
type EventType string

// The types of events. Those that do not change the order are notes: they have a
// seq and keep the order's version.
const (
	EventCreated        EventType = "order.created"
	EventStatusChanged  EventType = "order.status_changed"
	EventChanged        EventType = "order.changed"
	EventException      EventType = "order.exception"
	EventReportLate     EventType = "order.report_late"
	EventOrderLate      EventType = "order.late"
	EventNotified       EventType = "order.notified"
	EventCourierNear    EventType = "courier.near"
	EventCourierSilent  EventType = "courier.silent"
	EventOfferMade      EventType = "offer.made"
	EventOfferAccepted  EventType = "offer.accepted"
	EventOfferDeclined  EventType = "offer.declined"
	EventOfferExpired   EventType = "offer.expired"
	EventOfferWithdrawn EventType = "offer.withdrawn"
	// EventUnassigned says why nobody gets an order.
	EventUnassigned EventType = "order.unassigned"

	EventShipmentBooked  EventType = "shipment.booked"
	EventShipmentChanged EventType = "shipment.changed"
	EventPaymentReceived EventType = "payment.received"
	EventIntakeChanged   EventType = "intake.changed"
	EventRated           EventType = "order.rated"
)

var (
	changeTypes = []EventType{
		EventCreated, EventStatusChanged, EventChanged, EventException, EventShipmentBooked, EventShipmentChanged, EventPaymentReceived,
		EventIntakeChanged,
		EventRated,
	}
	noteTypes = []EventType{EventReportLate, EventOrderLate, EventNotified, EventCourierNear, EventCourierSilent, EventUnassigned,
		EventOfferMade, EventOfferAccepted, EventOfferDeclined, EventOfferExpired, EventOfferWithdrawn}
)

// EventTypes lists every type.
func EventTypes() []EventType { return slices.Concat(changeTypes, noteTypes) }

// Event is one entry of an order's history. Entries are never changed.
type Event struct {
	ID      string `json:"id" format:"uuid" example:"0190b7a2-1111-7aaa-8bbb-0123456789ab"`
	OrderID string `json:"order_id" format:"uuid"`
	// Seq counts all entries of the order from 1, without gaps.
	Seq int64 `json:"seq"`
	// Version is the order's version after the event.
	Version        int64     `json:"version"`
	Type           EventType `json:"type" example:"order.created"`
	Status         Status    `json:"status,omitempty"` // after the event; of a late report, what it reported
	PreviousStatus Status    `json:"previous_status,omitempty"`
	OccurredAt     time.Time `json:"occurred_at"`
	RecordedAt     time.Time `json:"recorded_at"`
	Actor          Actor     `json:"actor,omitzero"`
	// Source is the channel: api, or what an inbound report named itself.
	Source   string         `json:"source,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Location *Point         `json:"location,omitempty"`
	Data     map[string]any `json:"data,omitempty"`

	after *Order // as the entry left it, until the change is committed
	state *State // after the entry, of an announced one
	wire  []byte // its JSON once encoded
}

// Note says whether the event left the order as it was.
func (e Event) Note() bool { return !slices.Contains(changeTypes, e.Type) }

// By is who does something to an order, when and where.
type By struct {
	Actor  Actor
	Source string
	// Now is the time of recording.
	Now time.Time
	// OccurredAt is when it happened in the world; zero means Now.
	OccurredAt time.Time
	Reason     string
	Location   *Point
}

// SourceAPI is the source of what people and apps do through REST and gRPC.
const SourceAPI = "api"

func (b By) occurred() time.Time {
	if b.OccurredAt.IsZero() {
		return Timestamp(b.Now)
	}
	return Timestamp(b.OccurredAt)
}

func (b By) validate(f *Faults) {
	f.notFuture("/occurred_at", b.OccurredAt, b.Now)
	f.Text("/reason", b.Reason, MaxText)
	f.Point("/location", b.Location)
}
