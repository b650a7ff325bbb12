package tests

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
)

const helsinki = "../internal/demo/helsinki/map.pmtiles"

// A file that pages can't use aborts startup with one line that names the key.
func TestBadFilesForPagesStopTheStart(t *testing.T) {
	city, err := os.ReadFile(helsinki)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	for name, c := range map[string]struct{ set, says string }{
		"rubbish":           {"map.pmtiles=" + write("rubbish.pmtiles", []byte("rubbish")), "map.pmtiles (flag --set): " + dir + "/rubbish.pmtiles is not a PMTiles archive"},
		"truncated":         {"map.pmtiles=" + write("cut.pmtiles", city[:len(city)/2]), "is truncated"},
		"not there":         {"map.pmtiles=" + dir + "/none.pmtiles", "no such file"},
		"tiles, no place":   {"map.tiles=https://tiles.example/tile.png", "map.tiles (flag --set) must be an address with {z}, {x} and {y}"},
		"tiles of nobody":   {"map.tiles=https://tiles.example/{z}/{x}/{y}.png", "map.tiles (flag --set) needs map.attribution"},
		"a logo of no kind": {"brand.logo=" + write("logo.gif", city[:10]), "brand.logo (flag --set) must be an .svg, .png or .webp file"},
		"a huge logo":       {"brand.logo=" + write("logo.png", make([]byte, 300<<10)), "may have 262144"},
		"a colour's name":   {"brand.accent=red", "brand.accent (flag --set) must be a colour such as #1a4f9c"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			cfg, err := config.Load(append(s.flags(), "--set", c.set), nil)
			if err == nil {
				_, err = app.New(context.Background(), cfg, zap.NewNop(), "test")
			}
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// Browsers request ranges of the map file.
func TestTheMapIsServedInPieces(t *testing.T) {
	s := start(t, "--set=map.pmtiles="+helsinki)
	city, err := os.ReadFile(helsinki)
	require.NoError(t, err)
	req, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/map.pmtiles", nil)
	require.NoError(t, err)
	req.Header.Set("Range", "bytes=100-299")
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	piece, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	require.Empty(t, resp.Header.Get("Content-Encoding"))
	require.Equal(t, city[100:300], piece)
	require.NotEmpty(t, resp.Header.Get("ETag"))
}
