package eta

import (
	"time"

	"github.com/order-tracking/order-tracking/internal/eta"
)

// parcel is one order of the parcel data, with what became known of it and when.
type parcel struct {
	asked                          bool
	table                          *table
	row                            []string
	bought, handedOver, deliveredA time.Time
}

// collect reads the parcels of all files; the events add to them.
func (in *input) collect() map[string]*parcel {
	all := map[string]*parcel{}
	for _, t := range append(in.train, in.replay...) {
		if t.has("event") {
			continue
		}
		for _, row := range t.rows {
			p := &parcel{table: t, row: row, asked: contains(in.replay, t), bought: t.time(row, "purchase_ts")}
			if !p.asked {
				p.handedOver, p.deliveredA = t.time(row, "handover_ts"), t.time(row, "delivered_ts")
			}
			all[t.text(row, "order_id")] = p
		}
	}
	for _, t := range in.replay {
		if !t.has("event") {
			continue
		}
		for _, row := range t.rows {
			p := all[t.text(row, "order_id")]
			if p == nil {
				continue
			}
			switch at := t.time(row, "ts"); t.text(row, "event") {
			case "handover":
				p.handedOver = at
			case "delivered":
				p.deliveredA = at
			}
		}
	}
	return all
}

func (p *parcel) trip(at time.Time) *eta.Trip {
	t, row := p.table, p.row
	return &eta.Trip{
		At: at, From: t.point(row, "s_lat", "s_lng"), To: t.point(row, "c_lat", "c_lng"),
		FromArea: t.text(row, "s_state"), ToArea: t.text(row, "c_state"),
		Metres: 1000 * t.orZero(row, "dist_km"), Sender: t.text(row, "seller_id"), Category: t.text(row, "category"),
		Expected: t.time(row, "promised_date").Sub(at), Elapsed: at.Sub(p.bought),
		Items: int(t.orZero(row, "n_items")), Price: t.orZero(row, "price"), WeightG: t.orZero(row, "weight_g"),
	}
}

func (in *input) parcels(fromHandover bool) ([]happening, error) {
	var all []happening
	for id, p := range in.collect() {
		start := p.bought
		if fromHandover {
			start = p.handedOver
		}
		if start.IsZero() {
			continue
		}
		trip := p.trip(start)
		all = append(all, happening{at: start, what: open, id: id, trip: trip})
		if p.asked {
			all = append(all, happening{at: start, what: ask, id: id, trip: trip})
		}
		if took := p.deliveredA.Sub(start); took > 0 {
			all = append(all, happening{at: p.deliveredA, what: finish, id: id, cases: one(trip, took)})
		}
	}
	return all, nil
}
