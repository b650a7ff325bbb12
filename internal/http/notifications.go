package httpserver

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/transport"
)

type notificationList struct {
	Notifications []notify.Notification `json:"notifications"`
}

// MerchantQuery names the merchant that staff mean.
type MerchantQuery struct {
	Merchant string `query:"merchant_id" maxLength:"128" doc:"whose; absent: the caller's, for staff those of orders without a merchant"`
}

// check validates the merchant's id.
func (q MerchantQuery) check() error {
	if utf8.RuneCountInString(q.Merchant) > domain.MaxKey {
		return domain.Invalid("/merchant_id", "too_long", "must have at most %d characters", domain.MaxKey)
	}
	return nil
}

func (q MerchantQuery) named() (string, error) { return q.Merchant, q.check() }

// notificationRoutes registers messages to customers, the link in them that ends them, and how customers hand over a chat or a browser.
func (s *Server) notificationRoutes() {
	handle(s, "listNotifications", func(ctx context.Context, in *OrderPath) (*bodyOnly[notificationList], error) {
		_, o, err := s.Orders.Reach(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		found, err := s.Notify.Notifications(ctx, o.ID)
		return bodyOf(notificationList{listed(found)}, err)
	})
	handle(s, "getNotificationRules", reading[MerchantQuery](rules.of, s.Notify.GetRules))
	handle(s, "putNotificationRules", changing[putRulesIn](notify.RulesEdit.Check, rules.current(s.Notify.GetRules), rules.out, s.Notify.PutRules))
	handle(s, "previewNotification", s.previewText)
	plain[struct{}, struct{}](s, "showOptOut", func(c *gin.Context) { s.optOutPage(c, "ask", s.Notify.CheckOptOut(c.Param("token"))) })
	plain[struct{}, struct{}](s, "optOut", func(c *gin.Context) {
		s.optOutPage(c, "done", s.Notify.OptOut(c.Request.Context(), c.Param("token")))
	})
	handle(s, "connectCustomer", onOrder(notify.CustomerContact.Check, secretOnce, func(ctx context.Context, id string, body notify.CustomerContact) (*notify.ContactOffer, error) {
		_, o, err := s.Orders.Reach(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.Notify.Connect(ctx, o.ID, body)
	}))
	plain[struct{}, struct{}](s, "updateBot", s.answering(func(ctx context.Context, c *gin.Context) error {
		body, err := readJSON(c)
		if err == nil {
			err = s.Notify.Update(ctx, c.Param("channel"), c.Request.Header.Get, body.RawBody)
		}
		if err == nil {
			c.String(http.StatusOK, "ok")
		}
		return err
	}))
}

type putRulesIn struct {
	MerchantQuery
	IfMatch
	Idempotent
	Sent[notify.RulesEdit]
}

func (s *Server) previewText(ctx context.Context, in *struct{ Sent[notify.Preview] }) (*bodyOnly[*notify.Previewed], error) {
	body, err := in.read(nil, unchecked)
	if err != nil {
		return nil, err
	}
	o := notify.Sample(s.Clock.Now())
	if body.OrderID != nil {
		if _, o, err = s.Orders.Reach(ctx, *body.OrderID); err != nil {
			return nil, err
		}
	}
	return bodyOf(s.Notify.Preview(o, body))
}

// optOutPage shows people a state of the page, and that the link does not work; programs get the error.
func (s *Server) optOutPage(c *gin.Context, state string, err error) {
	status := http.StatusOK
	if err != nil {
		if domain.CodeOf(err) != domain.CodeNotFound || !strings.Contains(c.GetHeader("Accept"), "text/html") {
			fail(c, err)
			return
		}
		state, status = "", http.StatusNotFound
	}
	b := boot{Lang: languageOf(c, ""), OptOut: state}
	s.showPage(c, status, previews[b.Lang], b)
}

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
