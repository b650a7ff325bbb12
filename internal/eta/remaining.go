package eta

import (
	"math"
	"time"
)

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
