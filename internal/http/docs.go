package httpserver

import (
	"bytes"
	"cmp"
	_ "embed" // for asyncSkeleton
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	swagger "github.com/swaggest/swgui/v5/static"
	"go.yaml.in/yaml/v3"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
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

// asyncSkeleton is the AsyncAPI document without the schemas generated from Go types.
//
//go:embed asyncapi.yaml
var asyncSkeleton []byte

const yamlType = "application/yaml"

// Payloads that no REST response has, as their senders encode them; the black-box tests compare real messages with them.
type (
	// orderEvent is the data of order_created and order_updated.
	orderEvent struct {
		domain.Event
		Order     *domain.Order `json:"order,omitempty" doc:"the order after the event; always present unless truncated"`
		Truncated bool          `json:"truncated,omitempty" doc:"true if the record would be too large for the brokers: the order is omitted; get it by GET /order/{order_id}"`
	}
	// courierLocation is the data of courier_location.
	courierLocation struct {
		domain.Fix
		OrderIDs []string `json:"order_ids,omitempty" doc:"the orders the courier has"`
	}
	// orderSnapshot is the first frame of an order.
	orderSnapshot struct {
		domain.Order
		push.Beside
	}
)

// asyncDocument adds the product's version and the schemas to the skeleton.
func asyncDocument(version string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(asyncSkeleton, &doc); err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	root := doc.Content[0]
	member(member(root, "info"), "version").Value = version
	encoded, err := json.Marshal(asyncSchemas().Map())
	if err != nil {
		return nil, err
	}
	var schemas yaml.Node
	if err := yaml.Unmarshal(encoded, &schemas); err != nil { // JSON is YAML
		return nil, err
	}
	plainStyle(&schemas)
	all := member(member(root, "components"), "schemas")
	all.Content = append(all.Content, schemas.Content[0].Content...)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	err = errors.Join(e.Encode(&doc), e.Close())
	return out.Bytes(), err
}

// asyncSchemas returns the schemas of the message types, with the domain's limits.
func asyncSchemas() huma.Registry {
	r := newSchemas()
	for _, t := range []reflect.Type{
		reflect.TypeFor[orderEvent](), reflect.TypeFor[courierLocation](), reflect.TypeFor[orderSnapshot](),
		reflect.TypeFor[push.CourierSnapshot](), reflect.TypeFor[push.FleetPositions](), reflect.TypeFor[domain.Event](), reflect.TypeFor[domain.Estimate](),
		reflect.TypeFor[problem](), reflect.TypeFor[domain.Report](), reflect.TypeFor[domain.Offer](), reflect.TypeFor[domain.Route](),
	} {
		r.Schema(t, true, "")
	}
	schemas := r.Map()
	limitMetadata(r)
	report := schemas["Report"]
	report.AdditionalProperties = true // unknown members are allowed
	for _, reference := range []string{"order_id", "external_id", "tracking_number"} {
		report.AnyOf = append(report.AnyOf, &huma.Schema{Required: []string{reference}})
	}
	schemas["Code"] = &huma.Schema{Type: huma.TypeString, Enum: enumOf(transport.Codes())}
	return r
}

// member returns the value of a key that must exist.
func member(object *yaml.Node, key string) *yaml.Node {
	i := slices.IndexFunc(object.Content, func(n *yaml.Node) bool { return n.Value == key })
	return object.Content[i+1]
}

// plainStyle resets nodes parsed from JSON to YAML's plain style.
func plainStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plainStyle(c)
	}
}
