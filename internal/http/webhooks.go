package httpserver

import (
	"context"
	"encoding/base64"
	"net/http"

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

// webhookRoutes registers the operations on webhooks.
func (s *Server) webhookRoutes() {
	s.deliveryRoutes()
	const path = "/webhooks/{webhook_id}"
	gone := []domain.Code{domain.CodeNotFound}
	handle(s, operation{
		method: http.MethodPost, path: "/webhooks", id: "createWebhook", tag: tagWebhooks, status: http.StatusCreated,
		body: notify.NewWebhook{}, codes: []domain.Code{domain.CodeSecretNotRepeated},
	}, creating(s.Notify.CheckNew, secretOnce, s.Notify.Create))
	handle(s, operation{method: http.MethodGet, path: "/webhooks", id: "listWebhooks", tag: tagWebhooks}, s.listWebhooks)
	handle(s, operation{
		method: http.MethodGet, path: path, id: "getWebhook", tag: tagWebhooks, codes: gone,
	}, func(ctx context.Context, in *WebhookPath) (*documentOut[*notify.Webhook], error) {
		return webhooks.of(s.Notify.Webhook(ctx, in.ID))
	})
	handle(s, operation{
		method: http.MethodPatch, path: path, id: "editWebhook", tag: tagWebhooks, body: notify.WebhookEdit{}, codes: gone,
	}, changing[editWebhookIn](s.Notify.CheckEdit, webhooks.current(s.Notify.Webhook), webhooks.out, s.Notify.Edit))
	handle(s, operation{
		method: http.MethodDelete, path: path, id: "deleteWebhook", tag: tagWebhooks, status: http.StatusNoContent, codes: gone,
	}, func(ctx context.Context, in *deleteWebhookIn) (*done, error) {
		expected, err := transport.ExpectedVersion(in.Tags, func() (int64, error) { return webhooks.current(s.Notify.Webhook)(ctx, in.ID) })
		if err != nil {
			return nil, err
		}
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Notify.Delete(ctx, in.ID, expected) })
	})
	handle(s, operation{
		method: http.MethodPost, path: path + "/rotate", id: "rotateWebhook", tag: tagWebhooks, status: http.StatusCreated,
		body: notify.SecretRotation{}, codes: append(gone, domain.CodeSecretNotRepeated),
	}, posting[webhookPostIn](notify.SecretRotation.Check, secretOnce, s.Notify.Rotate))
	handle(s, operation{
		method: http.MethodPost, path: path + "/test", id: "testWebhook", tag: tagWebhooks, codes: gone,
	}, func(ctx context.Context, in *WebhookPath) (*bodyOnly[*notify.WebhookTest], error) {
		return bodyOf(s.Notify.Test(ctx, in.ID))
	})
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
	JSONBody
}

func (s *Server) listWebhooks(ctx context.Context, in *Paging) (*bodyOnly[webhookPage], error) {
	size, after, err := in.byID()
	if err != nil {
		return nil, err
	}
	found, err := s.Notify.Webhooks(ctx, after, size+1)
	page := webhookPage{Webhooks: listed(found)}
	if len(found) > size {
		page.Webhooks = page.Webhooks[:size]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(found[size-1].ID))
	}
	return bodyOf(page, err)
}

// deliveryRoutes registers the operations on what webhooks get.
func (s *Server) deliveryRoutes() {
	const path = "/webhooks/{webhook_id}"
	gone := []domain.Code{domain.CodeNotFound}
	handle(s, operation{
		method: http.MethodGet, path: path + "/deliveries", id: "listDeliveries", tag: tagWebhooks, codes: gone,
	}, func(ctx context.Context, in *deliveriesIn) (*bodyOnly[deliveryPage], error) {
		found, next, err := s.Notify.Deliveries(ctx, in.ID, notify.LogFilter{Status: in.Status, From: in.From.Time, To: in.To.Time}, in.request())
		return bodyOf(deliveryPage{listed(found), next}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: path + "/deliveries/{delivery_id}/retry", id: "retryDelivery", tag: tagWebhooks,
		status: http.StatusAccepted, codes: gone,
	}, func(ctx context.Context, in *struct {
		WebhookPath
		Delivery string `path:"delivery_id" format:"uuid" doc:"the delivery's id"`
		Idempotent
	},
	) (*repeatable[*notify.WebhookDelivery], error) {
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (*notify.WebhookDelivery, error) {
			return s.Notify.Retry(ctx, in.ID, in.Delivery)
		}))
	})
	handle(s, operation{
		method: http.MethodPost, path: path + "/replay", id: "replayWebhook", tag: tagWebhooks, status: http.StatusAccepted,
		body: notify.Replay{}, codes: gone,
	}, posting[webhookPostIn](notify.Replay.Check, repeated, s.Notify.Replay))
}

type deliveriesIn struct {
	WebhookPath
	Status domain.DeliveryState `query:"status" doc:"only those that stand so"`
	From   Moment               `query:"from" doc:"about events at or after this time (RFC 3339)"`
	To     Moment               `query:"to" doc:"about events before this time (RFC 3339)"`
	Paging
}
