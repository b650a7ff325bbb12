package httpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
	"github.com/order-tracking/order-tracking/internal/transport"
)

type eventList struct {
	Events []domain.Event `json:"events"`
}

// statusAnswer is an order's current status.
type statusAnswer struct {
	OrderID   string          `json:"order_id"`
	Status    domain.Status   `json:"status"`
	Version   int64           `json:"version"`
	UpdatedAt time.Time       `json:"updated_at"`
	Allowed   []domain.Status `json:"allowed_transitions" doc:"the allowed next statuses, in table order; [] if final"`
}

type statusOut struct {
	ETag string `header:"ETag" doc:"the order's version"`
	Body statusAnswer
}

// trackingRoutes registers the operations on orders' positions and statuses.
func (s *Server) trackingRoutes() {
	handle(s, operation{
		method: http.MethodGet, path: "/order/{order_id}/status", id: "getOrderStatus", tag: tagTracking,
	}, s.getStatus)
	handle(s, operation{
		method: http.MethodGet, path: "/order/{order_id}/events", id: "getOrderEvents", tag: tagTracking,
	}, func(ctx context.Context, in *OrderPath) (*bodyOnly[eventList], error) {
		events, err := s.Orders.Events(ctx, in.ID)
		return bodyOf(eventList{listed(events)}, err)
	})
	handle(s, operation{
		method: http.MethodGet, path: "/order/{order_id}/track", id: "trackOrder", tag: tagTracking,
	}, func(ctx context.Context, in *OrderPath) (*bodyOnly[*tracking.Track], error) {
		return bodyOf(s.Tracking.Track(ctx, in.ID))
	})
	handle(s, operation{
		method: http.MethodGet, path: "/order/{order_id}/delivery-time", id: "estimateDelivery", tag: tagTracking,
		codes: []domain.Code{domain.CodeOrderFinished},
	}, func(ctx context.Context, in *OrderPath) (*bodyOnly[domain.Estimate], error) {
		return bodyOf(s.Orders.DeliveryTime(ctx, in.ID))
	})
}

func (s *Server) getStatus(ctx context.Context, in *OrderPath) (*statusOut, error) {
	o, err := s.Orders.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &statusOut{ETag: transport.ETag(o.Version), Body: statusAnswer{
		OrderID: o.ID, Status: o.Status, Version: o.Version, UpdatedAt: o.UpdatedAt, Allowed: o.Status.Next(),
	}}, nil
}
