package main

import (
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip/smartclip"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/osm"
)

// join makes as few lines as it can of lines that meet end to end; where oriented, no line
// is turned round. The order in which lines are given decides where there is a choice.
func join(lines []orb.LineString, oriented bool) []orb.LineString {
	byEnd := map[orb.Point][]int{}
	for i, l := range lines {
		byEnd[l[0]] = append(byEnd[l[0]], i)
		if !oriented {
			byEnd[l[len(l)-1]] = append(byEnd[l[len(l)-1]], i)
		}
	}
	used := make([]bool, len(lines))
	// next takes a line that goes on from p.
	next := func(p orb.Point) orb.LineString {
		for _, i := range byEnd[p] {
			if used[i] {
				continue
			}
			used[i] = true
			l := slices.Clone(lines[i])
			if l[0] != p {
				l.Reverse()
			}
			return l
		}
		return nil
	}
	var out []orb.LineString
	for i := range lines {
		if used[i] {
			continue
		}
		used[i] = true
		line := slices.Clone(lines[i])
		for range 2 {
			for line[0] != line[len(line)-1] {
				more := next(line[len(line)-1])
				if more == nil {
					break
				}
				line = append(line, more[1:]...)
			}
			if oriented {
				break
			}
			line.Reverse() // and the other end
		}
		out = append(out, line)
	}
	return out
}

// coast is where land, on its left, meets the sea.
func (x *extract) coast() []orb.LineString {
	var coast []orb.LineString
	for _, w := range x.ways {
		if w.Tags.Find("natural") == "coastline" {
			coast = append(coast, x.runs(w)...)
		}
	}
	return join(coast, true)
}

// landAndSea are the two parts of the box.
func (x *extract) landAndSea() (land, sea orb.MultiPolygon) {
	coast := x.coast()
	if len(coast) == 0 {
		return orb.MultiPolygon{x.box.ToPolygon()}, nil
	}
	return x.leftOf(coast), x.leftOf(reversed(coast))
}

// leftOf is the part of the box on the left of lines, which are closed or go through it.
func (x *extract) leftOf(lines []orb.LineString) orb.MultiPolygon {
	var through, out orb.MultiPolygon
	var holes []orb.LineString
	for _, l := range lines {
		switch r := orb.Ring(l); {
		case !r.Closed():
			through = append(through, orb.Polygon{r})
		case r.Orientation() == orb.CCW:
			out = append(out, orb.Polygon{r})
		default:
			holes = append(holes, l)
		}
	}
	switch {
	case len(through) > 0:
		out = append(smartclip.MultiPolygon(x.box, through, orb.CCW), out...)
	case len(holes) > 0:
		out = append(orb.MultiPolygon{x.box.ToPolygon()}, out...)
	}
	return withHoles(out, holes)
}

func reversed(lines []orb.LineString) []orb.LineString {
	out := make([]orb.LineString, len(lines))
	for i, l := range lines {
		out[i] = slices.Clone(l)
		out[i].Reverse()
	}
	return out
}

// area is what a closed way surrounds in the box, nil when that is nothing.
func (x *extract) area(w *osm.Way) orb.MultiPolygon {
	if len(w.Nodes) < 4 || w.Nodes[0].ID != w.Nodes[len(w.Nodes)-1].ID {
		return nil
	}
	return x.surrounded(x.runs(w), nil)
}

// multipolygon is what a relation surrounds in the box, nil when that is nothing.
func (x *extract) multipolygon(r *osm.Relation) orb.MultiPolygon {
	var outer, inner []orb.LineString
	for _, m := range r.Members {
		w := x.way[osm.WayID(m.Ref)]
		switch {
		case m.Type != osm.TypeWay || w == nil:
		case m.Role == "inner":
			inner = append(inner, x.runs(w)...)
		default:
			outer = append(outer, x.runs(w)...)
		}
	}
	return x.surrounded(outer, inner)
}

// surrounded is what lies within the outer lines and not within the inner ones. Of lines
// that are cut by the box nobody knows which side is meant: the smaller one is taken.
func (x *extract) surrounded(outer, inner []orb.LineString) orb.MultiPolygon {
	var out orb.MultiPolygon
	var cut []orb.LineString
	for _, l := range join(outer, false) {
		switch r := orb.Ring(l); {
		case !r.Closed():
			cut = append(cut, l)
		case len(r) >= 4:
			if r.Orientation() == orb.CW {
				r.Reverse()
			}
			out = append(out, orb.Polygon{r})
		}
	}
	if len(cut) > 0 {
		left, right := x.leftOf(cut), x.leftOf(reversed(cut))
		if planar.Area(left) > planar.Area(right) {
			left = right
		}
		out = append(out, left...)
	}
	var holes []orb.LineString
	for _, l := range join(inner, false) {
		if r := orb.Ring(l); r.Closed() && len(r) >= 4 {
			if r.Orientation() == orb.CCW {
				r.Reverse()
			}
			holes = append(holes, l)
		}
	}
	return withHoles(out, holes)
}

// withHoles gives each hole to the polygon around it.
func withHoles(all orb.MultiPolygon, holes []orb.LineString) orb.MultiPolygon {
	for _, hole := range holes {
		for i := range all {
			if planar.RingContains(all[i][0], hole[0]) {
				all[i] = append(all[i], orb.Ring(hole))
				break
			}
		}
	}
	return all
}
