package httpserver

import (
	"context"

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

type acceptIn struct {
	OfferPath
	Idempotent
}

// offerRoutes registers the operations on offers.
func (s *Server) offerRoutes() {
	handle(s, "offerOrder", onOrder(dispatch.OfferAsk.Check, repeated, s.Dispatch.Offer))
	handle(s, "listOffers", reading[CourierPath](func(offers []domain.Offer, err error) (*bodyOnly[offerList], error) {
		return bodyOf(offerList{offers}, err)
	}, s.Dispatch.CourierOffers))
	handle(s, "acceptOffer", doing[acceptIn](repeated, s.Dispatch.Accept))
	handle(s, "declineOffer", posting[declineIn](unchecked, repeated, func(ctx context.Context, id string, why refusalReason) (*domain.Offer, error) {
		return s.Dispatch.Decline(ctx, id, why.Reason)
	}))
}
