package eta

import (
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
