package shipping

import (
	"cmp"
	"context"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// Return books the way back of a delivered parcel. It fails with shipment_not_found, and
// with illegal_transition if the order was not delivered or a parcel brings it back already.
func (sv *Service) Return(ctx context.Context, id string, in domain.ShipmentReturn) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "return_shipment", in, domain.Checked(in), func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		job, car, err := sv.registered(ctx, o)
		if err != nil {
			return nil, err
		}
		if o.Status != domain.StatusDelivered || o.Shipment.ReturnNumber != "" {
			return nil, &domain.Error{Code: domain.CodeIllegalTransition, Allowed: o.Status.Next(), Message: "only what was delivered, and does not come back already, can be returned"}
		}
		number, err := ask(car, "returns from customers", func(able domain.CarrierReturns) (string, error) {
			return able.ReturnShipment(ctx, job.Ref, cmp.Or(in.Tariff, o.Shipment.Tariff))
		})
		if domain.ClassOf(err) == domain.ClassConflict {
			return nil, &domain.Error{Code: domain.CodeIllegalTransition, Allowed: o.Status.Next(), Message: err.Error()}
		}
		if err != nil {
			return nil, failure(err)
		}
		return sv.changed(ctx, o, job, rec, func(o *domain.Order) []domain.Event { return o.ReturnedByCustomer(number, by) })
	})
}

// Intervals returns when an order's parcel can be delivered; shipment_not_found, and
// illegal_transition while the carrier has not registered it.
func (sv *Service) Intervals(ctx context.Context, id string) ([]domain.DeliveryInterval, error) {
	_, o, err := sv.Orders.Authorize(ctx, id)
	if err != nil {
		return nil, err
	}
	job, car, err := sv.registered(ctx, o)
	if err != nil {
		return nil, err
	}
	list, err := ask(car, "delivery intervals", func(able domain.CarrierAgreements) ([]domain.DeliveryInterval, error) {
		return able.Intervals(ctx, job.Ref)
	})
	return list, failure(err)
}

// ask calls an optional method of a carrier, which is for what.
func ask[A, T any](car domain.Carrier, what string, call func(A) (T, error)) (out T, err error) {
	able, err := domain.Ability[A](car, what)
	if err == nil {
		out, err = call(able)
	}
	return out, err
}

// tell is ask for what returns nothing.
func tell[A any](car domain.Carrier, what string, call func(A) error) error {
	_, err := ask(car, what, func(able A) (none struct{}, err error) { return none, call(able) })
	return err
}

// AgreeDelivery asks the carrier to deliver in an interval agreed with the recipient. Its
// errors are those of Intervals, and order_finished.
func (sv *Service) AgreeDelivery(ctx context.Context, id string, in domain.DeliveryAgreement) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "agree_delivery", in, in.Validate(), func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		job, car, err := sv.registered(ctx, o)
		if err != nil {
			return nil, err
		}
		if o.Status.Terminal() {
			return nil, domain.Errorf(domain.CodeOrderFinished, "the order is %s", o.Status)
		}
		if err := tell(car, "delivery intervals", func(able domain.CarrierAgreements) error { return able.AgreeDelivery(ctx, job.Ref, in) }); err != nil {
			return nil, failure(err)
		}
		return sv.changed(ctx, o, job, rec, func(o *domain.Order) []domain.Event { return o.AgreedDelivery(in, by) })
	})
}

// changed stores what was done with a carrier, and polls the parcel soon.
func (sv *Service) changed(
	ctx context.Context, o *domain.Order, job *domain.ShipmentJob, rec *domain.Idempotency, change func(*domain.Order) []domain.Event,
) (*domain.Order, error) {
	after, err := sv.Orders.Change(ctx, o.ID, o.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) { return change(o), nil })
	if err != nil {
		return nil, err
	}
	soon := domain.Timestamp(sv.Clock.Now().Add(cancelWithin))
	if _, hastened := sv.Store.HastenShipments(ctx, job.Account, []domain.ShipmentRef{job.Ref}, soon); hastened == nil {
		background.Wake(sv.wake[job.Account])
	}
	return after, nil
}
