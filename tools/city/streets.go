package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"
	"github.com/paulmach/osm"
)

// The bits of an edge's use: kinds of couriers allowed along it and against it.
const (
	foot = 1 << iota
	bicycle
	motor
	against = 3 // shift of the bits for the reverse direction
)

// edge is a piece of street between two places.
type edge struct {
	from, to int
	use      int // bits
	kmh      int // at most
	way      osm.WayID
}

// streets is the graph that couriers move on.
type streets struct {
	at     []orb.Point
	lights []int // nodes with traffic lights
	edges  []edge
}

// newStreets builds the graph of the streets in the box. For each kind of courier only the
// largest strongly connected part is kept.
func newStreets(x *extract) *streets {
	s := &streets{}
	number := map[osm.NodeID]int{}
	node := func(n *osm.Node) int {
		i, known := number[n.ID]
		if !known {
			i = len(s.at)
			number[n.ID] = i
			s.at = append(s.at, n.Point())
			if n.Tags.Find("highway") == "traffic_signals" || n.Tags.Find("crossing") == "traffic_signals" {
				s.lights = append(s.lights, i)
			}
		}
		return i
	}
	for _, w := range x.ways {
		use := useOf(w.Tags)
		if use == 0 {
			continue
		}
		for i := 1; i < len(w.Nodes); i++ {
			a, b := x.nodes[w.Nodes[i-1].ID], x.nodes[w.Nodes[i].ID]
			if a != nil && b != nil && a != b {
				s.edges = append(s.edges, edge{node(a), node(b), use, kmhOf(w.Tags), w.ID})
			}
		}
	}
	for _, who := range []int{foot, bicycle, motor} {
		s.keepConnected(who)
	}
	s.edges = slices.DeleteFunc(s.edges, func(e edge) bool { return e.use == 0 })
	return s
}

// useOf returns the kinds of couriers allowed along a way and against it.
func useOf(tags osm.Tags) int {
	var along int
	switch tags.Find("highway") {
	case "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link",
		"residential", "unclassified", "living_street", "service", "road":
		along = foot | bicycle | motor
	case "cycleway":
		along = foot | bicycle
	case "pedestrian", "track", "path", "footway":
		along = foot
	case "steps":
		along = foot
	}
	tunnel := tags.Find("tunnel")
	if tunnel != "" && tunnel != "no" && tunnel != "building_passage" || tags.Find("indoor") == "yes" || tags.Find("area") == "yes" {
		return 0
	}
	along = permit(along, tags.Find("access"), foot|bicycle|motor)
	along = permit(along, tags.Find("vehicle"), bicycle|motor)
	along = permit(along, tags.Find("motor_vehicle"), motor)
	along = permit(along, tags.Find("bicycle"), bicycle)
	along = permit(along, tags.Find("foot"), foot)
	back := along
	if v := tags.Find("oneway"); v == "yes" || v == "1" || v == "-1" || tags.Find("junction") == "roundabout" {
		back &^= motor
		if tags.Find("oneway:bicycle") != "no" && !strings.HasPrefix(tags.Find("cycleway"), "opposite") {
			back &^= bicycle
		}
		if v == "-1" {
			along, back = back, along
		}
	}
	return along | back<<against
}

// permit applies an access tag for some kinds.
func permit(may int, value string, whom int) int {
	switch value {
	case "no", "private", "use_sidepath", "agricultural", "forestry", "emergency":
		return may &^ whom
	case "yes", "designated", "permissive":
		if whom != motor && whom&motor == 0 { // what lets everybody in still is no road for cars
			return may | whom
		}
	}
	return may
}

// kmhOf returns a way's speed limit.
func kmhOf(tags osm.Tags) int {
	if v, err := strconv.Atoi(tags.Find("maxspeed")); err == nil && v > 0 {
		return v
	}
	switch tags.Find("highway") {
	case "steps":
		return 3
	case "pedestrian", "footway", "path", "cycleway", "living_street", "service":
		return 20
	}
	return 40
}

// keepConnected removes a kind from edges outside its largest strongly connected component
// (Kosaraju's algorithm).
func (s *streets) keepConnected(who int) {
	out, in := make([][]int, len(s.at)), make([][]int, len(s.at))
	link := func(a, b int) { out[a], in[b] = append(out[a], b), append(in[b], a) }
	for _, e := range s.edges {
		if e.use&who != 0 {
			link(e.from, e.to)
		}
		if e.use>>against&who != 0 {
			link(e.to, e.from)
		}
	}
	var order []int
	seen := make([]bool, len(s.at))
	for i := range s.at {
		order = append(order, reach(i, out, seen)...)
	}
	part, parts := make([]int, len(s.at)), [][]int{}
	clear(seen)
	for _, i := range slices.Backward(order) {
		found := reach(i, in, seen)
		for _, n := range found {
			part[n] = len(parts)
		}
		parts = append(parts, found)
	}
	largest := 0
	for i := range parts {
		if len(parts[i]) > len(parts[largest]) {
			largest = i
		}
	}
	for i, e := range s.edges {
		if part[e.from] != largest || part[e.to] != largest {
			s.edges[i].use &^= who | who<<against
		}
	}
}

// reach visits the unseen nodes reachable from a node, depth first, and returns them in
// post-order.
func reach(from int, next [][]int, seen []bool) []int {
	if seen[from] {
		return nil
	}
	type step struct{ node, tried int }
	seen[from] = true
	path, left := []step{{from, 0}}, []int(nil)
	for len(path) > 0 {
		top := &path[len(path)-1]
		if top.tried == len(next[top.node]) {
			left = append(left, top.node)
			path = path[:len(path)-1]
			continue
		}
		n := next[top.node][top.tried]
		top.tried++
		if !seen[n] {
			seen[n] = true
			path = append(path, step{n, 0})
		}
	}
	return left
}

// nearest returns the nodes nearest to p for couriers on foot, on a bicycle and on a moped;
// false if one of them has none within the given metres.
func (s *streets) nearest(p orb.Point, metres float64) (out [3]int, ok bool) {
	best := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	for _, e := range s.edges {
		for _, n := range []int{e.from, e.to} {
			d := geo.Distance(p, s.at[n])
			for k, who := range []int{foot, bicycle, motor} {
				if (e.use|e.use>>against)&who != 0 && d < best[k] {
					best[k], out[k] = d, n
				}
			}
		}
	}
	return out, slices.Max(best[:]) <= metres
}
