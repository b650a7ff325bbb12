package domain

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Position is a device's location at RecordedAt.
type Position struct {
	Lat        float64   `json:"lat" minimum:"-90" maximum:"90" doc:"degrees" example:"55.7551"`
	Lon        float64   `json:"lon" minimum:"-180" maximum:"180" doc:"degrees" example:"37.6052"`
	Accuracy   *float64  `json:"accuracy,omitempty" minimum:"0" maximum:"1e7" doc:"metres, the radius"`
	Speed      *float64  `json:"speed,omitempty" minimum:"0" maximum:"1e4" doc:"metres per second" example:"4.2"`
	Heading    *float64  `json:"heading,omitempty" minimum:"0" maximum:"360" doc:"degrees clockwise from north"`
	Altitude   *float64  `json:"altitude,omitempty" minimum:"-1e5" maximum:"1e6" doc:"metres"`
	Battery    *float64  `json:"battery,omitempty" minimum:"0" maximum:"100" doc:"percent"`
	RecordedAt time.Time `json:"recorded_at" required:"false" doc:"by the device's clock; in a report default now" example:"2026-05-04T12:30:00Z"`
	ReceivedAt time.Time `json:"received_at" readOnly:"true" doc:"by the server's clock"`
	// Attributes are additional data from a phone app: odometer, activity, alarm.
	Attributes Attributes `json:"attributes,omitempty" readOnly:"true" doc:"other values from a phone app: strings, numbers and booleans; secondary is true where the courier's own app reported it while a phone app led"`
	// Stale is set in an order's views when the courier should have reported since.
	Stale bool `json:"stale,omitempty" readOnly:"true" doc:"in views of an order: older than expected of this courier"`

	// Interval is the usual time between the device's positions, 0 when not known yet.
	Interval time.Duration `json:"-"`
	// LedFrom is set when a phone app reported the position: since when it has been heard without a gap.
	LedFrom time.Time `json:"-"`
	// ClockAhead is by how much the device's clock was corrected.
	ClockAhead time.Duration `json:"-"`
}

// Point returns the coordinates alone.
func (p Position) Point() Point { return Point{Lat: p.Lat, Lon: p.Lon} }

// deviceTime is RecordedAt by the device's own clock.
func (p Position) deviceTime() time.Time { return p.RecordedAt.Add(p.ClockAhead) }

// CorrectClock shifts positions of a device whose clock is ahead, by at most
// FutureTolerance, to our time, and returns the shift: otherwise they would outrank all later ones.
func CorrectClock(in []Position, now time.Time) (ahead time.Duration) {
	for _, p := range in {
		if by := p.RecordedAt.Sub(now); by <= FutureTolerance {
			ahead = max(ahead, by)
		}
	}
	for i := range in {
		if by := in[i].RecordedAt.Sub(now); ahead > 0 && by <= FutureTolerance && !in[i].RecordedAt.Equal(in[i].ReceivedAt) {
			in[i].ClockAhead, in[i].RecordedAt = ahead, in[i].RecordedAt.Add(-ahead)
		}
	}
	return ahead
}

// Mocked reports whether the phone itself marked the position as fake.
func (p Position) Mocked() bool { return p.Attributes["mock"] == true }

// silentAt reports whether the device should have reported since.
func (p Position) silentAt(at time.Time) bool {
	return at.Sub(p.RecordedAt) > max(staleFloor, staleIntervals*p.Interval)
}

// Leads reports whether the courier's newest position, nil if none is known, is from a phone app that was heard at that time. Then
// what the courier's own app reports is for the history only: two devices never agree, and a marker must not jump between them.
func (p *Position) Leads(at time.Time) bool {
	return p != nil && !p.LedFrom.IsZero() && !at.Before(p.LedFrom) && !p.silentAt(at)
}

// secondary is the attribute of positions that a phone app was ahead of.
const secondary = "secondary"

// Yield marks those of the positions that the leader, the courier's newest one, was ahead of.
func Yield(positions []Position, leader *Position) {
	for i := range positions {
		if p := &positions[i]; leader.Leads(p.RecordedAt) {
			p.Attributes = Attributes{secondary: true}
		}
	}
}

// Secondary reports whether the position is for the history only.
func (p Position) Secondary() bool { return p.Attributes[secondary] == true }

// Line returns the positions of a trail that a line leads through: not the secondary ones.
func Line(trail []Position) []Position {
	return slices.DeleteFunc(slices.Clone(trail), Position.Secondary)
}

// Fix is a courier's position.
type Fix struct {
	CourierID string `json:"courier_id" required:"false"` // hidden from customers
	Position
}

// Attributes are named strings, numbers and booleans, added by Add.
type Attributes map[string]any

// Limits of attributes, so that a phone can't fill the history. String lengths are in bytes.
const (
	MaxAttributes     = 32
	MaxAttributeName  = 64
	MaxAttributeValue = 256
)

// Add stores a string, a finite number or a boolean that is within the limits; anything else is omitted.
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

// MaxPositionAge is the maximum age of a position worth storing.
const MaxPositionAge = 48 * time.Hour

// NormalizePositions validates a request's positions and stamps them in place: an absent
// recorded_at is now, and attributes are accepted from phone apps only. single is set when
// the request was one object and not an array, which changes the pointers of the faults.
func NormalizePositions(in []Position, single bool, now time.Time) ([]Position, error) {
	var f Faults
	if len(in) > MaxPositions {
		return nil, Invalid("", "too_many", "must have at most %d positions", MaxPositions)
	}
	for i := range in {
		p := &in[i]
		if !p.sound() {
			at := ""
			if !single {
				at = "/" + strconv.Itoa(i)
			}
			f.Check(at, p)
		}
		p.stamp(now)
		p.Attributes, p.Stale = nil, false
	}
	return in, f.Err()
}

// stamp sets when the position was received, and an absent recorded_at to the same.
func (p *Position) stamp(now time.Time) {
	p.ReceivedAt = Timestamp(now)
	if p.RecordedAt.IsZero() {
		p.RecordedAt = now
	}
	p.RecordedAt = Timestamp(p.RecordedAt)
}

// measures are the optional measurements, and bounds their limits from the tags.
func (p *Position) measures() [5]**float64 {
	return [...]**float64{&p.Accuracy, &p.Speed, &p.Heading, &p.Altitude, &p.Battery}
}

var bounds = func() (out [5][2]float64) {
	t := reflect.TypeFor[Position]()
	for i, name := range []string{"Accuracy", "Speed", "Heading", "Altitude", "Battery"} {
		f, _ := t.FieldByName(name)
		out[i][0], _ = strconv.ParseFloat(f.Tag.Get("minimum"), 64)
		out[i][1], _ = strconv.ParseFloat(f.Tag.Get("maximum"), 64)
	}
	return out
}()

// possible reports whether the i-th measurement is within its limits.
func possible(i int, v *float64) bool { return v == nil || *v >= bounds[i][0] && *v <= bounds[i][1] }

// sound is Check of a position without messages: positions come by the million.
func (p *Position) sound() bool {
	for i, m := range p.measures() {
		if !possible(i, *m) {
			return false
		}
	}
	y := p.RecordedAt.UTC().Year()
	return p.Point().Valid() && (p.RecordedAt.IsZero() || y >= 1970 && y <= 9999)
}

// Clean is for positions of devices, which can't act on errors: it stamps them, removes
// impossible measurements, and returns false when the location itself is impossible.
func (p Position) Clean(now time.Time) (Position, bool) {
	for i, m := range p.measures() {
		if !possible(i, *m) {
			*m = nil
		}
	}
	p.stamp(now)
	return p, p.Point().Valid()
}

// CourierIDs returns the couriers of the fixes, in order.
func CourierIDs(fixes []Fix) []string { return Each(fixes, func(f Fix) string { return f.CourierID }) }

// PhoneReasons lists why a phone has no position, as it says itself.
func PhoneReasons() []DropReason { return []DropReason{DropNoPermission, DropNoFix, DropScreenOff} }
