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
	lvToNow
	lvSender
	lvReceiver
	lvCourier
	levels
)

// kappa are the pseudo-counts that pull a level's effects to zero.
var kappa = [levels]float64{
	lvGlobal: 1, lvNow: 20, lvDistance: 15, lvExpected: 15, lvHour: 20, lvWeekday: 20, lvTariff: 10, lvCarrier: 10, lvCategory: 20, lvVehicle: 10,
	lvFrom: 10, lvTo: 10, lvPair: 15, lvFromFine: 10, lvToFine: 10, lvPairFine: 15, lvToNow: 20, lvSender: 5, lvReceiver: 8, lvCourier: 8,
}

// steps is the most that one completion moves an effect by, in logarithms.
const steps = 1.5

type key struct {
	Level level
	Hash  uint64
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.Level, o.Level), cmp.Compare(k.Hash, o.Hash))
}

// effect is the decayed sum of residuals, of the logarithms of their sizes, and the count.
type effect struct {
	Sum, Size, N float64
	Last         int64 // Unix seconds
}

type effects struct {
	table map[key]effect
	mean  float64 // of the logarithm of the residuals' size
	count float64
}

// wide is by how much more the sizes of residuals are shrunk than their means.
const wide = 2

func (s *Settings) halfLife(l level) time.Duration {
	if l == lvNow || l == lvToNow {
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
		d := decay(now.Unix()-e.Last, set.halfLife(l))
		sum += e.Sum * d / (e.N*d + kappa[l])
		if l != lvNow && l != lvToNow {
			lnScale += e.Size * d / (e.N*d + wide*kappa[l])
		}
	}
	return sum, math.Exp(bound(lnScale, -1, 1))
}

// learn moves the effects of the query's keys towards the rest that they leave.
func (f *effects) learn(q *Query, now time.Time, y, sum, w float64, set *Settings) {
	h := bound(math.Log(math.Abs(y-sum)+0.02), -4, 1)
	if f.count < 1000 {
		f.count++
	}
	f.mean += (h - f.mean) / f.count
	_, scale := f.sum(q, now, set)
	lnScale := math.Log(scale)
	for l := range levels {
		if q.keys[l] == 0 {
			continue
		}
		k := key{l, q.keys[l]}
		e := f.table[k]
		w, last := w, now.Unix()
		d := decay(last-e.Last, set.halfLife(l))
		if last < e.Last { // late news count as older
			w, d, last = w*d, 1, e.Last
		}
		e.Sum, e.Size, e.N = e.Sum*d, e.Size*d, e.N*d
		own, ownSize := e.Sum/(e.N+kappa[l]), e.Size/(e.N+wide*kappa[l])
		sum, lnScale = sum-own, lnScale-ownSize
		e.Sum += w * bound(y-sum, -steps, steps)
		e.Size += w * bound(h-f.mean-lnScale, -steps, steps)
		e.N += w
		// Finer levels see what is left.
		sum, lnScale = sum+e.Sum/(e.N+kappa[l]), lnScale+e.Size/(e.N+wide*kappa[l])
		e.Last = last
		f.table[k] = e
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
