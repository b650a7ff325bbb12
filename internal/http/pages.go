package httpserver

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/web"
)

// asset is a file that everybody gets alike, kept compressed.
type asset struct {
	contentType, tag string
	zipped           []byte
}

func newAsset(contentType string, content []byte) *asset {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // fails for unknown levels only
	_, _ = w.Write(content)                               // into memory
	_ = w.Close()
	return zippedAsset(contentType, b.Bytes())
}

func zippedAsset(contentType string, zipped []byte) *asset {
	sum := sha256.Sum256(zipped)
	return &asset{contentType, `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, zipped}
}

// serve answers with the file, or with 304 when the client has it already.
func (a *asset) serve(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-cache") // ask whether it is still the same
	h.Set("ETag", a.tag)
	h.Set("Vary", "Accept-Encoding")
	switch {
	case c.GetHeader("If-None-Match") == a.tag:
		c.Status(http.StatusNotModified)
	case acceptsGzip(c.GetHeader("Accept-Encoding")):
		h.Set("Content-Encoding", "gzip")
		c.Data(http.StatusOK, a.contentType, a.zipped)
	default:
		r, err := gzip.NewReader(bytes.NewReader(a.zipped))
		var content []byte
		if err == nil {
			content, err = io.ReadAll(r)
		}
		if err != nil {
			fail(c, err)
			return
		}
		c.Data(http.StatusOK, a.contentType, content)
	}
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); coding == "gzip" || coding == "*" {
			_, q, _ := strings.Cut(weight, "=")
			return strings.Trim(q, "0. ") != "" || q == ""
		}
	}
	return false
}

const (
	htmlType       = "text/html; charset=utf-8"
	javaScriptType = "text/javascript; charset=utf-8"
)

//go:embed pages/landing.html
var landing string

// pageRoutes serve what browsers load. Pages of other sites may load the client of the
// streams too: it holds no secrets, and their calls are checked like any other.
func (s *Server) pageRoutes() {
	client := newAsset(javaScriptType, web.Client)
	s.engine.GET("/client.js", func(c *gin.Context) {
		c.Header("Access-Control-Allow-Origin", "*")
		client.serve(c)
	})
	s.engine.GET("/", func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		address := s.publicURL(addressOf(c.Request.TLS != nil, c.GetHeader("X-Forwarded-Proto"), c.Request.Host))
		c.Data(http.StatusOK, htmlType, []byte(s.landing(address)))
	})
}

// landing is the page at / of a server that is reached at an address.
func (s *Server) landing(address string) string {
	open := `<li><a href="orders">Orders</a>, <a href="couriers">couriers</a> and <a href="metrics">metrics</a>` + "\n"
	header, withKey := "", ""
	if s.Guard.Protected() {
		open, withKey = "", " (<code>KEY</code> is the administrator’s key, set by <code>BOOTSTRAP_ADMIN_KEY</code>)"
		header = ` -H "Authorization: Bearer $KEY"`
	}
	return strings.NewReplacer("{{address}}", html.EscapeString(address), "{{header}}", header, "{{open}}", open,
		"{{with_key}}", withKey).Replace(landing)
}
