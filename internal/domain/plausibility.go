package domain

import (
	"math"
	"slices"
	"time"
)

// DropReason says why a position is filtered out. Such positions are dropped and counted,
// never rejected: a phone would resend them for ever.
type DropReason string

// The reasons. Positions out of range are rejected where a person can read the response, and
// dropped where only a phone is listening.
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

// Plausibility limits what is believed of a courier's device.
type Plausibility struct {
	MaxSpeed    float64 // m/s
	MaxAccuracy float64 // metres; a fix with a larger radius is useless
}

// jitterM is how far two fixes of a device at rest may be apart, in metres, when the
// device does not report its accuracy.
const jitterM = 200

// longestDegreeM is more than a degree of latitude or longitude is anywhere, in metres.
const longestDegreeM = 111_400

// PlausibilityFilter decides one by one which positions of a courier to keep. Its zero value
// knows nothing of the courier yet.
type PlausibilityFilter struct {
	newest  Position
	some    bool
	suspect *Position // the last fix that was too far away
	recent  [32]int64 // recorded_at of the last accepted ones in microseconds, a ring
	next    int
}

// Seed sets a position that is known already.
func (f *PlausibilityFilter) Seed(p Position) {
	if !f.some || p.RecordedAt.After(f.newest.RecordedAt) {
		f.newest, f.some = p, true
	}
}

// Newest returns the newest accepted position, or false if there is none.
func (f *PlausibilityFilter) Newest() (Position, bool) { return f.newest, f.some }

// Take filters a position: it returns why it is dropped, or "" and whether it moves the
// courier, which a late one does not.
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
	case f.known(p.RecordedAt):
		return DropDuplicate, false
	}
	if f.some && p.RecordedAt.Before(f.newest.RecordedAt) {
		f.remember(p.RecordedAt)
		return "", false
	}
	// Without the device's own time its speed is unknown.
	timed := !p.RecordedAt.Equal(p.ReceivedAt)
	if f.some && timed && speed(f.newest, p) > limits.MaxSpeed && !f.confirms(p, limits) {
		suspect := p // a copy, so that only suspects are kept beyond this call
		f.suspect = &suspect
		return DropImpossibleSpeed, false
	}
	f.newest, f.some, f.suspect = p, true, nil
	f.remember(p.RecordedAt)
	return "", true
}

// confirms reports whether the position agrees with the one that was rejected before: then the
// older one was wrong, or the device did not report on the way.
func (f *PlausibilityFilter) confirms(p Position, limits Plausibility) bool {
	return f.suspect != nil && p.RecordedAt.After(f.suspect.RecordedAt) && speed(*f.suspect, p) <= limits.MaxSpeed
}

func (f *PlausibilityFilter) known(at time.Time) bool {
	if f.some && at.Equal(f.newest.RecordedAt) {
		return true
	}
	// An unused entry is the beginning of 1970, which is too old to get here.
	return slices.Contains(f.recent[:], at.UnixMicro())
}

func (f *PlausibilityFilter) remember(at time.Time) {
	f.recent[f.next] = at.UnixMicro()
	f.next = (f.next + 1) % len(f.recent)
}

// speed is the least speed in m/s that explains both fixes, given their accuracy.
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
