package shipping

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// Cancelling first asks for the terms. Free cancellations are done at once; paid ones only
// by Refuse, after a person has agreed to the terms.

// cancelWithin is how long a caller waits for a carrier to end a shipment.
const cancelWithin = 6 * time.Second

// Release cancels the shipment of an order to be cancelled; see domain.Parcels.
func (sv *Service) Release(ctx context.Context, id string, expected int64) (ended bool, err error) {
	o, job, w, err := sv.toCancel(ctx, id, expected)
	if err != nil || job == nil {
		return false, err
	}
	if w == nil {
		sv.Log.Warn("cancelling an order without its carrier: the account is no longer configured",
			zap.String("order_id", o.ID), zap.Stringer("carrier", job.Account))
		return true, nil
	}
	limited, cancel := context.WithTimeout(ctx, cancelWithin)
	defer cancel()
	terms := domain.CancelTerms{Kind: domain.CancelFree}
	if !job.SentAt.IsZero() { // otherwise it was never sent
		terms, err = w.terms(limited, o, job)
	}
	switch {
	case domain.CodeOf(err) == domain.CodeBookingUnknown:
		return false, err
	case err != nil: // no answer: the worker continues once there is one
	case terms.Kind.Costs():
		return false, costs(job, terms)
	case terms.Kind == domain.CancelImpossible:
		return false, tooLate(o, job, terms)
	}
	// From here on nothing is sent, and the worker waits while we try.
	sent, wishErr := sv.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, true, expected, sv.Clock.Now().Add(2*cancelWithin))
	if wishErr != nil || !sent || terms.Kind == domain.CancelEnded && err == nil {
		return wishErr == nil, wishErr
	}
	if err == nil && !job.SentAt.IsZero() {
		ended, err = w.cancelFree(limited, job, cancelWithin)
		if ended {
			return true, nil
		}
	}
	if domain.ClassOf(err) == domain.ClassConflict { // it has moved in the meantime
		return false, sv.keep(ctx, o, job, w)
	}
	if err != nil {
		sv.Log.Info("shipment not cancelled yet", zap.String("order_id", o.ID), zap.Error(err))
	}
	background.Wake(sv.wake[job.Account])
	return false, &domain.Error{
		Code: domain.CodeUnavailable, RetryAfter: 5 * time.Second,
		Message: job.Account.Carrier + " has not confirmed yet that the shipment is cancelled; the order will be as soon as it does",
	}
}

// toCancel returns the shipment to cancel: the job is nil if there is none, the worker if the account is no longer configured.
func (sv *Service) toCancel(ctx context.Context, id string, expected int64) (*domain.Order, *domain.ShipmentJob, *worker, error) {
	o, err := sv.Store.Order(ctx, id)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := orders.CheckVersion(o, expected); err != nil {
		return nil, nil, nil, err
	}
	if o.Shipment == nil || !o.Shipment.Phase.Live() || !o.Status.BeforeCustody() {
		return o, nil, nil, nil
	}
	job, err := sv.Store.ShipmentJob(ctx, o.ID)
	if err != nil || job == nil || job.Booking == nil || job.Ref.ClientRef != o.Shipment.Reference {
		return o, nil, nil, err // a parcel that is only tracked cannot be cancelled
	}
	car, known := sv.ByAccount[job.Account]
	if !known {
		return o, job, nil, nil
	}
	return o, job, &worker{Service: sv, car: car, account: job.Account}, nil
}

// terms fetches the cancellation terms of a shipment. For an unanswered booking it first
// finds out whether the shipment exists; not_found while that is unknown.
func (w *worker) terms(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) (domain.CancelTerms, error) {
	shipper, err := domain.Ability[domain.CarrierShipper](w.car, "cancelling")
	if err != nil {
		return domain.CancelTerms{Kind: domain.CancelImpossible, Detail: "it can't cancel"}, nil
	}
	if !named(job) {
		if x := o.Exception; x != nil && x.Code == domain.ExceptionBookingUnknown {
			return domain.CancelTerms{}, domain.Errorf(domain.CodeBookingUnknown,
				"whether %s has the parcel is unknown: say first what became of the booking (POST /order/%s/shipment/resolution)", w.account.Carrier, o.ID)
		}
		snap, err := shipper.FindShipment(ctx, job.Ref)
		if domain.ClassOf(err) == domain.ClassNotFound && w.Clock.Now().Sub(job.SentAt) >= seekFor && w.car.Traits().KeepsReference {
			return domain.CancelTerms{Kind: domain.CancelEnded, Detail: "the carrier knows nothing of it"}, nil
		}
		if err != nil {
			return domain.CancelTerms{}, err
		}
		if err := w.name(ctx, job, snap.Ref); err != nil {
			return domain.CancelTerms{}, err
		}
	}
	return shipper.CancelTerms(ctx, job.Ref)
}

// cancelFree cancels at no cost and briefly polls for the outcome.
func (w *worker) cancelFree(ctx context.Context, job *domain.ShipmentJob, watch time.Duration) (ended bool, err error) {
	shipper, err := domain.Ability[domain.CarrierShipper](w.car, "cancelling")
	if err != nil {
		return false, err
	}
	out, err := shipper.CancelShipment(ctx, job.Ref, domain.CancelTerms{Kind: domain.CancelFree})
	if err != nil || out.Result == domain.CancelDone {
		return err == nil, err
	}
	tracker, ok := w.car.(domain.CarrierTracker)
	for wait := 250 * time.Millisecond; ok && wait < watch/2; wait *= 2 {
		if !background.Sleep(ctx, wait) {
			break
		}
		if snap, err := tracker.TrackShipment(ctx, job.Ref); err == nil && !snap.Ref.Phase.Live() {
			return true, nil
		}
	}
	return false, nil
}

// costs returns the error that cancelling is not free, with the terms.
func costs(job *domain.ShipmentJob, terms domain.CancelTerms) error {
	message := job.Account.Carrier + " cancels it for money only: " + terms.Detail
	if terms.Price != nil {
		message += " (" + formatMoney(*terms.Price) + ")"
	}
	return &domain.Error{Code: domain.CodePaidCancelRequired, Message: message, Terms: &terms}
}

// tooLate returns the error that the carrier can no longer cancel.
func tooLate(o *domain.Order, job *domain.ShipmentJob, terms domain.CancelTerms) error {
	return &domain.Error{
		Code: domain.CodeCancelAfterPickup, Allowed: o.Status.Next(),
		Message: "the order can't be cancelled any more: " + job.Account.Carrier + " says that " + terms.Detail,
	}
}

// keep withdraws a shipment's cancellation and returns the reason.
func (sv *Service) keep(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, w *worker) error {
	if _, err := sv.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, false, 0, sv.Clock.Now()); err != nil {
		return err
	}
	background.Wake(sv.wake[job.Account])
	terms, err := w.terms(ctx, o, job)
	switch {
	case err != nil:
		return failure(err)
	case terms.Kind.Costs():
		return costs(job, terms)
	}
	return tooLate(o, job, terms)
}

// finishCancel continues a cancellation in the background.
func (w *worker) finishCancel(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, until time.Time) (after, rest time.Duration) {
	if !job.Cancelling { // stop sending from now on
		if _, err := w.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, true, 0, until); err != nil {
			return asTaken, 0
		}
	}
	if !job.SentAt.IsZero() {
		terms, err := w.terms(ctx, o, job)
		if err == nil && terms.Kind == domain.CancelFree {
			var ended bool
			if ended, err = w.cancelFree(ctx, job, 0); err == nil && !ended {
				job.Looks++
				return min(time.Second<<min(job.Looks, 6), time.Minute), 0
			}
		}
		switch {
		case domain.CodeOf(err) == domain.CodeBookingUnknown:
			return never, 0
		case domain.ClassOf(err) == domain.ClassNotFound && !named(job) && w.Clock.Now().Sub(job.SentAt) >= seekFor:
			w.askPerson(ctx, o, job)
			return never, 0
		case err != nil:
			return w.notCancelled(ctx, o, job, err)
		case terms.Kind.Costs() || terms.Kind == domain.CancelImpossible:
			return w.goesOn(ctx, o, job, terms)
		}
	}
	by := w.Orders.System(w.account.Carrier)
	_, err := w.Orders.Change(ctx, o.ID, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if !o.Status.BeforeCustody() {
			return o.LearnShipment(domain.ShipmentSnapshot{Ref: domain.ShipmentRef{Phase: domain.PhaseCancelled}}, by), nil
		}
		o.DropShipment()
		return o.Cancel(by)
	})
	if err != nil {
		return asTaken, 0
	}
	return never, 0
}

// notCancelled schedules another attempt to cancel.
func (w *worker) notCancelled(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, err error) (after, rest time.Duration) {
	e, ok := errors.AsType[*domain.CarrierError](err)
	if !ok {
		return time.Second, 0
	}
	w.count(w.account, "cancel_"+string(e.Class))
	return max(e.RetryAfter, w.failing(ctx, o, job, e)), e.RetryAfter
}

// goesOn resumes tracking a parcel that cannot be cancelled for free, and notifies people.
func (w *worker) goesOn(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, terms domain.CancelTerms) (after, rest time.Duration) {
	if o.Status != domain.StatusCancelled { // a cancelled order's is not withdrawn
		if _, err := w.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, false, 0, w.Clock.Now()); err != nil {
			return asTaken, 0
		}
	}
	w.doubt(ctx, o, job.Ref.ClientRef, domain.ExceptionPaidCancel, "the parcel was to be cancelled and travels: "+terms.Detail)
	if o.Status == domain.StatusCancelled {
		return time.Hour, 0
	}
	return asTaken, 0 // it was just made due
}

// Refusal is the consent to a paid cancellation.
type Refusal struct {
	Confirm bool `json:"confirm" doc:"must be true: it costs money" example:"true"`
	// Price is the price in the terms, if they have one.
	Price *domain.Money `json:"price,omitempty" doc:"that of the terms, where they name one"`
}

// CheckRefusal validates a refusal and returns all faults.
func (sv *Service) CheckRefusal(in Refusal) error {
	var f domain.Faults
	f.Check("", &in)
	if !in.Confirm {
		f.Add("/confirm", "required", "must be true: it costs money")
	}
	return f.Err()
}

// Refuse returns a parcel that cannot be cancelled for free. It fails with paid_cancel_required if the terms differ from
// those agreed to, illegal_transition if cancelling is free, cancel_after_pickup if it is too late, and shipment_not_found.
// It may be repeated after any failure: nothing is paid twice.
func (sv *Service) Refuse(ctx context.Context, id string, in Refusal, expected int64) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "refuse_shipment", in, sv.CheckRefusal(in), func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		if err := orders.CheckVersion(o, expected); err != nil {
			return nil, err
		}
		job, err := sv.Store.ShipmentJob(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		car, known := domain.Carrier(nil), false
		if job != nil && job.Booking != nil && o.Shipment != nil && o.Shipment.Phase.Live() {
			car, known = sv.ByAccount[job.Account]
		}
		if !known {
			return nil, domain.Errorf(domain.CodeShipmentNotFound, "there is no parcel that could be sent back")
		}
		w := &worker{Service: sv, car: car, account: job.Account}
		terms, err := w.agree(ctx, o, job, in)
		if err != nil {
			return nil, err
		}
		after, err := sv.Orders.Change(ctx, o.ID, o.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) {
			return o.RefuseShipment(terms, by), nil
		})
		if err == nil { // poll once the request is done
			_, err = sv.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, false, 0, sv.Clock.Now().Add(cancelWithin))
			background.Wake(sv.wake[job.Account])
		}
		return after, err
	})
}

// agree ends a shipment on the agreed terms.
func (w *worker) agree(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, in Refusal) (domain.CancelTerms, error) {
	terms, err := w.terms(ctx, o, job)
	if err != nil {
		return terms, failure(err)
	}
	switch {
	case !terms.Kind.Costs() && terms.Kind != domain.CancelImpossible:
		return terms, &domain.Error{Code: domain.CodeIllegalTransition, Allowed: o.Status.Next(), Message: "cancelling it costs nothing: delete the order"}
	case terms.Kind == domain.CancelImpossible:
		return terms, tooLate(o, job, terms)
	case (terms.Price == nil) != (in.Price == nil) || terms.Price != nil && *terms.Price != *in.Price:
		return terms, costs(job, terms)
	}
	shipper, err := domain.Ability[domain.CarrierShipper](w.car, "cancelling")
	if err == nil {
		_, err = shipper.CancelShipment(ctx, job.Ref, terms)
	}
	if domain.ClassOf(err) == domain.ClassConflict {
		return terms, tooLate(o, job, domain.CancelTerms{Detail: err.Error()})
	}
	return terms, failure(err)
}
