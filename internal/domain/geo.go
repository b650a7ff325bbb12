package domain

import (
	"math"
	"time"
)

// EarthRadiusM is the mean radius of the Earth in metres (IUGG, R1).
const EarthRadiusM = 6371008.8

// Point is a place on the WGS 84 ellipsoid, in degrees.
type Point struct {
	Lat float64 `json:"lat" minimum:"-90" maximum:"90" example:"55.7586"`
	Lon float64 `json:"lon" minimum:"-180" maximum:"180" example:"37.6137"`
}

// Valid reports whether the point is on the globe; NaN and infinities are not.
func (p Point) Valid() bool { return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180 }

// DistanceM returns the great-circle distance to q in metres (haversine formula).
func (p Point) DistanceM(q Point) float64 {
	const rad = math.Pi / 180
	dLat, dLon := (q.Lat-p.Lat)*rad/2, (q.Lon-p.Lon)*rad/2
	a := math.Sin(dLat)*math.Sin(dLat) + math.Cos(p.Lat*rad)*math.Cos(q.Lat*rad)*math.Sin(dLon)*math.Sin(dLon)
	return 2 * EarthRadiusM * math.Asin(math.Min(1, math.Sqrt(a)))
}

// Road is a driving distance and duration.
type Road struct {
	Duration  time.Duration
	DistanceM float64
	Polyline  string // in Google's format, precision 5
}
