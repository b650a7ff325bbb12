package demo

import (
	"bytes"
	"compress/gzip"
	"container/heap"
	_ "embed" // the city
	"encoding/json"
	"math"
	"slices"
	"sync"

	"github.com/order-tracking/order-tracking/pkg/client"
)

var (
	//go:embed helsinki/city.json.gz
	helsinki []byte
	// Map is the base map of the demo's city, a .pmtiles archive with Protomaps layers.
	//
	//go:embed helsinki/map.pmtiles
	Map []byte
)

// vehicle is how a courier moves.
type vehicle int

const (
	foot vehicle = iota
	bicycle
	moped
)

// What the API calls them, and how fast they are without a hurry, metres per second.
var (
	vehicleNames  = [...]string{"foot", "bicycle", "motorbike"}
	vehicleSpeeds = [...]float64{1.4, 4.2, 7.5}
)

// point is a place in metres east and north of the city's south-west corner.
type point struct{ x, y float64 }

func (p point) to(q point) float64 { return math.Hypot(q.x-p.x, q.y-p.y) }

// place is an address, with the nodes nearest to it for each vehicle.
type place struct {
	Name, Cuisine, Address string
	Nodes                  [3]int
	at                     point
}

// hop is a piece of street from one node to another.
type hop struct {
	to    int
	speed float64 // metres per second
}

// city is the streets of the demo, its kitchens and homes. It does not change.
type city struct {
	west, south     float64
	corner          point   // the north-eastern one
	metresPerLon    float64 // per degree
	nodes           []point
	lights          []bool
	next            [3][][]hop // by vehicle and node
	kitchens, homes []place
}

const metresPerLat = 6371008.8 * math.Pi / 180

// theCity is read once.
var theCity = sync.OnceValues(func() (*city, error) { return load(helsinki) })

// load reads city.json.gz, as tools/city writes it.
func load(packed []byte) (*city, error) {
	type packedPlace struct {
		place
		Lat, Lon float64
	}
	var in struct {
		Bounds          [4]float64
		Nodes           []float64
		Lights          []int
		Edges           []int // from, to, use, km/h of one after the other
		Kitchens, Homes []packedPlace
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, err
	}
	c := &city{west: in.Bounds[0], south: in.Bounds[1], lights: make([]bool, len(in.Nodes)/2)}
	c.metresPerLon = metresPerLat * math.Cos((in.Bounds[1]+in.Bounds[3])/2*math.Pi/180)
	at := func(lat, lon float64) point { return point{lon / 1e6 * c.metresPerLon, lat / 1e6 * metresPerLat} }
	c.corner = at((in.Bounds[3]-in.Bounds[1])*1e6, (in.Bounds[2]-in.Bounds[0])*1e6)
	for i := 0; i+1 < len(in.Nodes); i += 2 {
		c.nodes = append(c.nodes, at(in.Nodes[i], in.Nodes[i+1]))
	}
	for _, n := range in.Lights {
		c.lights[n] = true
	}
	for v := range c.next {
		c.next[v] = make([][]hop, len(c.nodes))
		for e := range slices.Chunk(in.Edges, 4) {
			from, to, use, limit := e[0], e[1], e[2]>>v, float64(e[3])/3.6
			speed := min(vehicleSpeeds[v], limit)
			if use&1 != 0 {
				c.next[v][from] = append(c.next[v][from], hop{to, speed})
			}
			if use>>3&1 != 0 {
				c.next[v][to] = append(c.next[v][to], hop{from, speed})
			}
		}
	}
	for i, all := range [][]packedPlace{in.Kitchens, in.Homes} {
		into := []*[]place{&c.kitchens, &c.homes}[i]
		for _, p := range all {
			p.at = at(p.Lat, p.Lon)
			*into = append(*into, p.place)
		}
	}
	return c, nil
}

// degrees is where a point is on the globe.
func (c *city) degrees(p point) client.Point {
	round := func(v float64) float64 { return math.Round(v*1e6) / 1e6 }
	return client.Point{Lat: round(c.south + p.y/metresPerLat), Lon: round(c.west + p.x/c.metresPerLon)}
}

// leg is a straight piece of a way, to a place.
type leg struct {
	to    point
	speed float64
	node  int // -1 where none is
}

// way is the quickest one between two nodes, nil when there is none; it begins with the
// first node, from wherever the courier stands.
func (c *city) way(v vehicle, from, to int) []leg {
	reached := make([]float64, len(c.nodes)) // seconds, 0 is not yet
	cameBy := make([]hop, len(c.nodes))      // hop.to is the node before
	queue := &nodeQueue{{from, 0}}
	reached[from], cameBy[from] = 1, hop{-1, vehicleSpeeds[v]}
	for queue.Len() > 0 {
		at := heap.Pop(queue).(queued)
		if at.node == to {
			break
		}
		if at.seconds > reached[at.node] {
			continue // found a quicker one since
		}
		for _, h := range c.next[v][at.node] {
			seconds := reached[at.node] + c.nodes[at.node].to(c.nodes[h.to])/h.speed
			if reached[h.to] == 0 || seconds < reached[h.to] {
				reached[h.to], cameBy[h.to] = seconds, hop{at.node, h.speed}
				heap.Push(queue, queued{h.to, seconds})
			}
		}
	}
	if reached[to] == 0 {
		return nil
	}
	var legs []leg
	for n := to; n >= 0; n = cameBy[n].to {
		legs = append(legs, leg{c.nodes[n], cameBy[n].speed, n})
	}
	slices.Reverse(legs)
	return legs
}

type queued struct {
	node    int
	seconds float64
}

// nodeQueue gives the node that is reached first.
type nodeQueue []queued

func (q nodeQueue) Len() int           { return len(q) }
func (q nodeQueue) Less(i, j int) bool { return q[i].seconds < q[j].seconds }
func (q nodeQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *nodeQueue) Push(v any)        { *q = append(*q, v.(queued)) }
func (q *nodeQueue) Pop() any {
	last := len(*q) - 1
	v := (*q)[last]
	*q = (*q)[:last]
	return v
}
