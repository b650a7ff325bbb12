package httpserver

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// dispatchRoutes registers the operations on plans, shifts and offers.
func (s *Server) dispatchRoutes() {
	handle(s, "planDispatch", posting[planIn](dispatch.Ask.Check, answered, func(ctx context.Context, _ string, ask dispatch.Ask) (*dispatch.Proposal, error) {
		return s.Dispatch.Plan(ctx, ask)
	}))
	handle(s, "runDispatch", creating(dispatch.Ask.Check, repeated, s.Dispatch.Run))
	handle(s, "searchPlaces", reading[placesIn](bodyOf, s.Dispatch.SearchPlaces))
	handle(s, "getRoute", reading[CourierPath](routed, s.Dispatch.Route))
	handle(s, "setRoute", changing[routeIn](dispatch.RouteOrder.Check, routes.current(s.Dispatch.Route), func(r *domain.Route, _ string, err error) (*routeOut, error) {
		return routed(r, err)
	}, s.Dispatch.SetRoute))
	handle(s, "getShifts", reading[CourierPath](bodyOf, s.Dispatch.Shifts))
	handle(s, "setShifts", posting[shiftsIn](dispatch.Shifts.Check, answered, s.Dispatch.SetShifts))
	handle(s, "offerOrder", onOrder(dispatch.OfferAsk.Check, repeated, s.Dispatch.Offer))
	handle(s, "listOffers", listing[CourierPath](func(list []domain.Offer) offerList { return offerList{list} }, s.Dispatch.CourierOffers))
	handle(s, "acceptOffer", doing[acceptIn](repeated, s.Dispatch.Accept))
	handle(s, "declineOffer", posting[declineIn](unchecked, repeated, func(ctx context.Context, id string, why refusalReason) (*domain.Offer, error) {
		return s.Dispatch.Decline(ctx, id, why.Reason)
	}))
}

type placesIn struct {
	Text string `query:"q" maxLength:"500" doc:"the address as people write it; left out: only whether there is a geocoder" example:"Arbat 10, Moscow"`
}

func (in placesIn) named() (string, error) { return in.Text, nil } //nolint:unparam // as reading demands

type planIn struct {
	Unnamed
	Repeated
	Sent[dispatch.Ask]
}

type routeIn struct {
	CourierPath
	IfMatch
	Repeated
	Sent[dispatch.RouteOrder]
}

type routeOut struct {
	ETag string `header:"ETag" doc:"the version, for If-Match"`
	Body *domain.Route
}

func routed(r *domain.Route, err error) (*routeOut, error) {
	if err != nil {
		return nil, err
	}
	return &routeOut{transport.ETag(r.Version), r}, nil
}

type shiftsIn struct {
	CourierPath
	Repeated
	Sent[dispatch.Shifts]
}

func (p OfferPath) named() (string, error) { return p.ID, nil } //nolint:unparam // as posted demands

type declineIn struct {
	OfferPath
	Idempotent
	Sent[refusalReason]
}

// OfferPath is the path parameter of an offer.
type OfferPath struct {
	ID string `path:"offer_id" format:"uuid" doc:"the offer's id"`
}

type offerList struct {
	Offers []domain.Offer `json:"offers"`
}

// refusalReason is a courier's reason for declining.
type refusalReason struct {
	Reason string `json:"reason,omitempty" maxLength:"2000"`
}

type acceptIn struct {
	OfferPath
	Idempotent
}
