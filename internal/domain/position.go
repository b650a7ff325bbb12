package domain

import (
	"math"
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
	text := func(s string, limit int) bool {
		return s != "" && len(s) <= limit && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
	}
	fits := false
	switch v := value.(type) {
	case bool:
		fits = true
	case float64:
		fits = !math.IsNaN(v) && !math.IsInf(v, 0)
	case string:
		fits = text(v, MaxAttributeValue)
	}
	if !fits || !text(name, MaxAttributeName) || len(*a) >= MaxAttributes {
		return
	}
	if *a == nil {
		*a = Attributes{}
	}
	(*a)[name] = value
}

// MaxPositionAge is how old a position may be to be worth keeping.
const MaxPositionAge = 48 * time.Hour

// NormalizePositions checks a request's positions and stamps them where they are: an
// absent recorded_at is now, and attributes are left to phone apps. single says that the
// request was one object and not an array, which the pointers of the faults follow.
func NormalizePositions(in []Position, single bool, now time.Time) ([]Position, error) {
	var f Faults
	if len(in) > MaxPositions {
		return nil, Invalid("", "too_many", "must have at most %d positions", MaxPositions)
	}
	for i := range in {
		p := &in[i]
		if err := p.validate(); single {
			f.Include("", err)
		} else {
			f.includeAt("", i, err)
		}
		p.stamp(now)
		p.Attributes = nil
	}
	return in, f.Err()
}

// stamp says when the position was received; an absent recorded_at is then.
func (p *Position) stamp(now time.Time) {
	p.ReceivedAt = Timestamp(now)
	if p.RecordedAt.IsZero() {
		p.RecordedAt = now
	}
	p.RecordedAt = Timestamp(p.RecordedAt)
}

// measure is an optional measurement and between what it must be.
type measure struct {
	pointer   string
	value     **float64
	low, high float64
}

func (p *Position) measures() [5]measure {
	return [...]measure{
		{"/accuracy", &p.Accuracy, 0, 1e7}, {"/speed", &p.Speed, 0, 1e4}, {"/heading", &p.Heading, 0, 360},
		{"/altitude", &p.Altitude, -1e5, 1e6}, {"/battery", &p.Battery, 0, 100},
	}
}

// Clean is for positions of devices, which can't be told to correct them: it stamps them,
// leaves out the measurements that can't be, and says false when the place itself can't.
func (p Position) Clean(now time.Time) (Position, bool) {
	for _, m := range p.measures() {
		if v := *m.value; v != nil && !(*v >= m.low && *v <= m.high) {
			*m.value = nil
		}
	}
	p.stamp(now)
	return p, p.Point().Valid()
}

func (p *Position) validate() error {
	var f Faults
	at := p.Point()
	f.Point("", &at)
	for _, m := range p.measures() {
		if v := *m.value; v != nil {
			Within(&f, m.pointer, *v, m.low, m.high)
		}
	}
	f.year("/recorded_at", p.RecordedAt)
	return f.Err()
}

// CourierIDs returns whose fixes these are, in their order.
func CourierIDs(fixes []Fix) []string {
	ids := make([]string, len(fixes))
	for i, f := range fixes {
		ids[i] = f.CourierID
	}
	return ids
}
