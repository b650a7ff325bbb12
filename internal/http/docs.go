package httpserver

import (
	"cmp"
	_ "embed"
	"html"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	swagger "github.com/swaggest/swgui/v5/static"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// docsRoutes serve the OpenAPI and AsyncAPI documents and the API reference, which works offline.
func (s *Server) docsRoutes() {
	plain[struct{}, struct{}](s, "openapi", document(jsonType, func() ([]byte, error) { return s.spec() }))
	plain[struct{}, struct{}](s, "asyncapi", document(yamlType, func() ([]byte, error) { return asyncDocument(cmp.Or(s.Config.Version, "dev")) }))
	files := docsFiles()
	s.engine.GET("/docs", func(c *gin.Context) {
		// No other host is allowed. Swagger UI sets inline styles.
		c.Header("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:")
		files[""].serve(c)
	})
	s.engine.GET("/docs/*asset", func(c *gin.Context) {
		file := files[c.Param("asset")]
		if file == nil {
			fail(c, domain.Errorf(domain.CodeNotFound, "there is nothing at %s", shownPath(c.Request.URL.Path)))
			return
		}
		file.serve(c)
	})
}

//go:embed pages/docs.html
var docsPage []byte

//go:embed pages/docs.js
var docsScript []byte

// docsFiles are the page of the reference, at "", and the files it loads.
func docsFiles() map[string]*asset {
	files := map[string]*asset{"": newAsset(htmlType, docsPage), "/page.js": newAsset(javaScriptType, docsScript)}
	for name, contentType := range map[string]string{"/swagger-ui.css": "text/css; charset=utf-8", "/swagger-ui-bundle.js": javaScriptType} {
		zipped, _ := swagger.FS.ReadFile(name[1:] + ".gz") // embedded; a test checks each
		files[name] = zippedAsset(contentType, zipped)
	}
	icon, _ := swagger.FS.ReadFile("favicon-32x32.png")
	files["/favicon-32x32.png"] = newAsset("image/png", icon)
	return files
}

// document serves a document that is generated on first request.
func document(contentType string, text func() ([]byte, error)) gin.HandlerFunc {
	made := sync.OnceValues(func() (*asset, error) {
		b, err := text()
		return newAsset(contentType, b), err
	})
	return func(c *gin.Context) {
		a, err := made()
		if err != nil {
			fail(c, err)
			return
		}
		a.serve(c)
	}
}

//go:embed pages/landing.html
var landing string

// landingRoute serves the first steps for developers.
func (s *Server) landingRoute() {
	s.engine.GET("/welcome", func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		address := s.publicURL(addressOf(c.Request.TLS != nil, c.GetHeader("X-Forwarded-Proto"), c.Request.Host))
		c.Data(http.StatusOK, htmlType, []byte(s.landing(address)))
	})
}

// landing renders that page for the address at which the server was reached.
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
