package pings

import (
	"math"
	"time"
)

// The plausibility rules for positions, written from the documentation and not from the
// product's code: a device's positions are filtered one by one.

const (
	maxAge       = 48 * time.Hour
	maxAhead     = 5 * time.Minute
	maxSpeed     = 100.0 // metres per second, the default of tracking.max_speed
	slackM       = 200.0 // how far two fixes may be apart at any speed
	remembered   = 32    // times that are recognised as known
	earthRadiusM = 6371008.8
)

// fate is the expected result of a ping.
type fate string

const (
	moves   fate = "moves"   // the newest
	history fate = "history" // late: kept, and the dot stays
	// The reasons of dropping, as the metrics name them.
	nullIsland      fate = "null_island"
	future          fate = "future"
	tooOld          fate = "too_old"
	duplicate       fate = "duplicate"
	impossibleSpeed fate = "impossible_speed"
)

func (f fate) dropped() bool { return f != moves && f != history }

// oracle is the filter's state for one cab.
type oracle struct {
	newest  *ping
	suspect *ping
	known   []time.Time
	kept    map[int64]ping // the history, by unix second
}

// take returns the expected result of a ping that arrives at the given time.
func (o *oracle) take(p ping, now time.Time) fate {
	f := o.judge(p, now)
	if f.dropped() {
		return f
	}
	if o.kept == nil {
		o.kept = map[int64]ping{}
	}
	if _, there := o.kept[p.at.Unix()]; there {
		return duplicate // the history has each moment once
	}
	o.kept[p.at.Unix()] = p
	return f
}

func (o *oracle) judge(p ping, now time.Time) fate {
	switch {
	case math.Abs(p.lat) < 1e-9 && math.Abs(p.lon) < 1e-9:
		return nullIsland
	case p.at.Sub(now) > maxAhead:
		return future
	case now.Sub(p.at) > maxAge:
		return tooOld
	}
	for _, t := range o.known {
		if t.Equal(p.at) {
			return duplicate
		}
	}
	if o.newest != nil && p.at.Equal(o.newest.at) {
		return duplicate
	}
	if o.newest != nil && p.at.Before(o.newest.at) {
		o.remember(p.at)
		return history
	}
	if o.newest != nil && speed(*o.newest, p) > maxSpeed {
		// Accepted only if it agrees with the last rejected one.
		if o.suspect == nil || !p.at.After(o.suspect.at) || speed(*o.suspect, p) > maxSpeed {
			o.suspect = &p
			return impossibleSpeed
		}
	}
	o.newest, o.suspect = &p, nil
	o.remember(p.at)
	return moves
}

func (o *oracle) remember(t time.Time) {
	o.known = append(o.known, t)
	if len(o.known) > remembered {
		o.known = o.known[1:]
	}
}

// speed is how fast a cab must have been at least.
func speed(a, b ping) float64 {
	d := distance(a, b) - slackM
	if d <= 0 {
		return 0
	}
	return d / math.Max(b.at.Sub(a.at).Seconds(), 0.001)
}

// distance is the great-circle distance in metres.
func distance(a, b ping) float64 {
	rad := func(deg float64) float64 { return deg * math.Pi / 180 }
	sin2 := func(x float64) float64 { s := math.Sin(x / 2); return s * s }
	h := sin2(rad(b.lat-a.lat)) + math.Cos(rad(a.lat))*math.Cos(rad(b.lat))*sin2(rad(b.lon-a.lon))
	return 2 * earthRadiusM * math.Asin(math.Min(1, math.Sqrt(h)))
}
