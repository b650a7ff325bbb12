package grpcserver

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

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
