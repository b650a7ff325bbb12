package eta

import (
	"cmp"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

// ping is a position of a cab on a trip.
type ping struct {
	at    time.Time
	seq   string
	point domain.Point
}

// pings are the positions of each trip, in the order of time.
func pings(tables []*table) map[string][]ping {
	out, seen := map[string][]ping{}, map[string]bool{} // a file may be given twice
	for _, t := range tables {
		if !t.has("seq") {
			continue
		}
		for _, row := range t.rows {
			trip, seq := t.text(row, "trip"), t.text(row, "seq")
			if p := t.point(row, "lat", "lng"); p != nil && !seen[trip+":"+seq] {
				seen[trip+":"+seq] = true
				out[trip] = append(out[trip], ping{t.time(row, "t"), seq, *p})
			}
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b ping) int { // the tenth comes after the ninth, also at the same time
			return cmp.Or(a.at.Compare(b.at), cmp.Compare(len(a.seq), len(b.seq)), cmp.Compare(a.seq, b.seq))
		})
	}
	return out
}

// pacific is the clock of San Francisco in the months of the data.
var pacific = time.FixedZone("PDT", -7*60*60)

func (in *input) cabs() ([]happening, error) {
	skip := asked(in.replay, "trip")
	known := pings(append(in.train, in.replay...))
	var all []happening
	for _, t := range append(in.train, in.replay...) {
		if t.has("seq") {
			continue
		}
		for _, row := range t.rows {
			id, to, end := t.text(row, "trip"), t.point(row, "d_lat", "d_lng"), t.time(row, "t1")
			replay := contains(in.replay, t)
			if !replay && (skip[id] || end.IsZero()) {
				continue
			}
			var way journey
			var cases []eta.Case
			for _, p := range known[id] {
				at := p.at.In(pacific)
				way.add(p.point, at)
				trip := way.rest(to)
				trip.Courier, trip.Vehicle = t.text(row, "cab"), domain.VehicleCar
				if replay {
					all = append(all, happening{at: at, what: ask, id: id + ":" + p.seq, trip: &trip})
				} else if took := end.Sub(at); took > 0 {
					cases = append(cases, eta.Case{Trip: trip, Took: took})
				}
			}
			if len(cases) > 0 {
				all = append(all, happening{at: end.In(pacific), what: finish, id: id, cases: cases})
			}
		}
	}
	return all, nil
}
