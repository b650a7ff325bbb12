package dispatch

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// The effort of improving a plan, in insertion attempts. It is counted, not timed, so that equal problems have equal plans.
const (
	triesPerJob  = 4_000
	mostTries    = 40_000
	nearCouriers = 24 // candidates for a moved job, besides those going to its place
	mostRemoved  = 7
	mostNoise    = 120 // random cost in seconds added to a courier, for diversity
)

// improve removes some jobs, reinserts them and keeps the result if it is no worse.
func (s *search) improve() {
	if len(s.jobs) < 2 {
		return
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(s.jobs)))) //nolint:gosec // equal problems have equal plans
	near := make([][]int32, len(s.jobs))
	for tries := min(mostTries, triesPerJob*len(s.jobs)); tries > 0; {
		out, noise := s.related(rng), rng.IntN(2) == 0
		owners := make([]int32, len(out))
		s.undo = s.undo[:0]
		for n, i := range out {
			owners[n] = s.owner[i]
			s.remove(i)
		}
		list := make([]waiting, len(out))
		for n, i := range out {
			if near[i] == nil {
				near[i] = s.nearest(i)
			}
			list[n] = s.waiting(i, s.withPlace(near[i], s.jobs[i].place))
			tries -= len(list[n].couriers)
			if noise {
				for k := range list[n].entries {
					list[n].entries[k].delta += rng.Float32() * mostNoise
				}
			}
		}
		s.insertAll(list)
		if s.gain(out, owners) < 0 {
			s.rollback(out, owners)
		}
	}
}

// gain is the cost saved by the changes since undo was emptied.
func (s *search) gain(out, owners []int32) float64 {
	sum := 0.0
	seen := make(map[int32]bool, len(s.undo))
	for _, u := range s.undo {
		if !seen[u.courier] {
			seen[u.courier] = true
			sum += u.cost - s.cost[u.courier]
		}
	}
	for n, i := range out {
		if owners[n] == nobody {
			sum += leftOut
		}
		if s.owner[i] == nobody {
			sum -= leftOut
		}
	}
	return sum
}

// leftOut is the cost of an unassigned order, seconds.
const leftOut = 30_000

// related picks jobs that could swap: close to each other, with couriers close to each other, or random ones.
func (s *search) related(rng *rand.Rand) []int32 {
	n := int32(len(s.jobs)) //nolint:gosec // there are fewer jobs
	seed, how := rng.Int32N(n), rng.IntN(3)
	j := &s.jobs[seed]
	const sample = 64
	type candidate struct {
		job int32
		far float64
	}
	others := make([]candidate, 0, sample)
	for k := range min(n, sample) {
		i := k
		if n > sample {
			i = rng.Int32N(n)
		}
		if i == seed || slices.ContainsFunc(others, func(c candidate) bool { return c.job == i }) {
			continue
		}
		far := rng.Float64() * 500
		switch o := &s.jobs[i]; {
		case how == 0:
			far += 1000*apart(o, j) + max(o.ready-j.ready, j.ready-o.ready)/3
		case how == 1 && s.owner[i] != nobody && s.owner[seed] != nobody:
			a, b := &s.couriers[s.owner[i]], &s.couriers[s.owner[seed]]
			far += a.At.DistanceM(b.At) / 5
		}
		others = append(others, candidate{i, far})
	}
	slices.SortFunc(others, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	out := []int32{seed}
	for _, o := range others[:min(len(others), 1+rng.IntN(mostRemoved-1))] {
		out = append(out, o.job)
	}
	return out
}

// apart is the approximate travel time between two jobs' pick-ups, in seconds.
func apart(a, b *job) float64 { return a.pickup.DistanceM(b.pickup) / 5 }

// nearest returns the couriers who can reach a job's place first.
func (s *search) nearest(i int32) []int32 {
	j := &s.jobs[i]
	at := func(c int32) float64 { return max(0, s.couriers[c].free) + float64(s.toPlace[c][j.place]) }
	out := make([]int32, 0, nearCouriers+1)
	for n := range s.couriers {
		c := int32(n) //nolint:gosec // there are fewer couriers
		if !s.may[j.kind][c] || len(out) == nearCouriers && at(c) >= at(out[len(out)-1]) {
			continue
		}
		k, _ := slices.BinarySearchFunc(out, at(c), func(o int32, t float64) int { return cmp.Compare(at(o), t) })
		out = slices.Insert(out, k, c)
		out = out[:min(len(out), nearCouriers)]
	}
	return out
}

// withPlace adds the couriers who already go to the place.
func (s *search) withPlace(near []int32, place int32) []int32 {
	near = near[:len(near):len(near)]
	for _, i := range s.byPlace[place] {
		if c := s.owner[i]; c != nobody && !slices.Contains(near, c) {
			near = append(near, c)
		}
	}
	return near
}

func (s *search) waiting(i int32, couriers []int32) waiting {
	return waiting{job: i, couriers: couriers, entries: domain.Each(couriers, func(c int32) entry { return s.best(i, c) })}
}
