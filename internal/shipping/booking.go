package shipping

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// How a booking never becomes two parcels: the attempt is committed before the carrier is called. The id in the first answer
// is stored before anything else and used from then on. Without an answer the parcel may exist: it is searched for by our
// name for seekFor. A carrier that keeps our names then gets the booking again, because it rejects a duplicate; for any
// other a person must resolve it. One that is idempotent gets it again at once.

// seekFor is how long a booking without an answer is searched for.
const seekFor = 10 * time.Minute

var (
	// errHeld means that a shipment must no longer be sent.
	errHeld = errors.New("it is to be cancelled")
	// errAsked means that a person was asked to resolve a booking.
	errAsked = errors.New("a person must say what became of it")
)

// handIn sends a booking to the carrier.
func (w *worker) handIn(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) (snap domain.ShipmentSnapshot, err error) {
	shipper, err := domain.Ability[domain.CarrierShipper](w.car, "booking")
	if err != nil {
		return snap, err
	}
	b := *job.Booking
	var q domain.Quote
	if wish(b.Tariff) {
		if q, err = choose(ctx, w.car, o, b); err != nil {
			return snap, err
		}
		b.Tariff = q.Tariff
	}
	// From here on the carrier may know of it, even if we crash.
	sentAt := domain.Timestamp(w.Clock.Now())
	send, err := w.Store.SendShipment(ctx, o.ID, job.Ref.ClientRef, sentAt)
	if err != nil {
		return snap, err
	}
	if !send {
		return snap, errHeld
	}
	job.SentAt = sentAt
	snap, err = shipper.CreateShipment(ctx, b.Request(o, job.Ref.ClientRef))
	if err != nil {
		if e, ok := errors.AsType[*domain.CarrierError](err); ok && e.Unsent {
			err = cmp.Or(w.Store.NameShipment(ctx, o.ID, job.Ref, true), err)
		}
		return snap, err
	}
	if snap.Duplicate {
		return w.duplicate(ctx, job)
	}
	if err := w.name(ctx, job, snap.Ref); err != nil {
		return snap, err
	}
	if q.Tariff != "" && snap.Price == nil {
		snap.Price, snap.Expected = &q.Price, cmp.Or(snap.Expected, &q.Expected)
	}
	return snap, nil
}

// name stores the carrier's identifiers of a shipment, even if the caller gives up.
func (w *worker) name(ctx context.Context, job *domain.ShipmentJob, told domain.ShipmentRef) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	job.Ref = mergeRef(job.Ref, told)
	return w.Store.NameShipment(ctx, job.OrderID, job.Ref, false)
}

// duplicate switches a booking that the carrier rejected as a duplicate back to searching for the existing one.
func (w *worker) duplicate(ctx context.Context, job *domain.ShipmentJob) (domain.ShipmentSnapshot, error) {
	job.Ref = domain.ShipmentRef{ClientRef: job.Ref.ClientRef}
	if err := w.Store.NameShipment(ctx, job.OrderID, job.Ref, false); err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	return domain.ShipmentSnapshot{}, &domain.CarrierError{
		Carrier: w.account.Carrier, Class: domain.ClassNotFound, Message: "it has the booking and does not show it yet",
	}
}

// seek searches for a booking without an answer.
func (w *worker) seek(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) (domain.ShipmentSnapshot, error) {
	shipper, err := domain.Ability[domain.CarrierShipper](w.car, "booking")
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	if w.car.Traits().Idempotent {
		return w.handIn(ctx, o, job)
	}
	snap, err := shipper.FindShipment(ctx, job.Ref)
	switch {
	case err == nil:
		return snap, w.name(ctx, job, snap.Ref)
	case domain.ClassOf(err) != domain.ClassNotFound || w.Clock.Now().Sub(job.SentAt) < seekFor:
		if e, ok := errors.AsType[*domain.CarrierError](err); ok {
			looked := *e
			looked.Refused = false // this was only a search
			err = &looked
		}
		return snap, err
	case w.car.Traits().KeepsReference:
		return w.handIn(ctx, o, job)
	}
	w.askPerson(ctx, o, job)
	return snap, errAsked
}

// askPerson asks a person to resolve a booking.
func (w *worker) askPerson(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) {
	w.count(w.account, domain.ExceptionBookingUnknown)
	w.doubt(ctx, o, job.Ref.ClientRef, domain.ExceptionBookingUnknown,
		"no answer came to the booking, and "+w.account.Carrier+" can't be asked: look there, and say that it exists, with its id, or to try again")
}

// Resolution is a person's answer about a booking with an unknown outcome.
type Resolution struct {
	// Action is retry or exists.
	Action string `json:"action" enum:"retry,exists" example:"exists" doc:"retry: there is no parcel, book again; exists: it is the one of this id or number"`
	// ID is the carrier's id of the shipment, or else TrackingNumber its number.
	ID             string `json:"id,omitempty" maxLength:"128" doc:"the company's id of the parcel"`
	TrackingNumber string `json:"tracking_number,omitempty" maxLength:"128" doc:"the company's number of the parcel" example:"1106094897"`
}

// The resolutions.
const (
	ResolveRetry  = "retry"
	ResolveExists = "exists"
)

// CheckResolution validates a resolution and returns all faults.
func (sv *Service) CheckResolution(in Resolution) error {
	var f domain.Faults
	f.Check("", &in)
	if in.Action == ResolveExists && in.ID == "" && in.TrackingNumber == "" {
		f.Add("/id", "required", "id or tracking_number is required")
	}
	return f.Err()
}

// Resolve applies a person's resolution of an unknown booking. It fails with
// shipment_not_found, and with illegal_transition if none was requested.
func (sv *Service) Resolve(ctx context.Context, id string, in Resolution) (*domain.Order, error) {
	return orders.Once(ctx, sv.Orders, id, "resolve_shipment", in, sv.CheckResolution(in), func(by domain.By, o *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		job, err := sv.Store.ShipmentJob(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		if job == nil || o.Shipment == nil {
			return nil, domain.Errorf(domain.CodeShipmentNotFound, "the order has no delivery company")
		}
		next := *job
		next.Due = domain.Timestamp(sv.Clock.Now())
		next.Since = next.Due
		// A new name starts afresh: nothing that still happens to the old one can affect it.
		next.Ref = domain.ShipmentRef{ClientRef: o.ClientRef(next.Due), ID: in.ID, TrackingNumber: in.TrackingNumber}
		if in.Action == ResolveRetry {
			next.Ref.ID, next.Ref.TrackingNumber, next.SentAt, next.Cancelling = "", "", time.Time{}, false
		}
		after, err := sv.Orders.Update(ctx, o.ID, o.CourierID, rec, func(ch *domain.Change) error {
			events, err := ch.Order.ResolveBooking(next.Ref, by)
			ch.Add(events...)
			ch.Shipment = &next
			return err
		})
		if err == nil {
			background.Wake(sv.wake[job.Account])
		}
		return after, err
	})
}
