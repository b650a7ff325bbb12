package httpdoor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/auth"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// around is what happens to every request: it gets an id, its body a limit, and
// what became of it is counted and logged. A panic becomes an answer.
func (s *Server) around(c *gin.Context) {
	start := time.Now()
	c.Writer.Header()[headerRequestID] = []string{requestID(c.Request.Header)}
	defer s.finish(c, start)
	if len(s.origins) > 0 && s.crossOrigin(c) {
		return
	}
	if r, limit := c.Request, s.bodyLimit(c); r.ContentLength != 0 && limit > 0 {
		if r.ContentLength > limit {
			fail(c, bodyTooLarge(limit))
			return
		}
		r.Body = http.MaxBytesReader(c.Writer, r.Body, limit)
	}
	c.Next()
}

// bodyLimit is the largest body of a request in bytes; 0 is no limit. Imports stream,
// and phones get another answer than that theirs is too large.
func (s *Server) bodyLimit(c *gin.Context) int64 {
	if c.FullPath() == importPath {
		return s.Config.MaxImportBytes
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
		level := zap.ErrorLevel
		if domain.CodeOf(err.Err) == domain.CodeUnavailable || errors.Is(err.Err, context.Canceled) {
			level = zap.DebugLevel // who is away says so once by itself
		}
		s.Log.Log(level, "a request failed", zap.String("route", c.FullPath()),
			zap.String("request_id", requestIDOf(c)), zap.Error(errors.Join(err.Err, errors.Unwrap(err.Err))))
	}
	if s.Config.AccessLog {
		s.access(c, took)
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
	if trace := traceID(c.Request.Header.Get("Traceparent")); trace != "" {
		fields = append(fields, zap.String("trace_id", trace))
	}
	entry.Write(fields...)
}

// enter lets the caller in and returns the context to work in, or unauthenticated
// or forbidden.
func (s *Server) enter(c *gin.Context) (context.Context, error) {
	r := c.Request
	req := auth.Request{Host: r.Host, Origin: r.Header.Get("Origin"), RemoteLoopback: loopback(r.RemoteAddr)}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		req.Bearer = strings.TrimSpace(token)
	}
	if s.origins[req.Origin] {
		req.Origin = ""
	}
	actor, err := s.Guard.Authorize(req)
	if err != nil {
		return nil, err
	}
	return domain.WithActor(r.Context(), actor), nil
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

func loopback(remote string) bool {
	if strings.HasPrefix(remote, "127.0.0.1:") { // net/http writes addresses; the usual one needs no parsing
		return true
	}
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
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

// requestIDs makes ids that are unique among processes by their prefix and cheap.
var requestIDs = struct {
	prefix [8]byte
	next   atomic.Uint64
}{prefix: randomPrefix()}

func randomPrefix() (p [8]byte) {
	_, _ = rand.Read(p[:]) // never fails
	return p
}

// requestID returns the caller's id when it is sane, else a new one.
func requestID(h http.Header) string {
	if given := h[headerRequestID]; len(given) == 1 && saneID(given[0]) {
		return given[0]
	}
	var raw [12]byte
	copy(raw[:], requestIDs.prefix[:6])
	n := requestIDs.next.Add(1)
	raw[6], raw[7] = byte(n>>40), byte(n>>32)
	binary.BigEndian.PutUint32(raw[8:], uint32(n)) //nolint:gosec // the low half, the high one is before it
	var text [24]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

func saneID(id string) bool {
	for i := range len(id) {
		b := id[i]
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && strings.IndexByte("-_.:/+=@~", b) < 0 {
			return false
		}
	}
	return id != "" && len(id) <= domain.MaxKey
}

func requestIDOf(c *gin.Context) string {
	if id := c.Writer.Header()[headerRequestID]; len(id) == 1 {
		return id[0]
	}
	return ""
}

// traceID returns the trace that a traceparent header (W3C Trace Context) names, or "".
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 || len(parts[3]) != 2 {
		return ""
	}
	for _, p := range parts[:4] {
		if strings.Trim(p, "0123456789abcdef") != "" {
			return ""
		}
	}
	if parts[0] == "ff" || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return ""
	}
	return parts[1]
}
