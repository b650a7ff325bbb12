package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/osm"
)

// town is an extract made by hand: a square of ten steps with a coast through it from south
// to north, the sea in the east, and a square of streets on land, one of them one-way.
func town(t *testing.T) *extract {
	t.Helper()
	const step = 0.001
	at := func(east, north float64) orb.Point { return orb.Point{25 + east*step, 60 + north*step} }
	x := &extract{box: orb.Bound{Min: at(0, 0), Max: at(10, 10)}, nodes: map[osm.NodeID]*osm.Node{}, way: map[osm.WayID]*osm.Way{}}
	node := func(id osm.NodeID, east, north float64, tags ...osm.Tag) {
		p := at(east, north)
		n := &osm.Node{ID: id, Lon: p[0], Lat: p[1], Tags: tags}
		if x.box.Contains(p) {
			x.nodes[id] = n
			if len(tags) > 0 {
				x.tagged = append(x.tagged, n)
			}
		}
	}
	way := func(id osm.WayID, tags osm.Tags, refs ...osm.NodeID) {
		w := &osm.Way{ID: id, Tags: tags}
		for _, r := range refs {
			w.Nodes = append(w.Nodes, osm.WayNode{ID: r})
		}
		x.ways, x.way[id] = append(x.ways, w), w
	}
	// The coast goes north, with land on its left, and is cut at both ends.
	node(1, 6, -1)
	node(2, 6, 0.5)
	node(3, 6, 9.5)
	node(4, 6, 11)
	way(1, osm.Tags{{Key: "natural", Value: "coastline"}}, 1, 2, 3, 4)
	// An island in the sea.
	node(5, 8, 4)
	node(6, 9, 4)
	node(7, 9, 5)
	node(8, 8, 5)
	way(2, osm.Tags{{Key: "natural", Value: "coastline"}}, 5, 6, 7, 8, 5)
	// Streets: a block, and a blind lane that cars may only enter.
	node(10, 1, 1)
	node(11, 4, 1, osm.Tag{Key: "highway", Value: "traffic_signals"})
	node(12, 4, 4)
	node(13, 1, 4)
	node(14, 5, 4)
	street := osm.Tags{{Key: "highway", Value: "residential"}, {Key: "name", Value: "Ring"}}
	way(10, street, 10, 11, 12)
	way(11, street, 12, 13, 10)
	way(12, osm.Tags{{Key: "highway", Value: "residential"}, {Key: "oneway", Value: "yes"}}, 12, 14)
	// A restaurant and a door beside them, and a house cut by the box.
	node(20, 1.2, 1.2, osm.Tag{Key: "amenity", Value: "restaurant"}, osm.Tag{Key: "name", Value: "Ruoka"}, osm.Tag{Key: "cuisine", Value: "finnish"},
		osm.Tag{Key: "addr:street", Value: "Ring"}, osm.Tag{Key: "addr:housenumber", Value: "1"})
	node(21, 3.8, 3.8, osm.Tag{Key: "addr:street", Value: "Ring"}, osm.Tag{Key: "addr:housenumber", Value: "3"})
	node(30, -1, 6)
	node(31, 1, 6)
	node(32, 1, 8)
	node(33, -1, 8)
	way(30, osm.Tags{{Key: "building", Value: "yes"}}, 30, 31, 32, 33, 30)
	return x
}

// The coast, closed against the box, parts it into land and sea; the island is land.
func TestLandAndSea(t *testing.T) {
	x := town(t)
	land, sea := x.landAndSea()
	whole := planar.Area(x.box.ToPolygon())
	for name, c := range map[string]struct{ got, want float64 }{
		"land": {planar.Area(land), 0.61 * whole}, "sea": {planar.Area(sea), 0.39 * whole},
	} {
		if math.Abs(c.got-c.want) > whole*1e-3 {
			t.Errorf("%s is %.3f of the box, not %.3f", name, c.got/whole, c.want/whole)
		}
	}
	if !planar.MultiPolygonContains(land, orb.Point{25.001, 60.005}) || !planar.MultiPolygonContains(sea, orb.Point{25.007, 60.005}) {
		t.Error("land is not in the west, or the sea not in the east")
	}
	inland := town(t)
	inland.ways = inland.ways[2:]
	if land, sea := inland.landAndSea(); planar.Area(land) != whole || sea != nil {
		t.Error("without a coast all is land")
	}
}

func TestHouseCutByTheBox(t *testing.T) {
	x := town(t)
	got := planar.Area(x.area(x.way[30]))
	if want := 2 * planar.Area(x.box.ToPolygon()) / 100; math.Abs(got/want-1) > 0.01 {
		t.Errorf("%g of %g of the house are in the box", got, want)
	}
}

// Every kind of courier comes from every node that it is said to come to, to every other.
func TestStreets(t *testing.T) {
	x := town(t)
	s := newStreets(x)
	for _, e := range s.edges {
		if e.way == 12 && e.use&(bicycle|motor) != 0 {
			t.Error("a lane that cars can only enter is part of their streets")
		}
	}
	if len(s.lights) != 1 {
		t.Errorf("%d traffic lights", len(s.lights))
	}
	c := city{Bounds: [4]float64{25, 60, 25.01, 60.01}, Kitchens: s.kitchens(x, 12), Homes: s.homes(x, 5)}
	s.into(&c)
	if len(c.Nodes) != 2*5 || len(c.Kitchens) != 1 || len(c.Homes) != 1 || c.Kitchens[0].Address != "Ring 1" || c.Homes[0].Lat != 3800 {
		t.Errorf("%+v", c)
	}
}

func TestUseOf(t *testing.T) {
	tags := func(pairs ...string) (out osm.Tags) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, osm.Tag{Key: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	both := func(who int) int { return who | who<<against }
	for want, all := range map[int][]osm.Tags{
		both(foot | bicycle | motor): {tags("highway", "primary"), tags("highway", "service", "access", "permissive")},
		both(foot | bicycle): {
			tags("highway", "cycleway"), tags("highway", "residential", "motor_vehicle", "no"), tags("highway", "footway", "bicycle", "yes"),
		},
		both(foot):                            {tags("highway", "steps"), tags("highway", "residential", "vehicle", "no")},
		both(foot) | bicycle | motor:          {tags("highway", "residential", "oneway", "yes")},
		both(foot|bicycle) | motor:            {tags("highway", "residential", "oneway", "yes", "oneway:bicycle", "no")},
		both(foot) | (bicycle|motor)<<against: {tags("highway", "residential", "oneway", "-1")},
		0:                                     {tags("highway", "motorway"), tags("railway", "rail"), tags("highway", "service", "tunnel", "yes"), tags("highway", "service", "access", "private")},
	} {
		for _, one := range all {
			if got := useOf(one); got != want {
				t.Errorf("%v: %b, not %b", one, got, want)
			}
		}
	}
}

// What is written can be read: the archive's header and directory lead to tiles whose layers
// hold what the map should show.
func TestArchive(t *testing.T) {
	x := town(t)
	tiles, err := cut(features(x), x.box)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pack(tiles, "Town", x.box)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	if string(b[:8]) != "PMTiles\x03" || at(6)+at(7) != uint64(len(b)) || at(8) != uint64(len(tiles)) {
		t.Fatalf("header % x", b[:127])
	}
	dir := bytes.NewReader(unzip(t, b[at(0):at(0)+at(1)]))
	n, err := binary.ReadUvarint(dir)
	if err != nil || int(n) != len(tiles) {
		t.Fatalf("%d entries, %v", n, err)
	}
	if !json.Valid(unzip(t, b[at(2):at(2)+at(3)])) {
		t.Error("the metadata are not JSON")
	}
	seen := map[string]int{}
	for _, tile := range tiles {
		layers, err := mvt.UnmarshalGzipped(tile.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			seen[l.Name] += len(l.Features)
		}
	}
	for _, layer := range []string{"earth", "water", "buildings", "roads", "pois"} {
		if seen[layer] == 0 {
			t.Errorf("nothing in %s: %v", layer, seen)
		}
	}
}

// A whole country is refused, not written in a form that readers don't take.
func TestTooManyTiles(t *testing.T) {
	tiles := make([]tile, 20000)
	for i := range tiles {
		tiles[i] = tile{uint64(i * i), make([]byte, i%97)} //nolint:gosec // positive
	}
	if _, err := pack(tiles, "Country", orb.Bound{}); err == nil {
		t.Error("20,000 tiles fit")
	}
}

func unzip(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Numbers from the specification of PMTiles.
func TestTileID(t *testing.T) {
	for _, c := range []struct {
		z, x, y uint32
		want    uint64
	}{{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 3}, {1, 1, 0, 4}, {2, 0, 0, 5}, {12, 3423, 1763, 19078479}} {
		if got := tileID(c.x, c.y, c.z); got != c.want {
			t.Errorf("%d/%d/%d: %d, not %d", c.z, c.x, c.y, got, c.want)
		}
	}
}
