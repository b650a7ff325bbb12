package outbox

import (
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// message encodes an event as a CloudEvent: the value is the event with the order as it stood after it.
func message(e domain.OutboxEntry) domain.Message {
	return enclose(e.Event, `,"order":`+string(e.Order)+"}")
}

// short is an event's message without the order, for brokers with a lower size limit.
func short(e domain.OutboxEntry) domain.Message {
	m := enclose(e.Event, `,"truncated":true}`)
	m.Time = time.Time{} // now, since the brokers may have rejected the event's own time
	return m
}

// enclose appends further members to the event's JSON object.
func enclose(e domain.Event, rest string) domain.Message {
	event := e.AppendJSON(make([]byte, 0, 512+len(rest)))
	event = append(event[:len(event)-1], rest...)
	topic := domain.TopicOrderUpdated
	if e.Type == domain.EventCreated {
		topic = domain.TopicOrderCreated
	}
	return domain.Message{
		Topic: topic, Key: e.OrderID, Value: event, Time: e.RecordedAt,
		Headers: domain.CloudEventHeaders(e.ID, string(e.Type), e.OccurredAt, e.OrderID),
	}
}
