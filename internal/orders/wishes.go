package orders

import (
	"cmp"
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// CheckInstructions checks the input of Instruct.
func (s *Service) CheckInstructions(in domain.Instructions) error { return domain.Checked(&in) }

// CheckRating checks the input of Rate.
func (s *Service) CheckRating(in domain.Rating) error { return domain.Checked(&in) }

// Instruct stores the customer's instructions; order_finished when nobody would read them
// any more. It returns the caller's view of the order.
func (s *Service) Instruct(ctx context.Context, id string, in domain.Instructions) (*domain.Order, error) {
	return s.wish(ctx, id, "instruct", &in, func(o *domain.Order, by domain.By) ([]domain.Event, error) { return o.Instruct(in, by) })
}

// Rate stores the customer's rating of a delivery; illegal_transition before the delivery.
func (s *Service) Rate(ctx context.Context, id string, in domain.Rating) (*domain.Order, error) {
	return s.wish(ctx, id, "rate", &in, func(o *domain.Order, by domain.By) ([]domain.Event, error) { return o.Rate(in, by) })
}

func (s *Service) wish(
	ctx context.Context, id, op string, in any, verb func(*domain.Order, domain.By) ([]domain.Event, error),
) (*domain.Order, error) {
	if err := domain.Checked(in); err != nil {
		return nil, err
	}
	o, err := Once(ctx, s, id, op, in, nil, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		return s.Change(ctx, known.ID, known.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) { return verb(o, by) })
	})
	caller, callerErr := domain.CallerFrom(ctx)
	if err := cmp.Or(err, callerErr); err != nil {
		return nil, err
	}
	return o.For(caller.View()), nil
}
