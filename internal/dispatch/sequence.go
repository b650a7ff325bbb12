package dispatch

import (
	"cmp"
	"math/rand/v2"
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
	// tourWork bounds the search beyond that: commits wait for it. It is no time, so that every
	// replica finds the same tour.
	tourWork    = 3_000_000
	newWork     = tourWork / 20 // where only a few stops are new, as when many orders are assigned one by one
	rebuilds    = 100           // how often some orders are inserted anew
	mostRebuilt = 6             // at a time
	tourLate    = 3             // cost of a second of lateness, in seconds of travel
)

// Times returns the arrival time at each stop, and the time and place of the tour's end.
func (t Tour) Times() (at []time.Time, end time.Time, where domain.Point) {
	end, where = t.Start, t.At
	at = make([]time.Time, len(t.Stops))
	for i, s := range t.Stops {
		end = end.Add(max(0, t.Travel(t.Vehicle, where, s.At)) + s.Service/2)
		end = domain.Later(end, s.Earliest)
		at[i], where = end, s.At
		end = end.Add(s.Service / 2)
	}
	return at, end, where
}

// Sequence returns the tour with its stops in the best order: earliest end, least lateness.
// A drop-off never precedes its pick-up; the first fixed stops keep their places. It is
// exact up to nine stops. Above, orders are inserted where they cost least, but those among the
// known stops after the fixed ones, which are in a good order already; then parts of the tour are
// moved and turned, and some orders at a time inserted anew; the effort is bounded.
func (t Tour) Sequence(fixed, known int) Tour {
	s := newSequencer(t, fixed)
	if len(t.Stops)-fixed <= exactStops {
		s.exact(slices.Clone(s.best[:fixed]), s.state(s.best[:fixed]))
	} else {
		s.search(fixed + known)
	}
	t.Stops = domain.Each(s.best, func(n int) Stop { return t.Stops[n] })
	return t
}

// sequencer searches for the best order of a tour's stops, by index.
type sequencer struct {
	tour        Tour
	way         []float64 // travel time from each stop, and at last the start, to each; seconds, negative until it is needed
	early, late []float64
	half        []float64 // half of the service time
	before      []int     // the pick-up that must precede a drop-off, or -1
	fixed       int
	best        []int
	bestCost    float64
	left        int   // steps from stop to stop that may still be looked at
	passed      []int // by stop: the last look that came past it
	look        int
	tried       []int // the tour that is looked at
}

// progress is the state of a partial tour.
type progress struct {
	at         int // the stop, or the number of stops for the start
	time, cost float64
}

func newSequencer(t Tour, fixed int) *sequencer {
	n := len(t.Stops)
	s := &sequencer{tour: t, way: slices.Repeat([]float64{-1}, (n+1)*n), fixed: fixed, left: tourWork, passed: make([]int, n)}
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
	s.bestCost = s.cost(s.best, never)
	return s
}

// drive is the travel time from a stop, or the start, to a stop. Of long tours few are needed.
func (s *sequencer) drive(from, to int) float64 {
	known := &s.way[from*len(s.early)+to]
	if *known < 0 {
		at := s.tour.At
		if from < len(s.early) {
			at = s.tour.Stops[from].At
		}
		*known = max(0, s.tour.Travel(s.tour.Vehicle, at, s.tour.Stops[to].At)).Seconds()
	}
	return *known
}

// next moves on to a stop.
func (s *sequencer) next(p progress, stop int) progress {
	t := max(p.time+s.drive(p.at, stop)+s.half[stop], s.early[stop])
	cost := p.cost + tourLate*max(0, t-s.late[stop]) + t + s.half[stop] - p.time
	return progress{stop, t + s.half[stop], cost}
}

func (s *sequencer) state(order []int) progress {
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

// with returns a tour with stops put into a place. It is good until the next call.
func (s *sequencer) with(tour []int, place int, stops ...int) []int {
	s.tried = append(append(append(s.tried[:0], tour[:place]...), stops...), tour[place:]...)
	return s.tried
}

// cost is that of an order of stops; never if it reaches the limit, or a drop-off precedes its pick-up.
func (s *sequencer) cost(order []int, limit float64) float64 {
	s.look++
	p := progress{at: len(s.early)}
	s.left -= len(order) // each is copied, too
	for _, stop := range order {
		if b := s.before[stop]; b >= 0 && s.passed[b] != s.look {
			return never
		}
		s.passed[stop] = s.look
		if p = s.next(p, stop); p.cost >= limit {
			return never
		}
	}
	return p.cost
}

func (s *sequencer) take(order []int) bool {
	c := s.cost(order, s.bestCost-1e-6)
	if c < never {
		s.best, s.bestCost = slices.Clone(order), c
	}
	return c < never
}

// search improves the order of many stops, the first of which are known to be in a good one.
func (s *sequencer) search(known int) {
	var orders [][]int // their stops
	for _, stop := range s.best[s.fixed:] {
		if b := s.before[stop]; b < 0 || slices.Contains(s.best[:s.fixed], b) {
			orders = append(orders, []int{stop})
		}
	}
	for _, stop := range s.best[s.fixed:] {
		if n := slices.IndexFunc(orders, func(o []int) bool { return o[0] == s.before[stop] }); n >= 0 {
			orders[n] = append(orders[n], stop)
		}
	}
	if 2*(known-s.fixed) > len(s.best)-s.fixed {
		s.left = newWork
	}
	s.insertAnew(slices.DeleteFunc(slices.Clone(orders), func(o []int) bool { return o[0] < known }))
	for s.improve() { //nolint:revive // each turn is a better one
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(s.best)))) //nolint:gosec // equal tours have equal results
	for n := 0; n < rebuilds && s.left > 0; n++ {
		seed := rng.IntN(len(s.early))
		slices.SortFunc(orders, func(a, b []int) int { return cmp.Compare(s.drive(seed, a[0]), s.drive(seed, b[0])) })
		out := slices.Clone(orders[:min(len(orders), 2+rng.IntN(mostRebuilt))])
		rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		s.insertAnew(out)
	}
}

// insertAnew takes orders out of the tour and puts them where they cost least, one after the other.
func (s *sequencer) insertAnew(orders [][]int) {
	out := map[int]bool{}
	for _, o := range orders {
		for _, stop := range o {
			out[stop] = true
		}
	}
	tour := slices.DeleteFunc(slices.Clone(s.best), func(stop int) bool { return out[stop] })
	for _, o := range orders {
		least, found := never, slices.Concat(tour, o)
		for k := s.fixed; k <= len(tour) && s.left > 0; k++ {
			for end := k + 1; end <= len(tour)+1; end++ {
				try := s.with(tour, k, o[0])
				if len(o) > 1 {
					try = slices.Insert(try, end, o[1])
				}
				if c := s.cost(try, least); c < never {
					least, found = c, slices.Clone(try)
				}
				if len(o) == 1 {
					break
				}
			}
		}
		tour = found
	}
	s.take(tour)
}

// improve reverses or moves a part of the tour at the first place where that is better.
func (s *sequencer) improve() bool {
	for i := s.fixed; i < len(s.best); i++ {
		for j := i + 1; j <= len(s.best); j++ {
			turned := s.with(s.best, 0)
			slices.Reverse(turned[i:j])
			if s.take(turned) {
				return true
			}
			rest := slices.Delete(slices.Clone(s.best), i, j)
			if s.left <= 0 {
				return false
			}
			for k := s.fixed; k <= len(rest); k++ {
				if k != i && s.take(s.with(rest, k, s.best[i:j]...)) {
					return true
				}
			}
		}
	}
	return false
}
