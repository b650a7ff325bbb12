package domain

import "time"

// Message is one record of the bus. Messages with the same key keep their order.
type Message struct {
	Topic   string
	Key     string
	Value   []byte
	Headers []Header
	// Time is when the fact behind the message was recorded; zero means now.
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
