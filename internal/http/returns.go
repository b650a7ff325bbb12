package httpserver

import (
	"context"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/domain"
)

type intervalList struct {
	Intervals []domain.DeliveryInterval `json:"intervals"`
}

// returnRoutes registers the operations on a parcel with its recipient: when it comes, and its way back.
func (s *Server) returnRoutes() {
	codes := []domain.Code{domain.CodeShipmentNotFound, domain.CodeIllegalTransition, domain.CodeCarrierNotFound}
	handle(s, operation{
		method: http.MethodPost, path: "/order/{order_id}/shipment/return", id: "returnShipment", tag: tagShipments,
		status: http.StatusAccepted, body: domain.ShipmentReturn{}, codes: codes,
	}, posting[orderPostIn](s.Shipments.CheckReturn, booked, s.Shipments.Return))
	handle(s, operation{
		method: http.MethodGet, path: "/order/{order_id}/shipment/intervals", id: "listDeliveryIntervals", tag: tagShipments,
		codes: codes,
	}, func(ctx context.Context, in *OrderPath) (*bodyOnly[intervalList], error) {
		list, err := s.Shipments.Intervals(ctx, in.ID)
		return bodyOf(intervalList{listed(list)}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: "/order/{order_id}/shipment/agreement", id: "agreeDelivery", tag: tagShipments,
		status: http.StatusAccepted, body: domain.DeliveryAgreement{}, codes: append(codes, domain.CodeOrderFinished),
	}, posting[orderPostIn](s.Shipments.CheckAgreement, booked, s.Shipments.AgreeDelivery))
}
