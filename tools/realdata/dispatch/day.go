package dispatch

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// day is a day's orders, couriers and restaurants, on a plane in metres.
type day struct {
	name            string
	speed           float64 // metres a minute
	pickup, dropoff time.Duration
	restaurants     map[string]domain.Point
	orders          []order
	couriers        []courier
}

type order struct {
	id, restaurant string
	at             domain.Point
	placed, ready  time.Time
}

type courier struct {
	id      string
	at      domain.Point
	on, off time.Time
}

// midnight is when the days begin.
var midnight = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// metresPerDegree puts the plane on the globe where it is flat: at the equator.
const metresPerDegree = domain.EarthRadiusM * math.Pi / 180

// travel is the way on the plane, in whole minutes.
func (d *day) travel(_ domain.Vehicle, from, to domain.Point) time.Duration {
	x := math.Round((to.Lon - from.Lon) * metresPerDegree)
	y := math.Round((to.Lat - from.Lat) * metresPerDegree)
	return time.Duration(math.Ceil(math.Hypot(x, y)/d.speed)) * time.Minute
}

// row is a line of a table, read by the columns' names; the first fault is kept.
type row struct {
	columns map[string]int
	cells   []string
	err     error
}

func (r *row) text(column string) string {
	n, ok := r.columns[column]
	if !ok {
		r.err = fmt.Errorf("there is no column %q", column)
		return ""
	}
	return r.cells[n]
}

func (r *row) number(column string) float64 {
	text := r.text(column)
	v, err := strconv.ParseFloat(text, 64)
	if r.err == nil && (err != nil || math.IsNaN(v) || math.IsInf(v, 0)) {
		r.err = fmt.Errorf("%s: %q is no number", column, text)
	}
	return v
}

func (r *row) minutes(column string) time.Duration {
	return time.Duration(r.number(column) * float64(time.Minute))
}

func (r *row) time(column string) time.Time { return midnight.Add(r.minutes(column)) }

func (r *row) point() domain.Point {
	return domain.Point{Lat: r.number("y") / metresPerDegree, Lon: r.number("x") / metresPerDegree}
}

// table calls fn with each line of a file.
func table(file string, fn func(r *row)) error {
	f, err := os.Open(file) //nolint:gosec // the user named the folder
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	read := csv.NewReader(f)
	read.Comma = '\t'
	lines, err := read.ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(lines) < 2 {
		return fmt.Errorf("%s is empty", file)
	}
	columns := map[string]int{}
	for n, name := range lines[0] {
		columns[strings.TrimSpace(name)] = n
	}
	for n, cells := range lines[1:] {
		r := &row{columns: columns, cells: cells}
		if fn(r); r.err != nil {
			return fmt.Errorf("%s line %d: %w", file, n+2, r.err)
		}
	}
	return nil
}

func load(dir string) (*day, error) {
	d := &day{name: filepath.Base(dir), restaurants: map[string]domain.Point{}}
	for _, t := range []struct {
		file string
		fn   func(r *row)
	}{
		{"instance_parameters.txt", func(r *row) {
			d.speed, d.pickup, d.dropoff = r.number("meters_per_minute"), r.minutes("pickup service minutes"), r.minutes("dropoff service minutes")
			if r.err == nil && d.speed <= 0 {
				r.err = fmt.Errorf("meters_per_minute must be more than 0")
			}
		}},
		{"restaurants.txt", func(r *row) { d.restaurants[r.text("restaurant")] = r.point() }},
		{"orders.txt", func(r *row) {
			o := order{id: r.text("order"), restaurant: r.text("restaurant"), at: r.point(), placed: r.time("placement_time"), ready: r.time("ready_time")}
			if _, ok := d.restaurants[o.restaurant]; r.err == nil && !ok {
				r.err = fmt.Errorf("no restaurant %q", o.restaurant)
			}
			d.orders = append(d.orders, o)
		}},
		{"couriers.txt", func(r *row) {
			d.couriers = append(d.couriers, courier{id: r.text("courier"), at: r.point(), on: r.time("on_time"), off: r.time("off_time")})
		}},
	} {
		if err := table(filepath.Join(dir, t.file), t.fn); err != nil {
			return nil, err
		}
	}
	return d, nil
}
