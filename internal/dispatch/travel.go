package dispatch

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Straight estimates travel times from the straight line, a detour factor and the vehicle's
// speed in m/s; a vehicle without a speed counts as a motorbike.
func Straight(speeds map[domain.Vehicle]float64, detour float64) Travel {
	return func(v domain.Vehicle, from, to domain.Point) time.Duration {
		speed := speeds[v]
		if speed <= 0 {
			speed = speeds[domain.VehicleMotorbike]
		}
		return span(detour * metresBetween(from, to) / speed)
	}
}

// metresBetween is the distance in a flat approximation.
func metresBetween(a, b domain.Point) float64 {
	lat, lon := b.Lat-a.Lat, b.Lon-a.Lon
	if math.Abs(lat)+math.Abs(lon) > .5 || math.Abs(a.Lat) > 70 {
		return a.DistanceM(b)
	}
	const rad = math.Pi / 180
	lon *= math.Cos((a.Lat + b.Lat) / 2 * rad)
	return domain.EarthRadiusM * rad * math.Sqrt(lat*lat+lon*lon)
}
