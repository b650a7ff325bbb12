package shipping

import (
	"context"

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
