package httpserver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// previews are shown by messengers for a customer's link; they reveal nothing of the order.
var previews = map[string]page{
	"en": {name: "customer", title: "Your order", about: "Where it is and when it arrives."},
	"ru": {name: "customer", title: "Ваш заказ", about: "Где он сейчас и когда приедет."},
}

// customerPage shows one order to the holder of its link. A revoked, expired or forged link gets a 404 page that reveals nothing.
func (s *Server) customerPage(c *gin.Context) {
	token := c.Param("token")
	ctx, order, track, err := s.linked(c.Request.Context(), token)
	b := boot{}
	var channels []string
	status := http.StatusNotFound
	switch {
	case err == nil:
		status = http.StatusOK
		merchant := s.Documents.Profile(order.MerchantID)
		channels = s.Notify.Offered(order.MerchantID)
		track.Trail = track.Trail[:0] // the page draws the polyline
		b.Lang = languageOf(c, cmp.Or(order.Customer.Locale, merchant.Locale))
		b.Brand, b.Timezone = s.brand(ctx, order.MerchantID), merchant.Timezone
		b.Token, b.OrderID, b.Order, b.Track, b.Can = token, order.ID, order, track, append(s.offers(), channels...)
	case domain.CodeOf(err) == domain.CodeUnavailable || ctx.Err() != nil:
		fail(c, err)
		return
	default:
		b.Lang = languageOf(c, "")
	}
	p := previews[b.Lang]
	if err == nil {
		p.later = []string{"client/order.js", "parts/map/map.js"}
		if order.Status == domain.StatusDelivered {
			p.later = append([]string{"customer/after.js"}, p.later...)
		}
	}
	if len(channels) > 0 {
		p.later = append([]string{"customer/messages.js"}, p.later...)
		p.policy, p.head = "messages", fmt.Sprintf("<link rel=\"manifest\" href=%q>\n", webAssets().url("customer/page.webmanifest"))
	}
	if b.Brand == (brand{}) {
		b.Brand = s.brand(ctx, "")
	}
	if b.Brand.Name != "" {
		p.title += " · " + b.Brand.Name
	}
	s.showPage(c, status, p, b)
}

// linked returns a link's order and its history, as customers see them.
func (s *Server) linked(ctx context.Context, token string) (context.Context, *domain.Order, *tracking.Track, error) {
	caller, err := s.Guard.Authorize(ctx, access.Request{Credential: token})
	if err != nil {
		return ctx, nil, nil, err
	}
	if caller.Kind != domain.RoleCustomer { // an API key is not a link
		return ctx, nil, nil, domain.Errorf(domain.CodeNotFound, "there is no such link")
	}
	ctx = domain.WithCaller(ctx, caller)
	order, err := s.Orders.Get(ctx, caller.OrderID)
	if err != nil {
		return ctx, nil, nil, err
	}
	track, err := s.Tracking.Track(ctx, caller.OrderID)
	return ctx, order, track, err
}

// offers lists what customers can do besides viewing, as far as this server supports it.
func (s *Server) offers() (can []string) {
	for _, what := range []string{"instructions", "rating", "proof"} {
		if s.api.OpenAPI().Paths["/order/{order_id}/"+what] != nil {
			can = append(can, what)
		}
	}
	return can
}
