package eta

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// level is a way to group trips.
type level uint8

// The levels from coarse to fine.
const (
	lvGlobal level = iota
	lvNow          // the same as global, with a short memory
	lvDistance
	lvExpected
	lvHour
	lvWeekday
	lvTariff
	lvCarrier
	lvCategory
	lvVehicle
	lvFrom
	lvTo
	lvPair
	lvFromFine
	lvToFine
	lvPairFine
	lvSender
	lvReceiver
	lvCourier
	levels
)

// kappa are the pseudo-counts that pull a level's effects to zero: how many completions
// it takes for an effect to be half of what was seen. Few are what names the place or the
// courier, many what stands for them only, and the most what a few weeks can't tell apart.
var kappa = [levels]float64{
	lvGlobal: 2, lvNow: 60, lvDistance: 30, lvExpected: 30, lvHour: 40, lvWeekday: 100, lvTariff: 20, lvCarrier: 20, lvCategory: 40, lvVehicle: 20,
	lvFrom: 8, lvTo: 8, lvPair: 10, lvFromFine: 20, lvToFine: 20, lvPairFine: 30, lvSender: 12, lvReceiver: 16, lvCourier: 8,
}

// steps is the largest residual that one completion teaches, in logarithms: half as long
// again says as much as ten times as long, which makes the effects those of a median.
const steps = 0.5

// sizes is the same for the logarithms of residuals' sizes, which are what they are.
const sizes = 1.5

type key struct {
	Level level
	Hash  uint64
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.Level, o.Level), cmp.Compare(k.Hash, o.Hash))
}

// effect is what is known of a group. N is how sure its mean is, in completions: less than
// were seen, for each is shared with the trip's other groups; Sum is the mean times kappa + N,
// and Size a decayed sum of the logarithms of the residuals' sizes.
type effect struct {
	Sum, Size, N float64
	Last         int64 // Unix seconds
}

// at is the effect after it has lost some of its weight.
func (e effect) at(now int64, halfLife time.Duration) effect {
	d := decay(now-e.Last, halfLife)
	return effect{e.Sum * d, e.Size * d, e.N * d, max(now, e.Last)}
}

type effects struct {
	table map[key]effect
	mean  float64 // of the logarithm of the residuals' size
	count float64
}

// wide is by how much more the sizes of residuals are shrunk than their means.
const wide = 2

func (s *Settings) halfLife(l level) time.Duration {
	if l == lvNow {
		return s.Fast
	}
	return s.HalfLife
}

func (f *effects) sum(q *Query, now time.Time, set *Settings) (sum, scale float64) {
	lnScale := 0.
	for l := range levels {
		h := q.keys[l]
		if h == 0 {
			continue
		}
		e, ok := f.table[key{l, h}]
		if !ok {
			continue
		}
		e, k := e.at(now.Unix(), set.halfLife(l)), set.Caution*kappa[l]
		sum += e.Sum / (e.N + k)
		if l != lvNow {
			lnScale += e.Size / (e.N + wide*k)
		}
	}
	return sum, math.Exp(bound(lnScale, -1, 1))
}

// learn moves the effects of the query's keys towards what they leave unexplained. It is the
// Kalman filter of a sum whose terms are independent: each takes of the residual as much as
// its own variance is of the whole, so the unsure move most and none of it counts twice.
func (f *effects) learn(q *Query, now time.Time, y, sum, w float64, set *Settings) {
	h := bound(math.Log(math.Abs(y-sum)+0.02), -4, 1)
	if f.count < 1000 {
		f.count++
	}
	f.mean += (h - f.mean) / f.count
	_, scale := f.sum(q, now, set)
	lnScale := math.Log(scale)
	var es [levels]effect
	total := 1 / w // variance, in that of one completion
	for l := range levels {
		if q.keys[l] != 0 {
			es[l] = f.table[key{l, q.keys[l]}].at(now.Unix(), set.halfLife(l))
			total += 1 / (es[l].N + set.Caution*kappa[l])
		}
	}
	r := bound(y-sum, -steps, steps)
	for l := range levels {
		if q.keys[l] == 0 {
			continue
		}
		e, k := es[l], set.Caution*kappa[l]
		lnScale -= e.Size / (e.N + wide*k)
		variance := 1 / (e.N + k)
		gain := variance / total
		mean := e.Sum*variance + gain*r
		variance -= gain * variance
		e.N = 1/variance - k
		e.Sum = mean / variance
		// Finer levels see what is left of the size.
		e.Size += w * bound(h-f.mean-lnScale, -sizes, sizes)
		lnScale += e.Size / (e.N + wide*k)
		f.table[key{l, q.keys[l]}] = e
	}
}

// mostEffects bounds a model; the groups with the least weight are forgotten.
const mostEffects = 60_000

func (f *effects) prune(now time.Time, set *Settings) {
	if len(f.table) <= mostEffects {
		return
	}
	weight := func(k key) float64 {
		e := f.table[k]
		return e.N * decay(now.Unix()-e.Last, set.halfLife(k.Level))
	}
	keys := slices.SortedFunc(maps.Keys(f.table), func(a, b key) int { return cmp.Or(cmp.Compare(weight(a), weight(b)), a.compare(b)) })
	for _, k := range keys[:mostEffects/5] {
		delete(f.table, k)
	}
}
