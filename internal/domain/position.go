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
	Attributes Attributes `json:"attributes,omitempty" readOnly:"true" doc:"other values from a phone app: strings, numbers and booleans"`
	// Stale is set in an order's views when the courier should have reported since.
	Stale bool `json:"stale,omitempty" readOnly:"true" doc:"in views of an order: older than expected of this courier"`

	// Interval is the usual time between the device's positions, 0 when not known yet.
	Interval time.Duration `json:"-"`
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

// DropReason is why a position was dropped. Unusable positions are dropped and counted,
// never rejected: a phone would resend them forever.
type DropReason string

// The reasons. Positions out of range are rejected where a person reads the response, and dropped when they come from a phone.
const (
	DropOutOfRange      DropReason = "out_of_range"
	DropNullIsland      DropReason = "null_island" // 0, 0: reported by receivers without a fix
	DropFuture          DropReason = "future"
	DropTooOld          DropReason = "too_old"
	DropPoorAccuracy    DropReason = "poor_accuracy"
	DropDuplicate       DropReason = "duplicate"
	DropImpossibleSpeed DropReason = "impossible_speed"
	DropOffDuty         DropReason = "off_duty"
	DropMalformed       DropReason = "malformed" // unreadable
	// What a phone without a position says of itself.
	DropNoPermission DropReason = "no_permission"
	DropNoFix        DropReason = "no_fix"
	DropScreenOff    DropReason = "screen_off" // or another app is in front
)

// DropReasons lists every reason.
func DropReasons() []DropReason {
	return append([]DropReason{
		DropOutOfRange, DropNullIsland, DropFuture, DropTooOld,
		DropPoorAccuracy, DropDuplicate, DropImpossibleSpeed, DropOffDuty, DropMalformed,
	}, PhoneReasons()...)
}

// PhoneReasons lists why a phone has no position, as it says itself.
func PhoneReasons() []DropReason { return []DropReason{DropNoPermission, DropNoFix, DropScreenOff} }

// Plausibility holds the limits of what a courier's device can plausibly report.
type Plausibility struct {
	MaxSpeed    float64 // m/s
	MaxAccuracy float64 // metres; fixes with a larger radius are too vague
}

// jitterM is the possible distance between two fixes of a device at rest, in metres, when the device reports no accuracy.
const jitterM = 200

// A fix with a radius larger than coarseM, in metres, does not replace an exact one while that is still current.
const (
	coarseM  = 200
	exactFor = 2 * time.Minute
)

func (p Position) coarse() bool { return p.Accuracy != nil && *p.Accuracy > coarseM }

// longestDegreeM is an upper bound of the length of a degree of latitude or longitude, in metres.
const longestDegreeM = 111_400

// PlausibilityFilter is the plausibility filter of one courier: it decides for each
// position in turn whether it is accepted. Its zero value knows nothing about the courier.
type PlausibilityFilter struct {
	newest  Position
	some    bool
	suspect *Position // the last fix rejected as too far away
	recent  [32]int64 // device times of the last accepted ones, in microseconds; a ring buffer
	next    int

	interval time.Duration // usual time between two positions
}

// Seed initializes the filter with the courier's last known position.
func (f *PlausibilityFilter) Seed(p Position) {
	if !f.some || p.RecordedAt.After(f.newest.RecordedAt) {
		f.newest, f.some = p, true
	}
}

// Newest returns the newest accepted position, or false when there is none.
func (f *PlausibilityFilter) Newest() (Position, bool) { return f.newest, f.some }

// Take returns the reason for dropping a position, or "" and whether it moves the courier.
// A late position does not, and neither does a coarse one soon after an exact one.
func (f *PlausibilityFilter) Take(p Position, now time.Time, limits Plausibility) (drop DropReason, moves bool) {
	switch {
	case math.Abs(p.Lat) < 1e-9 && math.Abs(p.Lon) < 1e-9:
		return DropNullIsland, false
	case p.RecordedAt.After(now.Add(FutureTolerance)):
		return DropFuture, false
	case p.RecordedAt.Before(now.Add(-MaxPositionAge)):
		return DropTooOld, false
	case p.Accuracy != nil && *p.Accuracy > limits.MaxAccuracy:
		return DropPoorAccuracy, false
	case f.known(p):
		return DropDuplicate, false
	}
	if f.some && p.RecordedAt.Before(f.newest.RecordedAt) {
		f.remember(p)
		return "", false
	}
	if f.some && p.coarse() && !f.newest.coarse() && p.RecordedAt.Sub(f.newest.RecordedAt) < exactFor {
		f.remember(p)
		return "", false
	}
	// Without a device time the speed can't be computed.
	timed := !p.RecordedAt.Equal(p.ReceivedAt)
	if f.some && timed && speed(f.newest, p) > limits.MaxSpeed && !f.confirms(p, limits) {
		suspect := p // a copy, so that only suspects outlive this call
		f.suspect = &suspect
		return DropImpossibleSpeed, false
	}
	f.interval = usualInterval(f.interval, f.newest, p)
	p.Interval = f.interval
	f.newest, f.some, f.suspect = p, true, nil
	f.remember(p)
	return "", true
}

// confirms reports whether the position agrees with the suspect before it: then the older
// position was wrong, or the device did not report on the way.
func (f *PlausibilityFilter) confirms(p Position, limits Plausibility) bool {
	return f.suspect != nil && p.RecordedAt.After(f.suspect.RecordedAt) && speed(*f.suspect, p) <= limits.MaxSpeed
}

func (f *PlausibilityFilter) known(p Position) bool {
	// Positions from the beginning of 1970, the value of unused slots, are too old to get here.
	return f.some && p.RecordedAt.Equal(f.newest.RecordedAt) || slices.Contains(f.recent[:], p.deviceTime().UnixMicro())
}

func (f *PlausibilityFilter) remember(p Position) {
	f.recent[f.next] = p.deviceTime().UnixMicro()
	f.next = (f.next + 1) % len(f.recent)
}

// usualInterval is the recent time between positions; a single pause has little influence.
func usualInterval(usual time.Duration, before, p Position) time.Duration {
	passed := p.RecordedAt.Sub(before.RecordedAt)
	switch {
	case before.RecordedAt.IsZero() || passed > MaxShownAge:
		return usual
	case usual == 0:
		return passed
	}
	return usual + (passed-usual)/4
}

// speed is the lowest speed in m/s that explains both fixes, given their accuracy.
func speed(a, b Position) float64 {
	slack := float64(jitterM)
	if a.Accuracy != nil {
		slack += *a.Accuracy
	}
	if b.Accuracy != nil {
		slack += *b.Accuracy
	}
	if (math.Abs(a.Lat-b.Lat)+math.Abs(a.Lon-b.Lon))*longestDegreeM <= slack { // nearly always
		return 0
	}
	metres := max(0, a.Point().DistanceM(b.Point())-slack)
	if metres == 0 {
		return 0
	}
	return metres / math.Max(b.RecordedAt.Sub(a.RecordedAt).Seconds(), 1e-3)
}
