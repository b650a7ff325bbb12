package domain

import (
	"time"
)

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
