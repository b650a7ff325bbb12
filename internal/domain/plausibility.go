package domain

import (
	"math"
	"slices"
	"time"
)

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
// A late position does not, and neither does a coarse one soon after an exact one, or a secondary one.
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
	late := f.some && p.RecordedAt.Before(f.newest.RecordedAt)
	coarse := f.some && p.coarse() && !f.newest.coarse() && p.RecordedAt.Sub(f.newest.RecordedAt) < exactFor
	if late || coarse || p.Secondary() {
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
	if !p.LedFrom.IsZero() {
		if p.LedFrom = p.RecordedAt; f.newest.Leads(p.RecordedAt) {
			p.LedFrom = f.newest.LedFrom
		}
	}
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
	slack := jitterM + Or(a.Accuracy, 0) + Or(b.Accuracy, 0)
	if (math.Abs(a.Lat-b.Lat)+math.Abs(a.Lon-b.Lon))*longestDegreeM <= slack { // nearly always
		return 0
	}
	metres := max(0, a.Point().DistanceM(b.Point())-slack)
	if metres == 0 {
		return 0
	}
	return metres / math.Max(b.RecordedAt.Sub(a.RecordedAt).Seconds(), 1e-3)
}
