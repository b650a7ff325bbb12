package cache

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// vector is a point on the unit sphere. Chord lengths between vectors sort points like
// ground distances, at the poles and the antimeridian too, and cost three multiplications.
type vector [3]float64

func vectorOf(p domain.Point) vector {
	sinLat, cosLat := math.Sincos(p.Lat * math.Pi / 180)
	sinLon, cosLon := math.Sincos(p.Lon * math.Pi / 180)
	return vector{cosLat * cosLon, cosLat * sinLon, sinLat}
}

// distance returns the squared chord length.
func (v vector) distance(w vector) float64 {
	x, y, z := v[0]-w[0], v[1]-w[1], v[2]-w[2]
	return x*x + y*y + z*z
}

const (
	fullLeaf  = 64              // points; a leaf with more is split
	leastHalf = 1.0 / (1 << 27) // a few centimetres: smaller cells are not split
)

// cells is an octree around the sphere: a cube with many points is split into eight, an empty one is removed. Only cubes at
// the surface hold points, so it grows like a quadtree of the ground, fine where couriers are dense and coarse elsewhere.
type cells struct {
	couriers []courier // by index, so that points hold no pointers
	root     cell
}

type cell struct {
	parent   *cell
	children *[8]*cell // nil in a leaf
	has      uint8     // which children exist, one bit each
	points   []point   // of a leaf
	count    int       // points in this cell and below
	center   vector
	half     float64 // half the edge length
}

// point is a courier in a leaf.
type point struct {
	at       vector
	recorded int64 // microseconds since 1970, the device's clock
	courier  uint32
}

// octant returns the index of the cell's octant that contains v.
func (c *cell) octant(v vector) int {
	i := 0
	for axis := range v {
		if v[axis] >= c.center[axis] {
			i |= 1 << axis
		}
	}
	return i
}

func (c *cell) contains(v vector) bool {
	for axis := range v {
		if math.Abs(v[axis]-c.center[axis]) > c.half {
			return false
		}
	}
	return true
}

// child returns the child of a branch that contains v, creating it if missing.
func (c *cell) child(v vector) *cell {
	i := c.octant(v)
	if c.children[i] == nil {
		n := &cell{parent: c, center: c.center, half: c.half / 2}
		for axis := range v {
			if i>>axis&1 == 1 {
				n.center[axis] += n.half
			} else {
				n.center[axis] -= n.half
			}
		}
		c.children[i], c.has = n, c.has|1<<i
	}
	return c.children[i]
}

// insert puts a point into the cell or below it.
func (t *cells) insert(c *cell, p point) {
	for {
		c.count++
		if c.children == nil {
			break
		}
		c = c.child(p.at)
	}
	t.add(c, p)
	for c.children == nil && len(c.points) > fullLeaf && c.half > leastHalf {
		c = t.split(c, p.at)
	}
}

// add appends a point to a leaf.
func (t *cells) add(c *cell, p point) {
	courier := &t.couriers[p.courier]
	courier.leaf, courier.slot = c, len(c.points)
	c.points = append(c.points, p)
}

// split turns a leaf into a branch and returns the child that contains v.
func (t *cells) split(c *cell, v vector) *cell {
	points := c.points
	c.points, c.children = nil, new([8]*cell)
	for _, p := range points {
		part := c.child(p.at)
		part.count++
		t.add(part, p)
	}
	return c.child(v)
}

// move moves a courier within the tree.
func (t *cells) move(p point) {
	courier := &t.couriers[p.courier]
	leaf := courier.leaf
	if leaf.contains(p.at) {
		leaf.points[courier.slot] = p
		return
	}
	t.drop(leaf, courier.slot)
	c := leaf
	for ; !c.contains(p.at); c = c.parent {
		if c.count--; c.count == 0 {
			i := c.parent.octant(c.center)
			c.parent.children[i], c.parent.has = nil, c.parent.has&^(1<<i)
		}
	}
	c.count-- // insert counts it again
	t.insert(c, p)
}

// drop removes a point from a leaf.
func (t *cells) drop(c *cell, slot int) {
	last := len(c.points) - 1
	c.points[slot] = c.points[last]
	t.couriers[c.points[slot].courier].slot = slot
	c.points = c.points[:last]
}

// search is a nearest-points query.
type search struct {
	at    vector
	since int64   // microseconds since 1970: only points recorded later
	worst float64 // farther points are ignored
	limit int
	found []candidate // unsorted, fewer than twice the limit
}

type candidate struct {
	distance float64
	courier  uint32
}

// nearest returns the nearest couriers recorded after since, nearest first.
func (t *cells) nearest(at vector, since int64, limit int) []candidate {
	s := search{at: at, since: since, limit: limit, worst: math.Inf(1), found: make([]candidate, 0, 2*limit)}
	s.visit(&t.root)
	s.trim()
	return s.found
}

// trim keeps the nearest candidates.
func (s *search) trim() {
	slices.SortFunc(s.found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	if len(s.found) >= s.limit {
		s.found = s.found[:s.limit]
		s.worst = s.found[s.limit-1].distance
	}
}

// visit searches the cell, nearest children first, and skips those farther than all candidates.
func (s *search) visit(c *cell) {
	for c.has != 0 && c.has&(c.has-1) == 0 {
		c = c.children[bits.TrailingZeros8(c.has)] // the only child
	}
	if c.children == nil {
		for i := range c.points {
			p := &c.points[i]
			if d := p.at.distance(s.at); d < s.worst && p.recorded > s.since {
				if s.found = append(s.found, candidate{d, p.courier}); len(s.found) == 2*s.limit {
					s.trim()
				}
			}
		}
		return
	}
	// The children's distances follow from c's position, so skipped ones are not touched.
	var low, high vector // along each axis to the half of c below and above its middle, squared
	for axis := range s.at {
		d := s.at[axis] - c.center[axis]
		lower, upper := max(0, d, -d-c.half), max(0, -d, d-c.half)
		low[axis], high[axis] = lower*lower, upper*upper
	}
	var parts [8]struct {
		distance float64
		cell     *cell
	}
	n := 0
	for has := c.has; has != 0; has &= has - 1 {
		octant := bits.TrailingZeros8(has)
		d := 0.0
		for axis := range low {
			if octant>>axis&1 == 0 {
				d += low[axis]
			} else {
				d += high[axis]
			}
		}
		i := n
		for ; i > 0 && parts[i-1].distance > d; i-- {
			parts[i] = parts[i-1]
		}
		parts[i].distance, parts[i].cell = d, c.children[octant]
		n++
	}
	for i := range n {
		if parts[i].distance >= s.worst {
			return
		}
		s.visit(parts[i].cell)
	}
}
