package domain

import (
	"slices"
	"strings"
	"time"
)

// Fence is a circle around a place where a courier is expected.
type Fence struct {
	Center  Point
	RadiusM float64
	// Dwell is how long the courier must stay for it to be an arrival and not a drive past.
	Dwell time.Duration
	// SpeedMPS is the courier's usual driving speed, in m/s over the road; 0 when unknown.
	SpeedMPS float64
}

const (
	// exitFactor makes the exit radius larger than the entry radius, so that a jittering
	// fix at the edge does not restart the dwell.
	exitFactor = 1.5
	// driftMPS is the apparent speed of a device at rest, in m/s, in addition to the error of its fixes: slower than walking.
	driftMPS = 0.3
	// minErrorM and maxErrorM bound how much of a move the accuracy of fixes can explain,
	// in metres: with more, a person walking past would seem to stand.
	minErrorM, maxErrorM = 10, 20
	// standingMPS is the maximum speed that a device reports while it stands, in m/s.
	standingMPS = 1
	// unsaidFactor multiplies the dwell that must be left when no speed was reported.
	unsaidFactor = 2
	// detour is the ratio of road distance to straight-line distance.
	detour = 1.3
	// fallbackMPS is the speed of a courier whose own is unknown, in m/s.
	fallbackMPS = 8
	// insideFixes bounds the fixes remembered of a stay.
	insideFixes = 32
)

// FenceState is a courier's state relative to one fence. Its zero value is outside.
type FenceState struct {
	stay    []Position // fixes since it came in, oldest first
	arrived bool
}

// Pass feeds the next fix to the state, with the previous one if there is one, and reports
// whether this is the arrival, which happens once.
//
// An arrival is a stop, and a fix must show that the courier was there. Either two fixes inside are at least the dwell apart
// and the courier hardly moved between them; or between a fix inside and its neighbour there was time left for the stop
// after driving the distance between them. Crossing the fence, however slowly and however sparse the fixes, is not an
// arrival. A fix less exact than the fence is wide is ignored.
func (s *FenceState) Pass(f Fence, previous *Position, fix Position) bool {
	if s.arrived || fix.vague(f.RadiusM) {
		return false
	}
	distance := fix.Point().DistanceM(f.Center)
	inside := distance <= f.RadiusM
	if !inside && len(s.stay) == 0 {
		return false
	}
	if len(s.stay) > 0 {
		previous = &s.stay[len(s.stay)-1]
	} else if previous != nil && previous.vague(f.RadiusM) {
		previous = nil
	}
	s.arrived = inside && f.Dwell <= 0 || s.stayed(f, fix) || previous != nil && stoppedBetween(f, *previous, fix)
	if distance > f.RadiusM*exitFactor {
		s.stay = nil
		return s.arrived
	}
	if len(s.stay) == insideFixes { // the first one stays
		s.stay = slices.Delete(s.stay, 1, 2)
	}
	s.stay = append(s.stay, fix)
	return s.arrived
}

// stayed reports whether the courier stands about where it stood a dwell ago.
func (s *FenceState) stayed(f Fence, fix Position) bool {
	if fix.Point().DistanceM(f.Center) > f.RadiusM {
		return false
	}
	for _, p := range slices.Backward(s.stay) {
		if passed := fix.RecordedAt.Sub(p.RecordedAt); passed >= f.Dwell {
			return p.Point().DistanceM(fix.Point()) <= errorM(p, fix)+driftMPS*passed.Seconds()
		}
	}
	return false
}

// stoppedBetween reports whether there was time for the stop between two fixes of which one is inside.
func stoppedBetween(f Fence, a, b Position) bool {
	at := a
	if b.Point().DistanceM(f.Center) <= f.RadiusM {
		at = b
	}
	need := f.Dwell
	switch {
	case at.Speed == nil:
		need *= unsaidFactor
	case *at.Speed > standingMPS:
		return false
	}
	speed := f.SpeedMPS
	if speed <= 0 {
		speed = fallbackMPS
	}
	way := max(0, a.Point().DistanceM(b.Point())-errorM(a, b)) * detour
	return b.RecordedAt.Sub(a.RecordedAt)-time.Duration(way/speed*float64(time.Second)) >= need
}

// errorM is the possible distance between two fixes of one place, in metres.
func errorM(a, b Position) float64 {
	return min(max((Or(a.Accuracy, 0)+Or(b.Accuracy, 0))/2, minErrorM), maxErrorM)
}

// vague reports whether the error of the fix may exceed the radius.
func (p Position) vague(radiusM float64) bool { return p.Accuracy != nil && *p.Accuracy > radiusM }

// PlaceQuality is how exactly a geocoder knows a place.
type PlaceQuality string

// The qualities of places. Only a house is exact enough for a courier.
const (
	PlaceHouse     PlaceQuality = "house"     // the house, or a named building
	PlaceStreet    PlaceQuality = "street"    // somewhere along the street
	PlaceArea      PlaceQuality = "area"      // a part of a town, a town or more
	PlaceAmbiguous PlaceQuality = "ambiguous" // several places have this address
	PlaceNone      PlaceQuality = ""          // nothing has it
)

// FoundPlace is a geocoder's answer.
type FoundPlace struct {
	Point
	Address string // as the geocoder writes it; not kept
	Quality PlaceQuality
	House   string // the house number, if it has one
	FoundAt time.Time
}

// NormalAddress is the key under which an address is kept.
func NormalAddress(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }
