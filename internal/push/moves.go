package push

import (
	"github.com/order-tracking/order-tracking/internal/domain"
)

// CourierMoved announces a courier's newest position and the orders in its custody.
func (h *Hub) CourierMoved(fix domain.Fix, orders []domain.Carried) {
	fix.Attributes = nil
	for _, o := range orders {
		h.movedOrder(o, fix)
	}
	if fix.CourierID != "" { // a carrier's is nobody of the fleet
		h.movedCourier(fix)
		h.fleet.moved(fix)
	}
	if h.peers != nil {
		h.peers.moved(fix, orders)
	}
}

func (h *Hub) movedCourier(fix domain.Fix) {
	h.couriers.with(fix.CourierID, false, func(r *room, w *wakes) {
		if fix.RecordedAt.After(r.latest) {
			r.publishFix(fix, w)
		}
	})
}

func (h *Hub) movedOrder(o domain.Carried, fix domain.Fix) {
	h.orders.with(o.OrderID, false, func(r *room, w *wakes) {
		if r.track.stops = o.Stops; r.carriedBy(fix) {
			r.publishFix(fix, w)
		}
	})
}

// publishFix publishes a position; the room is locked.
func (r *room) publishFix(fix domain.Fix, w *wakes) {
	r.latest = fix.RecordedAt
	if len(r.members) == 0 {
		return
	}
	frame := func(orderID string, data any) *Frame {
		return &Frame{
			Type: TypePosition, Topic: r.topic, key: keyPosition, form: new(form),
			JSON: Encode(TypePosition, orderID, 0, fix.ReceivedAt, data),
		}
	}
	if r.topic.Kind != KindOrder {
		r.publish(frame("", fix), w)
		return
	}
	r.track.last = &fix.Position
	glimpse, now := r.hub.glimpse(r.track.state, r.track.stops), r.hub.clock.Now()
	r.publishViews(w, everyMember, func(v domain.View) *Frame {
		p := glimpse.Position(v, &fix.Position, now)
		switch {
		case p == nil:
			return nil
		case v == domain.ViewCustomer || fix.CourierID == "": // customers must not learn the courier's identity
			return frame(r.topic.ID, p)
		}
		return frame(r.topic.ID, domain.Fix{CourierID: fix.CourierID, Position: *p})
	})
}

// Estimated announces a changed estimate.
func (h *Hub) Estimated(e domain.Estimate) {
	h.estimated(e)
	if h.peers != nil {
		h.peers.estimated(e)
	}
}

func (h *Hub) estimated(e domain.Estimate) {
	h.orders.with(e.OrderID, false, func(r *room, w *wakes) {
		t, now := r.track, h.clock.Now()
		if len(r.members) == 0 || t.state.Status.Terminal() {
			return
		}
		r.publishViews(w, everyMember, func(v domain.View) *Frame {
			place := v != domain.ViewCustomer || h.glimpse(t.state, t.stops).Position(v, t.last, now) != nil
			return &Frame{
				Type: TypeETA, Topic: r.topic, key: keyEstimate, form: new(form),
				JSON: Encode(TypeETA, e.OrderID, 0, now, e.For(v, place)),
			}
		})
	})
}
