package eta

import (
	"cmp"
	"math"
	"slices"
	"time"
)

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
