package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/osm"
)

// feature is something on the map, from one zoom on.
type feature struct {
	layer   string
	minZoom int
	shape   orb.Geometry // WGS 84
	props   geojson.Properties
}

// rule says what a tag means in the layers of the Protomaps basemap, version 4:
// https://docs.protomaps.com/basemaps/layers
type rule struct {
	key, values  string // values separated by |; * is any
	layer, kind  string // kind = is the value itself
	minZoom      int
	lines, areas bool
}

var rules = []rule{
	{"building", "*", "buildings", "building", 13, false, true},
	{"natural", "water", "water", "water", 10, false, true},
	{"leisure", "swimming_pool", "water", "=", 14, false, true},
	{"amenity", "fountain", "water", "=", 14, false, true},
	{"waterway", "river|stream|canal", "water", "=", 12, true, false},
	{"landuse", "grass|cemetery|forest|meadow|allotments|recreation_ground|village_green|industrial|military|railway", "landuse", "=", 12, false, true},
	{"landuse", "commercial|retail", "landuse", "commercial", 12, false, true},
	{"natural", "wood|scrub|grassland|beach|sand|wetland|bare_rock", "landuse", "=", 12, false, true},
	{"natural", "heath", "landuse", "scrub", 12, false, true},
	{"leisure", "park|garden|playground|pitch|golf_course|nature_reserve", "landuse", "=", 10, false, true},
	{"amenity", "school|university|college|hospital|kindergarten", "landuse", "=", 12, false, true},
	{"man_made", "pier", "landuse", "=", 13, false, true},
	{"highway", "pedestrian|footway", "landuse", "pedestrian", 13, false, true},
	{"place", "square", "landuse", "pedestrian", 13, false, true},
	{"railway", "platform", "landuse", "=", 14, false, true},
	{"highway", "motorway|motorway_link", "roads", "highway", 10, true, false},
	{"highway", "trunk|trunk_link|primary|primary_link|secondary|secondary_link", "roads", "major_road", 10, true, false},
	{"highway", "tertiary|tertiary_link", "roads", "major_road", 11, true, false},
	{"highway", "residential|unclassified|living_street|road", "roads", "minor_road", 12, true, false},
	{"highway", "service", "roads", "minor_road", 14, true, false},
	{"highway", "pedestrian", "roads", "path", 12, true, false},
	{"highway", "footway|path|cycleway|steps|track|bridleway", "roads", "path", 14, true, false},
	{"man_made", "pier", "roads", "path", 14, true, false},
	{"railway", "rail", "roads", "rail", 12, true, false},
	{"railway", "tram|light_rail|narrow_gauge", "roads", "rail", 14, true, false},
	{"route", "ferry", "roads", "ferry", 12, true, false},
}

// points are nodes with a name that are shown.
var points = []rule{
	{"place", "city|town|village", "places", "locality", 10, false, false},
	{"place", "suburb|quarter|neighbourhood", "places", "neighbourhood", 13, false, false},
	{"natural", "bay|strait", "water", "=", 13, false, false},
	{"railway", "station", "pois", "=", 13, false, false},
	{"tourism", "museum|hotel|attraction", "pois", "=", 15, false, false},
	{"amenity", "restaurant|cafe|fast_food|bar|pub|theatre|cinema|library|university|townhall|marketplace|pharmacy|place_of_worship", "pois", "=", 15, false, false},
	{"shop", "supermarket|bakery|books|department_store|mall", "pois", "=", 15, false, false},
}

func (r rule) kindOf(tags osm.Tags) string {
	v := tags.Find(r.key)
	switch {
	case v == "" || v == "no", r.values != "*" && !slices.Contains(strings.Split(r.values, "|"), v):
		return ""
	case r.kind == "=":
		return v
	}
	return r.kind
}

// features returns the map's features in drawing order.
func features(x *extract) []feature {
	land, sea := x.landAndSea()
	out := []feature{{"earth", 10, land, geojson.Properties{"kind": "earth"}}}
	if len(sea) > 0 {
		out = append(out, feature{"water", 10, sea, geojson.Properties{"kind": "ocean"}})
	}
	for _, w := range x.ways {
		out = x.append(out, w.Tags, x.area(w), x.runs(w))
	}
	for _, r := range x.relations {
		if t := r.Tags.Find("type"); t == "multipolygon" || t == "boundary" {
			out = x.append(out, r.Tags, x.multipolygon(r), nil)
		}
	}
	for _, n := range x.tagged {
		out = point(out, n.Tags, n.Point())
	}
	return sorted(merged(out))
}

// append adds the features that an area's or line's tags describe.
func (x *extract) append(out []feature, tags osm.Tags, area orb.MultiPolygon, lines []orb.LineString) []feature {
	isArea := area != nil && tags.Find("area") != "no"
	if tags.Find("highway") != "" && lines != nil { // a closed street is a loop unless it says otherwise
		isArea = isArea && tags.Find("area") == "yes"
	}
	for _, r := range rules {
		kind := r.kindOf(tags)
		if kind == "" || hidden(tags) {
			continue
		}
		switch {
		case r.areas && isArea:
			f := feature{r.layer, r.minZoom, area, describe(tags, kind)}
			if r.layer == "buildings" {
				f.props = geojson.Properties{"kind": kind, "height": height(tags)}
			}
			out = append(out, f)
			if name := tags.Find("name"); name != "" && r.layer == "water" {
				at, _ := planar.CentroidArea(area)
				out = append(out, feature{"water", 13, at, describe(tags, kind)})
			}
		case r.lines && !isArea:
			for _, l := range lines {
				out = append(out, feature{r.layer, r.minZoom, l, lineProps(tags, kind, r)})
			}
		default:
			continue
		}
		return out
	}
	if isArea { // a house may be what people look for
		at, _ := planar.CentroidArea(area)
		out = point(out, tags, at)
	}
	return out
}

func point(out []feature, tags osm.Tags, at orb.Point) []feature {
	for _, r := range points {
		if kind := r.kindOf(tags); kind != "" && tags.Find("name") != "" {
			props := describe(tags, kind)
			if r.layer == "places" {
				props["kind_detail"] = tags.Find("place")
				if n, err := strconv.Atoi(tags.Find("population")); err == nil {
					props["population"] = n
				}
				if tags.Find("place") == "city" {
					props["population_rank"] = 10
				}
			}
			return append(out, feature{r.layer, r.minZoom, at, props})
		}
	}
	return out
}

// hidden reports whether a feature can't be seen from above.
func hidden(tags osm.Tags) bool {
	layer, _ := strconv.Atoi(tags.Find("layer"))
	tunnel := tags.Find("tunnel")
	return layer < 0 || tags.Find("indoor") == "yes" || tags.Find("location") == "underground" ||
		(tunnel != "" && tunnel != "no" && tunnel != "building_passage") ||
		slices.Contains([]string{"sidewalk", "crossing"}, tags.Find("footway"))
}

// describe is what is common to most features.
func describe(tags osm.Tags, kind string) geojson.Properties {
	props := geojson.Properties{"kind": kind}
	name := tags.Find("name")
	if name == "" {
		return props
	}
	props["name"] = name
	for _, lang := range []string{"en", "ru"} {
		if other := tags.Find("name:" + lang); other != "" && other != name {
			props["name:"+lang] = other
		}
	}
	return props
}

func lineProps(tags osm.Tags, kind string, r rule) geojson.Properties {
	props := describe(tags, kind)
	if r.layer != "roads" {
		return props
	}
	props["kind_detail"] = strings.TrimSuffix(tags.Find(r.key), "_link")
	if strings.HasSuffix(tags.Find(r.key), "_link") {
		props["is_link"] = true
	}
	if v := tags.Find("bridge"); v != "" && v != "no" {
		props["is_bridge"] = true
	}
	if r.key != "highway" {
		delete(props, "name") // of a railway line nobody needs it here
	}
	return props
}

// height of a building in metres.
func height(tags osm.Tags) float64 {
	if h, err := strconv.ParseFloat(strings.TrimSuffix(tags.Find("height"), " m"), 64); err == nil && h > 0 {
		return h
	}
	if n, err := strconv.ParseFloat(tags.Find("building:levels"), 64); err == nil && n > 0 {
		return 3*n + 2
	}
	return 10
}

// merged joins the pieces of a street that look alike, so that its name has room.
func merged(in []feature) []feature {
	groups := map[string][]orb.LineString{}
	var out []feature
	for _, f := range in {
		l, ok := f.shape.(orb.LineString)
		if !ok {
			out = append(out, f)
			continue
		}
		key := fmt.Sprint(f.layer, f.minZoom, f.props) // maps are printed in the order of their keys
		if groups[key] == nil {
			out = append(out, feature{f.layer, f.minZoom, nil, f.props})
		}
		groups[key] = append(groups[key], l)
	}
	var split []feature
	for _, f := range out {
		if f.shape != nil {
			split = append(split, f)
			continue
		}
		for _, l := range join(groups[fmt.Sprint(f.layer, f.minZoom, f.props)], false) {
			split = append(split, feature{f.layer, f.minZoom, l, f.props})
		}
	}
	return split
}

// sorted puts what matters more later, where it is drawn over the rest; of areas the large
// ones come first.
func sorted(in []feature) []feature {
	slices.SortStableFunc(in, func(a, b feature) int {
		return cmp.Or(cmp.Compare(b.minZoom, a.minZoom), cmp.Compare(size(b), size(a)))
	})
	return in
}

func size(f feature) float64 {
	if f.shape.Dimensions() < 2 {
		return 0
	}
	return planar.Area(f.shape)
}
