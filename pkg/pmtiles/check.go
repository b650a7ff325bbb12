package pmtiles

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// entry locates a run of tiles; a run of length 0 is a leaf directory.
type entry struct {
	id, run        uint64
	offset, length uint64
}

// parseDirectory parses an unpacked directory.
func parseDirectory(raw []byte) ([]entry, error) {
	wrong := errors.New("it is cut off")
	next := func() (uint64, error) {
		v, n := binary.Uvarint(raw)
		if n <= 0 {
			return 0, wrong
		}
		raw = raw[n:]
		return v, nil
	}
	n, err := next()
	if err != nil || n > uint64(len(raw)) { // an entry has at least four bytes
		return nil, wrong
	}
	entries := make([]entry, n)
	columns := []func(i int, v uint64){
		func(i int, v uint64) {
			if entries[i].id = v; i > 0 {
				entries[i].id += entries[i-1].id
			}
		},
		func(i int, v uint64) { entries[i].run = v },
		func(i int, v uint64) { entries[i].length = v },
		func(i int, v uint64) {
			if v == 0 && i > 0 {
				entries[i].offset = entries[i-1].offset + entries[i-1].length
			} else {
				entries[i].offset = v - 1
			}
		},
	}
	for _, set := range columns {
		for i := range entries {
			v, err := next()
			if err != nil {
				return nil, err
			}
			set(i, v)
		}
	}
	return entries, nil
}

func (a *Archive) directory(p Part) ([]entry, error) {
	raw, err := a.part(p)
	if err != nil {
		return nil, err
	}
	return parseDirectory(raw)
}

// Zoom counts the tiles of one zoom level.
type Zoom struct {
	Tiles uint64 // addressed
	Bytes uint64 // of distinct tiles
}

// Check reads every directory and tile and returns the counts by zoom level. It fails at
// the first tile that browsers could not read.
func (a *Archive) Check() (map[int]Zoom, error) {
	found := map[int]Zoom{}
	seen := map[uint64]bool{}
	err := a.walk(a.Root, 0, func(e entry) error {
		z := zoomOf(e.id)
		level := found[z]
		level.Tiles += e.run
		if !seen[e.offset] {
			seen[e.offset] = true
			level.Bytes += e.length
			if err := a.checkTile(e); err != nil {
				return fmt.Errorf("a tile of zoom level %d can't be read: %w", z, err)
			}
		}
		found[z] = level
		return nil
	})
	return found, err
}

func (a *Archive) walk(p Part, depth int, visit func(entry) error) error {
	entries, err := a.directory(p)
	if err != nil {
		return fmt.Errorf("a directory can't be read: %w", err)
	}
	for _, e := range entries {
		inside, kind := a.Tiles, "a tile"
		if e.run == 0 {
			inside, kind = a.Leaves, "a directory"
		}
		if end := e.offset + e.length; end < e.offset || end > inside.Length {
			return fmt.Errorf("%s lies beyond its part of the file", kind)
		}
		switch {
		case e.run > 0:
			err = visit(e)
		case depth < 3:
			err = a.walk(Part{a.Leaves.Offset + e.offset, e.length}, depth+1, visit)
		default:
			err = errors.New("directories lie too deep")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) checkTile(e entry) error {
	if e.length > maxPart {
		return fmt.Errorf("it has %d bytes", e.length)
	}
	raw := make([]byte, e.length)
	if _, err := a.content.ReadAt(raw, int64(a.Tiles.Offset+e.offset)); err != nil { //nolint:gosec // inside the file
		return err
	}
	_, err := unpack(raw, a.Compression)
	return err
}

// zoomOf returns the zoom level of a tile: lower levels have (4^z - 1) / 3 tiles.
func zoomOf(id uint64) int { return (bits.Len64(3*id+1) - 1) / 2 }
