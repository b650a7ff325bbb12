package pmtiles

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// file makes an archive with one leaf directory of three tiles, two of them alike.
func file(t testing.TB, change func(header []byte), metadata string) []byte {
	t.Helper()
	if metadata == "" {
		metadata = `{"name":"Town","vector_layers":[{"id":"earth"},{"id":"water"},{"id":"roads"}]}`
	}
	tile := packed(t, []byte("tile"))
	leaf := packed(t, directory([]entry{{id: 5, run: 2, length: uint64(len(tile))}, {id: 21, run: 1, length: uint64(len(tile)), offset: uint64(len(tile))}}))
	root, meta := packed(t, directory([]entry{{id: 5, length: uint64(len(leaf))}})), packed(t, []byte(metadata))
	h := make([]byte, headerSize)
	copy(h, "PMTiles\x03")
	at := uint64(headerSize)
	for i, part := range [][]byte{root, meta, leaf, append(bytes.Clone(tile), tile...)} {
		binary.LittleEndian.PutUint64(h[8+16*i:], at)
		binary.LittleEndian.PutUint64(h[16+16*i:], uint64(len(part)))
		at += uint64(len(part))
	}
	h[97], h[98], h[99], h[100], h[101] = compressionGzip, compressionGzip, typeVector, 2, 3
	west := int32(-240_000_000)
	binary.LittleEndian.PutUint32(h[102:], uint32(west))
	binary.LittleEndian.PutUint32(h[114:], 601_700_000)
	if change != nil {
		change(h)
	}
	return bytes.Join([][]byte{h, root, meta, leaf, tile, tile}, nil)
}

func directory(entries []entry) []byte {
	b := binary.AppendUvarint(nil, uint64(len(entries)))
	before := uint64(0)
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.id-before)
		before = e.id
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.run)
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.length)
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.offset+1)
	}
	return b
}

func packed(t testing.TB, plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func opened(t testing.TB, content []byte) (*Archive, error) {
	path := filepath.Join(t.TempDir(), "town.pmtiles")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	a, err := Open(path)
	if err == nil {
		t.Cleanup(func() { _ = a.Close() })
	}
	return a, err
}

func TestAnArchiveSaysWhatItCovers(t *testing.T) {
	content := file(t, nil, "")
	a, err := opened(t, content)
	require.NoError(t, err)
	require.Equal(t, "Town", a.Name)
	require.Equal(t, []string{"earth", "water", "roads"}, a.Layers)
	require.InDelta(t, -24.0, a.MinLon, 1e-9)
	require.InDelta(t, 60.17, a.MaxLat, 1e-9)
	require.EqualValues(t, len(content), a.Size())
	levels, err := a.Check()
	require.NoError(t, err)
	require.EqualValues(t, 2, levels[2].Tiles)
	require.EqualValues(t, 1, levels[3].Tiles)
}

func TestFilesThatBrowsersCantDrawAreRefused(t *testing.T) {
	set := func(i int, v byte) func([]byte) { return func(h []byte) { h[i] = v } }
	whole := file(t, nil, "")
	for name, c := range map[string]struct {
		content []byte
		says    string
	}{
		"empty":           {nil, "is not a PMTiles archive"},
		"rubbish":         {bytes.Repeat([]byte("rubbish "), 100), "is not a PMTiles archive"},
		"only a header":   {whole[:headerSize], "is truncated: it has 127 bytes"},
		"cut off":         {whole[:len(whole)-1], "is truncated"},
		"an old version":  {file(t, set(7, 2), ""), "version 2"},
		"pictures":        {file(t, set(99, 2), ""), "holds pictures"},
		"brotli":          {file(t, set(97, 3), ""), "gzip is needed"},
		"zstandard tiles": {file(t, set(98, 4), ""), "gzip is needed"},
		"zoom levels":     {file(t, set(101, 99), ""), "impossible zoom levels"},
		"an offset that overflows": {file(t, func(h []byte) {
			binary.LittleEndian.PutUint64(h[56:], ^uint64(0))
		}, ""), "is truncated"},
		"another schema": {file(t, nil, `{"vector_layers":[{"id":"transportation"}]}`), `no layer "earth" but transportation`},
		"no description": {file(t, nil, "[]"), "description"},
		"a root that is no directory": {func() []byte {
			b := bytes.Clone(whole)
			b[headerSize+12] ^= 0xff
			return b
		}(), "directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := opened(t, c.content)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := Open(t.TempDir())
	require.ErrorContains(t, err, "is not a file")
}

func TestADamagedTileIsFound(t *testing.T) {
	content := file(t, nil, "")
	content[len(content)-8] ^= 0xff // the checksum of the last one
	a, err := opened(t, content)
	require.NoError(t, err, "the start does not read every tile")
	_, err = a.Check()
	require.ErrorContains(t, err, "a tile of zoom level 3 can't be read")
}

func TestZoomOf(t *testing.T) {
	for id, want := range map[uint64]int{0: 0, 1: 1, 4: 1, 5: 2, 20: 2, 21: 3, 84: 3, 85: 4, 1431655764: 15, 1431655765: 16} {
		require.Equal(t, want, zoomOf(id), id)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(f, nil, ""))
	f.Add([]byte("PMTiles\x03"))
	f.Fuzz(func(t *testing.T, content []byte) {
		a := &Archive{content: bytes.NewReader(content), size: int64(len(content))}
		if a.read() == nil {
			_, _ = a.Check()
		}
	})
}
