package httpserver

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// WebhookPath is the path parameter of a webhook.
type WebhookPath struct {
	ID string `path:"webhook_id" format:"uuid" doc:"the webhook's id"`
}

func (p WebhookPath) named() (string, error) { return p.ID, nil } //nolint:unparam // as posted demands

type webhookPage struct {
	Webhooks []*notify.Webhook `json:"webhooks"`
	Next     string            `json:"next_page_token,omitempty"`
}

type deliveryPage struct {
	Deliveries []notify.WebhookDelivery `json:"deliveries"`
	Next       string                   `json:"next_page_token,omitempty"`
}

// webhookRoutes registers the operations on webhooks and on what they get.
func (s *Server) webhookRoutes() {
	handle(s, "createWebhook", creating(s.Notify.CheckNew, secretOnce, s.Notify.Create))
	handle(s, "listWebhooks", pagedByID(s.Notify.Webhooks, func(w *notify.Webhook) string { return w.ID }, func(list []*notify.Webhook, next string) webhookPage {
		return webhookPage{list, next}
	}))
	handle(s, "getWebhook", reading[WebhookPath](webhooks.of, s.Notify.Webhook))
	handle(s, "editWebhook", changing[editWebhookIn](s.Notify.CheckEdit, webhooks.current(s.Notify.Webhook), webhooks.out, s.Notify.Edit))
	handle(s, "deleteWebhook", func(ctx context.Context, in *deleteWebhookIn) (*done, error) {
		expected, err := transport.ExpectedVersion(in.Tags, func() (int64, error) { return webhooks.current(s.Notify.Webhook)(ctx, in.ID) })
		if err != nil {
			return nil, err
		}
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Notify.Delete(ctx, in.ID, expected) })
	})
	handle(s, "rotateWebhook", posting[webhookPostIn[notify.SecretRotation]](notify.SecretRotation.Check, secretOnce, s.Notify.Rotate))
	handle(s, "testWebhook", reading[WebhookPath](bodyOf, s.Notify.Test))
	handle(s, "listDeliveries", func(ctx context.Context, in *deliveriesIn) (*bodyOnly[deliveryPage], error) {
		found, next, err := s.Notify.Deliveries(ctx, in.ID, notify.LogFilter{Status: in.Status, From: in.From.Time, To: in.To.Time}, in.request())
		return bodyOf(deliveryPage{listed(found), next}, err)
	})
	handle(s, "retryDelivery", func(ctx context.Context, in *struct {
		WebhookPath
		Delivery string `path:"delivery_id" format:"uuid" doc:"the delivery's id"`
		Idempotent
	},
	) (*repeatable[*notify.WebhookDelivery], error) {
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (*notify.WebhookDelivery, error) {
			return s.Notify.Retry(ctx, in.ID, in.Delivery)
		}))
	})
	handle(s, "replayWebhook", posting[webhookPostIn[notify.Replay]](notify.Replay.Check, repeated, s.Notify.Replay))
}

type deleteWebhookIn struct {
	WebhookPath
	IfMatch
	Idempotent
}

type editWebhookIn struct {
	WebhookPath
	IfMatch
	Idempotent
	Sent[notify.WebhookEdit]
}

type deliveriesIn struct {
	WebhookPath
	Status domain.DeliveryState `query:"status" doc:"only those that stand so"`
	From   Moment               `query:"from" doc:"about events at or after this time (RFC 3339)"`
	To     Moment               `query:"to" doc:"about events before this time (RFC 3339)"`
	Paging
}
