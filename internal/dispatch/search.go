package dispatch

import (
	"math"
	"slices"
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
