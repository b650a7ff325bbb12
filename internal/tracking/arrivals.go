package tracking

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Arrival configures what is inferred from courier positions.
type Arrival struct {
	// Automatic moves orders to at_pickup and at_dropoff when their courier arrives.
	Automatic     bool
	PickupRadius  float64 // metres
	DropoffRadius float64
	Dwell         time.Duration
	// Near is the distance in metres from the drop-off at which a courier is near.
	Near float64
	// SilentAfter is how long a courier carrying an order may be silent.
	SilentAfter time.Duration
}

// sourceFence is the source of reports from fences.
const sourceFence = "fence"

// arrivalQueue bounds the queue of conclusions; while it is full new ones are dropped and inferred again from the next position.
const arrivalQueue = 1024

// arrivals records what positions show: that a courier is near, or has arrived.
type arrivals struct {
	*Deps
	queue chan conclusion
}

// conclusion is an event inferred from a position.
type conclusion struct {
	orderID  string
	status   domain.Status // of an arrival; empty for a courier that is near
	fix      domain.Fix
	distance float64
	late     *domain.Estimate // which misses the promise; then the rest but the courier is empty
}

// orderFences is a courier's fence states for one order and delivery attempt.
type orderFences struct {
	attempts        int
	left            bool // since the previous attempt, so that coming again counts
	pickup, dropoff domain.FenceState
	near, late      bool
}

// pass processes the fix and the position before it; t is locked.
func (pl *pipeline) pass(t *tracked, before domain.Position, known bool, fix domain.Fix) {
	var previous *domain.Position
	if known {
		previous = &before
	}
	for _, o := range t.orders {
		of := t.fences[o.ID]
		if of == nil || of.attempts != o.Attempts {
			of = &orderFences{attempts: o.Attempts, left: o.Attempts == 0}
			t.fences[o.ID] = of
		}
		pl.arrival.look(o, of, previous, fix, pl.Estimate.Speeds[t.courier.Vehicle])
	}
}

// before reports whether the fix was recorded before the courier got the order, or the
// goods: then it is ignored. Phone times are in whole seconds.
func before(o *domain.Order, fix domain.Fix) bool {
	since := o.Bookkeeping.AssignedAt
	if o.Status.InCustody() {
		since = o.Bookkeeping.CustodyAt
	}
	return since != nil && fix.RecordedAt.Before(since.Truncate(time.Second))
}

// destination returns the place where the courier of an order is expected next, nil when unknown, and the status of the arrival.
func destination(o *domain.Order) (*domain.Point, domain.Status) {
	switch {
	case o.Status.BeforeCustody() && o.Pickup != nil:
		return o.Pickup.Location, domain.StatusAtPickup
	case o.Status.InCustody() && o.Status != domain.StatusReturning:
		return o.Dropoff.Location, domain.StatusAtDropoff
	}
	return nil, ""
}

func (a *arrivals) look(o *domain.Order, of *orderFences, previous *domain.Position, fix domain.Fix, speed float64) {
	cfg := &a.Arrival
	to, status := destination(o)
	if to == nil || before(o, fix) {
		return
	}
	if previous != nil && before(o, domain.Fix{Position: *previous}) {
		previous = nil
	}
	state, radius := &of.pickup, cfg.PickupRadius
	if status == domain.StatusAtDropoff {
		state, radius = &of.dropoff, cfg.DropoffRadius
		distance := fix.Point().DistanceM(*to)
		of.left = of.left || distance > max(cfg.Near, 2*radius)
		if !of.left {
			return
		}
		if vague := fix.Accuracy != nil && *fix.Accuracy > cfg.Near; !of.near && !vague && distance <= cfg.Near {
			of.near = a.conclude(conclusion{orderID: o.ID, fix: fix, distance: distance})
		}
	}
	fence := domain.Fence{Center: *to, RadiusM: radius, Dwell: cfg.Dwell, SpeedMPS: speed}
	if cfg.Automatic && state.Pass(fence, previous, fix.Position) && !a.conclude(conclusion{orderID: o.ID, status: status, fix: fix}) {
		*state = domain.FenceState{}
	}
}

func (a *arrivals) conclude(c conclusion) bool {
	select {
	case a.queue <- c:
		return true
	default:
		return false
	}
}

// run records conclusions until the context ends.
func (a *arrivals) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-a.queue:
			err := a.write(ctx, c)
			for domain.CodeOf(err) == domain.CodeUnavailable && background.Sleep(ctx, historyRetry) { // the database is down, which is logged elsewhere
				err = a.write(ctx, c)
			}
			if err != nil && ctx.Err() == nil {
				a.Log.Warn("arrival not recorded", zap.String("order_id", c.orderID), zap.Error(err))
			}
		}
	}
}

// write is done once per order and courier, whichever replica inferred it.
func (a *arrivals) write(ctx context.Context, c conclusion) error {
	at := c.fix.Point()
	by := a.Orders.System(sourceFence)
	by.OccurredAt, by.Location = c.fix.RecordedAt, &at
	courier := "" // whose position an estimate needs: none for a courier that is near
	if c.status != "" {
		courier = c.fix.CourierID
	}
	_, err := a.Orders.Change(ctx, c.orderID, courier, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		switch {
		case o.CourierID != c.fix.CourierID || !o.Active():
			return nil, nil
		case c.late != nil:
			return o.NoteLate(c.late, a.Orders.System(sourceTimer)), nil
		case c.status == "":
			return o.NoteOnce(domain.EventCourierNear, by, map[string]any{"courier_id": o.CourierID, "distance_m": int(c.distance)}), nil
		case o.Status.Leads(c.status) && o.Once(string(c.status)):
			return o.Observe(domain.Report{Status: c.status, OccurredAt: c.fix.RecordedAt, Source: sourceFence, Location: &at}, by), nil
		}
		return nil, nil
	})
	return err
}
