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

// longestDegreeM is more than a degree of latitude or longitude is anywhere, in metres.
const longestDegreeM = 111_400

// Judge decides, one after the other, which positions of one courier are of use. Its
// zero value knows nothing of the courier yet.
type Judge struct {
	newest  Position
	some    bool
	suspect *Position // the last fix that was too far away
	recent  [32]int64 // recorded_at of the last ones taken in microseconds, a ring
	next    int
}

// Seed tells what is known already of where the courier is.
func (j *Judge) Seed(p Position) {
	if !j.some || p.RecordedAt.After(j.newest.RecordedAt) {
		j.newest, j.some = p, true
	}
}

// Newest returns the newest position taken, or false when there is none.
func (j *Judge) Newest() (Position, bool) { return j.newest, j.some }

// Take judges a position: it returns why it is dropped, or "" and whether it moves
// the courier, which a late one does not.
func (j *Judge) Take(p Position, now time.Time, limits Plausibility) (drop DropReason, moves bool) {
	switch {
	case math.Abs(p.Lat) < 1e-9 && math.Abs(p.Lon) < 1e-9:
		return DropNullIsland, false
	case p.RecordedAt.After(now.Add(FutureTolerance)):
		return DropFuture, false
	case p.RecordedAt.Before(now.Add(-MaxPositionAge)):
		return DropTooOld, false
	case p.Accuracy != nil && *p.Accuracy > limits.MaxAccuracy:
		return DropPoorAccuracy, false
	case j.known(p.RecordedAt):
		return DropDuplicate, false
	}
	if j.some && p.RecordedAt.Before(j.newest.RecordedAt) {
		j.remember(p.RecordedAt)
		return "", false
	}
	// Without a time of the device's own there is no telling how fast it was.
	timed := !p.RecordedAt.Equal(p.ReceivedAt)
	if j.some && timed && speed(j.newest, p) > limits.MaxSpeed && !j.confirms(p, limits) {
		suspect := p // a copy, so that only suspects are kept beyond this call
		j.suspect = &suspect
		return DropImpossibleSpeed, false
	}
	j.newest, j.some, j.suspect = p, true, nil
	j.remember(p.RecordedAt)
	return "", true
}

// confirms says whether the position agrees with the one that was not believed
// before: then it was the older one that was wrong, or the device did not report on
// the way.
func (j *Judge) confirms(p Position, limits Plausibility) bool {
	return j.suspect != nil && p.RecordedAt.After(j.suspect.RecordedAt) && speed(*j.suspect, p) <= limits.MaxSpeed
}

func (j *Judge) known(at time.Time) bool {
	if j.some && at.Equal(j.newest.RecordedAt) {
		return true
	}
	// The beginning of 1970, which a place not yet used stands for, is too old to get here.
	return slices.Contains(j.recent[:], at.UnixMicro())
}

func (j *Judge) remember(at time.Time) {
	j.recent[j.next] = at.UnixMicro()
	j.next = (j.next + 1) % len(j.recent)
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
