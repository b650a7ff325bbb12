package dispatch

import (
	"math"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// trip is a route from a courier's location to one pick-up place and then to the drop-offs
// of jobs from that place. Trips are immutable.
type trip struct {
	place int32
	jobs  []int32
}

// Costs in addition to a second of waiting.
const (
	lateCost    = 1   // extra, per second after the promise
	brokenCost  = 10  // extra, per second after deliver_before
	strayCost   = .05 // per second of travel from the last drop-off to where orders come from
	prioritised = .5  // extra weight of a second per step of priority
)

// job is a Job with times in seconds from now.
type job struct {
	place, kind            int32
	pickup, dropoff        domain.Point
	beforePick, beforeDrop float64 // half of the service times: before and after the hand-over
	placed, ready, late    float64
	after, before          float64
	weight                 float64
	stray                  float64
	direct                 []float64 // travel time from its place, by vehicle index
}

// courier is a Courier with times in seconds from now.
type courier struct {
	*Courier
	free, until, lastPick float64
	most                  int // jobs on one trip
	speed                 int // the vehicle's index
	breaks                [][2]float64
	stray                 float64
}

// visit receives each hand-over of a schedule.
type visit func(trip int, job int32, picked, dropped, leave float64)

// schedule simulates a courier's trips and returns their cost, or never if they are impossible.
func (s *search) schedule(c int32, trips []trip, report visit) float64 {
	w := &s.couriers[c]
	t, at, cost, last := max(w.free, 0), w.At, 0.0, int32(-1)
	for k := range trips {
		begin := t
		for _, pause := range w.breaks {
			if end, _ := s.drive(w, c, k, trips, begin, at, nil); begin < pause[1] && end > pause[0] {
				begin = pause[1]
			}
		}
		end, sum := s.drive(w, c, k, trips, begin, at, report)
		if math.IsInf(end, 1) {
			return never
		}
		last = trips[k].jobs[len(trips[k].jobs)-1] //nolint:gosec // a trip has jobs
		t, at, cost = end, s.jobs[last].dropoff, cost+sum
	}
	if last >= 0 && w.Base != nil && t+s.travel(w, at, *w.Base) > w.until {
		return never
	}
	if last >= 0 {
		cost += strayCost * (s.jobs[last].stray - w.stray)
	}
	return cost
}

// drive simulates trip k from a place and time and returns its end and cost.
func (s *search) drive(w *courier, c int32, k int, trips []trip, begin float64, at domain.Point, report visit) (end, cost float64) {
	tr := trips[k]
	first := &s.jobs[tr.jobs[0]]
	way := 0.0
	if k == 0 {
		way = float64(s.toPlace[c][tr.place])
	} else {
		way = s.travel(w, at, first.pickup)
	}
	arrival := begin + way + first.beforePick
	pick := arrival
	for _, i := range tr.jobs {
		pick = max(pick, s.jobs[i].ready)
	}
	if pick > w.lastPick {
		return never, 0
	}
	t, at, slack := pick+first.beforePick, first.pickup, pick-arrival
	for n, i := range tr.jobs {
		j := &s.jobs[i]
		if n == 0 {
			t += j.direct[w.speed] + j.beforeDrop
			slack += max(0, j.after-t)
		} else {
			t += s.travel(w, at, j.dropoff) + j.beforeDrop
		}
		t, at = max(t, j.after), j.dropoff
		cost += j.weight * (t - j.placed + lateCost*max(0, t-j.late) + brokenCost*max(0, t-j.before))
		if report != nil {
			report(k, i, pick, t, begin+slack)
		}
		t += j.beforeDrop
	}
	if t > w.until || math.IsNaN(t) {
		return never, 0
	}
	return t, cost
}

// travel is the travel time in seconds, or never if there is no route.
func (s *search) travel(w *courier, from, to domain.Point) float64 {
	d := s.problem.Travel(w.Vehicle, from, to)
	if d < 0 {
		return never
	}
	return d.Seconds()
}
