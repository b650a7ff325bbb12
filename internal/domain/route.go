package domain

import (
	"math"
	"slices"
	"time"
)

// StopKind is the kind of a route stop.
type StopKind string

// The kinds of stops.
const (
	StopPickup  StopKind = "pickup"
	StopDropoff StopKind = "dropoff"
)

// Valid reports whether k is one of the kinds.
func (k StopKind) Valid() bool { return k == StopPickup || k == StopDropoff }

// RouteStop is a stop on a courier's route.
type RouteStop struct {
	OrderID  string     `json:"order_id" format:"uuid"`
	Kind     StopKind   `json:"kind" enum:"pickup,dropoff"`
	Location *Point     `json:"location,omitempty"`
	Address  string     `json:"address,omitempty"`
	Window   *Window    `json:"window,omitempty" doc:"time window at the stop"`
	ETA      *time.Time `json:"eta,omitempty" doc:"expected arrival"`
	Done     bool       `json:"done"`
}

// Window is a time window; either end may be open.
type Window struct {
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
}

// Route is the ordered list of a courier's stops.
type Route struct {
	CourierID string      `json:"courier_id" format:"uuid"`
	Version   int64       `json:"version" doc:"starts at 1 and grows when somebody reorders the stops"`
	Stops     []RouteStop `json:"stops"`
	Polyline  string      `json:"polyline,omitempty" doc:"the way by road from the courier through the remaining stops, in Google's polyline format, precision 5; only with a road router"`
	UpdatedAt time.Time   `json:"updated_at"`
}

// TourStop is a stop of a planned tour.
type TourStop struct {
	OrderID string
	Kind    StopKind
	At      Point
	// Earliest and Latest are its time window; arriving after Latest costs. Zero: none.
	Earliest, Latest time.Time
	Service          time.Duration // service time; the hand-over is in the middle
}

// Carried is an order in a courier's custody.
type Carried struct {
	OrderID string
	Stops   *int // before its drop-off; nil: unknown
}

// StopsBefore returns the stops of a tour before the drop-off of an order; none for an order that is not on it.
func StopsBefore(tour []TourStop, orderID string) []TourStop {
	n := slices.IndexFunc(tour, func(s TourStop) bool { return s.OrderID == orderID && s.Kind == StopDropoff })
	return tour[:max(n, 0)]
}

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
