package main

import (
	"context"
	"errors"
	"io"

	"github.com/paulmach/orb"
	"github.com/paulmach/osm"
	"github.com/paulmach/osm/osmpbf"
)

const attribution = "© OpenStreetMap contributors, ODbL 1.0"

// extract is what lies in a box of OpenStreetMap.
type extract struct {
	box       orb.Bound
	nodes     map[osm.NodeID]*osm.Node // those in the box
	tagged    []*osm.Node              // of them, those that say something
	ways      []*osm.Way
	way       map[osm.WayID]*osm.Way
	relations []*osm.Relation
}

// read reads an extract; an empty box is the extract's own.
func read(ctx context.Context, r io.Reader, box orb.Bound) (*extract, error) {
	scanner := osmpbf.New(ctx, r, 1)
	defer func() { _ = scanner.Close() }() // only read
	header, err := scanner.Header()
	if err != nil {
		return nil, err
	}
	if box == (orb.Bound{}) {
		if header.Bounds == nil {
			return nil, errors.New("the extract does not say which box it covers: name one by -box")
		}
		b := header.Bounds
		box = orb.Bound{Min: orb.Point{b.MinLon, b.MinLat}, Max: orb.Point{b.MaxLon, b.MaxLat}}
	}
	x := &extract{box: box, nodes: map[osm.NodeID]*osm.Node{}, way: map[osm.WayID]*osm.Way{}}
	for scanner.Scan() {
		switch o := scanner.Object().(type) {
		case *osm.Node:
			if box.Contains(o.Point()) {
				x.nodes[o.ID] = o
				if len(o.Tags) > 0 {
					x.tagged = append(x.tagged, o)
				}
			}
		case *osm.Way:
			x.ways = append(x.ways, o)
			x.way[o.ID] = o
		case *osm.Relation:
			x.relations = append(x.relations, o)
		}
	}
	if len(x.nodes) == 0 && scanner.Err() == nil {
		return nil, errors.New("nothing of the extract is in the box")
	}
	return x, scanner.Err()
}

// runs are the stretches of a way that lie in the box. Where the way goes on beyond it, the
// stretch reaches a hair over the nearest edge.
func (x *extract) runs(w *osm.Way) []orb.LineString {
	var out []orb.LineString
	var run orb.LineString
	end := func() {
		if len(run) > 1 {
			out = append(out, run)
		}
		run = nil
	}
	for i, ref := range w.Nodes {
		n := x.nodes[ref.ID]
		if n == nil {
			if len(run) > 0 {
				run = append(run, x.beyond(run[len(run)-1]))
			}
			end()
			continue
		}
		if len(run) == 0 && i > 0 {
			run = append(run, x.beyond(n.Point()))
		}
		run = append(run, n.Point())
	}
	end()
	return out
}

// beyond is the place just outside of the box that is nearest to p.
func (x *extract) beyond(p orb.Point) orb.Point {
	const hair = 1e-6
	b := x.box
	west, east, south, north := p[0]-b.Left(), b.Right()-p[0], p[1]-b.Bottom(), b.Top()-p[1]
	// A degree of longitude is about half of one of latitude where this matters; near the
	// edge either will do.
	switch min(west/2, east/2, south, north) {
	case west / 2:
		return orb.Point{b.Left() - hair, p[1]}
	case east / 2:
		return orb.Point{b.Right() + hair, p[1]}
	case south:
		return orb.Point{p[0], b.Bottom() - hair}
	default:
		return orb.Point{p[0], b.Top() + hair}
	}
}
