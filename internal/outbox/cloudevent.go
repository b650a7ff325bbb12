package outbox

import (
	"encoding/json"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// message encodes an event as a CloudEvent: the value is the event with the order as
// it stood after it.
func message(e domain.OutboxEntry) (domain.Message, error) {
	event, err := json.Marshal(e.Event)
	if err != nil {
		return domain.Message{}, err
	}
	value := make([]byte, 0, len(event)+len(e.Order)+len(`,"order":`))
	value = append(value, event[:len(event)-1]...)
	value = append(value, `,"order":`...)
	value = append(value, e.Order...)
	value = append(value, '}')
	topic := domain.TopicOrderUpdated
	if e.Event.Type == domain.EventCreated {
		topic = domain.TopicOrderCreated
	}
	return domain.Message{
		Topic: topic, Key: e.Event.OrderID, Value: value, Time: e.Event.RecordedAt,
		Headers: domain.CloudEventHeaders(e.Event.ID, string(e.Event.Type), e.Event.OccurredAt, e.Event.OrderID),
	}, nil
}
