package httpserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	mapPath  = "/map.pmtiles"
	logoPath = "/brand/logo"
	// kept is for URLs that contain a version of their content.
	kept = "public, max-age=31536000, immutable"
)

// brand returns the brand of a merchant, or with "" that of the installation: what was set
// up at run time, else the configuration.
func (s *Server) brand(ctx context.Context, merchantID string) brand {
	b := s.ownBrand()
	stored, err := s.Documents.BrandOf(ctx, merchantID)
	if err != nil { // the page works without
		return b
	}
	for _, text := range []struct {
		from *string
		to   *string
	}{{stored.Name, &b.Name}, {stored.Accent, &b.Accent}, {stored.Logo, &b.Logo}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	return b
}

// ownBrand is the brand of the configuration.
func (s *Server) ownBrand() brand {
	b := brand{Name: s.Config.Pages.Name, Accent: s.Config.Pages.Accent}
	if logo := s.Config.Pages.Logo; logo != nil {
		sum := sha256.Sum256(logo)
		b.Logo = logoPath + "?v=" + hex.EncodeToString(sum[:6])
	}
	return b
}

// ground is the background of maps: the operator's file, else tiles, else nothing.
func (s *Server) ground() ground {
	p := s.Config.Pages
	if p.Map != nil {
		return ground{PMTiles: mapPath + "?v=" + p.Map.Version(), Attribution: p.Attribution}
	}
	return ground{Tiles: p.Tiles, Attribution: p.Attribution}
}

// brandRoutes serve the operator's own files: the logo and, in ranges, the map.
func (s *Server) brandRoutes() {
	p := s.Config.Pages
	serve := func(path, contentType, version string, content func() io.ReadSeeker) {
		s.engine.GET(path, func(c *gin.Context) {
			h := c.Writer.Header()
			h.Set("Cache-Control", kept)
			h.Set("Content-Type", contentType)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox") // for an image opened directly
			h.Set("ETag", `"`+version+`"`)
			http.ServeContent(c.Writer, c.Request, "", time.Time{}, content())
		})
	}
	if p.Logo != nil {
		serve(logoPath, p.LogoType, s.ownBrand().Logo, func() io.ReadSeeker { return bytes.NewReader(p.Logo) })
	}
	if p.Map != nil {
		serve(mapPath, "application/vnd.pmtiles", p.Map.Version(), func() io.ReadSeeker { return io.NewSectionReader(p.Map, 0, p.Map.Size()) })
	}
}
