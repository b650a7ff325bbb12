package dispatch

import (
	"math"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// search is a plan under construction. Jobs, couriers and places are identified by index.
type search struct {
	cfg      Config
	problem  *Problem
	jobs     []job
	couriers []courier
	byPlace  [][]int32   // by place: its jobs
	may      [][]bool    // by kind of requirements and courier: whether the courier qualifies
	toPlace  [][]float32 // by courier and place: travel time from where he will be free, seconds

	trips [][]trip  // by courier
	cost  []float64 // of a courier's trips
	owner []int32   // by job: its courier, or nobody
	undo  []undoTrip

	singles []int32 // each job once; one-job lists are slices of it
	spare   []trip
}

const nobody = -1

type undoTrip struct {
	courier int32
	trips   []trip
	cost    float64
}

// entry is an insertion position and its cost: into trip k as stop pos, or as a separate trip before trip k if pos is ownTrip.
type entry struct {
	delta  float32
	k, pos int8
}

const ownTrip = -1

var nowhere = entry{delta: float32(math.Inf(1))}

// best finds the cheapest insertion of a job into a courier's trips.
func (s *search) best(i, c int32) entry {
	if !s.may[s.jobs[i].kind][c] {
		return nowhere
	}
	trips, j := s.trips[c], &s.jobs[i]
	found := nowhere
	try := func(k, pos int) {
		if d := float32(s.schedule(c, s.put(trips, i, k, pos, s.spare[:0]), nil) - s.cost[c]); d < found.delta {
			found = entry{d, int8(k), int8(pos)} //nolint:gosec // both are below 128, as Config is
		}
	}
	if len(trips) < s.cfg.Trips {
		for k := 0; k <= len(trips); k++ {
			try(k, ownTrip)
		}
	}
	for k, t := range trips {
		if t.place != j.place || len(t.jobs) >= s.couriers[c].most {
			continue
		}
		for pos := 0; pos <= len(t.jobs); pos++ {
			try(k, pos)
		}
	}
	return found
}

// put appends to out the trips with job i inserted.
func (s *search) put(trips []trip, i int32, k, pos int, out []trip) []trip {
	if pos == ownTrip {
		out = append(append(out, trips[:k]...), trip{s.jobs[i].place, s.own(i)})
		return append(out, trips[k:]...)
	}
	out = append(out, trips...)
	out[k].jobs = slices.Insert(slices.Clone(trips[k].jobs), pos, i)
	return out
}

// own returns a list of only this job.
func (s *search) own(i int32) []int32 { return s.singles[i : i+1 : i+1] }

func (s *search) change(c int32, trips []trip) {
	s.undo = append(s.undo, undoTrip{c, s.trips[c], s.cost[c]})
	s.trips[c], s.cost[c] = trips, s.schedule(c, trips, nil)
}

func (s *search) insert(i, c int32, e entry) {
	s.change(c, s.put(s.trips[c], i, int(e.k), int(e.pos), nil))
	s.owner[i] = c
}

// remove removes a job from its courier's trips.
func (s *search) remove(i int32) {
	c := s.owner[i]
	if c == nobody {
		return
	}
	trips := make([]trip, 0, len(s.trips[c]))
	for _, t := range s.trips[c] {
		jobs := slices.DeleteFunc(slices.Clone(t.jobs), func(j int32) bool { return j == i })
		if len(jobs) > 0 {
			trips = append(trips, trip{t.place, jobs})
		}
	}
	s.change(c, trips)
	s.owner[i] = nobody
}

// rollback undoes all changes since undo was emptied; jobs are the removed ones.
func (s *search) rollback(jobs, owners []int32) {
	for _, u := range slices.Backward(s.undo) {
		s.trips[u.courier], s.cost[u.courier] = u.trips, u.cost
	}
	for n, i := range jobs {
		s.owner[i] = owners[n]
	}
}

// waiting is a job to be inserted, with its cost for each candidate courier.
type waiting struct {
	job           int32
	couriers      []int32
	entries       []entry
	first, second int // indexes of the cheapest two; nobody if there is none
	regret        float32
}

// rank finds the two cheapest couriers.
func (w *waiting) rank() {
	const most = 60_000 // seconds: of the jobs with a single candidate the cheapest goes first
	one, two := nowhere.delta, nowhere.delta
	w.first, w.second = nobody, nobody
	for n, e := range w.entries {
		switch {
		case e.delta < one:
			two, w.second = one, w.first
			one, w.first = e.delta, n
		case e.delta < two:
			two, w.second = e.delta, n
		}
	}
	w.regret = min(two, most) - 1.01*one
}

// insertAll inserts jobs, each time the one that would lose most by going to its second
// best courier. Jobs without a candidate stay out.
func (s *search) insertAll(list []waiting) {
	for n := range list {
		list[n].rank()
	}
	for len(list) > 0 {
		at := 0
		for n := range list {
			if list[n].first != nobody && (list[at].first == nobody || list[n].regret > list[at].regret) {
				at = n
			}
		}
		w := &list[at]
		if w.first == nobody {
			return
		}
		// Rows are refreshed only when one of their two best couriers changed.
		c := w.couriers[w.first]
		e := s.best(w.job, c)
		if e.delta > w.entries[w.first].delta {
			w.entries[w.first] = e
			w.rank()
			continue
		}
		s.insert(w.job, c, e)
		place := s.jobs[w.job].place
		list[at] = list[len(list)-1]
		list = list[:len(list)-1]
		s.refresh(list, c, place)
	}
}

// refresh recomputes costs for a courier whose trips have changed.
func (s *search) refresh(list []waiting, c, place int32) {
	for n := range list {
		w := &list[n]
		if s.jobs[w.job].place != place && (w.first == nobody || w.couriers[w.first] != c) && (w.second == nobody || w.couriers[w.second] != c) {
			continue
		}
		if at := slices.Index(w.couriers, c); at >= 0 {
			w.entries[at] = s.best(w.job, c)
			w.rank()
		}
	}
}

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
