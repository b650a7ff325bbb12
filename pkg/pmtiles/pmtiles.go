// Package pmtiles reads the headers, metadata and directories of PMTiles archives
// (version 3). Browsers read the tiles; the server checks that they can.
package pmtiles

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	headerSize = 127
	// maxPart limits unpacked directories and metadata, in bytes.
	maxPart = 16 << 20
	maxZoom = 26
)

// Compressions and tile types by their numbers in headers.
const (
	compressionNone = 1
	compressionGzip = 2
	typeVector      = 1
)

// Header is an archive's header.
type Header struct {
	Root, Metadata, Leaves, Tiles Part
	// Addressed is the number of tiles, Distinct the number of distinct ones.
	Addressed, Distinct            uint64
	Internal, Compression, Type    byte
	MinZoom, MaxZoom               byte
	MinLon, MinLat, MaxLon, MaxLat float64 // degrees
}

// Part is a piece of the file, in bytes from its beginning.
type Part struct{ Offset, Length uint64 }

// Archive is an open file that browsers can draw a map from.
type Archive struct {
	Header
	// Layers are the names of the tiles' layers; Name and Attribution come from the
	// metadata and may be empty.
	Layers            []string
	Name, Attribution string
	file              *os.File
	content           io.ReaderAt
	size              int64
}

// required are the layers of Protomaps' schema that a map needs.
var required = []string{"earth", "water", "roads"}

// Open opens an archive and checks that pages can draw it: vector tiles in Protomaps'
// schema, none or gzip compression, no part beyond the end of the file. The error is one
// line that does not name the file.
func Open(path string) (*Archive, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", errors.Unwrap(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a file")
	}
	a := &Archive{file: f, content: f}
	if err == nil {
		a.size = info.Size()
		err = a.read()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }

// ReadAt reads the bytes of the file.
func (a *Archive) ReadAt(p []byte, offset int64) (int, error) { return a.content.ReadAt(p, offset) }

// Size returns the file's size in bytes.
func (a *Archive) Size() int64 { return a.size }

// Version identifies the file's content by size and time.
func (a *Archive) Version() string {
	info, err := a.file.Stat()
	if err != nil {
		return fmt.Sprintf("%x", a.size)
	}
	return fmt.Sprintf("%x-%x", a.size, info.ModTime().UnixNano())
}

func (a *Archive) read() (err error) {
	raw := make([]byte, headerSize)
	if _, err := a.content.ReadAt(raw, 0); err != nil && err != io.EOF {
		return err
	}
	if a.Header, err = ParseHeader(raw); err != nil {
		return err
	}
	for _, p := range []Part{a.Root, a.Metadata, a.Leaves, a.Tiles} {
		if end := p.Offset + p.Length; end < p.Offset || end > uint64(a.size) { //nolint:gosec // a size is not negative
			return fmt.Errorf("is truncated: it has %d bytes and should have at least %d", a.size, end)
		}
	}
	return a.readMetadata()
}

// ParseHeader reads the first 127 bytes of a file.
func ParseHeader(raw []byte) (Header, error) {
	if len(raw) < headerSize || !bytes.HasPrefix(raw, []byte("PMTiles")) {
		return Header{}, errors.New("is not a PMTiles archive")
	}
	if raw[7] != 3 {
		return Header{}, fmt.Errorf("is a PMTiles archive of version %d; version 3 is needed", raw[7])
	}
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(raw[i:]) }
	degrees := func(i int) float64 { return float64(int32(binary.LittleEndian.Uint32(raw[i:]))) / 1e7 } //nolint:gosec // it is signed there
	h := Header{
		Root: Part{at(8), at(16)}, Metadata: Part{at(24), at(32)}, Leaves: Part{at(40), at(48)}, Tiles: Part{at(56), at(64)},
		Addressed: at(72), Distinct: at(88), Internal: raw[97], Compression: raw[98], Type: raw[99], MinZoom: raw[100], MaxZoom: raw[101],
		MinLon: degrees(102), MinLat: degrees(106), MaxLon: degrees(110), MaxLat: degrees(114),
	}
	switch {
	case h.Type != typeVector:
		return h, errors.New("holds pictures; vector tiles in Protomaps' schema are needed")
	case !readable(h.Internal) || !readable(h.Compression):
		return h, errors.New("is packed in a way that browsers can't unpack; gzip is needed")
	case h.MinZoom > h.MaxZoom || h.MaxZoom > maxZoom:
		return h, fmt.Errorf("has impossible zoom levels: %d to %d", h.MinZoom, h.MaxZoom)
	}
	return h, nil
}

func readable(compression byte) bool {
	return compression == compressionNone || compression == compressionGzip
}

// part reads a directory or the metadata.
func (a *Archive) part(p Part) ([]byte, error) {
	if p.Length > maxPart {
		return nil, fmt.Errorf("has a directory of %d bytes", p.Length)
	}
	raw := make([]byte, p.Length)
	if _, err := a.content.ReadAt(raw, int64(p.Offset)); err != nil { //nolint:gosec // inside the file, as read has seen
		return nil, err
	}
	return unpack(raw, a.Internal)
}

func unpack(raw []byte, compression byte) ([]byte, error) {
	if compression == compressionNone {
		return raw, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxPart+1))
	if err == nil && len(out) > maxPart {
		err = errors.New("it is too large once unpacked")
	}
	return out, err
}

func (a *Archive) readMetadata() error {
	raw, err := a.part(a.Metadata)
	if err != nil {
		return fmt.Errorf("is damaged: its description can't be read: %w", err)
	}
	var m struct {
		Name, Attribution string
		VectorLayers      []struct{ ID string } `json:"vector_layers"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("is damaged: its description can't be read: %w", err)
	}
	a.Name, a.Attribution = m.Name, m.Attribution
	for _, l := range m.VectorLayers {
		a.Layers = append(a.Layers, l.ID)
	}
	for _, layer := range required {
		if !slices.Contains(a.Layers, layer) {
			return fmt.Errorf("is not in Protomaps' schema: it has no layer %q but %s", layer, strings.Join(a.Layers, ", "))
		}
	}
	if _, err := a.directory(a.Root); err != nil {
		return fmt.Errorf("is damaged: its directory can't be read: %w", err)
	}
	return nil
}
