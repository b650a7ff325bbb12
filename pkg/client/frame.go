package client

import (
	"encoding/json"
	"errors"
	"time"
)

// FrameType is the type of a live stream's frame.
type FrameType string

// Frame types. Pings are answered and not passed on.
const (
	FrameSnapshot     FrameType = "snapshot"
	FrameStatus       FrameType = "status"
	FramePosition     FrameType = "position"
	FrameETA          FrameType = "eta"
	FrameNotification FrameType = "notification"
	FrameEnd          FrameType = "end"

	framePing  FrameType = "ping"
	frameError FrameType = "error"
)

// Frame is one message of an order's live stream. The field for its type is set; Data
// is the raw data as sent.
type Frame struct {
	Type    FrameType
	OrderID string
	Version int64 // of the order; zero if the frame has none
	At      time.Time

	Snapshot     *Snapshot        // of snapshot
	Event        *Event           // of status
	Position     *CourierPosition // of position
	Estimate     *Estimate        // of eta
	Notification *Notification    // of notification
	Data         json.RawMessage

	problem *Problem
}

// Snapshot is the order's current state when a stream starts or resumes, with its
// courier and, in custody, the courier's position.
type Snapshot struct {
	Order
	Courier  *Courier  `json:"courier,omitempty"`
	Position *Position `json:"position,omitempty"`
}

// CourierPosition is the position of the order's courier.
type CourierPosition struct {
	CourierID string `json:"courier_id"`
	Position
}

// Notification is a message sent to the customer.
type Notification struct {
	NotificationID string `json:"notification_id"`
	Channel        string `json:"channel"`
	Text           string `json:"text"`
}

// decodeFrame decodes a frame; one of an unknown type has only Data.
func decodeFrame(b []byte) (Frame, error) {
	var raw struct {
		Type    FrameType       `json:"type"`
		OrderID string          `json:"order_id"`
		Version int64           `json:"version"`
		At      time.Time       `json:"at"`
		Data    json.RawMessage `json:"data"`
	}
	err := json.Unmarshal(b, &raw)
	f := Frame{Type: raw.Type, OrderID: raw.OrderID, Version: raw.Version, At: raw.At, Data: raw.Data}
	if err == nil {
		switch f.Type {
		case FrameSnapshot:
			err = json.Unmarshal(raw.Data, &f.Snapshot)
			if err == nil && (f.Snapshot == nil || f.Snapshot.ID == "") {
				err = errors.New("a snapshot without an order")
			}
		case FrameStatus:
			err = json.Unmarshal(raw.Data, &f.Event)
		case FramePosition:
			err = json.Unmarshal(raw.Data, &f.Position)
		case FrameETA:
			err = json.Unmarshal(raw.Data, &f.Estimate)
		case FrameNotification:
			err = json.Unmarshal(raw.Data, &f.Notification)
		case frameError:
			err = json.Unmarshal(raw.Data, &f.problem)
		}
	}
	if err != nil {
		return Frame{}, &badFrame{err}
	}
	return f, nil
}

// badFrame is a frame that violates the API; reconnecting would not help.
type badFrame struct{ cause error }

func (e *badFrame) Error() string {
	return "the stream sent something that is not a frame: " + e.cause.Error()
}
func (e *badFrame) Unwrap() error { return e.cause }
