package grpcserver

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Metadata keys, besides :authority, authorization and origin.
const (
	headerRequestID   = "x-request-id"
	headerIdempotency = "idempotency-key"
	headerReplayed    = "idempotent-replayed"
	headerIfMatch     = "if-match"
)

// call is the state of one call.
type call struct {
	method string
	id     string
	md     metadata.MD
	begun  time.Time
	idem   idempotency.Request // its key is read after authorization
}

type callKey struct{}

// callFrom returns the call that the interceptor put into the context.
func callFrom(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// header returns a metadata entry's first value, or "".
func (c *call) header(key string) string {
	if v := c.md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// interceptor authorizes, counts and logs calls, and converts their errors.
type interceptor struct {
	guard *access.Guard
	*telemetry
}

// unary is the interceptor of unary calls.
func (d *interceptor) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (resp any, err error) {
	ctx, c := begin(ctx, info.FullMethod)
	_ = grpc.SetHeader(ctx, metadata.Pairs(headerRequestID, c.id)) // fails only after headers were sent
	err = d.enter(ctx, c, func(ctx context.Context) error {
		resp, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.idem.Replayed {
		_ = grpc.SetHeader(ctx, metadata.Pairs(headerReplayed, "true"))
	}
	return resp, nil
}

// stream is the interceptor of streaming calls.
func (d *interceptor) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, c := begin(ss.Context(), info.FullMethod)
	_ = ss.SetHeader(metadata.Pairs(headerRequestID, c.id))
	return d.enter(ctx, c, func(ctx context.Context) error {
		return handler(srv, &serverStream{ServerStream: ss, ctx: ctx})
	})
}

// serverStream is a stream with its call's context; it reports read failures as our errors.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

func (s *serverStream) RecvMsg(m any) error {
	in := incoming{message: m}
	if err := s.ServerStream.RecvMsg(&in); err != nil {
		return err
	}
	return in.err
}

// begin creates the call from the incoming metadata.
func begin(ctx context.Context, method string) (context.Context, *call) {
	md, _ := metadata.FromIncomingContext(ctx)
	c := &call{method: method, md: md, begun: time.Now()}
	c.id = transport.RequestID(c.header(headerRequestID))
	return context.WithValue(ctx, callKey{}, c), c
}

// enter authorizes and runs a call, recovers from its panic, logs it and turns its error into a status.
func (d *interceptor) enter(ctx context.Context, c *call, run func(context.Context) error) error {
	err := d.admitted(ctx, c, run)
	if err == nil {
		d.done(ctx, c, codes.OK)
		return nil
	}
	st := statusOf(ctx, err, c.id)
	d.done(ctx, c, st.Code())
	if st.Code() == codes.Internal || st.Code() == codes.Unavailable {
		d.failed(c, err)
	}
	return st.Err()
}

// admitted authorizes the caller and runs the call; a panic becomes an error.
func (d *interceptor) admitted(ctx context.Context, c *call, run func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("gRPC call panicked", zap.String("method", c.method), zap.String("request_id", c.id),
				zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			err = domain.Errorf(domain.CodeInternal, "panic")
		}
	}()
	if open(c.method) {
		return run(ctx)
	}
	caller, err := d.guard.Authorize(ctx, access.Request{
		Credential: transport.Credential(c.header("authorization")),
		Host:       c.header(":authority"), Origin: c.header("origin"),
		Local: transport.Loopback(remoteOf(ctx)) && !access.Forwarded("HTTP/2.0", c.header),
	})
	if err != nil {
		return d.guard.Failed(transport.AddressOnly(remoteOf(ctx)), err)
	}
	q, limited, err := d.guard.Count(caller)
	if limited {
		policy, left := q.Fields()
		_ = grpc.SetHeader(ctx, metadata.Pairs("ratelimit-policy", policy, "ratelimit", left)) // fails only after headers were sent
	}
	if err == nil {
		err = permit(caller, c.method)
	}
	if err != nil {
		return err
	}
	if c.idem.Key, err = transport.IdempotencyKey(c.header(headerIdempotency)); err != nil {
		return err
	}
	if c.idem.Key != "" {
		ctx = idempotency.With(ctx, &c.idem)
	}
	return run(domain.WithCaller(ctx, caller))
}

// open reports whether a method needs no key: health shows no more than /readyz, which needs none either.
func open(method string) bool { return strings.HasPrefix(method, "/grpc.health.") }

// permit rejects calls that the permission table does not allow the caller; a method missing from the table can't be called.
func permit(caller *domain.Caller, method string) error {
	name := method[strings.LastIndexByte(method, '/')+1:]
	if strings.HasPrefix(method, "/grpc.reflection.") {
		name = "reflection"
	}
	op, known := access.OperationOfRPC(name)
	if !known {
		return domain.Errorf(domain.CodeMethodNotAllowed, "there is no such method")
	}
	return access.Permit(caller, op)
}

// remoteOf returns the caller's address.
func remoteOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// telemetry counts and logs every call, including calls of unknown methods.
type telemetry struct {
	log       *zap.Logger
	bursts    *zap.Logger // logs each message at most once per burst
	accessLog bool
	handled   *prometheus.CounterVec
	handling  *prometheus.HistogramVec
	server    *grpc.Server
	// methods maps the names used as labels to whether their duration is measured: callers must
	// not be able to create series, and a stream's duration means nothing.
	methods func() map[string]bool
}

func newTelemetry(d Deps, bursts *zap.Logger) *telemetry {
	o := &telemetry{
		log: d.Log, bursts: bursts, accessLog: d.Config.AccessLog,
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_server_handled_total", Help: "RPCs completed, by status code.",
		}, []string{"grpc_service", "grpc_method", "grpc_code"}),
		handling: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grpc_server_handling_seconds", Help: "Time to answer a unary RPC.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"grpc_service", "grpc_method"}),
	}
	o.methods = sync.OnceValue(func() map[string]bool {
		known := map[string]bool{}
		for service, info := range o.server.GetServiceInfo() {
			for _, m := range info.Methods {
				known["/"+service+"/"+m.Name] = !m.IsClientStream && !m.IsServerStream
			}
		}
		return known
	})
	if d.Registerer != nil {
		d.Registerer.MustRegister(o.handled, o.handling)
	}
	return o
}

// done records the end of every call.
func (o *telemetry) done(ctx context.Context, c *call, code codes.Code) {
	took := time.Since(c.begun)
	unary, known := o.methods()[c.method]
	service, method, _ := strings.Cut(strings.TrimPrefix(c.method, "/"), "/")
	if !known {
		service, method = "unknown", "unknown"
	}
	o.handled.WithLabelValues(service, method, code.String()).Inc()
	if unary {
		o.handling.WithLabelValues(service, method).Observe(took.Seconds())
	}
	level := zap.InfoLevel
	if !o.accessLog || strings.HasPrefix(c.method, "/grpc.health.") {
		level = zap.DebugLevel // probes call it every few seconds
	}
	if entry := o.log.Check(level, "gRPC call"); entry != nil {
		entry.Write(zap.String("method", c.method), zap.Stringer("code", code),
			zap.Duration("took", took), zap.String("request_id", c.id), zap.String("remote", remoteOf(ctx)))
	}
}

// failed logs what callers do not see: unexpected errors and, once per burst, causes of unavailability.
func (o *telemetry) failed(c *call, err error) {
	fields := []zap.Field{zap.String("method", c.method), zap.String("request_id", c.id), zap.Error(domain.Explained(err))}
	switch domain.CodeOf(err) {
	case domain.CodeInternal:
		o.log.Error("gRPC call failed", fields...)
	case domain.CodeUnavailable:
		if !errors.Is(err, context.Canceled) { // the caller left
			o.bursts.Warn("gRPC call failed: "+err.Error(), fields...)
		}
	}
}
