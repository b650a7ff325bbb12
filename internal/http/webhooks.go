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
		summary: "Create a webhook",
		about: "The address is told of every change of an order, or of the `types` named, by requests after Standard Webhooks 1.0. " +
			"The secret that verifies them is shown only once. Addresses in private networks are refused unless the operator allows them.",
		body: notify.NewWebhook{}, codes: []domain.Code{domain.CodeSecretNotRepeated},
	}, s.createWebhook)
	handle(s, operation{
		method: http.MethodGet, path: "/webhooks", id: "listWebhooks", tag: tagWebhooks, summary: "List webhooks", about: "By id; a merchant's are its own.",
	}, s.listWebhooks)
	handle(s, operation{
		method: http.MethodGet, path: path, id: "getWebhook", tag: tagWebhooks, summary: "Get a webhook", codes: gone,
	}, func(ctx context.Context, in *WebhookPath) (*documentOut[*notify.Webhook], error) {
		w, err := s.Notify.Webhook(ctx, in.ID)
		return webhookOut(w, "", err)
	})
	handle(s, operation{
		method: http.MethodPatch, path: path, id: "editWebhook", tag: tagWebhooks, summary: "Change, enable or disable a webhook",
		about: "What is absent stays. A disabled webhook gets nothing; what happens meanwhile is kept for a replay.",
		body:  notify.WebhookEdit{}, codes: gone,
	}, s.editWebhook)
	handle(s, operation{
		method: http.MethodDelete, path: path, id: "deleteWebhook", tag: tagWebhooks, status: http.StatusNoContent,
		summary: "Delete a webhook", about: "With its log and whatever waits for it.", codes: gone,
	}, func(ctx context.Context, in *deleteWebhookIn) (*done, error) {
		expected, err := s.webhookVersion(ctx, in.ID, in.Tags)
		if err != nil {
			return nil, err
		}
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Notify.Delete(ctx, in.ID, expected) })
	})
	handle(s, operation{
		method: http.MethodPost, path: path + "/rotate", id: "rotateWebhook", tag: tagWebhooks, status: http.StatusCreated,
		summary: "Give a webhook a new secret", about: "Until `overlap_seconds` have passed (default: a day) requests are signed with both.",
		body: notify.SecretRotation{}, codes: append(gone, domain.CodeSecretNotRepeated),
	}, s.rotateWebhook)
	handle(s, operation{
		method: http.MethodPost, path: path + "/test", id: "testWebhook", tag: tagWebhooks,
		summary: "Call a webhook", about: "Once and at once, with a body of the type `webhook.test`, also if it is disabled. The answer tells what came of it.", codes: gone,
	}, func(ctx context.Context, in *WebhookPath) (*bodyOnly[*notify.WebhookTest], error) {
		return bodyOf(s.Notify.Test(ctx, in.ID))
	})
}

type createWebhookIn struct {
	Idempotent
	JSONBody
}

func (s *Server) createWebhook(ctx context.Context, in *createWebhookIn) (*noStore[*notify.IssuedWebhook], error) {
	body, err := request(in.JSONBody, nil, s.Notify.CheckNew)
	if err != nil {
		return nil, err
	}
	made, _, err := once(ctx, in.Idempotent, func(ctx context.Context) (*notify.IssuedWebhook, error) { return s.Notify.Create(ctx, body) })
	return secretOf(made, err)
}

type rotateWebhookIn struct {
	WebhookPath
	Idempotent
	JSONBody
}

func (s *Server) rotateWebhook(ctx context.Context, in *rotateWebhookIn) (*noStore[*notify.IssuedWebhook], error) {
	body, err := request(in.JSONBody, nil, notify.SecretRotation.Check)
	if err != nil {
		return nil, err
	}
	made, _, err := once(ctx, in.Idempotent, func(ctx context.Context) (*notify.IssuedWebhook, error) {
		return s.Notify.Rotate(ctx, in.ID, body)
	})
	return secretOf(made, err)
}

func webhookOut(w *notify.Webhook, again string, err error) (*documentOut[*notify.Webhook], error) {
	if err != nil {
		return nil, err
	}
	return &documentOut[*notify.Webhook]{transport.ETag(w.Version), again, w}, nil
}

// webhookVersion returns the version that the caller requires.
func (s *Server) webhookVersion(ctx context.Context, id string, tags string) (int64, error) {
	return transport.ExpectedVersion(tags, func() (int64, error) {
		w, err := s.Notify.Webhook(ctx, id)
		if err != nil {
			return 0, err
		}
		return w.Version, nil
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

func (s *Server) editWebhook(ctx context.Context, in *editWebhookIn) (*documentOut[*notify.Webhook], error) {
	edit, err := request(in.JSONBody, nil, s.Notify.CheckEdit)
	if err != nil {
		return nil, err
	}
	expected, err := s.webhookVersion(ctx, in.ID, in.Tags)
	if err != nil {
		return nil, err
	}
	return webhookOut(once(ctx, in.Idempotent, func(ctx context.Context) (*notify.Webhook, error) {
		return s.Notify.Edit(ctx, in.ID, edit, expected)
	}))
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
		method: http.MethodGet, path: path + "/deliveries", id: "listDeliveries", tag: tagWebhooks,
		summary: "List what a webhook got and will get", about: "Newest event first, without bodies.", codes: gone,
	}, func(ctx context.Context, in *deliveriesIn) (*bodyOnly[deliveryPage], error) {
		found, next, err := s.Notify.Deliveries(ctx, in.ID, notify.LogFilter{Status: in.Status, From: in.From.Time, To: in.To.Time}, in.request())
		return bodyOf(deliveryPage{listed(found), next}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: path + "/deliveries/{delivery_id}/retry", id: "retryDelivery", tag: tagWebhooks, status: http.StatusAccepted,
		summary: "Try a delivery once more", about: "At once, whatever became of it, with all its tries ahead.", codes: gone,
	}, func(ctx context.Context, in *struct {
		WebhookPath
		Delivery string `path:"delivery_id" format:"uuid" doc:"the delivery's id"`
		Idempotent
	},
	) (*repeatable[*notify.WebhookDelivery], error) {
		v, again, err := once(ctx, in.Idempotent, func(ctx context.Context) (*notify.WebhookDelivery, error) {
			return s.Notify.Retry(ctx, in.ID, in.Delivery)
		})
		return &repeatable[*notify.WebhookDelivery]{again, v}, err
	})
	handle(s, operation{
		method: http.MethodPost, path: path + "/replay", id: "replayWebhook", tag: tagWebhooks, status: http.StatusAccepted,
		summary: "Send what happened in a period once more",
		about: "Everything since the webhook was created and as far back as deliveries are kept: what was sent, what failed, and what happened while " +
			"it was disabled. The ids are the same, so that a receiver can tell what it has.",
		body: notify.Replay{}, codes: gone,
	}, func(ctx context.Context, in *replayIn) (*repeatable[*notify.Replayed], error) {
		body, err := request(in.JSONBody, nil, notify.Replay.Check)
		if err != nil {
			return nil, err
		}
		v, again, err := once(ctx, in.Idempotent, func(ctx context.Context) (*notify.Replayed, error) { return s.Notify.Replay(ctx, in.ID, body) })
		return &repeatable[*notify.Replayed]{again, v}, err
	})
}

type deliveriesIn struct {
	WebhookPath
	Status domain.DeliveryState `query:"status" doc:"only those that stand so"`
	From   Moment               `query:"from" doc:"about events at or after this time (RFC 3339)"`
	To     Moment               `query:"to" doc:"about events before this time (RFC 3339)"`
	Paging
}

type replayIn struct {
	WebhookPath
	Idempotent
	JSONBody
}
