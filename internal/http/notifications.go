package httpserver

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
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
