package main

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/osm"
)

// city is city.json.gz. Degrees are in millionths, relative to the south-west corner.
type city struct {
	Name        string     `json:"name"`
	Timezone    string     `json:"timezone"`
	Attribution string     `json:"attribution"`
	Bounds      [4]float64 `json:"bounds"` // west, south, east, north
	Nodes       []int      `json:"nodes"`  // lat, lon of one after the other
	Lights      []int      `json:"lights"` // nodes
	Edges       []int      `json:"edges"`  // from, to, use, km/h of one after the other
	Kitchens    []place    `json:"kitchens"`
	Homes       []place    `json:"homes"`
}

// place is an address with the nodes nearest to it for couriers on foot, on a bicycle and on
// a moped.
type place struct {
	Name    string `json:"name,omitempty"`
	Cuisine string `json:"cuisine,omitempty"`
	Address string `json:"address"`
	Lat     int    `json:"lat"`
	Lon     int    `json:"lon"`
	Nodes   [3]int `json:"nodes"`
	at      orb.Point
}

const edgeFields = 4

// found is something with an address.
type found struct {
	tags osm.Tags
	at   orb.Point
}

func (f found) address() string {
	street, number := f.tags.Find("addr:street"), f.tags.Find("addr:housenumber")
	if street == "" || number == "" || strings.ContainsAny(number, ",;") {
		return ""
	}
	return street + " " + number
}

// addressed is everything in the box that has an address.
func addressed(x *extract) []found {
	var out []found
	add := func(f found) {
		if f.address() != "" && x.box.Contains(f.at) {
			out = append(out, f)
		}
	}
	for _, n := range x.tagged {
		add(found{n.Tags, n.Point()})
	}
	for _, w := range x.ways {
		if area := x.area(w); area != nil {
			at, _ := planar.CentroidArea(area)
			add(found{w.Tags, at})
		}
	}
	slices.SortStableFunc(out, func(a, b found) int { return cmp.Compare(a.address(), b.address()) })
	return out
}

// kitchens are restaurants, far from each other and of many cuisines.
func (s *streets) kitchens(x *extract, n int) []place {
	var all []place
	for _, f := range addressed(x) {
		kind, cuisine := f.tags.Find("amenity"), f.tags.Find("cuisine")
		if f.tags.Find("name") == "" || cuisine == "" || strings.ContainsAny(cuisine, ";,") || (kind != "restaurant" && kind != "fast_food") {
			continue
		}
		p := place{Name: f.tags.Find("name"), Cuisine: cuisine, Address: f.address(), at: f.at}
		if nodes, ok := s.nearest(f.at, 60); ok {
			p.Nodes = nodes
			all = append(all, p)
		}
	}
	var out []place
	for len(out) < n {
		best, far := -1, -1.0
		for i, p := range all {
			d := apart(p, out, x.box.Center())
			for _, o := range out {
				if o.Name == p.Name {
					d = -1
				} else if o.Cuisine == p.Cuisine {
					d /= 3
				}
			}
			if d > far {
				best, far = i, d
			}
		}
		if best < 0 {
			break
		}
		out = append(out, all[best])
	}
	return out
}

// apart returns the distance from p to the nearest of others in metres; for the first place, the closeness
// to the centre.
func apart(p place, others []place, middle orb.Point) float64 {
	if len(others) == 0 {
		return 1e6 - geo.Distance(p.at, middle)
	}
	d := math.Inf(1)
	for _, o := range others {
		d = min(d, geo.Distance(p.at, o.at))
	}
	return d
}

// homes are addresses at which no business is, at most n, spread over all of them.
func (s *streets) homes(x *extract, n int) []place {
	var all []place
	for _, f := range addressed(x) {
		business := slices.ContainsFunc([]string{"amenity", "shop", "office", "tourism", "leisure", "craft", "healthcare"},
			func(key string) bool { return f.tags.Find(key) != "" })
		if business || (len(all) > 0 && all[len(all)-1].Address == f.address()) {
			continue
		}
		if nodes, ok := s.nearest(f.at, 60); ok {
			all = append(all, place{Address: f.address(), Nodes: nodes, at: f.at})
		}
	}
	if len(all) <= n {
		return all
	}
	out := make([]place, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// into writes the streets into a city, without unreachable nodes.
func (s *streets) into(c *city) {
	short := func(p orb.Point) (lat, lon int) {
		return int(math.Round((p[1] - c.Bounds[1]) * 1e6)), int(math.Round((p[0] - c.Bounds[0]) * 1e6))
	}
	number := map[int]int{}
	node := func(i int) int {
		n, known := number[i]
		if !known {
			n = len(number)
			number[i] = n
			lat, lon := short(s.at[i])
			c.Nodes = append(c.Nodes, lat, lon)
		}
		return n
	}
	for _, e := range s.edges {
		c.Edges = append(c.Edges, node(e.from), node(e.to), e.use, e.kmh)
	}
	for _, i := range s.lights {
		if n, known := number[i]; known {
			c.Lights = append(c.Lights, n)
		}
	}
	for _, places := range [][]place{c.Kitchens, c.Homes} {
		for i := range places {
			p := &places[i]
			p.Lat, p.Lon = short(p.at)
			for k := range p.Nodes {
				p.Nodes[k] = number[p.Nodes[k]]
			}
		}
	}
}

func (c city) encode() ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return zipped(b), nil
}
