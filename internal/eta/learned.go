package eta

import (
	"fmt"
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// learned fills in the estimate from what the book knows; false when it knows too little.
func (c Config) learned(e *domain.Estimate, f Facts) bool {
	if c.Book == nil {
		return false
	}
	w, ok := c.remaining(f)
	if !ok {
		return false
	}
	w.P50 = max(w.P50, shortStop)
	w.P10, w.P90 = min(max(w.P10, shortStop/4), w.P50), max(w.P90, w.P50+shortStop)
	e.ETA = domain.Timestamp(f.Now.Add(w.P50))
	e.Earliest, e.Latest = domain.Timestamp(f.Now.Add(w.P10)), domain.Timestamp(f.Now.Add(w.P90))
	e.MinutesRemaining = int(math.Ceil(w.P50.Minutes()))
	// The narrower the window, the surer: half the median wide is 0.67.
	e.Confidence = bound(float64(w.P50)/float64(w.P50+w.P90-w.P10), 0.1, 0.9)
	return true
}

// remaining is the window of the rest of an order's way.
func (c Config) remaining(f Facts) (w Window, ok bool) {
	o := f.Order
	stage := func(s Stage, since time.Time) (Window, bool) {
		w := c.Book.Predict(s, tripOf(o, s, since, f.Vehicle))
		return w.After(f.Now.Sub(since)), w.Known()
	}
	custody := o.Bookkeeping.CustodyAt
	switch {
	case o.Status == domain.StatusAtDropoff:
		return stage(StageDoor, o.UpdatedAt)
	case o.Status == domain.StatusReadyForPickup: // until the customer fetches it
		return Window{}, false
	case parcel(o) && custody != nil:
		return stage(StageParcel, *custody)
	case parcel(o):
		return stage(StageBooking, o.CreatedAt)
	case o.Status.InCustody() && c.known(f) && o.Dropoff.Location != nil && o.Status != domain.StatusDeliveryFailed:
		return c.rest(f)
	case custody != nil:
		return stage(StageCarry, *custody)
	case o.CourierID != "" && o.Bookkeeping.AssignedAt != nil:
		wait := c.waiting(f)
		before, since, ok1 := Window{P10: wait, P50: wait, P90: wait, Learned: few}, o.UpdatedAt, true
		if o.Status != domain.StatusAtPickup {
			before, ok1 = stage(StageApproach, *o.Bookkeeping.AssignedAt)
			before.P10, before.P50, before.P90 = max(wait, before.P10), max(wait, before.P50), max(wait, before.P90)
			since = f.Now
		}
		pickup, _ := stage(StagePickup, readyAt(o, since))
		pickup = before.then(pickup)
		carry := c.Book.Predict(StageCarry, tripOf(o, StageCarry, f.Now, f.Vehicle))
		return pickup.then(carry), ok1 && carry.Known() && pickup.Known()
	}
	return stage(StageOrder, c.start(f))
}

// rest is the window of the way from the courier's last position. Once that is old, the
// courier may be anywhere on it, and the window is up to twice as wide.
func (c Config) rest(f Facts) (Window, bool) {
	p := f.Position
	w := c.Book.Predict(StageRest, restOf(f.Order, p, f.Vehicle))
	age := f.Now.Sub(p.RecordedAt)
	known := w.Known()
	w = w.After(age)
	if late := age - c.FreshFor; late > 0 {
		w = w.widen(min(2, 1+late.Minutes()/15))
	}
	return w, known
}

// parcel reports whether a delivery company carries the order.
func parcel(o *domain.Order) bool {
	return o.Shipment != nil && o.Shipment.Phase.Live() && o.CourierID == ""
}

// restOf describes the way from a place on it to the door.
func restOf(o *domain.Order, p *domain.Position, vehicle domain.Vehicle) Trip {
	t := tripOf(o, StageRest, p.RecordedAt, vehicle)
	t.From, t.Pace = new(p.Point()), domain.Or(p.Speed, 0)
	return t
}

// tripOf describes a stage of an order that begins at a time.
func tripOf(o *domain.Order, s Stage, at time.Time, vehicle domain.Vehicle) Trip {
	t := Trip{To: o.Dropoff.Location, Sender: o.MerchantID, Courier: o.CourierID, Vehicle: vehicle}
	if o.Pickup != nil {
		t.From = o.Pickup.Location
	}
	switch {
	case s == StageApproach || s == StagePickup:
		if t.From, t.To = nil, t.From; s == StagePickup && t.To != nil {
			t.Receiver = fmt.Sprintf("%.4f,%.4f", t.To.Lat, t.To.Lon)
		}
	case s == StageDoor:
		t.From = nil
	case s != StageOrder && s != StageBooking:
		t.Elapsed = max(0, at.Sub(o.CreatedAt))
	}
	if s == StageOrder || s == StageBooking { // whoever carries it is not known then
		t.Courier, t.Vehicle = "", ""
	}
	if p := o.Shipment; p != nil {
		t.Carrier, t.Tariff = p.Carrier, p.Carrier+" "+p.Tariff
		if p.Expected != nil {
			t.Expected = max(0, p.Expected.Latest.Sub(at))
		} else if o.PromisedAt != nil { // the shop's promise knows of the company's
			t.Expected = max(0, o.PromisedAt.Sub(at))
		}
	}
	if o.Total != nil {
		t.Price = float64(o.Total.Amount)
	}
	for _, i := range o.Items {
		t.Items += max(1, i.Quantity)
		t.WeightG += float64(i.WeightG) * float64(max(1, i.Quantity))
	}
	t.At = at.In(clockOf(o, t.To))
	return t
}

// clocks are the zones of whole hours from Greenwich.
var clocks = func() (zones [25]*time.Location) {
	for i := range zones {
		zones[i] = time.FixedZone("", (i-12)*60*60)
	}
	return zones
}()

// clockOf is the clock on the wall at a place: nearly, by its longitude. Learning and asking
// use the same.
func clockOf(o *domain.Order, p *domain.Point) *time.Location {
	if p == nil {
		p = o.Dropoff.Location
	}
	if p == nil {
		return time.UTC
	}
	return clocks[int(bound(math.Round(p.Lon/15)+12, 0, 24))]
}

// Drive is the time from one place to another, for a courier on the way.
func (c Config) Drive(from, to domain.Point, now time.Time) time.Duration {
	if c.Book != nil {
		if w := c.Book.Predict(StageRest, Trip{At: now, From: &from, To: &to}); w.Known() {
			return w.P50
		}
	}
	return c.drive("", c.Detour*from.DistanceM(to))
}
