package domain

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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
	// Attributes is what a phone app said beside: its odometer, activity, alarm.
	Attributes Attributes `json:"attributes,omitempty"`
}

// Point returns the place alone.
func (p Position) Point() Point { return Point{Lat: p.Lat, Lon: p.Lon} }

// Fix is a position of a courier.
type Fix struct {
	CourierID string `json:"courier_id"`
	Position
}

// Attributes are named strings, numbers and booleans. Add makes them.
type Attributes map[string]any

// Limits of attributes, so that a phone can't fill the history. Strings are counted in
// bytes.
const (
	MaxAttributes     = 32
	MaxAttributeName  = 64
	MaxAttributeValue = 256
)

// Add keeps an attribute if it is a string, a finite number or a boolean, there is
// room for it, and it is within the limits; otherwise it is left out.
func (a *Attributes) Add(name string, value any) {
	switch v := value.(type) {
	case bool:
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
	case string:
		if v == "" || len(v) > MaxAttributeValue || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return
		}
	default:
		return
	}
	if name == "" || len(name) > MaxAttributeName || len(*a) >= MaxAttributes || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return
	}
	if *a == nil {
		*a = Attributes{}
	}
	(*a)[name] = value
}

// MaxPositionAge is how old a position may be to be worth keeping.
const MaxPositionAge = 48 * time.Hour

// NormalizePositions checks a request's positions and stamps them: an absent
// recorded_at is now, and attributes are left to phone apps. single says that the request was one object and not an
// array, which the pointers of the faults follow.
func NormalizePositions(in []Position, single bool, now time.Time) ([]Position, error) {
	return NormalizePositionsInto(nil, in, single, now)
}

// NormalizePositionsInto is NormalizePositions for callers who report without pause: what
// it returns is in the memory of out, where that is large enough.
func NormalizePositionsInto(out, in []Position, single bool, now time.Time) ([]Position, error) {
	var f Faults
	if len(in) > MaxPositions {
		f.Add("", "too_many", "must have at most %d positions", MaxPositions)
		return nil, f.Err()
	}
	now = Timestamp(now)
	out = slices.Grow(out[:0], len(in))[:len(in)]
	for i := range in {
		p := &out[i]
		*p = in[i]
		if !p.sound() {
			at := ""
			if !single {
				at = "/" + strconv.Itoa(i)
			}
			f.position(at, *p)
		}
		if p.RecordedAt.IsZero() {
			p.RecordedAt = now
		}
		p.RecordedAt, p.ReceivedAt, p.Attributes = Timestamp(p.RecordedAt), now, nil
	}
	return out, f.Err()
}

// sound says whether position finds no fault: nearly always, and quickly.
func (p *Position) sound() bool {
	within := func(v *float64, low, high float64) bool { return v == nil || *v >= low && *v <= high }
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180 &&
		within(p.Accuracy, 0, 1e7) && within(p.Speed, 0, 1e4) && within(p.Heading, 0, 360) &&
		within(p.Altitude, -1e5, 1e6) && within(p.Battery, 0, 100) &&
		(p.RecordedAt.IsZero() || p.RecordedAt.Unix() >= 0 && p.RecordedAt.Unix() < endOfYears)
}

// endOfYears is the end of the year 9999 in Unix seconds.
const endOfYears = 253402300800

// Clean is for positions of devices, which can't be told to correct them: it leaves out
// the measurements that can't be, and says false when the place itself can't.
func (p Position) Clean() (Position, bool) {
	for _, m := range []struct {
		v         **float64
		low, high float64
	}{
		{&p.Accuracy, 0, 1e7}, {&p.Speed, 0, 1e4}, {&p.Heading, 0, 360}, {&p.Altitude, -1e5, 1e6}, {&p.Battery, 0, 100},
	} {
		if v := *m.v; v != nil && !(*v >= m.low && *v <= m.high) {
			*m.v = nil
		}
	}
	return p, p.Point().Valid()
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
