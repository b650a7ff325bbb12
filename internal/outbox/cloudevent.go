package outbox

import (
	"encoding/json"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// message encodes an event as a CloudEvent: the value is the event with the order as it stood after it.
func message(e domain.OutboxEntry) (domain.Message, error) {
	event, err := json.Marshal(e.Event)
	if err != nil {
		return domain.Message{}, err
	}
	return enclose(e.Event, event, `,"order":`+string(e.Order)+"}"), nil
}

// short is an event's message without the order, for brokers with a lower size limit.
func short(e domain.OutboxEntry) (domain.Message, error) {
	event, err := json.Marshal(e.Event)
	if err != nil {
		return domain.Message{}, err
	}
	m := enclose(e.Event, event, `,"truncated":true}`)
	m.Time = time.Time{} // now, since the brokers may have rejected the event's own time
	return m, nil
}

// enclose appends further members to the event's JSON object.
func enclose(e domain.Event, event []byte, rest string) domain.Message {
	value := make([]byte, 0, len(event)+len(rest))
	value = append(value, event[:len(event)-1]...)
	value = append(value, rest...)
	topic := domain.TopicOrderUpdated
	if e.Type == domain.EventCreated {
		topic = domain.TopicOrderCreated
	}
	return domain.Message{
		Topic: topic, Key: e.OrderID, Value: value, Time: e.RecordedAt,
		Headers: domain.CloudEventHeaders(e.ID, string(e.Type), e.OccurredAt, e.OrderID),
	}
}
