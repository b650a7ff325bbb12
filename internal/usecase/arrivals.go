package usecase

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Arrival says what is concluded from where couriers are.
type Arrival struct {
	// Automatic moves orders to at_pickup and at_dropoff when their courier arrives.
	Automatic     bool
	PickupRadius  float64 // metres
	DropoffRadius float64
	Dwell         time.Duration
	// Near is the distance in metres from the drop-off at which a courier is near.
	Near float64
	// SilentAfter is how long a courier who carries an order may be silent.
	SilentAfter time.Duration
}

// sourceFence is who reports what fences see.
const sourceFence = "fence"

// arrivalQueue is how many conclusions may wait to be written down; while it is full
// new ones are drawn again from the next position.
const arrivalQueue = 1024

// arrivals writes down what positions show: that a courier is near, or has arrived.
type arrivals struct {
	core  *core
	queue chan conclusion
}

// conclusion is something that a position shows about an order.
type conclusion struct {
	orderID, courierID string
	near               bool          // courier.near; otherwise an arrival
	status             domain.Status // that the arrival means
	fix                domain.Fix
	distance           float64
}

// orderFences is how a courier stands to the places of one order.
type orderFences struct {
	pickup, dropoff domain.FenceState
	near            bool
}

func newArrivals(c *core) *arrivals {
	return &arrivals{core: c, queue: make(chan conclusion, arrivalQueue)}
}

// pass looks at the way from the position before to the fix; t is locked.
func (l *lane) pass(t *tracked, before domain.Position, known bool, fix domain.Fix) {
	if len(t.orders) == 0 {
		return
	}
	var previous *domain.Position
	if known {
		previous = &before
	}
	for _, o := range t.orders {
		of := t.fences[o.ID]
		if of == nil {
			of = &orderFences{}
			if t.fences == nil {
				t.fences = map[string]*orderFences{}
			}
			t.fences[o.ID] = of
		}
		l.arrival.look(o, of, previous, fix)
	}
}

func (a *arrivals) look(o *domain.Order, of *orderFences, previous *domain.Position, fix domain.Fix) {
	cfg := &a.core.Arrival
	if o.Status.BeforeCustody() {
		if cfg.Automatic && o.Pickup != nil && o.Pickup.Location != nil &&
			of.pickup.Pass(domain.Fence{Center: *o.Pickup.Location, RadiusM: cfg.PickupRadius, Dwell: cfg.Dwell}, previous, fix.Position) {
			if !a.conclude(conclusion{orderID: o.ID, courierID: fix.CourierID, status: domain.StatusAtPickup, fix: fix}) {
				of.pickup = domain.FenceState{}
			}
		}
		return
	}
	to := o.Dropoff.Location
	if to == nil || !o.Status.InCustody() || o.Status == domain.StatusReturning {
		return
	}
	if d := fix.Point().DistanceM(*to); !of.near && d <= cfg.Near {
		of.near = a.conclude(conclusion{orderID: o.ID, courierID: fix.CourierID, near: true, fix: fix, distance: d})
	}
	if cfg.Automatic &&
		of.dropoff.Pass(domain.Fence{Center: *to, RadiusM: cfg.DropoffRadius, Dwell: cfg.Dwell}, previous, fix.Position) {
		if !a.conclude(conclusion{orderID: o.ID, courierID: fix.CourierID, status: domain.StatusAtDropoff, fix: fix}) {
			of.dropoff = domain.FenceState{}
		}
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

// run writes conclusions down until the context ends.
func (a *arrivals) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-a.queue:
			err := a.write(ctx, c)
			for domain.CodeOf(err) == domain.CodeUnavailable && ctx.Err() == nil { // the database is away: it is told by others
				select {
				case <-ctx.Done():
				case <-time.After(historyRetry):
				}
				err = a.write(ctx, c)
			}
			if err != nil && ctx.Err() == nil {
				a.core.Log.Warn("an arrival was not written down", zap.String("order_id", c.orderID), zap.Error(err))
			}
		}
	}
}

// write is done once per order and courier, whichever replica saw it.
func (a *arrivals) write(ctx context.Context, c conclusion) error {
	at := c.fix.Point()
	by := domain.By{
		Actor: domain.Actor{Kind: domain.RoleSystem, ID: sourceFence}, Source: sourceFence,
		Now: a.core.Clock.Now(), OccurredAt: c.fix.RecordedAt, Location: &at,
	}
	_, err := a.core.update(ctx, c.orderID, c.courierID, func(ch *domain.Change) error {
		o := ch.Order
		if o.CourierID != c.courierID || !o.Active() {
			return nil
		}
		if c.near {
			if o.Once(string(domain.EventCourierNear)) {
				ch.Add(o.Note(domain.EventCourierNear, by, map[string]any{"courier_id": c.courierID, "distance_m": int(c.distance)}))
			}
			return nil
		}
		if o.Status.Leads(c.status) && o.Once(string(c.status)) {
			ch.Add(o.Observe(domain.Report{Status: c.status, OccurredAt: c.fix.RecordedAt, Source: sourceFence, Location: &at}, by)...)
		}
		return nil
	})
	return err
}
