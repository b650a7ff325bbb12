package httpserver

import (
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
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
	handle(s, "getOrderStatus", reading[OrderPath](func(o *domain.Order, err error) (*statusOut, error) {
		if err != nil {
			return nil, err
		}
		return &statusOut{transport.ETag(o.Version), statusAnswer{o.ID, o.Status, o.Version, o.UpdatedAt, o.Status.Next()}}, nil
	}, s.Orders.Get))
	handle(s, "getOrderEvents", reading[OrderPath](func(events []domain.Event, err error) (*bodyOnly[eventList], error) {
		return bodyOf(eventList{listed(events)}, err)
	}, s.Orders.Events))
	handle(s, "trackOrder", reading[OrderPath](bodyOf, s.Tracking.Track))
	handle(s, "estimateDelivery", reading[OrderPath](bodyOf, s.Orders.DeliveryTime))
}
