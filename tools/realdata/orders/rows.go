package orders

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// row is one recorded order.
type row struct {
	index                                           int // in the file, from 0
	id, user, rider                                 string
	placed, confirmed, atPickup, pickedUp, arrived  time.Time
	pickup, dropoff                                 client.Point
	platform, business, roadKM, temperature, rainMM string
}

// zone is the clock of Nairobi, where the orders were driven; it has no summer time.
var zone = time.FixedZone("EAT", 3*60*60)

// readFile reads at most limit rows of a CSV file, gzipped when its name says so; zero is all.
func readFile(name string, limit int) ([]row, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	rows, err := readRows(in, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}

func readRows(in io.Reader, limit int) ([]row, error) {
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	for _, name := range columns {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("there is no column %q", name)
		}
	}
	var rows []row
	seen := map[string]bool{}
	for limit == 0 || len(rows) < limit {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		one, err := parseRow(len(rows), func(name string) string { return line[column[name]] })
		if err == nil && seen[one.id] {
			err = errors.New("the id was there before")
		}
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		seen[one.id] = true
		rows = append(rows, one)
	}
	if len(rows) == 0 {
		return nil, errors.New("there are no rows")
	}
	return rows, nil
}

// columns are what is read of a row.
var columns = []string{
	"id", "user_id", "rider_id", "platform", "biz", "month_block", "dom", "weekday",
	"placed", "confirmed", "at_pickup", "picked_up", "arrived",
	"road_km", "temp_c", "rain_mm", "p_lat", "p_lng", "d_lat", "d_lng",
}

func parseRow(index int, get func(string) string) (row, error) {
	r := row{
		index: index, id: get("id"), user: get("user_id"), rider: get("rider_id"),
		platform: get("platform"), business: get("biz"), roadKM: get("road_km"),
		temperature: get("temp_c"), rainMM: get("rain_mm"),
	}
	day, err := date(get("month_block"), get("dom"), get("weekday"))
	errs := []error{err}
	if r.id == "" || r.rider == "" || r.user == "" {
		errs = append(errs, errors.New("id, rider_id and user_id are needed"))
	}
	for name, into := range map[string]*time.Time{
		"placed": &r.placed, "confirmed": &r.confirmed, "at_pickup": &r.atPickup,
		"picked_up": &r.pickedUp, "arrived": &r.arrived,
	} {
		clock, err := time.Parse(time.TimeOnly, get(name))
		*into = day.Add(clock.Sub(midnight)).UTC()
		errs = append(errs, err)
	}
	for name, into := range map[string]*float64{
		"p_lat": &r.pickup.Lat, "p_lng": &r.pickup.Lon, "d_lat": &r.dropoff.Lat, "d_lng": &r.dropoff.Lon,
	} {
		*into, err = strconv.ParseFloat(get(name), 64)
		errs = append(errs, err)
	}
	return r, errors.Join(errs...)
}

// midnight is what time.Parse makes of 00:00:00.
var midnight = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)

// date invents the month that the data hides: block is the weekday of its first day,
// Monday 0; weekday, Monday 1, must agree.
func date(block, dom, weekday string) (time.Time, error) {
	b, err1 := strconv.Atoi(block)
	d, err2 := strconv.Atoi(dom)
	w, err3 := strconv.Atoi(weekday)
	if err := errors.Join(err1, err2, err3); err != nil {
		return time.Time{}, err
	}
	if b < 0 || b > 6 || d < 1 || d > 31 {
		return time.Time{}, fmt.Errorf("month_block %d and dom %d are no day", b, d)
	}
	first := time.Date(2025, time.December, 1, 0, 0, 0, 0, zone)
	for mondayBased(first) != b || first.AddDate(0, 1, -1).Day() != 31 {
		first = first.AddDate(0, -1, 0)
	}
	day := first.AddDate(0, 0, d-1)
	if mondayBased(day)+1 != w {
		return time.Time{}, fmt.Errorf("day %d of a month that starts on weekday %d is not weekday %d", d, b, w)
	}
	return day, nil
}

func mondayBased(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }
