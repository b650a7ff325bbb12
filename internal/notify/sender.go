package notify

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// lingerFor is how long a queue with nothing to do keeps its lease.
	lingerFor = 5 * time.Second
	// leaseGap is the least pause between looks for receivers: each commit for one that another
	// process sends to would cause a look.
	leaseGap = 20 * time.Millisecond
	// margin is what is left of a lease when tries are broken off because it could not be renewed.
	margin = 2 * time.Second
)

// senders are the queues of the receivers whose lease this process holds.
type senders struct {
	mu     sync.Mutex
	queues map[string]*queue
	nudge  chan struct{}
}

// counts are totals since the start.
type counts struct{ sent, failed, exhausted, disabled atomic.Int64 }

// Sent, Failed, Exhausted and Disabled count deliveries that were taken, tries that failed,
// deliveries given up, and webhooks disabled.
func (c *counts) Sent() int64      { return c.sent.Load() }
func (c *counts) Failed() int64    { return c.failed.Load() }    //nolint:revive // described above
func (c *counts) Exhausted() int64 { return c.exhausted.Load() } //nolint:revive // described above
func (c *counts) Disabled() int64  { return c.disabled.Load() }  //nolint:revive // described above

func (s *senders) init() {
	s.queues, s.nudge = map[string]*queue{}, make(chan struct{}, 1)
}

// wake tells the queue of a receiver, or whoever leases one, that something may be due.
func (s *senders) wake(receiver string) {
	s.mu.Lock()
	q := s.queues[receiver]
	s.mu.Unlock()
	if q != nil {
		background.Wake(q.wake)
	} else {
		background.Wake(s.nudge)
	}
}

// drop ends the queue of a receiver.
func (s *senders) drop(receiver string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[receiver]; q != nil {
		q.stop()
	}
}

// held lists the receivers with a queue, and those whose lease is to be renewed because less is left.
func (s *senders) held(now time.Time, renewBelow time.Duration) (all, renew []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all = slices.Collect(maps.Keys(s.queues))
	for name, q := range s.queues {
		if time.Unix(0, q.until.Load()).Sub(now) < renewBelow {
			renew = append(renew, name)
		}
	}
	return all, renew
}

// Run sends until the context ends.
func (s *Service) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	outage := background.Outage{Log: s.Log, Lost: "webhooks and messages wait: the database does not answer"}
	background.Loop(ctx, s.nudge, 0, func() time.Duration {
		err := s.lease(ctx, &running)
		if ctx.Err() == nil {
			outage.Note(err)
		}
		background.Sleep(ctx, leaseGap)
		return s.Config.Poll
	})
}

// lease renews the leases and takes those of receivers that have something due.
func (s *Service) lease(ctx context.Context, running *sync.WaitGroup) error {
	now := s.Clock.Now()
	until := now.Add(s.Config.Lease)
	all, renew := s.held(now, s.Config.Lease*3/4)
	kept, err := s.Store.RenewReceivers(ctx, s.Config.Owner, renew, until)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for _, name := range renew {
		if q := s.queues[name]; q != nil && slices.Contains(kept, name) {
			q.extend(until)
		} else if q != nil { // somebody else has it
			q.stop()
		}
	}
	s.mu.Unlock()
	taken, err := s.Store.LeaseReceivers(ctx, s.Config.Owner, all, now, until)
	for _, r := range taken {
		q := newQueue(ctx, s, r, until)
		s.mu.Lock()
		s.queues[r.Name] = q
		s.mu.Unlock()
		running.Go(func() {
			q.run()
			s.release(ctx, r.Name) // while it is known, so that it is not leased again before
			s.mu.Lock()
			delete(s.queues, r.Name)
			s.mu.Unlock()
			background.Wake(s.nudge) // something may have come meanwhile
		})
	}
	return err
}

// release ends a lease, also while stopping, so that others need not wait for its end.
func (s *Service) release(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := s.Store.RenewReceivers(ctx, s.Config.Owner, []string{name}, time.Unix(0, 0)); err != nil {
		s.Log.Debug("a lease was not released", zap.String("receiver", name), zap.Error(err))
	}
}

// send makes one try.
func (s *Service) send(ctx context.Context, d *domain.Delivery, c domain.DeliveryContent) Outcome {
	if channel := s.channels[d.Receiver]; channel != nil {
		return s.message(ctx, channel, d, c)
	}
	e := s.routes.Load().byID[d.Receiver]
	if e == nil || e.Disabled != nil {
		return Outcome{Err: errDisabled}
	}
	text, err := body(c)
	if err != nil {
		return Outcome{Err: err, final: true}
	}
	return s.post(ctx, e, d.EventID, text)
}

// errDisabled is the outcome for a webhook that was disabled or deleted meanwhile.
var errDisabled = domain.Errorf(domain.CodeNotFound, "the webhook is disabled")

// settleDisabled holds what waits for a disabled webhook and deletes what waits for a deleted
// one: it was committed by a process that did not know yet.
func (s *Service) settleDisabled(ctx context.Context, id string) {
	doc, err := s.Store.Document(ctx, domain.DocumentWebhook, id)
	switch {
	case err != nil:
	case doc == nil:
		err = s.Store.DropReceiver(ctx, id)
	default:
		var e *endpoint
		if e, err = endpointOf(doc); err == nil && e.Disabled != nil {
			err = s.Store.HoldDeliveries(ctx, id)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("deliveries to a disabled webhook can't be held", zap.String("webhook", id), zap.Error(err))
	}
}

// disable stops a webhook that is gone or does nothing but fail, and holds what waits for it.
func (s *Service) disable(ctx context.Context, id, reason string) {
	ctx = domain.WithActor(context.WithoutCancel(ctx), domain.Actor{Kind: domain.RoleSystem, ID: "notify"})
	e, err := s.find(ctx, id, 0)
	if err == nil && e.Disabled == nil {
		e.Disabled = &Disabled{reason, domain.Timestamp(s.Clock.Now())}
		notice := s.notices(e)
		err = s.commit(ctx, e, "webhook.disabled", nil, notice...)
		if err == nil {
			s.disabled.Add(1)
			s.Committed(notice)
			s.Log.Warn("a webhook is disabled", zap.String("webhook", id), zap.String("merchant", e.MerchantID), zap.String("reason", reason))
		}
	}
	if err == nil {
		err = s.Store.HoldDeliveries(ctx, id)
	}
	if err != nil {
		s.Log.Warn("a webhook can't be disabled; it will be tried again", zap.String("webhook", id), zap.Error(err))
	}
}
