package eta

import (
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

// input is the tables of one task.
type input struct{ train, replay []*table }

// tasks make the happenings of the tables; the model is of minutes or of days.
var tasks = map[string]func(*input) ([]happening, error){
	"A1": func(in *input) ([]happening, error) { return in.sendy(true) },
	"A2": func(in *input) ([]happening, error) { return in.sendy(false) },
	"A3": (*input).doordash,
	"B1": func(in *input) ([]happening, error) { return in.parcels(false) },
	"B2": func(in *input) ([]happening, error) { return in.parcels(true) },
	"C":  (*input).cabs,
	"D":  (*input).legs,
}

func (in *input) run(task string) ([]answer, error) {
	all, err := tasks[task](in)
	for _, t := range append(in.train, in.replay...) {
		if err == nil {
			err = t.err
		}
	}
	if err != nil {
		return nil, err
	}
	set := eta.Minutes()
	if task[0] == 'B' {
		set = eta.Days()
	}
	m := eta.New(set)
	if task == "A1" || task == "A2" || task == "C" { // frozen: learn all, then answer
		var learn, answers []happening
		for _, h := range all {
			if h.what == ask {
				answers = append(answers, h)
			} else {
				learn = append(learn, h)
			}
		}
		play(m, learn)
		return play(m, answers), nil
	}
	return play(m, all), nil
}

// asked are the ids of a table: its rows are not learned from elsewhere.
func asked(tables []*table, column string) map[string]bool {
	ids := map[string]bool{}
	for _, t := range tables {
		if !t.has("event") && !t.has("seq") {
			for _, row := range t.rows {
				ids[t.text(row, column)] = true
			}
		}
	}
	return ids
}

// clock is a time of a motorbike order. The source hides the month: here they follow
// each other, and the first begins on a Monday.
func clock(t *table, row []string, column string) time.Time {
	s := t.text(row, column)
	if s == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.TimeOnly, s)
	if err != nil {
		t.fail(row, column, err)
	}
	day := 35*int(t.orZero(row, "month_block")) + 7*((int(t.orZero(row, "dom"))-1)/7) + int(t.orZero(row, "weekday"))
	return time.Date(2019, time.April, day, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
}

func (in *input) sendy(fromPickup bool) ([]happening, error) {
	skip := asked(in.replay, "id")
	var all []happening
	start := "placed"
	if fromPickup {
		start = "picked_up"
	}
	for _, t := range append(in.train, in.replay...) {
		for _, row := range t.rows {
			trip := &eta.Trip{
				At: clock(t, row, start), From: t.point(row, "p_lat", "p_lng"), To: t.point(row, "d_lat", "d_lng"),
				Metres: 1000 * t.orZero(row, "road_km"), Sender: t.text(row, "user_id"),
				Tariff: t.text(row, "platform") + t.text(row, "biz"), Vehicle: domain.VehicleMotorbike,
			}
			if fromPickup {
				trip.Courier = t.text(row, "rider_id")
				trip.Elapsed = trip.At.Sub(clock(t, row, "placed"))
			}
			id, at := t.text(row, "id"), clock(t, row, "arrived")
			if contains(in.replay, t) {
				all = append(all, happening{at: trip.At, what: ask, id: id, trip: trip})
			} else if !skip[id] && !at.IsZero() && !trip.False(at.Sub(trip.At)) && t.text(row, "broken_label") != "1" {
				all = append(all, happening{at: at, what: finish, id: id, cases: one(trip, at.Sub(trip.At))})
			}
		}
	}
	return all, nil
}

func contains(tables []*table, t *table) bool {
	for _, one := range tables {
		if one == t {
			return true
		}
	}
	return false
}

func (in *input) doordash() ([]happening, error) {
	skip := asked(in.replay, "id")
	var all []happening
	for _, t := range append(in.train, in.replay...) {
		for _, row := range t.rows {
			trip := &eta.Trip{
				At: t.time(row, "created_at"), FromArea: t.text(row, "market_id"), Sender: t.text(row, "store_id"),
				Category: t.text(row, "store_primary_category"), Tariff: t.text(row, "order_protocol"),
				Items: int(t.orZero(row, "total_items")), Price: t.orZero(row, "subtotal"),
				Waiting: max(0, t.orZero(row, "total_outstanding_orders")), Couriers: max(0, t.orZero(row, "total_onshift_dashers")),
				Expected: time.Duration(t.orZero(row, "estimated_store_to_consumer_driving_duration")) * time.Second,
			}
			id, at := t.text(row, "id"), t.time(row, "actual_delivery_time")
			replay := contains(in.replay, t)
			if replay {
				all = append(all, happening{at: trip.At, what: ask, id: id, trip: trip})
			}
			if (replay || !skip[id]) && !at.IsZero() && !trip.False(at.Sub(trip.At)) {
				all = append(all, happening{at: at, what: finish, id: id, cases: one(trip, at.Sub(trip.At))})
			}
		}
	}
	return all, nil
}

func (in *input) legs() ([]happening, error) {
	skip := asked(in.replay, "id")
	var all []happening
	trips := map[string]*eta.Trip{}
	for _, t := range append(in.train, in.replay...) {
		if t.has("event") {
			continue
		}
		for _, row := range t.rows {
			trip := &eta.Trip{
				At: t.time(row, "od_start_time"), FromArea: t.text(row, "source_center"), ToArea: t.text(row, "destination_center"),
				Tariff: t.text(row, "route_type"), Expected: minutes(t.orZero(row, "osrm_time")),
			}
			id, took := t.text(row, "id"), minutes(t.orZero(row, "actual_time"))
			if contains(in.replay, t) {
				all = append(all, happening{at: trip.At, what: ask, id: id, trip: trip})
				trips[id] = trip
			} else if !skip[id] && took > 0 {
				all = append(all, happening{at: trip.At.Add(took), what: finish, id: id, cases: one(trip, took)})
			} else if !skip[id] {
				trips[id] = trip
			}
		}
	}
	for _, t := range in.replay {
		if !t.has("event") {
			continue
		}
		for _, row := range t.rows {
			id := t.text(row, "id")
			if trip := trips[id]; trip != nil && t.text(row, "event") == "finish" {
				at := t.time(row, "ts")
				all = append(all, happening{at: at, what: finish, id: id, cases: one(trip, at.Sub(trip.At))})
			}
		}
	}
	return all, nil
}

func minutes(v float64) time.Duration { return time.Duration(v * float64(time.Minute)) }
