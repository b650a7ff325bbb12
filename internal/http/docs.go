package httpserver

import (
	"cmp"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	swagger "github.com/swaggest/swgui/v5emb"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// docsRoutes are the OpenAPI document, the page that shows it, which needs no
// internet, and a page that says what is where.
func (s *Server) docsRoutes() {
	plain[struct{}, struct{}](s, operation{
		method: http.MethodGet, path: "/openapi.json", id: "openapi", tag: tagOps, open: true,
		summary: "This document", replies: jsonType,
	}, document(jsonType, func() ([]byte, error) { return s.spec() }))
	plain[struct{}, struct{}](s, operation{
		method: http.MethodGet, path: "/asyncapi.yaml", id: "asyncapi", tag: tagOps, open: true,
		summary: "The AsyncAPI document of Kafka topics and live frames", replies: yamlType,
	}, document(yamlType, sync.OnceValues(func() ([]byte, error) { return asyncDocument(cmp.Or(s.Config.Version, "dev")) })))
	page := swagger.New("Order tracking", "/openapi.json", "/docs/")
	s.engine.GET("/docs", func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src 'self' data:") // no other host, ever
		page.ServeHTTP(c.Writer, c.Request)
	})
	s.engine.GET("/docs/*asset", func(c *gin.Context) {
		if !strings.Contains(c.Param("asset"), ".") {
			fail(c, domain.Errorf(domain.CodeNotFound, "nothing is at %s", c.Request.URL.Path))
			return
		}
		page.ServeHTTP(c.Writer, c.Request)
	})
	s.engine.GET("/", func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(landing))
	})
}

// document serves what is made when somebody first asks for it.
func document(contentType string, text func() ([]byte, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		b, err := text()
		if err != nil {
			fail(c, err)
			return
		}
		c.Data(http.StatusOK, contentType, b)
	}
}

const landing = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Order tracking</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style>
<h1>Order tracking</h1>
<p>The server is running.</p>
<ul>
<li><a href="/docs">/docs</a> shows the API, <a href="/openapi.json">/openapi.json</a> describes it
<li><a href="/asyncapi.yaml">/asyncapi.yaml</a> describes the Kafka topics and the live frames
<li><a href="/orders">/orders</a> and <a href="/couriers">/couriers</a> list what there is
<li><a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a> and <a href="/metrics">/metrics</a> are for operation
</ul>
<p>Create an order:</p>
<pre><code>curl -H 'Content-Type: application/json' -d '{"customer":{"name":"Ann"},"dropoff":{"address":"1 High Street"}}' \
  http://localhost:8080/order</code></pre>
</html>
`
