package httpserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// around is what happens to every request: it gets an id, its body a limit, and
// what became of it is counted and logged. A panic becomes an answer.
func (s *Server) around(c *gin.Context) {
	start := time.Now()
	c.Writer.Header()[headerRequestID] = []string{transport.RequestID(c.Request.Header.Get(headerRequestID))}
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

// acceptable looks at a request's headers and makes its body ready to be read.
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

// MaxHeaderBytes is how long the headers of a request may be, its first line counted.
const MaxHeaderBytes = 64 << 10

// bodyLimit is the largest body of a request in bytes; 0 is no limit. Imports stream,
// and phones get another answer than that theirs is too large.
func (s *Server) bodyLimit(c *gin.Context) int64 {
	if c.FullPath() == importPath {
		return min(s.Config.MaxImportBytes, s.Config.SpoolMax)
	}
	if fromPhone(c) {
		return 0
	}
	return s.Config.MaxBodyBytes
}

// finish is the end of every request, also of one that panicked.
func (s *Server) finish(c *gin.Context, start time.Time) {
	if cause := recover(); cause != nil {
		err, _ := cause.(error)
		if errors.Is(err, http.ErrAbortHandler) {
			panic(cause)
		}
		s.Log.Error("a request panicked", zap.String("route", c.FullPath()),
			zap.String("request_id", requestIDOf(c)), zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
		if c.Writer.Written() { // the answer has begun: all we can do is cut it
			panic(http.ErrAbortHandler)
		}
		fail(c, fmt.Errorf("panic: %v", cause))
		c.Errors = nil // logged already
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

// failed writes down what callers are not told: unexpected errors, and once a burst the
// causes of what is unavailable.
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

// access logs a request: neither its query nor its path, which may hold tokens.
func (s *Server) access(c *gin.Context, took time.Duration) {
	level := zap.InfoLevel
	if c.FullPath() == "/healthz" || c.FullPath() == "/readyz" {
		level = zap.DebugLevel // asked every few seconds by machines
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

// enter lets the caller in for the operation of the route and returns the context to work
// in, or unauthenticated or forbidden.
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
		Local: transport.Loopback(r.RemoteAddr) && !access.Forwarded(r.Proto, r.Header.Get),
	}
	if s.origins[req.Origin] {
		req.Origin = ""
	}
	caller, err := s.Guard.Authorize(r.Context(), req)
	if cookie && domain.CodeOf(err) == domain.CodeUnauthenticated {
		setSession(c, "", time.Unix(1, 0)) // it has ended: without it the page is asked who it is
	}
	if err != nil {
		return nil, s.Guard.Failed(addressOnly(r.RemoteAddr), err)
	}
	if err := s.count(c, caller); err != nil {
		return nil, err
	}
	if err := access.Permit(caller, op); err != nil {
		return nil, err
	}
	ctx := domain.WithCaller(r.Context(), caller)
	if op.Object == access.TheHouse || op.Object == access.TheMerchant {
		ctx = access.WithRemote(ctx, addressOnly(r.RemoteAddr))
	}
	return ctx, nil
}

// count counts the call and tells the caller what is left (RateLimit header fields).
func (s *Server) count(c *gin.Context, caller *domain.Caller) error {
	q, limited, err := s.Guard.Count(caller)
	if !limited {
		return nil
	}
	h := c.Writer.Header()
	window := int(float64(q.Limit.Burst) / q.Limit.Rate)
	h["Ratelimit-Policy"] = []string{`"default";q=` + strconv.Itoa(q.Limit.Burst) + ";w=" + strconv.Itoa(max(1, window))}
	h["Ratelimit"] = []string{`"default";r=` + strconv.Itoa(q.Remaining) + ";t=" + strconv.Itoa(int(math.Ceil(q.Reset.Seconds())))}
	return err
}

// addressOnly is a remote address without its port.
func addressOnly(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// credential is what the caller shows: in the header, for one order in the query, or in
// the cookie of a page.
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

// route is how operations are found; HEAD is GET.
type route struct{ method, path string }

// operationOf is the row of the table of permissions for the request's route.
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

// crossOrigin tells browsers that pages of the configured origins may call, and
// answers their question beforehand (true). Other origins hear nothing, which
// makes the browser refuse.
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
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers",
		"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-Id, Traceparent, Last-Event-ID")
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
