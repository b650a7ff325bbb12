// Package eta estimates delivery times. It has no I/O and no clock: the caller supplies
// the data and the time.
package eta

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Config holds the defaults for estimates when nothing better is known.
type Config struct {
	// Speeds in m/s by vehicle, over the road, stops in traffic included.
	Speeds map[domain.Vehicle]float64
	// Detour is the ratio of road distance to straight-line distance.
	Detour float64
	// Handover is the time per delivery besides driving: parking, stairs, the door.
	Handover time.Duration
	// Pickup is the time at the pick-up once the order is ready.
	Pickup time.Duration
	// Dispatch is the time before the goods are handed over: finding a courier, driving to
	// the pick-up, waiting there.
	Dispatch time.Duration
	// Default is the duration of an order when neither distance nor promise is known.
	Default time.Duration
	// FreshFor is how long a position counts as current.
	FreshFor time.Duration
	// Book is what was learned from deliveries; without it, or while it knows too little,
	// estimates are made from the defaults above.
	Book *Book
}

// The 80 % interval around an estimate from distance and speed alone. Measured on 15,900
// motorbike deliveries: the tenth and the ninetieth percentile of actual over estimated
// duration were 0.64 and 1.99 from the hand-over, 0.59 and 1.81 from the order.
const (
	lowFactor  = 0.6
	highFactor = 1.95
)

// farthest is the maximum delay over the estimate.
const farthest = 366 * 24 * time.Hour

// shortStop is the minimum remaining time of an unfinished delivery.
const shortStop = 2 * time.Minute

// Facts is the known data of an order at Now.
type Facts struct {
	Order    *domain.Order
	Vehicle  domain.Vehicle   // "" when nobody has the order yet
	Position *domain.Position // of its courier; nil when unknown
	Now      time.Time
	// Before is the courier's stops before the drop-off, in their order, the order's own
	// pick-up among them; empty for a courier with nothing else to do.
	Before []domain.TourStop
}

// Estimate returns when the order is expected, or the actual time once it was delivered;
// an order that ended otherwise fails with order_finished.
func (c Config) Estimate(f Facts) (domain.Estimate, error) {
	o := f.Order
	e := domain.Estimate{OrderID: o.ID, ComputedAt: domain.Timestamp(f.Now)}
	switch {
	case o.Status == domain.StatusDelivered:
		e.ETA, e.Earliest, e.Latest = *o.DeliveredAt, *o.DeliveredAt, *o.DeliveredAt
		e.Method, e.Confidence = domain.MethodActual, 1
		return e, nil
	case o.Status.Terminal() || o.Status == domain.StatusReturning:
		return e, domain.Errorf(domain.CodeOrderFinished, "an order that is %s will not be delivered", o.Status)
	}
	distance, located := c.distance(f)
	if located && !parcel(o) {
		e.DistanceM = new(math.Round(distance))
	}
	switch period := carriers(o); {
	case len(f.Before) == 0 && c.learned(&e, f): // what was learned knows nothing of a tour
		e.Method = domain.MethodHistory
		if located && c.live(f) && o.Status.InCustody() || o.Status == domain.StatusAtDropoff {
			e.Method = domain.MethodLive
		}
	case period != nil:
		e.DistanceM = nil
		byCarrier(&e, *period, f.Now)
	case o.Status == domain.StatusAtDropoff:
		e.Method, e.Confidence = domain.MethodLive, 0.8
		c.span(&e, f, o.UpdatedAt, c.Handover)
	case located && c.known(f):
		// The courier has driven on since the position was recorded.
		e.Method, e.Confidence = domain.MethodLive, 0.6
		if !c.live(f) {
			e.Method, e.Confidence = domain.MethodRoute, 0.3
		}
		c.span(&e, f, f.Position.RecordedAt, c.drive(f.Vehicle, distance)+c.waiting(f))
	case located:
		e.Method, e.Confidence = domain.MethodRoute, 0.4
		c.span(&e, f, c.start(f), c.drive(f.Vehicle, distance)+c.dispatch(f))
	case o.PromisedAt != nil && o.PromisedAt.After(f.Now):
		e.Method, e.Confidence = domain.MethodPromised, 0.3
		c.span(&e, f, f.Now, o.PromisedAt.Sub(f.Now))
		e.ETA = *o.PromisedAt // exactly; it may be too far ahead for a duration
		e.Earliest, e.Latest = domain.Earlier(e.Earliest, e.ETA), domain.Later(e.Latest, e.ETA)
	default:
		e.Method, e.Confidence = domain.MethodDefault, 0.1
		c.span(&e, f, c.start(f), c.Default)
	}
	return e, nil
}

// carriers returns the delivery company's planned period, nil when no company has the
// order or it gives none.
func carriers(o *domain.Order) *domain.DeliveryPeriod {
	if o.Shipment == nil || !o.Shipment.Phase.Live() || o.CourierID != "" {
		return nil
	}
	return o.Shipment.Expected
}

// byCarrier uses a carrier's period. Its past part is cut off; once it has passed, the
// parcel is late by an unknown time, a day in most cases.
func byCarrier(e *domain.Estimate, p domain.DeliveryPeriod, now time.Time) {
	e.Method, e.Confidence = domain.MethodCarrier, 0.5
	if now.After(p.Latest) {
		p.Latest, e.Confidence = now.Add(24*time.Hour), 0.2
	}
	p.Earliest = domain.Later(p.Earliest, now)
	e.Earliest, e.Latest = domain.Timestamp(p.Earliest), domain.Timestamp(p.Latest)
	e.ETA = domain.Timestamp(p.Earliest.Add(p.Latest.Sub(p.Earliest) / 2))
	e.MinutesRemaining = int(math.Ceil(max(0, e.ETA.Sub(now).Minutes())))
}

// live reports whether the courier's position is current enough for the rest of the estimate.
func (c Config) live(f Facts) bool {
	return f.Position != nil && f.Now.Sub(f.Position.RecordedAt) <= c.FreshFor
}

// known reports whether the position is a usable starting point for the rest of the route.
// In custody an old one is too: silence does not make the route longer.
func (c Config) known(f Facts) bool {
	custody := f.Order.Bookkeeping.CustodyAt
	return c.live(f) || f.Position != nil && custody != nil && !f.Position.RecordedAt.Before(*custody)
}

// distance returns the remaining road distance in metres.
func (c Config) distance(f Facts) (metres float64, ok bool) {
	o, to := f.Order, f.Order.Dropoff.Location
	if to == nil {
		return 0, false
	}
	var pickup *domain.Point
	if o.Pickup != nil {
		pickup = o.Pickup.Location
	}
	switch {
	case c.known(f) && len(f.Before) > 0:
		at := f.Position.Point()
		for _, stop := range f.Before {
			metres, at = metres+c.Detour*at.DistanceM(stop.At), stop.At
		}
		return metres + c.Detour*at.DistanceM(*to), true
	case c.live(f) && o.Status.BeforeCustody() && pickup != nil:
		return c.Detour * (f.Position.Point().DistanceM(*pickup) + pickup.DistanceM(*to)), true
	case c.known(f):
		return c.Detour * f.Position.Point().DistanceM(*to), true
	case pickup != nil:
		return c.Detour * pickup.DistanceM(*to), true
	}
	return 0, false
}

// drive is the time for a distance including the hand-over.
func (c Config) drive(v domain.Vehicle, metres float64) time.Duration {
	return c.way(v, metres) + c.Handover
}

// way is the time for a distance.
func (c Config) way(v domain.Vehicle, metres float64) time.Duration {
	speed := c.Speeds[v]
	if speed <= 0 {
		speed = c.Speeds[domain.VehicleMotorbike]
	}
	return time.Duration(metres / speed * float64(time.Second))
}

// start is when the estimated stage began, or will begin.
func (c Config) start(f Facts) time.Time {
	return domain.Or(f.Order.Bookkeeping.CustodyAt, readyAt(f.Order, f.Order.CreatedAt))
}

func (c Config) dispatch(f Facts) time.Duration {
	if f.Order.Status.BeforeCustody() {
		return c.Dispatch
	}
	return 0
}

// waiting is how long the courier will be held up: by the stops before the drop-off, and
// until the goods are ready.
func (c Config) waiting(f Facts) time.Duration {
	if len(f.Before) > 0 {
		now, held, at := f.Position.RecordedAt, time.Duration(0), f.Position.Point()
		for _, stop := range f.Before {
			now, at = now.Add(c.way(f.Vehicle, c.Detour*at.DistanceM(stop.At))), stop.At
			wait := max(0, stop.Earliest.Sub(now)) + stop.Service
			now, held = now.Add(wait), held+wait
		}
		return held
	}
	o := f.Order
	if o.ReadyAt == nil || !o.Status.BeforeCustody() {
		return 0
	}
	return max(0, o.ReadyAt.Sub(f.Now))
}

// span fills in the times of something that takes total from start on. Elapsed time does
// not narrow the interval: a late delivery is no more certain.
func (c Config) span(e *domain.Estimate, f Facts, start time.Time, total time.Duration) {
	remaining := max(start.Add(total).Sub(f.Now), shortStop)
	scale := func(k float64) time.Time {
		off := min((k-1)*float64(remaining), float64(farthest)) // a promise may be very far away
		return domain.Timestamp(f.Now.Add(remaining).Add(time.Duration(off)))
	}
	e.ETA, e.Earliest, e.Latest = scale(1), scale(lowFactor), scale(highFactor)
	e.MinutesRemaining = int(math.Ceil(remaining.Minutes()))
}
