package httpserver

import (
	"context"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
)

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

// offerRoutes registers the operations on offers.
func (s *Server) offerRoutes() {
	gone := []domain.Code{domain.CodeOfferNotFound, domain.CodeOfferGone, domain.CodeCourierBusy}
	handle(s, operation{
		method: http.MethodPost, path: "/order/{order_id}/offers", id: "offerOrder", tag: tagDispatch,
		status: http.StatusCreated, body: dispatch.OfferAsk{},
		codes: []domain.Code{domain.CodeCourierNotFound, domain.CodeNoCourierAvailable, domain.CodeIllegalTransition, domain.CodeCancelAfterPickup},
	}, posting[orderPostIn](dispatch.OfferAsk.Check, repeated, s.Dispatch.Offer))
	handle(s, operation{
		method: http.MethodGet, path: "/courier/{courier_id}/offers", id: "listOffers", tag: tagDispatch,
	}, func(ctx context.Context, in *CourierPath) (*bodyOnly[offerList], error) {
		offers, err := s.Dispatch.CourierOffers(ctx, in.ID)
		return bodyOf(offerList{offers}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: "/offer/{offer_id}/accept", id: "acceptOffer", tag: tagDispatch, codes: gone,
	}, func(ctx context.Context, in *struct {
		OfferPath
		Idempotent
	},
	) (*repeatable[*domain.Offer], error) {
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (*domain.Offer, error) { return s.Dispatch.Accept(ctx, in.ID) }))
	})
	handle(s, operation{
		method: http.MethodPost, path: "/offer/{offer_id}/decline", id: "declineOffer", tag: tagDispatch, body: refusalReason{},
		codes: gone[:2],
	}, posting[declineIn](unchecked[refusalReason], repeated, func(ctx context.Context, id string, why refusalReason) (*domain.Offer, error) {
		return s.Dispatch.Decline(ctx, id, why.Reason)
	}))
}
