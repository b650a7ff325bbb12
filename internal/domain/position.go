package domain

import (
	"strconv"
	"time"
)

// Position is where a device was at RecordedAt.
type Position struct {
	Lat        float64   `json:"lat"` // degrees
	Lon        float64   `json:"lon"`
	Accuracy   *float64  `json:"accuracy,omitempty"` // metres, radius
	Speed      *float64  `json:"speed,omitempty"`    // m/s
	Heading    *float64  `json:"heading,omitempty"`  // degrees clockwise from north
	Altitude   *float64  `json:"altitude,omitempty"` // metres
	Battery    *float64  `json:"battery,omitempty"`  // percent
	RecordedAt time.Time `json:"recorded_at"`        // the device's clock
	ReceivedAt time.Time `json:"received_at"`        // ours
}

// Point returns the place alone.
func (p Position) Point() Point { return Point{Lat: p.Lat, Lon: p.Lon} }

// Fix is a position of a courier.
type Fix struct {
	CourierID string `json:"courier_id"`
	Position
}

// MaxPositionAge is how old a position may be to be worth keeping.
const MaxPositionAge = 48 * time.Hour

// NormalizePositions checks a request's positions and stamps them: an absent
// recorded_at is now. single says that the request was one object and not an
// array, which the pointers of the faults follow.
func NormalizePositions(in []Position, single bool, now time.Time) ([]Position, error) {
	var f Faults
	if len(in) > MaxPositions {
		f.Add("", "too_many", "must have at most %d positions", MaxPositions)
		return nil, f.Err()
	}
	out := make([]Position, len(in))
	for i, p := range in {
		at := ""
		if !single {
			at = "/" + strconv.Itoa(i)
		}
		f.position(at, p)
		if p.RecordedAt.IsZero() {
			p.RecordedAt = now
		}
		p.RecordedAt, p.ReceivedAt = Timestamp(p.RecordedAt), Timestamp(now)
		out[i] = p
	}
	return out, f.Err()
}

func (f *Faults) position(at string, p Position) {
	point := p.Point()
	f.point(at, &point)
	f.number(at+"/accuracy", p.Accuracy, 0, 1e7)
	f.number(at+"/speed", p.Speed, 0, 1e4)
	f.number(at+"/heading", p.Heading, 0, 360)
	f.number(at+"/altitude", p.Altitude, -1e5, 1e6)
	f.number(at+"/battery", p.Battery, 0, 100)
	f.year(at+"/recorded_at", p.RecordedAt)
}
