package dispatch

import (
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Stop is a stop of a courier's tour.
type Stop = domain.TourStop

// Tour is a courier's route through stops.
type Tour struct {
	Vehicle domain.Vehicle
	At      domain.Point
	Start   time.Time
	Travel  Travel
	Stops   []Stop
}

const (
	exactStops = 9 // up to this many stops are solved exactly
	// tourWork bounds the search beyond that, the more the longer a tour is: commits wait for
	// it. It is no time, so that every replica finds the same tour.
	tourWork = 60_000_000
	tourLate = 3 // cost of a second of lateness, in seconds of travel
)

// Times returns the arrival time at each stop, and the time and place of the tour's end.
func (t Tour) Times() (at []time.Time, end time.Time, where domain.Point) {
	end, where = t.Start, t.At
	at = make([]time.Time, len(t.Stops))
	for i, s := range t.Stops {
		end = end.Add(max(0, t.Travel(t.Vehicle, where, s.At)) + s.Service/2)
		if end.Before(s.Earliest) {
			end = s.Earliest
		}
		at[i], where = end, s.At
		end = end.Add(s.Service / 2)
	}
	return at, end, where
}

// Sequence returns the tour with its stops in the best order: earliest end, least lateness.
// A drop-off never precedes its pick-up; the first fixed stops keep their places. It is
// exact up to nine stops, a local optimum (moves and reversals) up to some thirty, and as good as
// a bounded search finds beyond.
func (t Tour) Sequence(fixed int) Tour {
	s := newSequencer(t, fixed)
	if len(t.Stops)-fixed <= exactStops {
		s.exact(slices.Clone(s.best[:fixed]), s.state(s.best[:fixed]))
	} else {
		s.insertion()
		for s.improve() { //nolint:revive // each turn is a better one
		}
	}
	stops := domain.Each(s.best, func(n int) Stop { return t.Stops[n] })
	t.Stops = stops
	return t
}

// sequencer searches for the best order of a tour's stops, by index.
type sequencer struct {
	way         [][]float64 // travel time from a stop, or the start (the last row), to each; seconds
	early, late []float64
	half        []float64 // half of the service time
	before      []int     // the pick-up that must precede a drop-off, or -1
	fixed       int
	best        []int
	bestCost    float64
	left        int // steps from stop to stop that may still be looked at
}

// progress is the state of a partial tour.
type progress struct {
	at         int // the stop, or the number of stops for the start
	time, cost float64
}

func newSequencer(t Tour, fixed int) *sequencer {
	n := len(t.Stops)
	s := &sequencer{fixed: fixed, bestCost: never, left: tourWork / max(1, n)}
	pickups := map[string]int{}
	for i, stop := range t.Stops {
		s.best = append(s.best, i)
		s.early = append(s.early, seconds(stop.Earliest, t.Start, 0))
		s.late = append(s.late, seconds(stop.Latest, t.Start, never))
		s.half = append(s.half, stop.Service.Seconds()/2)
		if stop.Kind == domain.StopPickup {
			pickups[stop.OrderID] = i
		}
	}
	for _, stop := range t.Stops {
		p, ok := pickups[stop.OrderID]
		if !ok || stop.Kind == domain.StopPickup {
			p = -1
		}
		s.before = append(s.before, p)
	}
	for from := range n + 1 {
		at := t.At
		if from < n {
			at = t.Stops[from].At
		}
		row := make([]float64, n)
		for to := range n {
			row[to] = max(0, t.Travel(t.Vehicle, at, t.Stops[to].At)).Seconds()
		}
		s.way = append(s.way, row)
	}
	s.bestCost = s.state(s.best).cost
	return s
}

// next moves on to a stop.
func (s *sequencer) next(p progress, stop int) progress {
	t := max(p.time+s.way[p.at][stop]+s.half[stop], s.early[stop])
	cost := p.cost + tourLate*max(0, t-s.late[stop]) + t + s.half[stop] - p.time
	return progress{stop, t + s.half[stop], cost}
}

func (s *sequencer) state(order []int) progress {
	s.left -= len(order)
	p := progress{at: len(s.early)}
	for _, stop := range order {
		p = s.next(p, stop)
	}
	return p
}

// exact tries every order that can still beat the best.
func (s *sequencer) exact(order []int, p progress) {
	if p.cost >= s.bestCost {
		return
	}
	if len(order) == len(s.best) {
		s.best, s.bestCost = slices.Clone(order), p.cost
		return
	}
	for stop := range s.best {
		if slices.Contains(order, stop) || s.before[stop] >= 0 && !slices.Contains(order, s.before[stop]) {
			continue
		}
		s.exact(append(order, stop), s.next(p, stop))
	}
}

// legal reports whether every drop-off follows its pick-up.
func (s *sequencer) legal(order []int) bool {
	for i, stop := range order {
		if s.before[stop] >= 0 && !slices.Contains(order[:i], s.before[stop]) {
			return false
		}
	}
	return true
}

// insertion builds a tour by cheapest insertion, and keeps it if it is better than the current one.
func (s *sequencer) insertion() {
	order := slices.Clone(s.best[:s.fixed])
	for _, stop := range s.best[s.fixed:] {
		best, at := never, len(order)
		for k := s.fixed; k <= len(order) && s.left > 0; k++ {
			try := slices.Insert(slices.Clone(order), k, stop)
			if p := s.state(try); p.cost < best && s.legal(try) {
				best, at = p.cost, k
			}
		}
		order = slices.Insert(order, at, stop)
	}
	s.take(order)
}

func (s *sequencer) take(order []int) bool {
	if p := s.state(order); p.cost < s.bestCost-1e-6 && s.legal(order) {
		s.best, s.bestCost = order, p.cost
		return true
	}
	return false
}

// improve reverses or moves a part of the tour at the first place where that is better.
func (s *sequencer) improve() bool {
	for i := s.fixed; i < len(s.best); i++ {
		for j := i + 1; j <= len(s.best); j++ {
			turned := slices.Clone(s.best)
			slices.Reverse(turned[i:j])
			if s.take(turned) {
				return true
			}
			part := slices.Clone(s.best[i:j])
			rest := slices.Delete(slices.Clone(s.best), i, j)
			if s.left <= 0 {
				return false
			}
			for k := s.fixed; k <= len(rest); k++ {
				if k != i && s.take(slices.Insert(slices.Clone(rest), k, part...)) {
					return true
				}
			}
		}
	}
	return false
}
