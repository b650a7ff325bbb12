package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	httpserver "github.com/order-tracking/order-tracking/internal/http"
	"github.com/order-tracking/order-tracking/pkg/pmtiles"
)

// maxLogo is the largest logo in bytes.
const maxLogo = 256 << 10

var logoTypes = map[string]string{".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}

// pages opens the operator's files for the web pages. An unusable file aborts startup, since
// the cause of an empty map would be hard to find.
func (a *App) pages() (httpserver.Pages, error) {
	p := httpserver.Pages{
		Name: a.cfg.Brand.Name, Accent: a.cfg.Brand.Accent, CallURL: a.cfg.Call.URL, Tiles: a.cfg.Map.Tiles, Attribution: a.cfg.Map.Attribution,
	}
	if path := a.cfg.Brand.Logo; path != "" {
		var known bool
		if p.LogoType, known = logoTypes[strings.ToLower(filepath.Ext(path))]; !known {
			return p, fmt.Errorf("brand.logo (%s) must be an .svg, .png or .webp file and is %q", a.cfg.Origin("brand.logo"), path)
		}
		info, err := os.Stat(path)
		if err == nil && info.Size() > maxLogo {
			err = fmt.Errorf("%s has %d bytes and may have %d", path, info.Size(), maxLogo)
		}
		if err == nil {
			p.Logo, err = os.ReadFile(path) //nolint:gosec // the operator's own path
		}
		if err != nil {
			return p, fmt.Errorf("brand.logo (%s): %w", a.cfg.Origin("brand.logo"), err)
		}
	}
	if path := a.cfg.Map.PMTiles; path != "" {
		archive, err := pmtiles.Open(path)
		if err != nil {
			return p, fmt.Errorf("map.pmtiles (%s): %s %w", a.cfg.Origin("map.pmtiles"), path, err)
		}
		a.closing(archive.Close)
		p.Map = archive
		a.log.Info("maps use a local tile file", zap.String("file", path), zap.Uint8("max_zoom", archive.MaxZoom),
			zap.Float64s("west_south_east_north", []float64{archive.MinLon, archive.MinLat, archive.MaxLon, archive.MaxLat}))
	}
	return p, nil
}
