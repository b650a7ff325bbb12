package orders

import (
	"cmp"
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Instruct stores the customer's instructions; order_finished when nobody would read them
// any more. It returns the caller's view of the order.
func (s *Service) Instruct(ctx context.Context, id string, in domain.Instructions) (*domain.Order, error) {
	return wish(ctx, s, id, "instruct", in, (*domain.Order).Instruct)
}

// Rate stores the customer's rating of a delivery; illegal_transition before the delivery.
func (s *Service) Rate(ctx context.Context, id string, in domain.Rating) (*domain.Order, error) {
	return wish(ctx, s, id, "rate", in, (*domain.Order).Rate)
}

func wish[T any](
	ctx context.Context, s *Service, id, op string, in T, verb func(*domain.Order, T, domain.By) ([]domain.Event, error),
) (*domain.Order, error) {
	if err := domain.Checked(in); err != nil {
		return nil, err
	}
	o, err := Once(ctx, s, id, op, in, nil, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		return s.Change(ctx, known.ID, known.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) { return verb(o, in, by) })
	})
	caller, callerErr := domain.CallerFrom(ctx)
	if err := cmp.Or(err, callerErr); err != nil {
		return nil, err
	}
	return o.For(caller.View()), nil
}
