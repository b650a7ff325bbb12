// Package grpcserver is the gRPC server: it turns RPCs into calls of the application packages
// and their results into messages. It makes no decisions of its own.
//
// Every call goes through one pair of interceptors (interceptors.go) that assign a request id, authorize the caller, recover
// from panics, turn errors into statuses (errors.go) and write the access log. A live stream reads from the hub and has no
// queue of its own: a slow caller fills the subscription's queue, and the hub ends the subscription.
package grpcserver

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // responses to compressed requests are compressed too
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
	"github.com/order-tracking/order-tracking/internal/transport"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// Config sets up the server; zero values are the defaults.
type Config struct {
	// MaxMessageBytes is the largest accepted message; default 4 MiB.
	MaxMessageBytes int
	// PingEvery is how long a live stream is silent before a ping; default 25 s.
	PingEvery time.Duration
	// AccessLog enables a log line for every call.
	AccessLog bool
	// TLS encrypts the connections; nil for none.
	TLS *tls.Config
}

// Deps are the server's dependencies.
type Deps struct {
	Orders   *orders.Service
	Couriers *tracking.Couriers
	Tracking *tracking.Service
	Dispatch *dispatch.Service
	Parcels  *shipping.Service
	Hub      *push.Hub
	Guard    *access.Guard
	// Ready reports whether the server can work; the health service exposes it.
	Ready func(ctx context.Context) error
	// Registerer receives the metrics; nil disables them.
	Registerer prometheus.Registerer
	Log        *zap.Logger
	Clock      domain.Clock
	Config     Config
}

// New builds the server with its services registered: orders, health and reflection. The caller serves and stops it; live
// streams end when the hub closes, so close the hub before a graceful stop.
func New(d Deps) *grpc.Server {
	if d.Config.MaxMessageBytes <= 0 {
		d.Config.MaxMessageBytes = 4 << 20
	}
	if d.Config.PingEvery <= 0 {
		d.Config.PingEvery = transport.PingEvery
	}
	seen := newTelemetry(d, transport.Bursts(d.Log))
	in := &interceptor{guard: d.Guard, telemetry: seen}
	security := insecure.NewCredentials()
	if d.Config.TLS != nil {
		security = credentials.NewTLS(d.Config.TLS)
	}
	s := grpc.NewServer(
		grpc.Creds(security),
		grpc.UnaryInterceptor(in.unary),
		grpc.StreamInterceptor(in.stream),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			return status.Error(codes.Unimplemented, "there is no such method")
		}),
		grpc.ForceServerCodecV2(newCodec(d.Config.MaxMessageBytes)),
		grpc.MaxRecvMsgSize(hardLimit*d.Config.MaxMessageBytes),
		// Detect callers whose machine went away, and reject callers that ping more often than a mobile network could need.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(20*time.Second),
		grpc.MaxHeaderListSize(64<<10),
		grpc.WaitForHandlers(true),
	)
	seen.server = s
	orders := &service{Deps: d, seen: seen}
	s.RegisterService(readable(pb.OrderService_ServiceDesc), orders)
	s.RegisterService(readable(pb.ShipmentService_ServiceDesc), &parcels{Service: d.Parcels, orders: orders})
	s.RegisterService(readable(pb.DispatchService_ServiceDesc), &dispatching{Service: d.Dispatch})
	s.RegisterService(readable(pb.CourierService_ServiceDesc), &couriers{Couriers: d.Couriers, dispatch: d.Dispatch})
	grpc_health_v1.RegisterHealthServer(s, &health{ready: d.Ready})
	reflection.Register(s)
	return s
}

// service implements OrderService on top of the use cases.
type service struct {
	pb.UnimplementedOrderServiceServer
	Deps
	seen *telemetry
}

// healthEvery is how often a watched service's health is checked.
const healthEvery = time.Second

// health reports on the server ("") and OrderService, which become ready together.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	ready func(ctx context.Context) error
}

// Check reports whether a service is ready, or NotFound for an unknown one.
func (h *health) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	now := h.now(ctx, r.GetService())
	if now == grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return &grpc_health_v1.HealthCheckResponse{Status: now}, nil
}

// List returns the health of every service.
func (h *health) List(ctx context.Context, _ *grpc_health_v1.HealthListRequest) (*grpc_health_v1.HealthListResponse, error) {
	now := &grpc_health_v1.HealthCheckResponse{Status: h.now(ctx, "")}
	return &grpc_health_v1.HealthListResponse{Statuses: map[string]*grpc_health_v1.HealthCheckResponse{
		"": now, pb.OrderService_ServiceDesc.ServiceName: now,
	}}, nil
}

// Watch sends a service's health now and whenever it changes.
func (h *health) Watch(r *grpc_health_v1.HealthCheckRequest, stream grpc_health_v1.Health_WatchServer) error {
	ctx := stream.Context()
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	last := grpc_health_v1.HealthCheckResponse_UNKNOWN
	for {
		now := h.now(ctx, r.GetService())
		if err := ctx.Err(); err != nil {
			return status.FromContextError(err).Err()
		}
		if now != last {
			if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

func (h *health) now(ctx context.Context, service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
	switch {
	case service != "" && service != pb.OrderService_ServiceDesc.ServiceName:
		return grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN
	case h.ready(ctx) != nil:
		return grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	return grpc_health_v1.HealthCheckResponse_SERVING
}
