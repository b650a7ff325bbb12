package domain

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Position is where a device was at RecordedAt.
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
	// Attributes is what a phone app said beside: its odometer, activity, alarm.
	Attributes Attributes `json:"attributes,omitempty" readOnly:"true" doc:"other values from a phone app: strings, numbers and booleans"`
	// Stale says, in an order's views, that the courier should have been heard of since.
	Stale bool `json:"stale,omitempty" readOnly:"true" doc:"in views of an order: older than expected of this courier"`

	// Interval is the usual time between the device's positions, 0 when not known yet.
	Interval time.Duration `json:"-"`
	// ClockAhead is by how much the device's clock was corrected.
	ClockAhead time.Duration `json:"-"`
}

// Point returns the place alone.
func (p Position) Point() Point { return Point{Lat: p.Lat, Lon: p.Lon} }

// deviceTime is RecordedAt by the device's own clock.
func (p Position) deviceTime() time.Time { return p.RecordedAt.Add(p.ClockAhead) }

// CorrectClock brings positions of a device whose clock is ahead, by at most
// FutureTolerance, to ours, and returns by how much: otherwise they would hold out against
// all later ones.
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

// Mocked is whether the phone itself says that the position is made up.
func (p Position) Mocked() bool { return p.Attributes["mock"] == true }

// Fix is a position of a courier.
type Fix struct {
	CourierID string `json:"courier_id" required:"false"` // customers are not told
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

// stamp says when the position was received; an absent recorded_at is then.
func (p *Position) stamp(now time.Time) {
	p.ReceivedAt = Timestamp(now)
	if p.RecordedAt.IsZero() {
		p.RecordedAt = now
	}
	p.RecordedAt = Timestamp(p.RecordedAt)
}

// measures are the optional measurements, and bounds what their tags say of them.
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

// possible says whether the i-th measurement is what it may be.
func possible(i int, v *float64) bool { return v == nil || *v >= bounds[i][0] && *v <= bounds[i][1] }

// sound is what Check says of a position, without its words: positions come by the million.
func (p *Position) sound() bool {
	for i, m := range p.measures() {
		if !possible(i, *m) {
			return false
		}
	}
	y := p.RecordedAt.UTC().Year()
	return p.Point().Valid() && (p.RecordedAt.IsZero() || y >= 1970 && y <= 9999)
}

// Clean is for positions of devices, which can't be told to correct them: it stamps them,
// leaves out the measurements that can't be, and says false when the place itself can't.
func (p Position) Clean(now time.Time) (Position, bool) {
	for i, m := range p.measures() {
		if !possible(i, *m) {
			*m = nil
		}
	}
	p.stamp(now)
	return p, p.Point().Valid()
}

// CourierIDs returns whose fixes these are, in their order.
func CourierIDs(fixes []Fix) []string {
	ids := make([]string, len(fixes))
	for i, f := range fixes {
		ids[i] = f.CourierID
	}
	return ids
}
