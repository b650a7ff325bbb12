// Package httpserver is the HTTP server: REST, WebSocket and server-sent events over Gin, the
// OpenAPI document and the pages that show it.
//
// REST operations are typed huma operations, from which the document is generated; streams, the hottest read and everything that
// is not an API are plain Gin handlers, described in the same document. Every error is answered by fail, as problem+json. The
// domain decides what is valid: this package only adds the faults that a JSON decoder can find (types, unknown fields).
//
// Goroutines: each open WebSocket has one that reads. A few shared writers serve all sockets while there is something to
// write; a socket whose client is slow gets a writer of its own for that time. All end with the socket or when the hub
// closes; Server.Wait waits for the readers.
package httpserver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/privacy"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Deps are the server's dependencies.
type Deps struct {
	Orders    *orders.Service
	Couriers  *tracking.Couriers
	Tracking  *tracking.Service
	Shipments *shipping.Service
	Dispatch  *dispatch.Service
	Privacy   *privacy.Service
	Notify    *notify.Service
	Hub       *push.Hub
	access.Services
	// Ready reports whether the server can work; used by /readyz.
	Ready      func(context.Context) error
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	Log        *zap.Logger
	Clock      domain.Clock
	Config     Config
}

// Config configures the server.
type Config struct {
	// MaxBodyBytes is the largest request body.
	MaxBodyBytes int64
	// ReadTimeout is how long a body may take; default 30 s.
	ReadTimeout time.Duration
	// MaxImportBytes is the largest body of an import; 0 is no limit.
	MaxImportBytes int64
	// SpoolDir holds uploads until they are processed, and SpoolMax limits their total size in bytes.
	SpoolDir string
	SpoolMax int64
	// AllowedOrigins are the origins of web pages (https://shop.example) that may call, besides the server's own.
	AllowedOrigins []string
	AccessLog      bool
	// Pages configures the pages: the operator's brand and the background of maps.
	Pages Pages
	// PublicURL is the address for clients, such as https://track.example; when empty, the address of the request is used.
	PublicURL string
	// PingEvery is the interval between pings on an idle stream.
	PingEvery time.Duration
	// Version is the product's version, for the OpenAPI document.
	Version string
}

// Server is the HTTP server.
type Server struct {
	Deps
	engine     *gin.Engine
	api        huma.API
	metrics    *metrics
	bursts     *zap.Logger // logs each message at most once per burst
	origins    map[string]bool
	crossSite  *http.CrossOriginProtection
	operations map[route]*access.Operation
	sockets    sync.WaitGroup
	writers    *writers
	spool      *spool
	bodies     map[string]bool      // operations with a required body
	rules      map[string]yaml.Node // of schemas, in openapi.yaml
	draining   chan struct{}        // limits the requests drained at once
	spec       func() ([]byte, error)
}

// New builds the server. Its metrics are registered with d.Registerer.
func New(d Deps) *Server {
	if d.Config.PingEvery <= 0 {
		d.Config.PingEvery = transport.PingEvery
	}
	if d.Config.ReadTimeout <= 0 {
		d.Config.ReadTimeout = 30 * time.Second
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{Deps: d, engine: gin.New(), metrics: newMetrics(d.Registerer), bursts: transport.Bursts(d.Log), origins: map[string]bool{}, crossSite: http.NewCrossOriginProtection(), operations: map[route]*access.Operation{}, writers: newWriters(), bodies: map[string]bool{}, spool: newSpool(d.Config.SpoolDir, d.Config.SpoolMax), draining: make(chan struct{}, drainedAside)}
	for _, o := range d.Config.AllowedOrigins {
		s.origins[o] = true
	}
	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false
	s.engine.Use(s.around)
	s.engine.NoRoute(func(c *gin.Context) {
		fail(c, domain.Errorf(domain.CodeNotFound, "there is nothing at %s; /docs lists all operations", shownPath(c.Request.URL.Path)))
	})
	s.engine.NoMethod(func(c *gin.Context) {
		fail(c, domain.Errorf(domain.CodeMethodNotAllowed, "%s is not allowed here; allowed: %s",
			c.Request.Method, c.Writer.Header().Get("Allow")))
	})
	s.newAPI()
	s.orderRoutes()
	s.courierRoutes()
	s.trackingRoutes()
	s.reportRoutes()
	s.shipmentRoutes()
	s.dispatchRoutes()
	s.proofRoutes()
	s.courierTrackRoutes()
	s.onboardingRoutes()
	s.ingestRoutes()
	s.streamRoutes()
	s.accessRoutes()
	s.shareRoutes()
	s.sessionRoutes()
	s.documentRoutes()
	s.webhookRoutes()
	s.notificationRoutes()
	s.pageRoutes()
	s.opsRoutes()
	s.finishAPI()
	for _, r := range s.engine.Routes() { // every GET route serves HEAD too
		if r.Method == http.MethodGet {
			s.engine.HEAD(r.Path, r.HandlerFunc)
		}
	}
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Wait returns when no WebSocket is open any more, or when the context ends. The hub's Close ends them.
func (s *Server) Wait(ctx context.Context) error {
	return background.Within(ctx, func() error { s.sockets.Wait(); return nil })
}
