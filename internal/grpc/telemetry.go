package grpcserver

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
