package domain

import (
	"math"
	"time"
)

// Fence is a circle around a place where a courier is to arrive.
type Fence struct {
	Center  Point
	RadiusM float64
	// Dwell is how long the courier must stay for it to be an arrival and not a
	// drive past.
	Dwell time.Duration
}

// exitFactor makes leaving harder than entering, so that a fix that jitters around the
// edge neither restarts the dwell nor arrives twice.
const exitFactor = 1.5

// FenceState is how a courier stands to one fence. Its zero value is outside.
type FenceState struct {
	since   time.Time // when it came in; zero outside
	arrived bool
}

// Pass tells the state the next fix, with the one before it when there is one, and
// says whether this is the arrival, which happens once. A fence that was crossed
// between two fixes counts when there was time enough between them to have dwelt.
func (s *FenceState) Pass(f Fence, previous *Position, fix Position) bool {
	if s.arrived {
		return false
	}
	distance := fix.Point().DistanceM(f.Center)
	switch {
	case distance <= f.RadiusM && s.since.IsZero():
		s.since = fix.RecordedAt
	case distance > f.RadiusM*exitFactor && !s.since.IsZero():
		// It left between the fixes; until then it was inside.
		s.arrived = fix.RecordedAt.Sub(s.since) >= f.Dwell && f.Dwell > 0
		s.since = time.Time{}
		return s.arrived
	case s.since.IsZero() && previous != nil:
		crossed := distanceToSegmentM(f.Center, previous.Point(), fix.Point()) <= f.RadiusM
		s.arrived = crossed && fix.RecordedAt.Sub(previous.RecordedAt) >= f.Dwell
		return s.arrived
	}
	s.arrived = !s.since.IsZero() && fix.RecordedAt.Sub(s.since) >= f.Dwell
	return s.arrived
}

// distanceToSegmentM is how close the straight way from a to b comes to p, in metres,
// on a plane that touches the globe at p; exact enough for ways of some kilometres.
func distanceToSegmentM(p, a, b Point) float64 {
	const metresPerDegree = EarthRadiusM * math.Pi / 180
	scale := math.Cos(p.Lat * math.Pi / 180)
	plane := func(q Point) (x, y float64) {
		return math.Remainder(q.Lon-p.Lon, 360) * scale * metresPerDegree, (q.Lat - p.Lat) * metresPerDegree
	}
	ax, ay := plane(a)
	bx, by := plane(b)
	dx, dy := bx-ax, by-ay
	t := 0.0
	if length := dx*dx + dy*dy; length > 0 {
		t = min(1, max(0, -(ax*dx+ay*dy)/length))
	}
	return math.Hypot(ax+t*dx, ay+t*dy)
}
