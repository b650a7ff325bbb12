package shipping

import (
	"cmp"
	"context"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// registered returns the order's shipment registered with the carrier, and its carrier.
func (sv *Service) registered(ctx context.Context, o *domain.Order) (*domain.ShipmentJob, domain.Carrier, error) {
	if o.Shipment == nil || !o.Shipment.Phase.Live() {
		return nil, nil, domain.Errorf(domain.CodeShipmentNotFound, "the order goes with no delivery company")
	}
	job, err := sv.Store.ShipmentJob(ctx, o.ID)
	if err != nil {
		return nil, nil, err
	}
	if job == nil || !named(job) || o.Shipment.Phase != domain.PhaseRegistered {
		return nil, nil, &domain.Error{Code: domain.CodeIllegalTransition, Allowed: o.Status.Next(), Message: "the delivery company has not registered the parcel yet"}
	}
	car := sv.ByAccount[job.Account]
	if car == nil {
		return nil, nil, domain.Errorf(domain.CodeCarrierNotFound, "the delivery company %s is not set up any more", job.Account)
	}
	return job, car, nil
}

// BookIntake requests a courier to collect an order's parcel. It fails with shipment_not_found, and with illegal_transition
// while the parcel is not registered or a courier is already booked.
func (sv *Service) BookIntake(ctx context.Context, id string, in domain.IntakeRequest) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "book_intake", in, in.Validate(), func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		job, car, err := sv.registered(ctx, o)
		if err != nil {
			return nil, err
		}
		if o.Shipment.Intake.Live() {
			return nil, &domain.Error{Code: domain.CodeIllegalTransition, Allowed: o.Status.Next(), Message: "a courier is to come already; cancel that first"}
		}
		i, err := ask(car, "collecting parcels", func(able domain.CarrierIntakes) (domain.Intake, error) { return able.BookIntake(ctx, job.Ref, in) })
		if err != nil {
			return nil, failure(err)
		}
		return sv.Orders.Change(ctx, o.ID, o.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) {
			return o.KeepIntake(i, by), nil
		})
	})
}

// CancelIntake cancels the courier's visit; shipment_not_found if none is booked.
func (sv *Service) CancelIntake(ctx context.Context, id string) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "cancel_intake", struct{}{}, nil, func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		if o.Shipment == nil || !o.Shipment.Intake.Live() {
			return nil, domain.Errorf(domain.CodeShipmentNotFound, "no courier is to come for the order's parcel")
		}
		_, car, err := sv.registered(ctx, o)
		if err != nil {
			return nil, err
		}
		err = tell(car, "collecting parcels", func(able domain.CarrierIntakes) error { return able.CancelIntake(ctx, o.Shipment.Intake.ID) })
		if err != nil {
			return nil, failure(err)
		}
		gone := *o.Shipment.Intake
		gone.Status, gone.StatusText = domain.IntakeCancelled, ""
		return sv.Orders.Change(ctx, o.ID, o.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) {
			return o.KeepIntake(gone, by), nil
		})
	})
}

// watchIntake polls a pending intake and updates the order. Failures are retried at the next poll.
func (w *worker) watchIntake(ctx context.Context, o *domain.Order) {
	able, ok := w.car.(domain.CarrierIntakes)
	if !ok || o.Shipment == nil || !o.Shipment.Intake.Live() || !o.Status.BeforeCustody() {
		return
	}
	i, err := able.TrackIntake(ctx, o.Shipment.Intake.ID)
	if err != nil {
		w.count(w.account, "intake_"+string(domain.ClassOf(err)))
		return
	}
	by := w.Orders.System(w.account.Carrier)
	if tentative := *o; len(tentative.KeepIntake(i, by)) == 0 {
		return
	}
	_, err = w.Orders.Change(ctx, o.ID, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if o.Shipment == nil || o.Shipment.Intake == nil || o.Shipment.Intake.ID != i.ID || !o.Shipment.Intake.Live() {
			return nil, nil
		}
		return o.KeepIntake(i, by), nil
	})
	if err != nil {
		w.count(w.account, "intake_not_stored")
	}
}

// Edit changes a booked parcel while the carrier allows it. It fails with shipment_not_found, version_conflict, or
// illegal_transition if the carrier does not allow it (yet).
func (sv *Service) Edit(ctx context.Context, id string, in domain.ShipmentEdit, expected int64) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "edit_shipment", in, sv.CheckEdit(in), func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		if err := orders.CheckVersion(o, expected); err != nil {
			return nil, err
		}
		job, car, err := sv.registered(ctx, o)
		if err != nil {
			return nil, err
		}
		err = tell(car, "changing parcels", func(able domain.CarrierEditor) error { return able.EditShipment(ctx, job.Ref, in) })
		if domain.ClassOf(err) == domain.ClassConflict {
			return nil, &domain.Error{Code: domain.CodeIllegalTransition, Allowed: o.Status.Next(), Message: "the parcel can't be changed any more: " + err.Error()}
		}
		if err != nil {
			return nil, failure(err)
		}
		return sv.changed(ctx, o, job, rec, func(o *domain.Order) []domain.Event { return o.EditedShipment(in, by) })
	})
}

// CheckEdit validates an edit and returns all faults.
func (sv *Service) CheckEdit(in domain.ShipmentEdit) error { return in.Validate("RU") }

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
