package cli

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// metresPerDegree of latitude.
const metresPerDegree = 6371008.8 * math.Pi / 180

// readTrail reads a .gpx or .csv file. RecordedAt is zero where the trail has no times.
func readTrail(path string) ([]client.Position, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	var trail []client.Position
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".gpx":
		trail, err = readGPX(f)
	case ".csv":
		trail, err = readCSVTrail(f)
	default:
		return nil, fmt.Errorf("%s: a trail is a .gpx or .csv file", path)
	}
	if err == nil && len(trail) < 2 {
		err = errors.New("a trail needs two places or more")
	}
	for i, p := range trail {
		if !(math.Abs(p.Lat) <= 90 && math.Abs(p.Lon) <= 180) {
			return nil, fmt.Errorf("%s: place %d is not on the globe", path, i+1)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return trail, nil
}

// readGPX reads the tracks of a GPX file or, where it has none, its routes.
// https://www.topografix.com/GPX/1/1/
func readGPX(r io.Reader) ([]client.Position, error) {
	type place struct {
		Lat  float64 `xml:"lat,attr"`
		Lon  float64 `xml:"lon,attr"`
		Time string  `xml:"time"`
	}
	var doc struct {
		Tracks []place `xml:"trk>trkseg>trkpt"`
		Routes []place `xml:"rte>rtept"`
	}
	if err := xml.NewDecoder(r).Decode(&doc); err != nil {
		return nil, err
	}
	places := doc.Tracks
	if len(places) == 0 {
		places = doc.Routes
	}
	out := make([]client.Position, len(places))
	for i, p := range places {
		out[i] = client.Position{Lat: p.Lat, Lon: p.Lon}
		if p.Time != "" {
			t, err := time.Parse(time.RFC3339, strings.TrimSpace(p.Time))
			if err != nil {
				return nil, fmt.Errorf("place %d: %w", i+1, err)
			}
			out[i].RecordedAt = t
		}
	}
	return out, nil
}

// readCSVTrail reads columns lat and lon (or latitude, longitude, lng) and, if there is
// one, time (or timestamp, t, recorded_at): RFC 3339 or seconds since 1970.
func readCSVTrail(r io.Reader) ([]client.Position, error) {
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	column := func(names ...string) int {
		return slices.IndexFunc(header, func(h string) bool {
			return slices.Contains(names, strings.ToLower(strings.TrimSpace(h)))
		})
	}
	lat, lon, at := column("lat", "latitude"), column("lon", "lng", "longitude"), column("time", "timestamp", "t", "recorded_at")
	if lat < 0 || lon < 0 {
		return nil, errors.New("the first line must name the columns lat and lon")
	}
	var out []client.Position
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := rows.FieldPos(0)
		la, err1 := strconv.ParseFloat(row[lat], 64)
		lo, err2 := strconv.ParseFloat(row[lon], 64)
		p := client.Position{Lat: la, Lon: lo}
		var err3 error
		if at >= 0 && row[at] != "" {
			p.RecordedAt, err3 = csvTime(row[at])
		}
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		out = append(out, p)
	}
}

func csvTime(text string) (time.Time, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(n) < 1e11 {
		whole, part := math.Modf(n)
		return time.Unix(int64(whole), int64(part*1e9)), nil
	}
	return time.Parse(time.RFC3339, text)
}

func pointOf(p client.Position) client.Point { return client.Point{Lat: p.Lat, Lon: p.Lon} }

// apart returns how far b is north and east of a in metres, on a plane, since they are near.
func apart(a, b client.Point) (north, east float64) {
	return (b.Lat - a.Lat) * metresPerDegree, math.Remainder(b.Lon-a.Lon, 360) * metresPerDegree * math.Cos(a.Lat*math.Pi/180)
}

// distanceM returns the distance between near places in metres.
func distanceM(a, b client.Point) float64 { return math.Hypot(apart(a, b)) }

// headingOf returns the direction from a to b in degrees clockwise from north.
func headingOf(a, b client.Point) float64 {
	north, east := apart(a, b)
	return math.Mod(math.Atan2(east, north)*180/math.Pi+360, 360)
}

// offset returns the place the given metres north and east of p.
func offset(p client.Point, north, east float64) client.Point {
	lon := p.Lon + east/(metresPerDegree*max(math.Cos(p.Lat*math.Pi/180), 0.01))
	return client.Point{Lat: max(-90, min(90, p.Lat+north/metresPerDegree)), Lon: math.Remainder(lon, 360)}
}

// streets returns a route from a to b along a grid of blocks that is rotated by the
// town's angle.
func streets(r *rand.Rand, a, b client.Point) []client.Point {
	const block, angle = 110.0, 0.35
	north, east := apart(a, b)
	along, across := north*math.Cos(angle)+east*math.Sin(angle), east*math.Cos(angle)-north*math.Sin(angle)
	way := []client.Point{a}
	var u, v float64
	for u != along || v != across {
		// Whole blocks with random turns; the rest at the end of each axis.
		if v == across || (u != along && r.IntN(2) == 0) {
			u = approach(u, along, block)
		} else {
			v = approach(v, across, block)
		}
		way = append(way, offset(a, u*math.Cos(angle)-v*math.Sin(angle), u*math.Sin(angle)+v*math.Cos(angle)))
	}
	way[len(way)-1] = b
	return way
}

func approach(from, to, step float64) float64 {
	if math.Abs(to-from) <= step {
		return to
	}
	return from + math.Copysign(step, to-from)
}

// walker moves along a route.
type walker struct {
	way  []client.Point
	next int     // index of the next place
	done float64 // metres covered since the previous place
}

func newWalker(way []client.Point) *walker { return &walker{way: way, next: 1} }

// walk moves on by the given metres and returns the new place and direction; false
// at the end.
func (w *walker) walk(metres float64) (at client.Point, heading float64, more bool) {
	w.done += metres
	for w.next < len(w.way) {
		a, b := w.way[w.next-1], w.way[w.next]
		leg := distanceM(a, b)
		if w.done < leg {
			north, east := apart(a, b)
			return offset(a, north*w.done/leg, east*w.done/leg), headingOf(a, b), true
		}
		w.done -= leg
		w.next++
	}
	last := len(w.way) - 1
	return w.way[last], headingOf(w.way[max(0, last-1)], w.way[last]), false
}
