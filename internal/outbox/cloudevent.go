package outbox

import (
	"encoding/json"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// ceSource is the CloudEvents source of every event of the product.
const ceSource = "/order-tracking"

// message encodes an event as a CloudEvents 1.0 message in binary mode (Kafka
// protocol binding): attributes as ce_ headers, the value is the event with the
// order as it stood after it.
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
		Headers: []domain.Header{
			{Key: "ce_specversion", Value: "1.0"},
			{Key: "ce_id", Value: e.Event.ID},
			{Key: "ce_source", Value: ceSource},
			{Key: "ce_type", Value: "ordertracking." + string(e.Event.Type)},
			{Key: "ce_time", Value: e.Event.OccurredAt.Format(time.RFC3339Nano)},
			{Key: "ce_subject", Value: e.Event.OrderID},
			{Key: "content-type", Value: "application/json"},
		},
	}, nil
}
