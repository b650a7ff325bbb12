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
	// A worker sleeps until the next job is due, within these bounds; bookings and webhooks
	// wake it. The longer one finds jobs of a crashed replica.
	lookEvery, idleEvery = 200 * time.Millisecond, 5 * time.Minute
	// taken is how long a shipment is leased to a worker; a poll ends before that, so the same booking is never sent twice.
	taken, lookWithin = 45 * time.Second, 35 * time.Second
	// atOnce is how many shipments of an account are leased at once, sideBySide how many are polled in parallel.
	atOnce, sideBySide = 16, 4
	// silentAfter is how long polling may fail before people are notified.
	silentAfter = time.Hour
	// failPause and maxFailPause bound the pause after a failed poll, which grows with the duration of the failure.
	failPause, maxFailPause = 10 * time.Second, 15 * time.Minute
	// maxAway is the longest pause while a carrier is down.
	maxAway = 5 * time.Minute
	// resubscribe is how often webhook subscriptions are checked.
	resubscribe = time.Hour
)

// Run books, tracks and cancels shipments until the context ends.
func (sv *Service) Run(ctx context.Context) {
	if sv.Alone {
		if err := sv.Store.HastenBookings(ctx, domain.Timestamp(sv.Clock.Now())); err != nil {
			sv.Log.Warn("bookings that were interrupted wait until their leases end", zap.Error(err))
		}
	}
	var wg sync.WaitGroup
	loop := func(wake <-chan struct{}, first time.Duration, do func() time.Duration) {
		wg.Go(func() { background.Loop(ctx, wake, first, do) })
	}
	for account, car := range sv.ByAccount {
		w := &worker{Service: sv, car: car, account: account}
		loop(sv.wake[account], 0, func() time.Duration { return w.round(ctx) })
		if hooks, ok := car.(domain.CarrierWebhooks); ok && sv.HookBase != "" {
			loop(nil, 0, func() time.Duration { return sv.subscribe(ctx, account, hooks) })
		}
		if journal, ok := car.(domain.CarrierJournal); ok {
			loop(nil, 0, func() time.Duration { return sv.readJournal(ctx, account, journal) })
		}
		if collector, ok := car.(domain.CarrierCollector); ok {
			loop(nil, time.Minute, func() time.Duration { return sv.handovers(ctx, account, collector) })
		}
	}
	if len(sv.ByAccount) > 0 {
		loop(sv.webhooks, 0, func() time.Duration { return sv.readWebhooks(ctx) })
	}
	wg.Wait()
}

func (sv *Service) count(account domain.CarrierAccount, what string) {
	if sv.Count != nil {
		sv.Count(account.String(), what)
	}
}

// worker handles one account's shipments.
type worker struct {
	*Service
	car     domain.Carrier
	account domain.CarrierAccount
	away    int // consecutive rounds with the carrier down: then one shipment at a time is tried
}

// round polls the due shipments and returns how long to rest. While a carrier is down none are leased: they are only delayed.
func (w *worker) round(ctx context.Context) time.Duration {
	now := w.Clock.Now()
	until := domain.Timestamp(now.Add(taken))
	limit := atOnce
	if w.away > 0 {
		limit = 1
	}
	jobs, err := w.Store.TakeShipments(ctx, w.account, now, until, limit)
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
	_ = looks.Wait() // never fails
	if rest := slices.Max(append(rests, 0)); rest > 0 {
		w.away++
		return min(rest<<min(w.away-1, 10), maxAway)
	}
	w.away = 0
	next, err := w.Store.NextShipment(ctx, w.account)
	if err != nil || next.IsZero() {
		return idleEvery
	}
	return min(max(next.Sub(w.Clock.Now()), lookEvery), idleEvery)
}

// Special pauses of a leased shipment.
const (
	never time.Duration = 0
	// asTaken leaves it due again when its lease ends.
	asTaken time.Duration = -1
)

// look does what is due for one shipment and reschedules it. It returns how long the carrier asked for a pause.
func (w *worker) look(ctx context.Context, job domain.ShipmentJob, until time.Time) (rest time.Duration) {
	ctx, cancel := context.WithDeadline(ctx, until.Add(lookWithin-taken))
	defer cancel()
	after, rest := w.see(ctx, &job, until)
	if after == asTaken {
		return rest
	}
	job.Due = time.Time{}
	if after != never { // with jitter
		spread := time.Duration(rand.Int64N(int64(after)/5 + 1)) //nolint:gosec // no secret
		job.Due = domain.Timestamp(w.Clock.Now().Add(after - after/10 + spread))
	}
	if err := w.Store.PutOffShipment(ctx, job, until); err != nil {
		w.Log.Debug("cannot reschedule a shipment", zap.String("order_id", job.OrderID), zap.Error(err))
	}
	return rest
}

// see returns the time until the next poll.
func (w *worker) see(ctx context.Context, job *domain.ShipmentJob, until time.Time) (after, rest time.Duration) {
	o, err := w.Store.Order(ctx, job.OrderID)
	if err != nil {
		return asTaken, 0
	}
	now := domain.Timestamp(w.Clock.Now())
	if o.Shipment == nil || o.Shipment.Reference != job.Ref.ClientRef {
		return never, 0
	}
	// If the order was cancelled while its shipment was being booked, cancel the shipment too.
	if job.Cancelling || o.Status == domain.StatusCancelled && job.Booking != nil && o.Shipment.Phase.Live() {
		return w.finishCancel(ctx, o, job, until)
	}
	snap, err := w.poll(ctx, o, job)
	if errors.Is(err, errAsked) {
		return never, 0
	}
	if err != nil {
		return w.failed(ctx, o, job, err)
	}
	o, news, err := w.learn(ctx, o, *job, snap)
	if err != nil {
		return asTaken, 0
	}
	w.watchIntake(ctx, o)
	w.locate(ctx, o, job)
	job.Looks++
	job.FailingSince = time.Time{}
	if news {
		job.Looks, job.Since = 0, now
	}
	return w.car.Traits().Pace.PollAfter(o, now, job.Since, job.Looks), 0
}

// locate learns where the carrier's courier is while he carries the order, and shows it to the order's watchers.
func (w *worker) locate(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) {
	before := job.Performer
	job.Performer = nil
	carrier, able := w.car.(domain.CarrierPerformer)
	if !able || o.CourierID != "" || !o.Status.ShowsPlace() || !o.Shipment.Phase.Live() {
		return
	}
	p, err := carrier.PerformerPosition(ctx, job.Ref)
	if err != nil {
		w.count(w.account, "position_"+string(domain.ClassOf(err)))
		job.Performer = before // it grows old by itself
		return
	}
	if p == nil {
		return
	}
	now, ok := p.Clean(w.Clock.Now())
	if !ok {
		return
	}
	job.Performer = &now
	if before == nil || now.RecordedAt.After(before.RecordedAt) {
		w.Watchers.CourierMoved(domain.Fix{Position: now}, []domain.Carried{{OrderID: o.ID}})
	}
}

// poll polls a shipment, or takes the next step of a booking that the carrier has not answered yet.
func (w *worker) poll(ctx context.Context, o *domain.Order, job *domain.ShipmentJob) (domain.ShipmentSnapshot, error) {
	switch {
	case named(job):
	case job.SentAt.IsZero():
		return w.handIn(ctx, o, job)
	default:
		return w.seek(ctx, o, job)
	}
	tracker, err := domain.Ability[domain.CarrierTracker](w.car, "tracking")
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	snap, err := tracker.TrackShipment(ctx, job.Ref)
	if err == nil && snap.Duplicate {
		return w.duplicate(ctx, job)
	}
	return snap, err
}

// named reports whether the carrier's own identifiers of a shipment are known.
func named(job *domain.ShipmentJob) bool {
	return job.Booking == nil || job.Ref.ID != "" || job.Ref.TrackingNumber != ""
}

// learn applies a carrier's answer to the order, and reports whether it was new.
func (w *worker) learn(
	ctx context.Context, o *domain.Order, job domain.ShipmentJob, snap domain.ShipmentSnapshot,
) (after *domain.Order, news bool, err error) {
	if _, prints := w.car.(domain.CarrierLabeler); prints && snap.Ref.Phase == domain.PhaseRegistered && job.Booking != nil {
		snap.LabelURL = "/order/" + o.ID + "/shipment/label"
	}
	by := w.Orders.System(w.account.Carrier)
	if tentative := *o; len(tentative.LearnShipment(snap, by)) == 0 { // as in most polls
		return o, false, nil
	}
	after, err = w.Orders.Update(ctx, o.ID, o.CourierID, nil, func(ch *domain.Change) error {
		news = false
		if ch.Order.Shipment == nil || ch.Order.Shipment.Reference != job.Ref.ClientRef {
			return nil
		}
		events := ch.Order.LearnShipment(snap, by)
		ch.Add(events...)
		if news = len(events) > 0; news {
			named := job
			named.Ref = mergeRef(job.Ref, snap.Ref)
			ch.Shipment = &named
		}
		return nil
	})
	if err != nil {
		w.Log.Debug("cannot store a carrier's update", zap.String("order_id", o.ID), zap.Error(err))
	}
	return after, news, err
}

// mergeRef returns the identifiers of a shipment after an answer.
func mergeRef(before, reported domain.ShipmentRef) domain.ShipmentRef {
	return domain.ShipmentRef{
		ClientRef: before.ClientRef, ID: cmp.Or(reported.ID, before.ID), TrackingNumber: cmp.Or(reported.TrackingNumber, before.TrackingNumber),
		Sub: cmp.Or(reported.Sub, before.Sub), Version: cmp.Or(reported.Version, before.Version), Cursor: cmp.Or(reported.Cursor, before.Cursor),
	}
}

// failed schedules the next attempt. Only the carrier's own rejection of our booking ends a shipment.
func (w *worker) failed(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, err error) (after, rest time.Duration) {
	e, ok := errors.AsType[*domain.CarrierError](err)
	if !ok { // a database error, or a concurrent cancellation
		return time.Second, 0
	}
	w.count(w.account, "look_"+string(e.Class))
	if e.Refused && !named(job) {
		refused := domain.ShipmentSnapshot{
			Ref:    domain.ShipmentRef{Phase: domain.PhaseRejected},
			Errors: []domain.CarrierMessage{{Code: cmp.Or(e.Code, string(e.Class)), Message: e.Message}},
		}
		for _, c := range e.Candidates {
			refused.Errors = append(refused.Errors, domain.CarrierMessage{Code: "candidate", Message: c})
		}
		if _, _, err := w.learn(ctx, o, *job, refused); err != nil {
			return asTaken, 0
		}
		return never, 0
	}
	switch e.Class {
	case domain.ClassRetryable:
		rest = e.RetryAfter
	case domain.ClassAuth:
		w.Log.Error("a carrier rejects our credentials", zap.Stringer("carrier", w.account), zap.Error(err))
		rest = time.Minute
	}
	return max(rest, w.failing(ctx, o, job, e)), rest
}

// failing returns the pause after a failure, and notifies people after a long one.
func (w *worker) failing(ctx context.Context, o *domain.Order, job *domain.ShipmentJob, why error) time.Duration {
	now := domain.Timestamp(w.Clock.Now())
	if job.FailingSince.IsZero() {
		job.FailingSince = now
	}
	failed := now.Sub(job.FailingSince)
	limit := max(maxFailPause, failed/24) // failures lasting days are retried rarely
	if failed >= silentAfter {
		w.doubt(ctx, o, job.Ref.ClientRef, domain.ExceptionSilent, "the carrier gives no information on the parcel: "+why.Error())
	}
	if job.Cancelling || job.Booking != nil && o.Shipment.Phase == domain.PhasePending { // someone is waiting
		limit = maxAway
	}
	return min(max(failed/2, failPause), limit)
}

// doubt raises an exception on an order's shipment.
func (w *worker) doubt(ctx context.Context, o *domain.Order, clientRef, code, detail string) {
	by := w.Orders.System(w.account.Carrier)
	if tentative := *o; len(tentative.Doubt(code, detail, by)) == 0 {
		return
	}
	_, err := w.Orders.Change(ctx, o.ID, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if o.Shipment == nil || o.Shipment.Reference != clientRef {
			return nil, nil
		}
		return o.Doubt(code, detail, by), nil
	})
	if err != nil {
		w.Log.Warn("cannot store a shipment's exception", zap.String("order_id", o.ID), zap.String("exception", code), zap.Error(err))
	}
}
