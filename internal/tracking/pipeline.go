package tracking

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// pipeline is the ingest pipeline of positions: plausibility filter, live store, watchers,
// fences, history. It responds before the history is on disk, which takes less than a second.
type pipeline struct {
	*Deps
	history *history
	feed    *feed
	arrival *arrivals
	counts  Counts

	mu       sync.Mutex // held briefly; its holder never waits for a courier
	couriers map[string]*tracked
	old      map[string]*tracked // couriers to read again
}

// Counts counts positions by outcome since the start.
type Counts struct {
	Received    atomic.Int64
	Stored      atomic.Int64 // in the history
	Unpublished atomic.Int64 // because the bus did not accept them in time
	SignsOfLife atomic.Int64 // phone reports without a position
	dropped     map[domain.DropReason]*atomic.Int64
}

// Dropped counts dropped positions, by reason.
func (c *Counts) Dropped(r domain.DropReason) int64 { return c.dropped[r].Load() }

func (c *Counts) drop(r domain.DropReason, n int64) { c.dropped[r].Add(n) }

func newPipeline(d *Deps) *pipeline {
	pl := &pipeline{Deps: d, couriers: map[string]*tracked{}, old: map[string]*tracked{}}
	pl.counts.dropped = map[domain.DropReason]*atomic.Int64{}
	for _, r := range domain.DropReasons() {
		pl.counts.dropped[r] = new(atomic.Int64)
	}
	pl.history = &history{Deps: d, counts: &pl.counts}
	pl.feed = &feed{Deps: d, counts: &pl.counts, place: map[string]int{}}
	pl.arrival = &arrivals{Deps: d, queue: make(chan conclusion, arrivalQueue)}
	return pl
}

// report filters a courier's positions and passes on the accepted ones, those that the leader, if any, was ahead of to the
// history only. It fails with courier_not_found, or with unavailable while the history is full or can't be read.
func (pl *pipeline) report(
	ctx context.Context, courierID string, positions []domain.Position, leader *domain.Position, now time.Time,
) (Received, error) {
	if err := pl.history.room(len(positions)); err != nil {
		return Received{}, err
	}
	t, err := pl.courier(ctx, courierID, now)
	if err != nil {
		return Received{}, err
	}
	defer t.mu.Unlock()
	contact := domain.Contact{At: domain.Timestamp(now), Kind: domain.ContactPosition, ClockOffS: domain.CorrectClock(positions, now).Seconds()}
	domain.Yield(positions, leader)
	known, err := pl.history.known(ctx, courierID, positions, t.filter)
	if err != nil {
		return Received{}, err
	}
	kept, moved := pl.filter(t, positions, known, now, &contact)
	pl.history.add(kept)
	if moved {
		newest, _ := t.filter.Newest()
		pl.show(ctx, t, domain.Fix{CourierID: courierID, Position: newest})
	}
	pl.noteContact(ctx, t, courierID, contact)
	return Received{Accepted: len(kept), Dropped: len(positions) - len(kept)}, nil
}

// filter returns the accepted positions, and whether they move the courier, who is locked.
// It adds the battery level and the drop reason to the contact.
func (pl *pipeline) filter(
	t *tracked, positions []domain.Position, known map[int64]bool, now time.Time, contact *domain.Contact,
) (kept []domain.Fix, moved bool) {
	pl.counts.Received.Add(int64(len(positions)))
	kept = make([]domain.Fix, 0, len(positions))
	before, some := t.filter.Newest()
	for _, p := range positions {
		if p.Battery != nil {
			contact.Battery = p.Battery
		}
		drop, moves := domain.DropOffDuty, false
		switch {
		case !t.courier.OnDuty:
		case known[p.RecordedAt.UnixMicro()]:
			drop = domain.DropDuplicate
		default:
			if p.Speed != nil && *p.Speed > pl.Plausible.MaxSpeed {
				p.Speed = nil
			}
			drop, moves = t.filter.Take(p, now, pl.Plausible)
		}
		if drop != "" {
			pl.counts.drop(drop, 1)
			contact.DroppedReason = drop
			continue
		}
		contact.DroppedReason = ""
		fix := domain.Fix{CourierID: t.courier.ID, Position: p}
		kept = append(kept, fix)
		if moves {
			moved = true
			if len(t.orders) > 0 && !p.Mocked() {
				pl.pass(t, before, some, fix)
			}
			before, some = p, true
		}
	}
	return kept, moved
}

// show updates the courier's position for watchers. Failures heal with the next position, so they are not reported to the sender.
func (pl *pipeline) show(ctx context.Context, t *tracked, newest domain.Fix) {
	moved, err := pl.Live.PutFixes(context.WithoutCancel(ctx), []domain.Fix{newest})
	if err != nil {
		pl.Log.Debug("position not shown", zap.String("courier_id", newest.CourierID), zap.Error(err))
	}
	if err == nil && !moved[0] {
		return // another replica has a newer one
	}
	pl.feed.add(newest, t.carried)
	if len(t.carried) == 0 {
		pl.Watchers.CourierMoved(newest, nil)
		return
	}
	now := pl.Clock.Now()
	tour := pl.Orders.Tour(t.courier, t.orders, &newest.Position, now)
	carried := make([]domain.Carried, len(t.carried))
	for i, id := range t.carried {
		carried[i] = domain.Carried{OrderID: id, Stops: orders.Stops(id, t.orders, tour)}
	}
	pl.Watchers.CourierMoved(newest, carried)
	for _, o := range t.orders {
		if !o.Status.InCustody() {
			continue
		}
		e, err := pl.Orders.ExpectOnTour(o, t.courier, &newest.Position, tour, now)
		if err != nil {
			continue
		}
		if t.shows(o, e) {
			pl.Watchers.Estimated(e)
		}
		if at := o.LateAt(); !at.IsZero() && e.Misses(at) && t.fences[o.ID] != nil && !t.fences[o.ID].late {
			t.fences[o.ID].late = pl.arrival.conclude(conclusion{orderID: o.ID, fix: newest, late: &e})
		}
	}
}

// sweep forgets couriers that have been silent for long.
func (pl *pipeline) sweep(now time.Time) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	for id, t := range pl.couriers {
		if t.mu.TryLock() {
			if now.Sub(t.used) > forgottenAfter {
				delete(pl.couriers, id)
			}
			t.mu.Unlock()
		}
	}
}
