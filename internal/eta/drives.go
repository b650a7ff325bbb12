package eta

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// A courier who comes no further than slow m/s within stood has stopped on his way.
	stood = 90 * time.Second
	slow  = 0.5
	// shortDrive is in metres: shorter ones say little.
	shortDrive = 500
	// strange is how far from the configured pace a learned one may be.
	strange = 3
)

// usual is how fast vehicles come nearer to their goal, in m/s. What is learned is kept as
// multiples of it, so that it holds for a vehicle that nobody has driven yet, too.
var usual = map[domain.Vehicle]float64{
	domain.VehicleFoot: .9, domain.VehicleBicycle: 2.9, domain.VehicleMotorbike: 4.6, domain.VehicleCar: 4.6, domain.VehicleVan: 3.9,
}

// lastDrive is the drive to the door since the courier's last stop on the way, by the trail.
func lastDrive(o *domain.Order, trail []domain.Position, arrived time.Time, v domain.Vehicle) (c Case, ok bool) {
	to, start, next := o.Dropoff.Location, -1, -1
	for i := len(trail) - 1; i >= 0 && to != nil; i-- {
		if trail[i].Mocked() || !trail[i].RecordedAt.Before(arrived) {
			continue
		}
		if next < 0 {
			next = i
		}
		after := func(n int) time.Duration { return trail[n].RecordedAt.Sub(trail[i].RecordedAt) }
		for next-1 > i && after(next-1) >= stood {
			next--
		}
		if dt := after(next); dt >= stood && trail[i].Point().DistanceM(trail[next].Point()) < slow*dt.Seconds() {
			start = next
			break
		}
		start = i
	}
	if start < 0 {
		return c, false
	}
	begun, metres := trail[start].RecordedAt, trail[start].Point().DistanceM(*to)
	times := arrived.Sub(begun).Seconds() * usual[v] / metres
	t := Trip{At: begun.In(clockOf(nil, to)), ToArea: Zone(to), Metres: metres, Vehicle: v, Courier: o.CourierID}
	return Case{t, time.Duration(times * float64(time.Minute))}, metres >= shortDrive && usual[v] > 0
}

// Stays returns how long couriers stay at an order's pick-up, once it is ready, and at its
// door: as learned from orders like it, of the same place first, else as configured.
func (c Config) Stays(o *domain.Order, now time.Time) (pickup, door time.Duration) {
	stay := func(s Stage, otherwise time.Duration) time.Duration {
		if c.Book != nil {
			if w := c.Book.Predict(s, tripOf(o, s, now, "")); w.Known() {
				return w.P50
			}
		}
		return otherwise
	}
	return stay(StagePickup, c.Pickup), stay(StageDoor, c.Handover)
}

// Drives returns how long drives take, by what is known now: the straight line, at the pace
// learned for the vehicle in the zone of its end. It is not safe for concurrent use.
func (c Config) Drives(now time.Time) func(v domain.Vehicle, from, to domain.Point) time.Duration {
	type zone struct {
		vehicle  domain.Vehicle
		lat, lon int
	}
	known, side := map[zone]float64{}, Minutes().Coarse // in seconds a metre
	return func(v domain.Vehicle, from, to domain.Point) time.Duration {
		at := zone{v, int(math.Floor(to.Lat / side)), int(math.Floor(to.Lon / side))}
		pace, ok := known[at]
		if !ok {
			pace = c.pace(v, to, now)
			known[at] = pace
		}
		return time.Duration(math.Round(pace*metresBetween(from, to)*1000)) * time.Millisecond
	}
}

// pace is how many seconds a metre of the straight line takes to near a place.
func (c Config) pace(v domain.Vehicle, to domain.Point, now time.Time) float64 {
	pace := c.way(v, c.Detour*1000).Seconds() / 1000
	if c.Book == nil || usual[v] == 0 {
		return pace
	}
	w := c.Book.Predict(StageDrive, Trip{At: now.In(clockOf(nil, &to)), ToArea: Zone(&to), Vehicle: v})
	if !w.Known() {
		return pace
	}
	return bound(w.P50.Minutes()/usual[v], pace/strange, pace*strange)
}

// metresBetween is the distance in a flat approximation, which is quick.
func metresBetween(a, b domain.Point) float64 {
	lat, lon := b.Lat-a.Lat, b.Lon-a.Lon
	if math.Abs(lat)+math.Abs(lon) > .5 || math.Abs(a.Lat) > 70 {
		return a.DistanceM(b)
	}
	const rad = math.Pi / 180
	lon *= math.Cos((a.Lat + b.Lat) / 2 * rad)
	return domain.EarthRadiusM * rad * math.Sqrt(lat*lat+lon*lon)
}
