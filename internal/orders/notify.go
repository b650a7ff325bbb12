package orders

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// ChannelLive is the order's live stream, read by everyone who watches it.
const ChannelLive = "live"

// Notice is a message to the customer: from a template, or written by hand. With neither
// it is about the order's status.
type Notice struct {
	Channel  string `json:"channel,omitempty" enum:"live"`
	Template string `json:"template,omitempty" enum:"arriving,delayed,status" example:"arriving"`
	Text     string `json:"text,omitempty" maxLength:"2000"`
}

// Notified is the result of a notice.
type Notified struct {
	NotificationID string     `json:"notification_id" format:"uuid" example:"0190b7a2-1111-7aaa-8bbb-0123456789ab"`
	Deliveries     []Delivery `json:"deliveries"`
}

// Delivery is the result of a notice on one channel.
type Delivery struct {
	Channel string `json:"channel" example:"live"`
	Status  string `json:"status" example:"sent"`
}

// Notify sends the customer a message, which is added to the order's history. It fails
// with validation_failed or order_not_found.
func (s *Service) Notify(ctx context.Context, id string, in Notice) (Notified, error) {
	by, known, err := s.Authorize(ctx, id)
	if err != nil {
		return Notified{}, err
	}
	if err := in.validate(); err != nil {
		return Notified{}, err
	}
	return idempotency.Once(ctx, s.Keys, "notify:"+known.ID, in, func(rec *domain.Idempotency) (Notified, error) {
		out := Notified{
			NotificationID: domain.NewID(),
			Deliveries:     []Delivery{{Channel: ChannelLive, Status: "sent"}},
		}
		if err := idempotency.Answer(rec, out); err != nil {
			return Notified{}, err
		}
		_, err := s.Update(ctx, known.ID, "", rec, func(ch *domain.Change) error {
			data := map[string]any{
				"notification_id": out.NotificationID, "channel": ChannelLive, "text": in.render(ch.Order),
			}
			if in.Text == "" {
				data["template"] = in.template()
			}
			ch.Add(ch.Order.Note(domain.EventNotified, by, data))
			return nil
		})
		return out, err
	})
}

func (n Notice) validate() error {
	var f domain.Faults
	f.Check("", &n)
	if n.Template != "" && n.Text != "" {
		f.Add("/text", "conflict", "either template or text, not both")
	}
	return f.Err()
}
