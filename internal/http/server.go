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
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
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

// Listener accepts the connections of a server that responds with problems even where
// net/http gives up before there is a request: headers that are too large or invalid. It holds
// at most perAddress connections of a public address, if not zero, and closes further ones.
func Listener(l net.Listener, perAddress int) net.Listener {
	return &listener{Listener: l, most: perAddress, open: map[netip.Addr]int{}}
}

type listener struct {
	net.Listener
	most int
	mu   sync.Mutex
	open map[netip.Addr]int
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, err
		}
		from := tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() //nolint:errcheck,forcetypeassert // of TCP
		if l.count(from, 1) {
			return &conn{TCPConn: tcp, closed: sync.OnceFunc(func() { l.count(from, -1) })}, nil
		}
		_ = tcp.Close()
	}
}

// count adds a connection from the address, unless it has too many, or removes one. Proxies,
// whose addresses are private, have those of all their clients.
func (l *listener) count(from netip.Addr, n int) bool {
	if l.most == 0 || from.IsPrivate() || from.IsLoopback() || from.IsLinkLocalUnicast() {
		return true
	}
	if from.Is6() { // one client has a whole network
		network, _ := from.WithZone("").Prefix(64) //nolint:errcheck // 64 fits
		from = network.Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.open[from] + n
	switch {
	case now > l.most:
		return false
	case now == 0:
		delete(l.open, from)
	default:
		l.open[from] = now
	}
	return true
}

// conn is a connection that turns net/http's own plain-text responses into problems.
type conn struct {
	*net.TCPConn
	closed func()
}

func (c *conn) Close() error {
	c.closed()
	return c.TCPConn.Close()
}

// theirs is what net/http writes between the status and a text that repeats it.
var theirs = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

func (c *conn) Write(p []byte) (int, error) {
	if len(p) > 300 || !bytes.HasPrefix(p, []byte("HTTP/1.1 4")) {
		return c.TCPConn.Write(p)
	}
	line, text, ok := bytes.Cut(p, theirs)
	if !ok || !bytes.HasPrefix(text, line[len("HTTP/1.1 "):]) {
		return c.TCPConn.Write(p)
	}
	status, _ := strconv.Atoi(string(text[:3]))
	err := domain.Errorf(domain.CodeMalformed, "the request can't be read: %s", text[len("400 "):])
	if status == http.StatusRequestHeaderFieldsTooLarge {
		err = domain.Errorf(domain.CodeHeadersTooLarge, "the headers have more than %d bytes", MaxHeaderBytes)
	}
	problem := describe(err)
	problem.RequestID = transport.RequestID("")
	body, _ := json.Marshal(problem) // strings always encode
	_, failed := fmt.Fprintf(c.TCPConn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		problem.Status, http.StatusText(problem.Status), problemType, headerRequestID, problem.RequestID, len(body), body)
	return len(p), failed
}
