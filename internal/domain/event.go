package domain

import (
	"slices"
	"time"
)

// EventType is the type of an event.
type EventType string

// The types of events. Those that do not change the order are note entries: they have a seq and keep the order's version.
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
	// EventUnassigned gives the reason why no courier was found for an order.
	EventUnassigned EventType = "order.unassigned"

	EventShipmentBooked  EventType = "shipment.booked"
	EventShipmentChanged EventType = "shipment.changed"
	EventPaymentReceived EventType = "payment.received"
	EventIntakeChanged   EventType = "intake.changed"
	EventRated           EventType = "order.rated"
	EventProofAdded      EventType = "proof.added"
	EventIncidentOpened  EventType = "incident.opened"
	EventIncidentClosed  EventType = "incident.closed"
)

var (
	changeTypes = []EventType{
		EventCreated, EventStatusChanged, EventChanged, EventException, EventShipmentBooked, EventShipmentChanged, EventPaymentReceived,
		EventIntakeChanged,
		EventRated,
	}
	noteTypes = []EventType{EventReportLate, EventOrderLate, EventNotified, EventCourierNear, EventCourierSilent, EventUnassigned,
		EventOfferMade, EventOfferAccepted, EventOfferDeclined, EventOfferExpired, EventOfferWithdrawn,
		EventProofAdded, EventIncidentOpened, EventIncidentClosed}
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
	Status         Status    `json:"status,omitempty"` // after the event; for a late report, the reported one
	PreviousStatus Status    `json:"previous_status,omitempty"`
	OccurredAt     time.Time `json:"occurred_at"`
	RecordedAt     time.Time `json:"recorded_at"`
	Actor          Actor     `json:"actor,omitzero"`
	// Source is the channel: api, or the name that an inbound report gave itself.
	Source   string         `json:"source,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Location *Point         `json:"location,omitempty"`
	Data     map[string]any `json:"data,omitempty"`

	after *Order // the order after the entry, until the change is committed
	state *State // after the entry, for an announced one
	wire  []byte // its JSON once encoded
}

// Note reports whether the event is a note entry, which left the order unchanged.
func (e Event) Note() bool { return !slices.Contains(changeTypes, e.Type) }

// By describes the actor, time, source and place of a change.
type By struct {
	Actor  Actor
	Source string
	// Now is the time of recording.
	Now time.Time
	// OccurredAt is when it actually happened; zero means Now.
	OccurredAt time.Time
	Reason     string
	Location   *Point
	// ClockOff is how far the clock that OccurredAt was read from is behind ours.
	ClockOff time.Duration
}

// SourceAPI is the source of what people and apps do through REST and gRPC.
const SourceAPI = "api"

func (b By) occurred() time.Time {
	if b.OccurredAt.IsZero() {
		return Timestamp(b.Now)
	}
	return Timestamp(b.OccurredAt.Add(b.ClockOff))
}

// overrides reports whether a delivery needs no proof: the product's own, and one that a dispatcher gives a reason for.
func (b By) overrides() bool {
	return b.Actor.Kind == RoleSystem || b.Reason != "" && (b.Actor.Kind == RoleAdmin || b.Actor.Kind == RoleDispatcher)
}

func (b By) validate(f *Faults) {
	f.ahead("/occurred_at", b.OccurredAt.Add(b.ClockOff), b.Now)
	f.year("/occurred_at", b.OccurredAt)
	f.Text("/reason", b.Reason, MaxText)
	f.Point("/location", b.Location)
}

// Message is one record of the bus. Messages with the same key keep their order.
type Message struct {
	Topic   string
	Key     string
	Value   []byte
	Headers []Header
	// Time is when the event behind the message was recorded; zero means now.
	Time time.Time
}

// Header is one header of a Message.
type Header struct{ Key, Value string }

// The topics of the product; see docs for what flows through each.
const (
	TopicOrderCreated       = "order_created"
	TopicOrderUpdated       = "order_updated"
	TopicCourierLocation    = "courier_location"
	TopicStatusUpdates      = "order_status_updates"
	TopicStatusUpdatesFails = "order_status_updates.dlq"
)

// ceSource is the CloudEvents source of everything the product publishes.
const ceSource = "/order-tracking"

// CloudEventHeaders are the attributes of a CloudEvents 1.0 message in binary mode, as its
// Kafka protocol binding writes them. kind is the type without its prefix.
func CloudEventHeaders(id, kind string, at time.Time, subject string) []Header {
	return []Header{
		{Key: "ce_specversion", Value: "1.0"},
		{Key: "ce_id", Value: id},
		{Key: "ce_source", Value: ceSource},
		{Key: "ce_type", Value: "ordertracking." + kind},
		{Key: "ce_time", Value: at.Format(time.RFC3339Nano)},
		{Key: "ce_subject", Value: subject},
		{Key: "content-type", Value: "application/json"},
	}
}
