package orders

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Assignment names a courier, or requests the one planned to arrive first.
type Assignment struct {
	CourierID string `json:"courier_id,omitempty" format:"uuid" example:"0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"`
	Auto      bool   `json:"auto,omitempty"`
}

// Assign gives an order to a courier. It fails with courier_not_found,
// courier_busy, no_courier_available, illegal_transition or version_conflict.
func (s *Service) Assign(ctx context.Context, id string, in Assignment, expected int64) (*domain.Order, error) {
	var fault error
	if in.Auto == (in.CourierID != "") {
		fault = domain.Invalid("/courier_id", "required", "either courier_id or auto is required")
	}
	return Once(ctx, s, id, "assign_courier", in, fault, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		give := func(courierID, reason string) (*domain.Order, error) {
			by.Reason = reason
			return s.Change(ctx, known.ID, courierID, expected, rec, func(o *domain.Order) ([]domain.Event, error) {
				return o.Assign(courierID, by)
			})
		}
		if in.Auto {
			return s.assignChosen(ctx, known, give)
		}
		courierID, err := domain.ParseID("/courier_id", in.CourierID)
		if err != nil {
			return nil, err
		}
		if _, err := s.Store.Courier(ctx, courierID); err != nil {
			return nil, err
		}
		return give(courierID, "")
	})
}

// mostChosen is the maximum number of couriers tried in turn when the chosen ones get busy in the meantime.
const mostChosen = 20

// assignChosen tries the couriers picked by the chooser. The commit checks their capacity,
// so two orders never share the last place.
func (s *Service) assignChosen(ctx context.Context, known *domain.Order, give func(courierID, reason string) (*domain.Order, error)) (*domain.Order, error) {
	// The cached copy may be old; decisions based on it are checked on the order itself.
	known, err := s.Store.Order(ctx, known.ID)
	if err != nil {
		return nil, err
	}
	if !known.Status.CanMove(domain.StatusAssigned) { // let the status machine report the error
		return give("", "")
	}
	var tried []string
	for {
		courierID, reason, err := s.Chooser.Choose(ctx, known, tried)
		if err != nil {
			return nil, err
		}
		o, err := give(courierID, reason)
		if code := domain.CodeOf(err); code != domain.CodeCourierBusy && code != domain.CodeCourierNotFound || len(tried) == mostChosen {
			return o, err
		}
		tried = append(tried, courierID)
	}
}
