package httpserver

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/web"
)

// pageRoutes serve what browsers get. Pages of other sites may load it too: it holds no
// secrets, and their calls are still asked where they come from.
func (s *Server) pageRoutes() {
	sum := sha256.Sum256(web.Client)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	s.engine.GET("/client.js", func(c *gin.Context) {
		h := c.Writer.Header()
		h.Set("Cache-Control", "no-cache") // ask whether it is still the same
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("ETag", tag)
		if c.GetHeader("If-None-Match") == tag {
			c.Status(http.StatusNotModified)
			return
		}
		c.Data(http.StatusOK, "text/javascript; charset=utf-8", web.Client)
	})
}
