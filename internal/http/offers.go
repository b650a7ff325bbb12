package httpserver

import (
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
