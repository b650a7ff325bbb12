package usecase

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

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
func (u *Shipments) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, car := range u.Shipping.Carriers {
		w := &worker{Shipments: u, car: car}
		wg.Go(func() { u.loop(ctx, u.wake[car.Code()], func() time.Duration { return w.round(ctx) }) })
		if hooks, ok := car.(domain.CarrierWebhooks); ok && u.Shipping.HookBase != "" {
			wg.Go(func() { u.loop(ctx, nil, func() time.Duration { return u.subscribe(ctx, car.Code(), hooks) }) })
		}
	}
	if len(u.Shipping.Carriers) > 0 {
		wg.Go(func() { u.loop(ctx, u.mail, func() time.Duration { return u.readMail(ctx) }) })
	}
	wg.Wait()
}

// loop does something again and again: after what it says, or when woken.
func (u *Shipments) loop(ctx context.Context, wake <-chan struct{}, do func() time.Duration) {
	for {
		t := time.NewTimer(do())
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-wake:
		case <-t.C:
		}
		t.Stop()
	}
}

func (u *Shipments) count(carrier, what string) {
	if u.Shipping.Count != nil {
		u.Shipping.Count(carrier, what)
	}
}

// worker looks after one carrier's shipments.
type worker struct {
	*Shipments
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
	var mu sync.Mutex
	slots, pauses := make(chan struct{}, sideBySide), time.Duration(0)
	var wg sync.WaitGroup
	for _, job := range jobs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			pause := w.look(ctx, w.car, job, until)
			mu.Lock()
			pauses = max(pauses, pause)
			mu.Unlock()
		})
	}
	wg.Wait()
	if pauses > 0 {
		w.away++
		return min(pauses<<min(w.away-1, 10), maxAway)
	}
	w.away = 0
	next, err := w.Store.NextShipment(ctx, w.car.Code())
	if err != nil || next.IsZero() {
		return idleEvery
	}
	return min(max(next.Sub(w.Clock.Now()), lookEvery), idleEvery)
}

// look does what is due about one shipment and puts it off. It returns for how long
// the carrier wants to be left alone.
func (u *Shipments) look(ctx context.Context, car domain.Carrier, job domain.ShipmentJob, until time.Time) time.Duration {
	ctx, cancel := context.WithDeadline(ctx, until.Add(lookWithin-taken))
	defer cancel()
	o, err := u.Store.Order(ctx, job.OrderID)
	if err != nil {
		return 0 // it is due again once until is over
	}
	now := domain.Timestamp(u.Clock.Now())
	if o.Shipment == nil || o.Shipment.Reference != job.Ref.ClientRef {
		u.putOff(ctx, job, until, 0)
		return 0
	}
	// An order that was cancelled while its shipment was being booked takes it along.
	if job.Cancelling || o.Status == domain.StatusCancelled && job.Booking != nil && o.Shipment.Phase.Live() {
		return u.finishCancel(ctx, car, o, job, until)
	}
	snap, err := u.ask(ctx, car, o, &job)
	if err != nil {
		return u.failed(ctx, car, o, job, until, err)
	}
	after, news, err := u.learn(ctx, car, o, job, snap)
	if err != nil {
		return 0
	}
	job.Looks++
	if news {
		job.Looks, job.Since = 0, now
	}
	u.putOff(ctx, job, until, after.Shipment.PollAfter(after.Status, now, job.Since, job.Looks))
	return 0
}

// putOff stores when a shipment is due next, a little apart from the others; zero is never.
func (u *Shipments) putOff(ctx context.Context, job domain.ShipmentJob, until time.Time, after time.Duration) {
	job.Due = time.Time{}
	if after > 0 {
		spread := time.Duration(rand.Int64N(int64(after)/5 + 1)) //nolint:gosec // no secret
		job.Due = domain.Timestamp(u.Clock.Now().Add(after - after/10 + spread))
	}
	if err := u.Store.PutOffShipment(ctx, job, until); err != nil {
		u.Log.Debug("a shipment was not put off", zap.String("order_id", job.OrderID), zap.Error(err))
	}
}

// errHeld says that a shipment must not be sent any more.
var errHeld = errors.New("it is to be cancelled")

// ask sends a booking that the carrier has not accepted, or looks at a shipment.
func (u *Shipments) ask(ctx context.Context, car domain.Carrier, o *domain.Order, job *domain.ShipmentJob) (domain.ShipmentSnapshot, error) {
	if job.Booking == nil || job.Ref.ID != "" {
		tracker, ok := car.(domain.CarrierTracker)
		if !ok {
			return domain.ShipmentSnapshot{}, domain.Unsupported(job.Carrier, "tracking")
		}
		return tracker.TrackShipment(ctx, job.Ref)
	}
	shipper, ok := car.(domain.CarrierShipper)
	if !ok {
		return domain.ShipmentSnapshot{}, domain.Unsupported(job.Carrier, "booking")
	}
	b := *job.Booking
	var q domain.Quote
	if wish(b.Tariff) {
		var err error
		if q, err = u.choose(ctx, car, o, b); err != nil {
			return domain.ShipmentSnapshot{}, err
		}
		b.Tariff = q.Tariff
	}
	// From here on the carrier may know of it, whatever becomes of us.
	send, err := u.Store.SendShipment(ctx, o.ID, job.Ref.ClientRef)
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	if !send {
		return domain.ShipmentSnapshot{}, errHeld
	}
	job.Sent = true
	snap, err := shipper.CreateShipment(ctx, b.Request(o, job.Ref.ClientRef))
	if err == nil && q.Tariff != "" && snap.Price == nil {
		snap.Price, snap.Expected = &q.Price, cmp.Or(snap.Expected, &q.Expected)
	}
	return snap, err
}

// learn brings what the carrier said into the order, and says whether it was new.
func (u *Shipments) learn(
	ctx context.Context, car domain.Carrier, o *domain.Order, job domain.ShipmentJob, snap domain.ShipmentSnapshot,
) (after *domain.Order, news bool, err error) {
	if _, prints := car.(domain.CarrierLabeler); prints && snap.Ref.Phase == domain.PhaseRegistered && job.Booking != nil {
		snap.LabelURL = "/order/" + o.ID + "/shipment/label"
	}
	by := domain.By{Actor: domain.Actor{Kind: domain.RoleSystem, ID: job.Carrier}, Source: job.Carrier, Now: u.Clock.Now()}
	after, err = u.update(ctx, o.ID, o.CourierID, func(ch *domain.Change) error {
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
		u.Log.Debug("a carrier's news was not stored", zap.String("order_id", o.ID), zap.Error(err))
	}
	return after, news, err
}

// failed decides by the class of a failure alone what becomes of a shipment.
func (u *Shipments) failed(ctx context.Context, car domain.Carrier, o *domain.Order, job domain.ShipmentJob, until time.Time, err error) time.Duration {
	var e *domain.CarrierError
	if !errors.As(err, &e) { // our own database, or a cancellation that came between
		u.putOff(ctx, job, until, time.Second)
		return 0
	}
	u.count(job.Carrier, "look_"+string(e.Class))
	now := u.Clock.Now()
	booking := job.Booking != nil && job.Ref.ID == ""
	switch {
	case e.Class == domain.ClassRetryable:
		u.putOff(ctx, job, until, max(e.RetryAfter, time.Duration(1+min(job.Looks, 30))*10*time.Second))
		return e.RetryAfter
	case e.Class == domain.ClassAuth:
		u.Log.Error("a carrier refuses our account", zap.String("carrier", job.Carrier), zap.Error(err))
		u.putOff(ctx, job, until, 5*time.Minute)
		return time.Minute
	case e.Class == domain.ClassNotFound && !booking:
		// It may not be visible yet, or its system has lost sight of it for a while.
		if now.Sub(job.Since) < lostAfter {
			job.Looks++
			u.putOff(ctx, job, until, min(time.Duration(job.Looks)*time.Minute, time.Hour))
			return 0
		}
		if o.Shipment.Phase == domain.PhaseRegistered {
			u.Log.Warn("a carrier knows nothing of a shipment any more", zap.String("order_id", o.ID), zap.Error(err))
			u.putOff(ctx, job, until, 0)
			return 0
		}
	}
	refused := domain.ShipmentSnapshot{
		Ref:    domain.ShipmentRef{Phase: domain.PhaseRejected},
		Errors: []domain.CarrierMessage{{Code: cmp.Or(e.Code, string(e.Class)), Message: e.Message}},
	}
	if _, _, err := u.learn(ctx, car, o, job, refused); err == nil {
		u.putOff(ctx, job, until, 0)
	}
	return 0
}

// finishCancel goes on with a cancellation that nobody waits for any more.
func (u *Shipments) finishCancel(ctx context.Context, car domain.Carrier, o *domain.Order, job domain.ShipmentJob, until time.Time) time.Duration {
	if !job.Cancelling { // from now on nothing is sent
		sent, err := u.Store.CancelShipment(ctx, o.ID, job.Ref.ClientRef, true, until)
		if err != nil {
			return 0
		}
		job.Sent = sent
	}
	if job.Sent {
		out, err := u.end(ctx, car, job, 0)
		var e *domain.CarrierError
		switch {
		case err != nil:
			pause := 10 * time.Second
			if errors.As(err, &e) {
				pause = max(pause, e.RetryAfter)
			}
			u.putOff(ctx, job, until, pause)
			return 0
		case out.Result == domain.CancelPending:
			job.Looks++
			u.putOff(ctx, job, until, min(time.Second<<min(job.Looks, 6), time.Minute))
			return 0
		case out.Result != domain.CancelDone && o.Status == domain.StatusCancelled:
			u.Log.Error("a parcel travels though its order is cancelled", zap.String("order_id", o.ID), zap.String("detail", out.Detail))
			u.putOff(ctx, job, until, 0)
			return 0
		case out.Result != domain.CancelDone:
			_ = u.tooLate(ctx, o, job, out) // there is nobody to say it to; the parcel is followed again
			return 0
		}
	}
	by := domain.By{Actor: domain.Actor{Kind: domain.RoleSystem, ID: job.Carrier}, Source: job.Carrier, Now: u.Clock.Now()}
	_, err := u.update(ctx, o.ID, o.CourierID, func(ch *domain.Change) error {
		if !ch.Order.Status.BeforeCustody() {
			ch.Add(ch.Order.LearnShipment(domain.ShipmentSnapshot{Ref: domain.ShipmentRef{Phase: domain.PhaseCancelled}}, by)...)
			return nil
		}
		ch.Order.DropShipment()
		events, err := ch.Order.Cancel(by)
		ch.Add(events...)
		return err
	})
	if err == nil {
		u.putOff(ctx, job, until, 0)
	}
	return 0
}
