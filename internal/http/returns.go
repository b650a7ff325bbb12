package httpserver

import (
	"context"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/domain"
)

type intervalList struct {
	Intervals []domain.DeliveryInterval `json:"intervals"`
}

// returnRoutes registers the operations on a parcel with its recipient: when it comes, and
// its way back.
func (s *Server) returnRoutes() {
	codes := []domain.Code{domain.CodeShipmentNotFound, domain.CodeIllegalTransition, domain.CodeCarrierNotFound}
	handle(s, operation{
		method: http.MethodPost, path: "/order/{order_id}/shipment/return", id: "returnShipment", tag: tagShipments, status: http.StatusAccepted,
		summary: "Have a delivered parcel brought back", about: "The customer hands it in; `return_number` of the shipment is the company's number of the parcel that brings it back. The order stays delivered.",
		body: domain.ShipmentReturn{}, codes: codes,
	}, posting[orderPostIn](s.Shipments.CheckReturn, booked, s.Shipments.Return))
	handle(s, operation{
		method: http.MethodGet, path: "/order/{order_id}/shipment/intervals", id: "listDeliveryIntervals", tag: tagShipments,
		summary: "List when a parcel can be delivered", codes: codes,
	}, func(ctx context.Context, in *OrderPath) (*bodyOnly[intervalList], error) {
		list, err := s.Shipments.Intervals(ctx, in.ID)
		return bodyOf(intervalList{listed(list)}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: "/order/{order_id}/shipment/agreement", id: "agreeDelivery", tag: tagShipments, status: http.StatusAccepted,
		summary: "Agree on when a parcel is delivered", about: "One of the intervals, as agreed with the recipient. `expected` of the shipment follows once the company has confirmed it.",
		body: domain.DeliveryAgreement{}, codes: append(codes, domain.CodeOrderFinished),
	}, posting[orderPostIn](s.Shipments.CheckAgreement, booked, s.Shipments.AgreeDelivery))
}
