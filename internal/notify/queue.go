package notify

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// refillBy is how many deliveries a queue reads at once, and maxWindow how many it holds.
	refillBy  = 64
	maxWindow = 2 * refillBy
	// failingAfter is after how many failures in a row a receiver gets one request at a time.
	failingAfter = 5
)

// queue sends to one receiver, whose lease this process holds. It holds the oldest due
// deliveries, in one backlog per order, each sent in order.
type queue struct {
	s     *Service
	name  string
	ctx   context.Context //nolint:containedctx // the queue's own: it ends with the lease
	stop  context.CancelFunc
	wake  chan struct{}
	until atomic.Int64 // the end of the lease, nanoseconds since 1970
	ends  *time.Timer  // stops shortly before it

	mu       sync.Mutex
	window   map[key]bool      // what waits for its order or is not settled yet
	backlogs map[string][]item // by order; the first is being sent if the order is busy
	busy     map[string]bool
	blocked  map[string]bool // orders with a failed delivery that is not settled yet
	ready    []string        // orders with a backlog that is not busy, in the order of arrival
	settled  []domain.Delivery
	failures int // in a row
	failing  time.Time
	workers  sync.WaitGroup
}

// key identifies a delivery within its receiver.
type key struct {
	order string
	seq   int64
	part  int
}

// item is a delivery with what it tells.
type item struct {
	domain.Delivery
	content domain.DeliveryContent
}

func keyOf(d *domain.Delivery) key { return key{d.OrderID, d.Seq, d.Part} }

func newQueue(ctx context.Context, s *Service, r domain.Receiver, until time.Time) *queue {
	q := &queue{
		s: s, name: r.Name, failing: r.FailingSince, wake: make(chan struct{}, 1),
		window: map[key]bool{}, backlogs: map[string][]item{}, busy: map[string]bool{}, blocked: map[string]bool{},
	}
	q.ctx, q.stop = context.WithCancel(ctx)
	q.ends = time.AfterFunc(s.Config.Lease, q.stop)
	q.extend(until)
	return q
}

// extend moves the end of the lease.
func (q *queue) extend(until time.Time) {
	q.until.Store(until.UnixNano())
	q.ends.Reset(until.Sub(q.s.Clock.Now()) - margin)
}

// run sends until the lease is lost, nothing was due for a while, or the context ends. What
// is being sent is waited for and stored.
func (q *queue) run() {
	defer q.stop()
	defer q.ends.Stop()
	idle := q.s.Clock.Now()
	background.Loop(q.ctx, q.wake, 0, func() time.Duration {
		more, err := q.turn()
		now := q.s.Clock.Now()
		switch {
		case err != nil:
			return 4 * q.s.Config.Poll // whoever looks for receivers logs it
		case more:
			idle = now
		case now.Sub(idle) > lingerFor:
			q.stop()
		}
		return q.s.Config.Poll
	})
	q.workers.Wait()
	if err := q.settle(context.WithoutCancel(q.ctx)); err != nil {
		q.s.Log.Warn("results of deliveries were not stored; they will be repeated", zap.String("receiver", q.name), zap.Error(err))
	}
}

// turn reads what is due, starts sending and stores results; more is false when there is nothing to do. What is due need not
// wait until results are committed.
func (q *queue) turn() (more bool, err error) {
	full, err := q.refill()
	if err != nil {
		return true, err
	}
	q.start()
	if err := q.settle(q.ctx); err != nil {
		return true, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if full && len(q.window) <= maxWindow-refillBy {
		background.Wake(q.wake)
	}
	return len(q.window) > 0, nil
}

// settle stores the results so far.
func (q *queue) settle(ctx context.Context) error {
	q.mu.Lock()
	done := q.settled
	q.settled = nil
	q.mu.Unlock()
	if len(done) == 0 {
		return nil
	}
	if err := q.s.Store.SettleDeliveries(ctx, done); err != nil {
		q.mu.Lock()
		q.settled = append(done, q.settled...)
		q.mu.Unlock()
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range done {
		delete(q.window, keyOf(&done[i]))
		if done[i].State == domain.DeliveryWaiting { // a later one of the order may have failed since one was sent
			delete(q.blocked, done[i].OrderID)
		}
	}
	return nil
}

// refill reads the oldest due deliveries unless it holds enough: it is full. One whose order has an earlier one that is
// due later is put off until then.
func (q *queue) refill() (full bool, err error) {
	q.mu.Lock()
	known := len(q.window)
	q.mu.Unlock()
	if known > maxWindow-refillBy {
		return true, nil
	}
	due, err := q.s.Store.DueDeliveries(q.ctx, q.name, q.s.Clock.Now(), known+refillBy)
	if err != nil {
		return false, err
	}
	var late, fresh []domain.Delivery
	behind := map[string]bool{} // orders with one that is put off
	q.mu.Lock()
	for _, d := range due {
		switch {
		case q.window[keyOf(&d)]:
		case q.ordered() && (d.LaneDue.After(d.DueAt) || behind[d.OrderID] || q.blocked[d.OrderID]):
			behind[d.OrderID] = true
			if d.LaneDue.After(d.DueAt) {
				d.DueAt = d.LaneDue
				late = append(late, d)
			}
		default:
			fresh = append(fresh, d)
		}
	}
	q.mu.Unlock()
	if len(late) > 0 {
		if err := q.s.Store.SettleDeliveries(q.ctx, late); err != nil {
			return false, err
		}
	}
	contents, err := q.s.Store.DeliveryContents(q.ctx, fresh)
	if err != nil {
		return false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, d := range fresh {
		if q.blocked[d.OrderID] { // meanwhile
			continue
		}
		q.window[keyOf(&d)] = true
		if len(q.backlogs[d.OrderID]) == 0 && !q.busy[d.OrderID] {
			q.ready = append(q.ready, d.OrderID)
		}
		q.backlogs[d.OrderID] = append(q.backlogs[d.OrderID], item{d, contents[i]})
	}
	return false, nil
}

// ordered reports whether a failed delivery holds up the later ones about its order: a message
// to a customer does not, since a delay may be meant.
func (q *queue) ordered() bool { return q.s.channels[q.name] == nil }

// start begins to work on backlogs as far as the receiver's limit allows.
func (q *queue) start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	limit := q.s.Config.AtOnce
	if q.failures >= failingAfter {
		limit = 1
	}
	for len(q.ready) > 0 && len(q.busy) < limit {
		order := q.ready[0]
		q.ready = q.ready[1:]
		q.busy[order] = true
		q.workers.Go(func() { q.work(order) })
	}
}

// work sends the deliveries of a backlog until it is empty or one fails; then the receiver's
// next backlog.
func (q *queue) work(order string) {
	for {
		q.mu.Lock()
		backlog := q.backlogs[order]
		if len(backlog) == 0 || q.ctx.Err() != nil {
			delete(q.busy, order)
			q.forgetBacklog(order)
			if len(q.ready) == 0 || q.failures >= failingAfter || q.ctx.Err() != nil {
				q.mu.Unlock()
				background.Wake(q.wake)
				return
			}
			order, q.ready = q.ready[0], q.ready[1:]
			q.busy[order] = true
			q.mu.Unlock()
			continue
		}
		it := backlog[0]
		q.mu.Unlock()
		out := q.s.send(q.ctx, &it.Delivery, it.content)
		q.result(it.Delivery, out)
	}
}

// forgetBacklog gives up the rest of a backlog; it is read again once it is due. mu is held.
func (q *queue) forgetBacklog(order string) {
	for i := range q.backlogs[order] {
		delete(q.window, keyOf(&q.backlogs[order][i].Delivery))
	}
	delete(q.backlogs, order)
}

// result decides what becomes of a delivery after a try.
func (q *queue) result(d domain.Delivery, out Outcome) {
	now := domain.Timestamp(q.s.Clock.Now())
	aborted := out.Err != nil && q.ctx.Err() != nil
	disabled := errors.Is(out.Err, errDisabled)
	var disable string
	q.mu.Lock()
	q.backlogs[d.OrderID] = q.backlogs[d.OrderID][1:]
	if aborted || disabled { // whoever sends it next counts the try
		delete(q.window, keyOf(&d))
		q.forgetBacklog(d.OrderID)
		q.mu.Unlock()
		if disabled {
			q.s.settleDisabled(q.ctx, q.name)
		}
		return
	}
	d.Tries, d.TriedAt, d.Code, d.Error, d.DueAt = d.Tries+1, now, out.code, brief(out.Err), time.Time{}
	changed := false
	if out.Err == nil {
		d.State = domain.DeliverySent
		q.s.sent.Add(1)
		changed, q.failures, q.failing = !q.failing.IsZero(), 0, time.Time{}
	} else {
		q.failed(&d, out, now)
		if out.again() && out.until.IsZero() {
			q.s.failed.Add(1)
			q.failures++
			if q.failing.IsZero() {
				changed, q.failing = true, now
			}
		}
		switch {
		case !q.ordered():
		case out.gone:
			disable = "gone"
		case !q.failing.IsZero() && now.Sub(q.failing) >= q.s.Config.DisableAfter:
			disable = "failing"
		}
		if d.State == domain.DeliveryWaiting {
			q.blocked[d.OrderID] = true
			q.forgetBacklog(d.OrderID)
		}
	}
	failing := q.failing
	q.settled = append(q.settled, d)
	enough := len(q.settled) >= refillBy/4 || len(q.ready) == 0
	q.mu.Unlock()
	if changed {
		q.note(failing)
	}
	if disable != "" {
		_ = q.settle(q.ctx) // so that the log shows why; it is tried again if it fails
		q.s.disable(q.ctx, q.name, disable)
	}
	if enough {
		background.Wake(q.wake)
	}
}

// failed sets when a failed delivery is tried next, if at all.
func (q *queue) failed(d *domain.Delivery, out Outcome, now time.Time) {
	tries := q.s.Config.Tries
	if !q.ordered() {
		tries = q.s.Config.MessageTries
	}
	switch {
	case out.skip:
		d.State, d.Tries = domain.DeliverySkipped, d.Tries-1
	case !out.until.IsZero():
		d.DueAt, d.Tries = out.until, d.Tries-1
	case out.final:
		d.State = domain.DeliveryRefused
	case d.Tries > len(tries):
		d.State = domain.DeliveryExhausted
		q.s.exhausted.Add(1)
	default:
		pause := tries[d.Tries-1]
		if pause > 0 {
			pause += rand.N(pause/10 + 1) //nolint:gosec // jitter, not a secret
		}
		d.DueAt = domain.Timestamp(now.Add(max(pause, out.after)))
	}
}

// note stores since when the receiver fails.
func (q *queue) note(since time.Time) {
	if err := q.s.Store.ReceiverFailing(q.ctx, q.name, since); err != nil {
		q.s.Log.Debug("a receiver's failure was not stored", zap.String("receiver", q.name), zap.Error(err))
	}
}
