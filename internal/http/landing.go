package httpserver

import (
	_ "embed"
	"html"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

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
