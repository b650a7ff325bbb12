package shipping

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// A worker sleeps until something is due, between these; bookings and hints wake it.
	// The longer one finds what another replica died over.
	lookEvery, idleEvery = 200 * time.Millisecond, 5 * time.Minute
	// taken is for how long a shipment that is being looked at is nobody else's; a look
	// ends before that, so that no two can ever send the same booking.
	taken, lookWithin = 45 * time.Second, 35 * time.Second
	// atOnce is how many shipments of a carrier are taken, and a few of them looked at, at once.
	atOnce, sideBySide = 16, 4
	// lostAfter is how long a carrier may know nothing of a shipment before it counts as lost.
	lostAfter = 72 * time.Hour
	// maxAway is how long a carrier that is away is left alone at most.
	maxAway = 5 * time.Minute
	// resubscribe is how often it is made sure that carriers still send hints.
	resubscribe = time.Hour
)

// Run books, watches and cancels shipments until the context ends.
func (sv *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, car := range sv.ByCode {
		w := &worker{Service: sv, car: car}
		wg.Go(func() { background.Loop(ctx, sv.wake[car.Code()], 0, func() time.Duration { return w.round(ctx) }) })
		if hooks, ok := car.(domain.CarrierWebhooks); ok && sv.HookBase != "" {
			wg.Go(func() {
				background.Loop(ctx, nil, 0, func() time.Duration { return sv.subscribe(ctx, car.Code(), hooks) })
			})
		}
	}
	if len(sv.ByCode) > 0 {
		wg.Go(func() { background.Loop(ctx, sv.mail, 0, func() time.Duration { return sv.readMail(ctx) }) })
	}
	wg.Wait()
}

func (sv *Service) count(carrier, what string) {
	if sv.Count != nil {
		sv.Count(carrier, what)
	}
}

// worker looks after one carrier's shipments.
type worker struct {
	*Service
	car  domain.Carrier
	away int // rounds in a row that found the carrier away: then one shipment at a time is tried
}

// round looks at the shipments that are due and returns how long to rest. While a
// carrier is away none are taken: it costs them delay and nobody work.
func (w *worker) round(ctx context.Context) time.Duration {
	now := w.Clock.Now()
	until := domain.Timestamp(now.Add(taken))
	limit := atOnce
	if w.away > 0 {
		limit = 1
	}
	jobs, err := w.Store.TakeShipments(ctx, w.car.Code(), now, until, limit)
	if err != nil {
		return 5 * time.Second
	}
	rests := make([]time.Duration, len(jobs))
	var looks errgroup.Group
	looks.SetLimit(sideBySide)
	for i, job := range jobs {
		looks.Go(func() error {
			rests[i] = w.look(ctx, job, until)
			return nil
		})
	}
	_ = looks.Wait() // there are no errors
	if rest := slices.Max(append(rests, 0)); rest > 0 {
		w.away++
		return min(rest<<min(w.away-1, 10), maxAway)
	}
	w.away = 0
	next, err := w.Store.NextShipment(ctx, w.car.Code())
	if err != nil || next.IsZero() {
		return idleEvery
	}
	return min(max(next.Sub(w.Clock.Now()), lookEvery), idleEvery)
}

// What becomes of a shipment that was taken, beside being due again after some time.
const (
	never time.Duration = 0
	// asTaken leaves it due again once nobody else is kept from it any more.
	asTaken time.Duration = -1
)

// look does what is due about one shipment and puts it off. It returns for how long
// the carrier wants to be left alone.
func (w *worker) look(ctx context.Context, job domain.ShipmentJob, until time.Time) (rest time.Duration) {
	ctx, cancel := context.WithDeadline(ctx, until.Add(lookWithin-taken))
	defer cancel()
	after, rest := w.see(ctx, &job, until)
	if after == asTaken {
		return rest
	}
	job.Due = time.Time{}
	if after != never { // a little apart from the others
		spread := time.Duration(rand.Int64N(int64(after)/5 + 1)) //nolint:gosec // no secret
		job.Due = domain.Timestamp(w.Clock.Now().Add(after - after/10 + spread))
	}
	if err := w.Store.PutOffShipment(ctx, job, until); err != nil {
		w.Log.Debug("a shipment was not put off", zap.String("order_id", job.OrderID), zap.Error(err))
	}
	return rest
}

// see returns after which time to look again.
func (w *worker) see(ctx context.Context, job *domain.ShipmentJob, until time.Time) (after, rest time.Duration) {
	o, err := w.Store.Order(ctx, job.OrderID)
	if err != nil {
		return asTaken, 0
	}
	now := domain.Timestamp(w.Clock.Now())
	if o.Shipment == nil || o.Shipment.Reference != job.Ref.ClientRef {
		return never, 0
	}
	// An order that was cancelled while its shipment was being booked takes it along.
	if job.Cancelling || o.Status == domain.StatusCancelled && job.Booking != nil && o.Shipment.Phase.Live() {
		return w.finishCancel(ctx, o, job, until), 0
	}
	snap, err := w.ask(ctx, o, job)
	if err != nil {
		return w.failed(ctx, o, job, err)
	}
	o, news, err := w.learn(ctx, o, *job, snap)
	if err != nil {
		return asTaken, 0
	}
	job.Looks++
	if news {
		job.Looks, job.Since = 0, now
	}
	return o.Shipment.PollAfter(o.Status, now, job.Since, job.Looks), 0
}

// errHeld says that a shipment must not be sent any more.
var errHeld = errors.New("it is to be cancelled")

// ask sends a booking that the carrier has not accepted, or looks at a shipment.
func (w *worker) ask(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) (snap domain.ShipmentSnapshot, err error) {
	if job.Booking == nil || job.Ref.ID != "" {
		tracker, err := ability[domain.CarrierTracker](w.car, "tracking")
		if err != nil {
			return snap, err
		}
		return tracker.TrackShipment(ctx, job.Ref)
	}
	shipper, err := ability[domain.CarrierShipper](w.car, "booking")
	if err != nil {
		return snap, err
	}
	b := *job.Booking
	var q domain.Quote
	if wish(b.Tariff) {
		if q, err = w.choose(ctx, w.car, o, b); err != nil {
			return snap, err
		}
		b.Tariff = q.Tariff
	}
	// From here on the carrier may know of it, whatever becomes of us.
	send, err := w.Store.SendShipment(ctx, o.ID, job.Ref.ClientRef)
	if err != nil {
		return snap, err
	}
	if !send {
		return snap, errHeld
	}
	job.Sent = true
	snap, err = shipper.CreateShipment(ctx, b.Request(o, job.Ref.ClientRef))
	if err == nil && q.Tariff != "" && snap.Price == nil {
		snap.Price, snap.Expected = &q.Price, cmp.Or(snap.Expected, &q.Expected)
	}
	return snap, err
}

// learn brings what the carrier said into the order, and says whether it was new.
func (w *worker) learn(
	ctx context.Context, o *domain.Order, job domain.ShipmentJob, snap domain.ShipmentSnapshot,
) (after *domain.Order, news bool, err error) {
	if _, prints := w.car.(domain.CarrierLabeler); prints && snap.Ref.Phase == domain.PhaseRegistered && job.Booking != nil {
		snap.LabelURL = "/order/" + o.ID + "/shipment/label"
	}
	by := w.Orders.System(job.Carrier)
	after, err = w.Orders.Update(ctx, o.ID, o.CourierID, nil, func(ch *domain.Change) error {
		news = false
		if ch.Order.Shipment == nil || ch.Order.Shipment.Reference != job.Ref.ClientRef {
			return nil
		}
		events := ch.Order.LearnShipment(snap, by)
		ch.Add(events...)
		if news = len(events) > 0; news {
			named := job
			named.Ref.ID = cmp.Or(snap.Ref.ID, named.Ref.ID)
			named.Ref.TrackingNumber = cmp.Or(snap.Ref.TrackingNumber, named.Ref.TrackingNumber)
			ch.Shipment = &named
		}
		return nil
	})
	if err != nil {
		w.Log.Debug("a carrier's news was not stored", zap.String("order_id", o.ID), zap.Error(err))
	}
	return after, news, err
}

// failed decides by the class of a failure alone what becomes of a shipment.
func (w *worker) failed(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, err error) (after, rest time.Duration) {
	e, ok := errors.AsType[*domain.CarrierError](err)
	if !ok { // our own database, or a cancellation that came between
		return time.Second, 0
	}
	w.count(job.Carrier, "look_"+string(e.Class))
	booking := job.Booking != nil && job.Ref.ID == ""
	switch {
	case e.Class == domain.ClassRetryable:
		return max(e.RetryAfter, time.Duration(1+min(job.Looks, 30))*10*time.Second), e.RetryAfter
	case e.Class == domain.ClassAuth:
		w.Log.Error("a carrier refuses our account", zap.String("carrier", job.Carrier), zap.Error(err))
		return 5 * time.Minute, time.Minute
	case e.Class == domain.ClassNotFound && !booking:
		// It may not be visible yet, or its system has lost sight of it for a while.
		if w.Clock.Now().Sub(job.Since) < lostAfter {
			job.Looks++
			return min(time.Duration(job.Looks)*time.Minute, time.Hour), 0
		}
		if o.Shipment.Phase == domain.PhaseRegistered {
			w.Log.Warn("a carrier knows nothing of a shipment any more", zap.String("order_id", o.ID), zap.Error(err))
			return never, 0
		}
	}
	refused := domain.ShipmentSnapshot{
		Ref:    domain.ShipmentRef{Phase: domain.PhaseRejected},
		Errors: []domain.CarrierMessage{{Code: cmp.Or(e.Code, string(e.Class)), Message: e.Message}},
	}
	if _, _, err := w.learn(ctx, o, *job, refused); err != nil {
		return asTaken, 0
	}
	return never, 0
}

// finishCancel goes on with a cancellation that nobody waits for any more.
func (w *worker) finishCancel(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, until time.Time) (after time.Duration) {
	if !job.Cancelling { // from now on nothing is sent
		sent, err := w.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, true, until)
		if err != nil {
			return asTaken
		}
		job.Sent = sent
	}
	if job.Sent {
		out, err := w.end(ctx, *job, 0)
		switch {
		case err != nil:
			pause := 10 * time.Second
			if e, ok := errors.AsType[*domain.CarrierError](err); ok {
				pause = max(pause, e.RetryAfter)
			}
			return pause
		case out.Result == domain.CancelPending:
			job.Looks++
			return min(time.Second<<min(job.Looks, 6), time.Minute)
		case out.Result != domain.CancelDone && o.Status == domain.StatusCancelled:
			w.Log.Error("a parcel travels though its order is cancelled", zap.String("order_id", o.ID), zap.String("detail", out.Detail))
			return never
		case out.Result != domain.CancelDone:
			_ = w.tooLate(ctx, o, *job, out) // there is nobody to say it to; the parcel is followed again
			return asTaken
		}
	}
	by := w.Orders.System(job.Carrier)
	_, err := w.Orders.Change(ctx, o.ID, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if !o.Status.BeforeCustody() {
			return o.LearnShipment(domain.ShipmentSnapshot{Ref: domain.ShipmentRef{Phase: domain.PhaseCancelled}}, by), nil
		}
		o.DropShipment()
		return o.Cancel(by)
	})
	if err != nil {
		return asTaken
	}
	return never
}
