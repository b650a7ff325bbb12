package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// hsts makes browsers use HTTPS for a year. Behind a proxy it is the proxy's to say.
var hsts = []string{"max-age=31536000"}

// around wraps every request: it assigns an id, limits the body, counts and logs the outcome, and turns a panic into a response.
func (s *Server) around(c *gin.Context) {
	start := time.Now()
	c.Writer.Header()[headerRequestID] = []string{transport.RequestID(c.Request.Header.Get(headerRequestID))}
	if c.Request.TLS != nil {
		c.Writer.Header()["Strict-Transport-Security"] = hsts
	}
	defer s.drain(c)
	if acceptsGzip(c.Request.Header.Get("Accept-Encoding")) && !streaming[c.FullPath()] {
		defer compress(c)()
	}
	defer s.finish(c, start)
	if len(s.origins) > 0 && s.crossOrigin(c) {
		return
	}
	if err := s.acceptable(c); err != nil {
		fail(c, err)
		return
	}
	c.Next()
}

// acceptable checks a request's headers and prepares its body for reading.
func (s *Server) acceptable(c *gin.Context) error {
	size := len(c.Request.RequestURI)
	for name, values := range c.Request.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4 // ": " and the end of the line
		}
	}
	if size > MaxHeaderBytes {
		return domain.Errorf(domain.CodeHeadersTooLarge, "the headers have more than %d bytes", MaxHeaderBytes)
	}
	if c.Request.ContentLength == 0 {
		return nil
	}
	return takeBody(c, s.bodyLimit(c))
}

// MaxHeaderBytes is the largest total size of a request's line and headers.
const MaxHeaderBytes = 64 << 10

// bodyLimit returns the largest body of a request in bytes; 0 is no limit. Imports are
// streamed, and phones get a different response to a body that is too large.
func (s *Server) bodyLimit(c *gin.Context) int64 {
	if c.FullPath() == importPath {
		return min(s.Config.MaxImportBytes, s.Config.SpoolMax)
	}
	if fromPhone(c) {
		return 0
	}
	if withImages[c.FullPath()] {
		return max(s.Config.MaxBodyBytes, maxImagesBytes)
	}
	return s.Config.MaxBodyBytes
}

// finish runs at the end of every request, after a panic too.
func (s *Server) finish(c *gin.Context, start time.Time) {
	if cause := recover(); cause != nil {
		err, _ := cause.(error)
		if errors.Is(err, http.ErrAbortHandler) {
			panic(cause)
		}
		s.Log.Error("a request panicked", zap.String("route", c.FullPath()),
			zap.String("request_id", requestIDOf(c)), zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
		if c.Writer.Written() { // the response has begun: all we can do is cut it off
			panic(http.ErrAbortHandler)
		}
		fail(c, fmt.Errorf("panic: %v", cause))
		c.Errors = nil // already logged
	}
	took := time.Since(start)
	s.metrics.observe(c.FullPath(), c.Request.Method, c.Writer.Status(), took)
	for _, err := range c.Errors {
		s.failed(c, err.Err)
	}
	if s.Config.AccessLog {
		s.access(c, took)
	}
}

// failed logs what callers do not see: unexpected errors and, once per burst, causes of unavailability.
func (s *Server) failed(c *gin.Context, err error) {
	fields := []zap.Field{zap.String("route", c.FullPath()), zap.String("request_id", requestIDOf(c)), zap.Error(domain.Explained(err))}
	switch {
	case errors.Is(err, context.Canceled): // the caller left
		s.Log.Debug("a request failed", fields...)
	case domain.CodeOf(err) == domain.CodeUnavailable:
		s.bursts.Warn("a request failed: "+err.Error(), fields...)
	default:
		s.Log.Error("a request failed", fields...)
	}
}

// access logs a request without its query and path, which may contain tokens.
func (s *Server) access(c *gin.Context, took time.Duration) {
	level := zap.InfoLevel
	if c.FullPath() == "/healthz" || c.FullPath() == "/readyz" {
		level = zap.DebugLevel // probes request it every few seconds
	}
	entry := s.Log.Check(level, "request")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("method", c.Request.Method), zap.String("route", c.FullPath()),
		zap.Int("status", c.Writer.Status()), zap.Duration("took", took), zap.Int("bytes", max(0, c.Writer.Size())),
		zap.String("request_id", requestIDOf(c)), zap.String("remote", c.Request.RemoteAddr),
	}
	if trace := transport.TraceID(c.Request.Header.Get("Traceparent")); trace != "" {
		fields = append(fields, zap.String("trace_id", trace))
	}
	entry.Write(fields...)
}

// enter authorizes the caller for the route's operation and returns the context to work in, or unauthenticated or forbidden.
func (s *Server) enter(c *gin.Context) (context.Context, error) {
	r := c.Request
	op := s.operationOf(c)
	if op.Open {
		return r.Context(), nil
	}
	credential, cookie := s.credential(c, op)
	if cookie {
		if err := s.sameSite(c); err != nil {
			return nil, err
		}
	}
	req := access.Request{
		Credential: credential, Host: r.Host, Origin: r.Header.Get("Origin"),
		Local: transport.Loopback(r.RemoteAddr) && !access.Forwarded(r.Proto, canonical(r.Header)),
	}
	if s.origins[req.Origin] {
		req.Origin = ""
	}
	caller, err := s.Guard.Authorize(r.Context(), req)
	if cookie && domain.CodeOf(err) == domain.CodeUnauthenticated {
		setSession(c, "", time.Unix(1, 0)) // it has expired: without the cookie the page asks for credentials
	}
	if err != nil {
		return nil, s.Guard.Failed(transport.AddressOnly(r.RemoteAddr), err)
	}
	if err := s.count(c, caller); err != nil {
		return nil, err
	}
	if err := access.Permit(caller, op); err != nil {
		return nil, err
	}
	if err := headersOnce(r.Header); err != nil {
		return nil, err
	}
	ctx, err := withDeviceTime(domain.WithCaller(r.Context(), caller), r.Header, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	if op.Audited() {
		ctx = access.WithRemote(ctx, transport.AddressOnly(r.RemoteAddr))
	}
	return ctx, nil
}

// canonical reads headers by names that are in their canonical form already.
func canonical(h http.Header) func(name string) string {
	return func(name string) string {
		if values := h[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
}

// count applies the rate limit and sends what is left (RateLimit header fields).
func (s *Server) count(c *gin.Context, caller *domain.Caller) error {
	q, limited, err := s.Guard.Count(caller)
	if !limited {
		return nil
	}
	policy, left := q.Fields()
	h := c.Writer.Header()
	h["Ratelimit-Policy"], h["Ratelimit"] = []string{policy}, []string{left}
	return err
}

// credential returns the caller's credential: from the header, from the query for one order, or from a page's cookie.
func (s *Server) credential(c *gin.Context, op *access.Operation) (credential string, cookie bool) {
	if bearer := c.Request.Header.Get("Authorization"); bearer != "" {
		return transport.Credential(bearer), false
	}
	if op.Shared() && strings.Contains(c.Request.URL.RawQuery, "token=") {
		return c.Query("token"), false
	}
	if c.Request.Header["Cookie"] == nil {
		return "", false
	}
	found, err := c.Request.Cookie(sessionCookie)
	if err != nil || found.Value == "" {
		return "", false
	}
	return found.Value, true
}

// route identifies an operation; HEAD counts as GET.
type route struct{ method, path string }

// operationOf returns the permission table's row for the request's route.
func (s *Server) operationOf(c *gin.Context) *access.Operation {
	r := route{c.Request.Method, c.FullPath()}
	if r.method == http.MethodHead {
		r.method = http.MethodGet
	}
	if op := s.operations[r]; op != nil {
		return op
	}
	return access.OperationOf("")
}

// guarded wraps a plain handler in enter.
func (s *Server) guarded(h func(ctx context.Context, c *gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, err := s.enter(c)
		if err == nil {
			err = h(ctx, c)
		}
		if err != nil {
			fail(c, err)
		}
	}
}

// crossOrigin allows browsers' calls from pages of the configured origins and answers their
// preflight requests (true). Other origins get no headers, so the browser blocks the call.
func (s *Server) crossOrigin(c *gin.Context) bool {
	origin, h := c.Request.Header.Get("Origin"), c.Writer.Header()
	h.Add("Vary", "Origin")
	if !s.origins[origin] {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, X-Request-Id, Idempotent-Replayed")
	if c.Request.Method != http.MethodOptions || c.Request.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers",
		"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-Id, Traceparent, Last-Event-ID, Device-Time")
	h.Set("Access-Control-Max-Age", "600")
	c.AbortWithStatus(http.StatusNoContent)
	return true
}

const headerRequestID = "X-Request-Id"

func requestIDOf(c *gin.Context) string {
	if id := c.Writer.Header()[headerRequestID]; len(id) == 1 {
		return id[0]
	}
	return ""
}
