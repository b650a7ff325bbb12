package client

import (
	"time"
)

// Actor is the originator of a change.
type Actor struct {
	Kind string `json:"kind"` // admin, dispatcher, merchant, courier, customer or system
	ID   string `json:"id,omitempty"`
}

// Event is one entry of an order's history.
type Event struct {
	ID             string         `json:"id"`
	OrderID        string         `json:"order_id"`
	Seq            int64          `json:"seq"`     // counts the order's entries from 1, without gaps
	Version        int64          `json:"version"` // of the order after the event
	Type           string         `json:"type"`    // order.created, order.status_changed, …
	Status         Status         `json:"status,omitempty"`
	PreviousStatus Status         `json:"previous_status,omitempty"`
	OccurredAt     time.Time      `json:"occurred_at"`
	RecordedAt     time.Time      `json:"recorded_at"`
	Actor          Actor          `json:"actor"`
	Source         string         `json:"source,omitempty"`
	Reason         string         `json:"reason,omitempty"`
	Location       *Point         `json:"location,omitempty"`
	Data           map[string]any `json:"data,omitempty"`
}

// Estimate is an expected delivery time; [Earliest, Latest] is an 80 % interval.
type Estimate struct {
	OrderID          string    `json:"order_id"`
	ETA              time.Time `json:"eta"`
	Earliest         time.Time `json:"earliest"`
	Latest           time.Time `json:"latest"`
	MinutesRemaining int       `json:"minutes_remaining"`
	DistanceM        *float64  `json:"distance_m,omitempty"`
	Method           string    `json:"method"` // live, route, history, carrier, promised, default or actual
	Confidence       float64   `json:"confidence"`
	ComputedAt       time.Time `json:"computed_at"`
}

// Position is a device's position at RecordedAt; metres, metres per second, degrees
// clockwise from north, percent.
type Position struct {
	Lat        float64   `json:"lat"`
	Lon        float64   `json:"lon"`
	Accuracy   *float64  `json:"accuracy,omitempty"`
	Speed      *float64  `json:"speed,omitempty"`
	Heading    *float64  `json:"heading,omitempty"`
	Altitude   *float64  `json:"altitude,omitempty"`
	Battery    *float64  `json:"battery,omitempty"`
	RecordedAt time.Time `json:"recorded_at,omitzero"` // zero in a request: now
	ReceivedAt time.Time `json:"received_at,omitzero"` // set by the server
}

// LocatedPosition is a courier's newest position with its age.
type LocatedPosition struct {
	Position
	AgeSeconds float64 `json:"age_seconds"`
	Stale      bool    `json:"stale"`
}

// Courier carries orders.
type Courier struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Phone        string            `json:"phone,omitempty"`
	Vehicle      string            `json:"vehicle"`  // foot, bicycle, motorbike, car or van
	Capacity     int               `json:"capacity"` // active orders at a time
	Skills       []string          `json:"skills,omitempty"`
	Base         *Point            `json:"base,omitempty"` // where the courier starts from and returns to
	OnDuty       bool              `json:"on_duty"`
	BreakSince   *time.Time        `json:"break_since,omitempty"` // off duty since then, for a break
	ActiveOrders int               `json:"active_orders"`
	Position     *Position         `json:"position,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Version      int64             `json:"version"`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

// CourierEdit creates or changes a courier; nil fields stay unchanged. A new courier
// needs a name.
type CourierEdit struct {
	Name     *string   `json:"name,omitempty"`
	Phone    *string   `json:"phone,omitempty"`
	Vehicle  *string   `json:"vehicle,omitempty"`
	Capacity *int      `json:"capacity,omitempty"`
	Skills   *[]string `json:"skills,omitempty"`
	Base     *Point    `json:"base,omitempty"`
	OnDuty   *bool     `json:"on_duty,omitempty"`
	OnBreak  *bool     `json:"on_break,omitempty"` // true: off duty until on duty again
	// Metadata is merged into the courier's; an empty value removes the entry.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Track is all tracking data of an order.
type Track struct {
	OrderID  string     `json:"order_id"`
	Status   Status     `json:"status"`
	Courier  *Courier   `json:"courier,omitempty"`
	Position *Position  `json:"position,omitempty"`
	Trail    []Position `json:"trail"` // from custody on, oldest first
	Polyline string     `json:"polyline,omitempty"`
	Timeline []Event    `json:"timeline"`
	ETA      *Estimate  `json:"eta,omitempty"`
}

// Notice is a message to the customer: a template or a text; with neither it announces
// the order's status.
type Notice struct {
	Channel  string `json:"channel,omitempty"`
	Template string `json:"template,omitempty"`
	Text     string `json:"text,omitempty"`
}

// Notified is the result of a notice.
type Notified struct {
	NotificationID string     `json:"notification_id"`
	Deliveries     []Delivery `json:"deliveries"`
}

// Delivery is the result of a notice on one channel.
type Delivery struct {
	Channel string `json:"channel"`
	Status  string `json:"status"`
}

// Received counts the results of reported positions.
type Received struct {
	Accepted int `json:"accepted"`
	Dropped  int `json:"dropped"` // implausible or duplicate
}

// Ptr returns a pointer to v, for the optional fields of requests.
func Ptr[T any](v T) *T { return &v }
