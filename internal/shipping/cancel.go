package shipping

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

const (
	// cancelWithin is how long a caller waits for a carrier to end a shipment.
	cancelWithin = 6 * time.Second
	// unheardOf is how long after it was sent a booking of which the carrier knows nothing
	// may still turn up there.
	unheardOf = 2 * time.Minute
)

// Release ends the shipment of an order that is to be cancelled. It returns whether
// there was one, when nothing stands in the way of that any more. Otherwise the order
// can't be cancelled (cancel_after_pickup), because the carrier has the parcel, or not
// yet (unavailable): then the worker cancels both as soon as the carrier confirms.
func (sv *Service) Release(ctx context.Context, id string, expected int64) (ended bool, err error) {
	o, err := sv.Store.Order(ctx, id)
	if err != nil {
		return false, err
	}
	if err := orders.CheckVersion(o, expected); err != nil {
		return false, err
	}
	if o.Shipment == nil || !o.Shipment.Phase.Live() || !o.Status.BeforeCustody() {
		return false, nil
	}
	job, err := sv.Store.ShipmentJob(ctx, o.ID)
	if err != nil {
		return false, err
	}
	if job == nil || job.Booking == nil || job.Ref.ClientRef != o.Shipment.Reference {
		return false, nil // a parcel that is only followed is not ours to cancel
	}
	car, known := sv.ByCode[job.Carrier]
	if !known {
		sv.Log.Warn("the order of a delivery company that is not set up any more is cancelled without asking it",
			zap.String("order_id", o.ID), zap.String("carrier", job.Carrier))
		return true, nil
	}
	// The worker waits while we try.
	sent, err := sv.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, true, sv.Clock.Now().Add(2*cancelWithin))
	if err != nil || !sent {
		return err == nil, err
	}
	limited, cancel := context.WithTimeout(ctx, cancelWithin)
	defer cancel()
	job.Sent = true
	w := &worker{Service: sv, car: car}
	out, err := w.end(limited, *job, cancelWithin)
	switch {
	case err != nil:
		sv.Log.Info("a shipment is not cancelled yet", zap.String("order_id", o.ID), zap.Error(err))
	case out.Result == domain.CancelDone:
		return true, nil
	case out.Result != domain.CancelPending:
		return false, w.tooLate(ctx, o, *job, out)
	}
	background.Wake(sv.wake[job.Carrier])
	return false, &domain.Error{
		Code: domain.CodeUnavailable, RetryAfter: 5 * time.Second,
		Message: job.Carrier + " has not confirmed yet that the shipment is cancelled; the order will be as soon as it does",
	}
}

// end asks a carrier to cancel and watches for a while what comes of it.
func (w *worker) end(ctx context.Context, job domain.ShipmentJob, watch time.Duration) (domain.CancelOutcome, error) {
	shipper, ok := w.car.(domain.CarrierShipper)
	if !ok {
		return domain.CancelOutcome{Result: domain.CancelImpossible, Detail: job.Carrier + " can't cancel"}, nil
	}
	out, err := shipper.CancelShipment(ctx, job.Ref)
	if domain.ClassOf(err) == domain.ClassNotFound {
		if w.Clock.Now().Sub(job.Since) < unheardOf {
			return domain.CancelOutcome{Result: domain.CancelPending}, nil
		}
		return domain.CancelOutcome{Result: domain.CancelDone, Detail: "the carrier knows nothing of it"}, nil
	}
	tracker, ok := w.car.(domain.CarrierTracker)
	for wait := 250 * time.Millisecond; ok && err == nil && out.Result == domain.CancelPending && wait < watch/2; wait *= 2 {
		if !background.Sleep(ctx, wait) {
			break
		}
		snap, lookErr := tracker.TrackShipment(ctx, job.Ref)
		if lookErr == nil && !snap.Ref.Phase.Live() {
			out.Result = domain.CancelDone
		}
	}
	return out, err
}

// tooLate is a cancellation that the carrier could not make: it has the parcel.
func (sv *Service) tooLate(ctx context.Context, o *domain.Order, job domain.ShipmentJob, out domain.CancelOutcome) error {
	// Look once what was asked for has been done.
	if _, err := sv.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, false, sv.Clock.Now().Add(cancelWithin)); err != nil {
		return err
	}
	background.Wake(sv.wake[job.Carrier]) // which finds out how long to sleep
	message := "the order can't be cancelled any more: " + job.Carrier + " says that " + out.Detail
	if out.Price != nil {
		message += " (about " + formatMoney(*out.Price) + ")"
	}
	return &domain.Error{Code: domain.CodeCancelAfterPickup, Message: message, Allowed: o.Status.Next()}
}
