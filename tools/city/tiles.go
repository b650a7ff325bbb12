package main

import (
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/maptile"
	"github.com/paulmach/orb/simplify"
)

const (
	minZoom, maxZoom = 10, 15
	// around is how far a tile reaches over its edge, in units of its 4096.
	around = 128
)

// layerNames is the order in which layers stand in a tile.
var layerNames = []string{"earth", "landuse", "water", "buildings", "roads", "places", "pois"}

// tile is a piece of the map: a gzipped Mapbox vector tile.
type tile struct {
	id   uint64
	data []byte
}

// cut makes the tiles of a box, sorted by id.
func cut(all []feature, box orb.Bound) ([]tile, error) {
	var out []tile
	for z := maptile.Zoom(minZoom); z <= maxZoom; z++ {
		northWest := maptile.At(orb.Point{box.Left(), box.Top()}, z)
		southEast := maptile.At(orb.Point{box.Right(), box.Bottom()}, z)
		for x := northWest.X; x <= southEast.X; x++ {
			for y := northWest.Y; y <= southEast.Y; y++ {
				data, err := encode(all, maptile.New(x, y, z))
				if err != nil {
					return nil, err
				}
				if data != nil {
					out = append(out, tile{tileID(x, y, uint32(z)), data})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b tile) int { return int(int64(a.id) - int64(b.id)) }) //nolint:gosec // far from the limit
	return out, nil
}

// encode makes one tile, nil when nothing is on it.
func encode(all []feature, t maptile.Tile) ([]byte, error) {
	layers := map[string]*geojson.FeatureCollection{}
	for _, f := range all {
		if f.minZoom > int(t.Z) {
			continue
		}
		if layers[f.layer] == nil {
			layers[f.layer] = geojson.NewFeatureCollection()
		}
		g := geojson.NewFeature(orb.Clone(f.shape))
		g.Properties = f.props
		layers[f.layer].Append(g)
	}
	var tileLayers mvt.Layers
	for _, name := range layerNames {
		if layers[name] == nil {
			continue
		}
		l := mvt.NewLayer(name, layers[name])
		l.Version = 2
		l.ProjectToTile(t)
		l.Clip(orb.Bound{Min: orb.Point{-around, -around}, Max: orb.Point{4096 + around, 4096 + around}})
		l.Simplify(simplify.DouglasPeucker(3))
		l.RemoveEmpty(8, 60)
		if len(l.Features) > 0 {
			tileLayers = append(tileLayers, l)
		}
	}
	if len(tileLayers) == 0 {
		return nil, nil
	}
	return mvt.MarshalGzipped(tileLayers)
}
