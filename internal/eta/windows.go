package eta

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	buckets = 8
	// kept is how many residuals a bucket remembers, and few under how many it also
	// looks at all buckets.
	kept = 1500
	few  = 30
)

// residuals are the newest residuals, over their scale, by predicted length.
type residuals struct {
	bucket [buckets + 1]ring // the last holds all
}

// ring is the newest values, in the order of arrival and sorted.
type ring struct {
	next   int
	values []float32
	sorted []float32
}

func (r *ring) add(v float32) {
	if len(r.values) < kept {
		r.values = append(r.values, v)
	} else {
		old := r.values[r.next]
		i, _ := slices.BinarySearch(r.sorted, old)
		r.sorted = slices.Delete(r.sorted, i, i+1)
		r.values[r.next] = v
		r.next = (r.next + 1) % kept
	}
	i, _ := slices.BinarySearch(r.sorted, v)
	r.sorted = slices.Insert(r.sorted, i, v)
}

// at is the quantile between the neighbours.
func (r *ring) at(p float64) float64 {
	n := len(r.sorted)
	pos := bound(p*float64(n+1)-1, 0, float64(n-1))
	i := int(pos)
	v := float64(r.sorted[i])
	if i+1 < n {
		v += (pos - float64(i)) * (float64(r.sorted[i+1]) - v)
	}
	return v
}

// unlearned is the window when there are too few residuals: measured on 15,900 motorbike
// deliveries, the tenth and the ninetieth percentile of actual over estimated duration
// were 0.6 and 1.95.
var unlearned = [3]float64{math.Log(0.6), 0, math.Log(1.95)}

var tenths = [3]float64{0.1, 0.5, 0.9}

func (s *residuals) add(bucket int, z float64) {
	s.bucket[bucket].add(float32(z))
	s.bucket[buckets].add(float32(z))
}

func (s *residuals) quantiles(bucket int) (z [3]float64) {
	all, own := &s.bucket[buckets], &s.bucket[bucket]
	if len(all.sorted) < few {
		return unlearned
	}
	// A small bucket is mixed with all.
	w := float64(len(own.sorted)) / float64(len(own.sorted)+3*few)
	for i, p := range tenths {
		z[i] = all.at(p)
		if w > 0 {
			z[i] += w * (own.at(p) - z[i])
		}
	}
	return z
}

// tenth is the standard normal deviate that one tenth is beyond.
const tenth = 1.2815515655446004

// After returns the window of what remains of a duration of which a part has passed: the
// quantiles of those that took at least as long. A late delivery is no more certain, so
// its window grows. Between the quantiles, and beyond them, the logarithm of the duration
// is taken to be normal.
func (w Window) After(passed time.Duration) Window {
	if passed <= 0 {
		return w
	}
	ln := [3]float64{}
	for i, d := range [3]time.Duration{w.P10, w.P50, w.P90} {
		ln[i] = math.Log(max(d.Seconds(), 1))
	}
	low, high := max(ln[1]-ln[0], 0.01)/tenth, max(ln[2]-ln[1], 0.01)/tenth
	side := func(negative bool) float64 {
		if negative {
			return low
		}
		return high
	}
	at := math.Log(passed.Seconds())
	z := (at - ln[1]) / side(at < ln[1])
	const rare = 3 // beyond it the shape of the tail is a guess, and only its scale counts
	stretch := 1.
	if z > rare {
		z = rare
		stretch = math.Exp(at - (ln[1] + rare*high))
	}
	below := 0.5 * math.Erfc(-z/math.Sqrt2)
	left := func(p float64) time.Duration {
		u := below + p*(1-below)
		q := math.Sqrt2 * math.Erfinv(2*u-1)
		seconds := stretch*math.Exp(ln[1]+q*side(q < 0)) - passed.Seconds()
		return time.Duration(bound(seconds, 0, year*60) * float64(time.Second))
	}
	return Window{P10: left(0.1), P50: left(0.5), P90: left(0.9), Learned: w.Learned}
}

// then is the window of two stages, one after the other, of independent lengths.
func (w Window) then(next Window) Window {
	root := func(a, b time.Duration) time.Duration { return time.Duration(math.Hypot(float64(a), float64(b))) }
	sum := w.P50 + next.P50
	return Window{
		P10: max(0, sum-root(w.P50-w.P10, next.P50-next.P10)), P50: sum, P90: sum + root(w.P90-w.P50, next.P90-next.P50),
		Learned: min(w.Learned, next.Learned),
	}
}

// widen stretches the window around its median.
func (w Window) widen(by float64) Window {
	w.P10 = max(0, w.P50-time.Duration(by*float64(w.P50-w.P10)))
	w.P90 = w.P50 + time.Duration(by*float64(w.P90-w.P50))
	return w
}

// bookings are recent trips, completed or not, for the windows of what takes days: the
// completed alone would be the fast ones. Those on their way count as censored at their
// age, and the quantiles are those of Kaplan and Meier.
type bookings struct {
	list   map[uint64]booking // by the hash of the order
	mask   uint64             // of the hashes that are kept
	cached [3]float64
	ready  bool
	at     int64 // Unix seconds, of cached
}

type booking struct {
	At    int64 // Unix seconds
	P     point
	Z     float64
	Ended bool
}

const (
	mostBookings = 6000
	refresh      = 4 * 3600 // seconds between quantiles
)

func (b *bookings) add(id string, p point, at time.Time) {
	hash := named(id)
	if hash>>1&b.mask != 0 {
		return
	}
	b.list[hash] = booking{At: at.Unix(), P: p}
	for len(b.list) > mostBookings { // a sample is as good
		b.mask = b.mask<<1 | 1
		for id := range b.list {
			if id>>1&b.mask != 0 {
				delete(b.list, id)
			}
		}
	}
}

func (b *bookings) end(id string, took time.Duration) {
	if k, ok := b.list[named(id)]; ok {
		k.Ended, k.Z = true, (logMinutes(took)-k.P.Mean)/k.P.Scale
		b.list[named(id)] = k
	}
}

func (b *bookings) drop(id string) { delete(b.list, named(id)) }

type outcome struct {
	z      float64
	weight float64
	open   int // 1 while it is on its way
}

// renew computes the quantiles again when some hours have passed.
func (b *bookings) renew(now time.Time, s *Settings) {
	if now.Unix()-b.at < refresh {
		return
	}
	b.at = now.Unix()
	all := make([]outcome, 0, len(b.list))
	recent := s.Recent.Seconds()
	for id, k := range b.list {
		age := max(1, float64(b.at-k.At))
		if age > 4*recent {
			delete(b.list, id)
			continue
		}
		o := outcome{z: k.Z, weight: math.Exp2(-age / recent)}
		if !k.Ended {
			o.open, o.z = 1, (bound(math.Log(age/60), shortest, longest)-k.P.Mean)/k.P.Scale
		}
		all = append(all, o)
	}
	b.cached, b.ready = kaplanMeier(all)
}

// kaplanMeier returns the quantiles of the outcomes; not ok when there are too few.
func kaplanMeier(all []outcome) (z [3]float64, ok bool) {
	slices.SortFunc(all, func(a, b outcome) int { // what has come at an age was on its way until then, as what is still open
		return cmp.Or(cmp.Compare(a.z, b.z), cmp.Compare(a.open, b.open), cmp.Compare(a.weight, b.weight))
	})
	risk, ended := 0., 0
	for _, o := range all {
		risk += o.weight
		if o.open == 0 {
			ended++
		}
	}
	if ended < few {
		return z, false
	}
	left, i, last := 1., 0, 0.
	for _, o := range all {
		if o.open == 0 && risk > 0 {
			left *= 1 - o.weight/risk
			last = o.z
			for i < 3 && left <= 1-tenths[i] {
				z[i] = o.z
				i++
			}
		}
		risk -= o.weight
	}
	for ; i < 3; i++ {
		z[i] = last
	}
	return z, true
}
