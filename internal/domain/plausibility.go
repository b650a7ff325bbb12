package domain

import (
	"math"
	"slices"
	"time"
)

// DropReason says why a position is of no use. Such positions are dropped and
// counted, never refused: a phone would send them for ever.
type DropReason string

// The reasons. Positions out of range are refused where a person can read the
// answer, and dropped where only a phone is listening.
const (
	DropOutOfRange      DropReason = "out_of_range"
	DropNullIsland      DropReason = "null_island" // 0, 0: what a receiver without a fix reports
	DropFuture          DropReason = "future"
	DropTooOld          DropReason = "too_old"
	DropPoorAccuracy    DropReason = "poor_accuracy"
	DropDuplicate       DropReason = "duplicate"
	DropImpossibleSpeed DropReason = "impossible_speed"
	DropOffDuty         DropReason = "off_duty"
	DropMalformed       DropReason = "malformed" // what a phone sent can't be read
)

// DropReasons lists every reason.
func DropReasons() []DropReason {
	return []DropReason{
		DropOutOfRange, DropNullIsland, DropFuture, DropTooOld,
		DropPoorAccuracy, DropDuplicate, DropImpossibleSpeed, DropOffDuty, DropMalformed,
	}
}

// Plausibility is what a courier's device is believed to be able to do.
type Plausibility struct {
	MaxSpeed    float64 // m/s
	MaxAccuracy float64 // metres; a fix with a larger radius says too little
}

// jitterM is how far two fixes of a device at rest may be apart, in metres, when the
// device does not say how exact they are.
const jitterM = 200

// A fix whose radius is larger than coarseM, in metres, does not take the place of an
// exact one for as long as that says where the courier is.
const (
	coarseM  = 200
	exactFor = 2 * time.Minute
)

func (p Position) coarse() bool { return p.Accuracy != nil && *p.Accuracy > coarseM }

// longestDegreeM is more than a degree of latitude or longitude is anywhere, in metres.
const longestDegreeM = 111_400

// PlausibilityFilter is the plausibility filter of one courier: it decides, one after the
// other, which positions are of use. Its zero value knows nothing of the courier yet.
type PlausibilityFilter struct {
	newest  Position
	some    bool
	suspect *Position // the last fix that was too far away
	recent  [32]int64 // when the last ones taken were recorded by the device's clock, in microseconds; a ring
	next    int

	interval time.Duration // usually between two positions
}

// Seed tells what is known already of where the courier is.
func (f *PlausibilityFilter) Seed(p Position) {
	if !f.some || p.RecordedAt.After(f.newest.RecordedAt) {
		f.newest, f.some = p, true
	}
}

// Newest returns the newest position taken, or false when there is none.
func (f *PlausibilityFilter) Newest() (Position, bool) { return f.newest, f.some }

// Take returns why a position is dropped, or "" and whether it moves the courier. A late
// one does not, and neither does a coarse one soon after one that was exact.
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
	// Without a time of the device's own there is no telling how fast it was.
	timed := !p.RecordedAt.Equal(p.ReceivedAt)
	if f.some && timed && speed(f.newest, p) > limits.MaxSpeed && !f.confirms(p, limits) {
		suspect := p // a copy, so that only suspects are kept beyond this call
		f.suspect = &suspect
		return DropImpossibleSpeed, false
	}
	f.interval = usualInterval(f.interval, f.newest, p)
	p.Interval = f.interval
	f.newest, f.some, f.suspect = p, true, nil
	f.remember(p)
	return "", true
}

// confirms says whether the position agrees with the one that was not believed
// before: then it was the older one that was wrong, or the device did not report on
// the way.
func (f *PlausibilityFilter) confirms(p Position, limits Plausibility) bool {
	return f.suspect != nil && p.RecordedAt.After(f.suspect.RecordedAt) && speed(*f.suspect, p) <= limits.MaxSpeed
}

func (f *PlausibilityFilter) known(p Position) bool {
	// The beginning of 1970, which a place not yet used stands for, is too old to get here.
	return f.some && p.RecordedAt.Equal(f.newest.RecordedAt) || slices.Contains(f.recent[:], p.deviceTime().UnixMicro())
}

func (f *PlausibilityFilter) remember(p Position) {
	f.recent[f.next] = p.deviceTime().UnixMicro()
	f.next = (f.next + 1) % len(f.recent)
}

// usualInterval is the time between positions as it is of late; one pause says little.
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

// speed is the least speed in m/s that explains both fixes, given how exact they are.
func speed(a, b Position) float64 {
	slack := float64(jitterM)
	if a.Accuracy != nil {
		slack += *a.Accuracy
	}
	if b.Accuracy != nil {
		slack += *b.Accuracy
	}
	if (math.Abs(a.Lat-b.Lat)+math.Abs(a.Lon-b.Lon))*longestDegreeM <= slack { // as it nearly always is
		return 0
	}
	metres := max(0, a.Point().DistanceM(b.Point())-slack)
	if metres == 0 {
		return 0
	}
	return metres / math.Max(b.RecordedAt.Sub(a.RecordedAt).Seconds(), 1e-3)
}
