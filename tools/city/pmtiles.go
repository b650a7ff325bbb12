package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// pack writes an archive of tiles, PMTiles version 3:
// https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
// Its root directory names all of them and must fit into the first 16 KiB, which bounds their
// number to some thousands.
func pack(tiles []tile, name string, box orb.Bound) ([]byte, error) {
	var dir, data []byte
	dir = binary.AppendUvarint(dir, uint64(len(tiles)))
	var last uint64
	for _, t := range tiles {
		dir = binary.AppendUvarint(dir, t.id-last)
		last = t.id
	}
	for range tiles {
		dir = binary.AppendUvarint(dir, 1) // run length
	}
	for _, t := range tiles {
		dir = binary.AppendUvarint(dir, uint64(len(t.data)))
	}
	for i, t := range tiles {
		offset := uint64(0) // after the one before
		if i == 0 {
			offset = 1 // at 0
		}
		dir = binary.AppendUvarint(dir, offset)
		data = append(data, t.data...)
	}
	meta, err := metadata(name)
	if err != nil {
		return nil, err
	}
	dir, meta = zipped(dir), zipped(meta)

	const headerSize, first = 127, 16384
	if headerSize+len(dir) > first {
		return nil, fmt.Errorf("%d tiles are too many for one archive: choose a smaller -box", len(tiles))
	}
	n := uint64(len(tiles))
	h := append([]byte("PMTiles"), 3)
	at := uint64(headerSize)
	for _, length := range []int{len(dir), len(meta), 0, len(data)} { // root, metadata, leaves, tiles
		h = binary.LittleEndian.AppendUint64(h, at)
		h = binary.LittleEndian.AppendUint64(h, uint64(length)) //nolint:gosec // a length
		at += uint64(length)                                    //nolint:gosec // a length
	}
	for range 3 { // addressed tiles, entries, contents
		h = binary.LittleEndian.AppendUint64(h, n)
	}
	const clustered, gzipped, vector = 1, 2, 1
	h = append(h, clustered, gzipped, gzipped, vector, minZoom, maxZoom)
	for _, p := range []orb.Point{box.Min, box.Max} {
		h = appendPoint(h, p)
	}
	h = appendPoint(append(h, maxZoom), box.Center())
	return bytes.Join([][]byte{h, dir, meta, data}, nil), nil
}

func appendPoint(h []byte, p orb.Point) []byte {
	for _, degrees := range p {
		h = binary.LittleEndian.AppendUint32(h, uint32(int32(math.Round(degrees*1e7)))) //nolint:gosec // 180e7 fits
	}
	return h
}

func metadata(name string) ([]byte, error) {
	type layer struct {
		ID      string            `json:"id"`
		Fields  map[string]string `json:"fields"`
		MinZoom int               `json:"minzoom"`
		MaxZoom int               `json:"maxzoom"`
	}
	meta := struct {
		Name        string  `json:"name"`
		Description string  `json:"description"`
		Version     string  `json:"version"`
		Type        string  `json:"type"`
		Attribution string  `json:"attribution"`
		Layers      []layer `json:"vector_layers"`
	}{name, "Protomaps basemap layers of " + name, "4.0.0", "baselayer",
		`<a href="https://www.openstreetmap.org/copyright">© OpenStreetMap contributors</a>`, nil}
	for _, id := range layerNames {
		meta.Layers = append(meta.Layers, layer{id, map[string]string{"kind": "String", "name": "String"}, minZoom, maxZoom})
	}
	return json.Marshal(meta)
}

// tileID numbers tiles along Hilbert curves, one zoom after the other.
func tileID(x, y, z uint32) uint64 {
	id := (uint64(1)<<(2*z) - 1) / 3 // the tiles of all smaller zooms
	for side := uint32(1) << z / 2; side > 0; side /= 2 {
		var rx, ry uint32
		if x&side != 0 {
			rx = 1
		}
		if y&side != 0 {
			ry = 1
		}
		id += uint64(side) * uint64(side) * uint64((3*rx)^ry)
		if ry == 0 { // turn the quarter
			if rx == 1 {
				x, y = side-1-x&(side-1), side-1-y&(side-1)
			}
			x, y = y, x
		}
	}
	return id
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid one
	_, _ = w.Write(b)                                       // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
