package orders

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/pkg/client"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// rpc calls the gRPC API with retries until a deadline.
type rpc struct {
	conn    *grpc.ClientConn
	orders  pb.OrderServiceClient
	key     string
	within  time.Duration
	calls   atomic.Int64
	repeats atomic.Int64
}

func newRPC(addr, key string, within time.Duration) (*rpc, error) {
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}))
	if err != nil {
		return nil, err
	}
	return &rpc{conn: conn, orders: pb.NewOrderServiceClient(conn), key: key, within: within}, nil
}

func (r *rpc) close() { _ = r.conn.Close() }

// assign assigns an order to a courier.
func (r *rpc) assign(ctx context.Context, orderID, courierID, idempotencyKey string) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "idempotency-key", idempotencyKey)
	return r.call(ctx, func(ctx context.Context) error {
		reply, err := r.orders.AssignCourier(ctx, &pb.AssignCourierRequest{OrderId: orderID, CourierId: courierID})
		if err != nil {
			return err
		}
		return expect("AssignCourier", orderID, courierID, reply.GetOrder().GetId(), reply.GetOrder().GetCourierId())
	})
}

// deliver marks an order as delivered.
func (r *rpc) deliver(ctx context.Context, orderID string, c client.StatusChange) error {
	return r.call(ctx, func(ctx context.Context) error {
		reply, err := r.orders.UpdateOrderStatus(ctx, &pb.UpdateOrderStatusRequest{
			OrderId: orderID, Status: pb.OrderStatus_ORDER_STATUS_DELIVERED, OccurredAt: timestamppb.New(*c.OccurredAt),
			Location: &pb.Point{Lat: c.Location.Lat, Lon: c.Location.Lon}, Proof: &pb.Proof{Recipient: c.Proof.Recipient},
		})
		if err != nil {
			return err
		}
		return expect("UpdateOrderStatus", orderID, pb.OrderStatus_ORDER_STATUS_DELIVERED.String(),
			reply.GetOrder().GetId(), reply.GetOrder().GetStatus().String())
	})
}

func expect(method, orderID, want, gotID, got string) error {
	if orderID != gotID || want != got {
		return fmt.Errorf("%s of %s answers with order %q and %q instead of %q", method, orderID, gotID, got, want)
	}
	return nil
}

// call retries idempotent calls.
func (r *rpc) call(ctx context.Context, do func(context.Context) error) error {
	if r.key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.key)
	}
	until := time.Now().Add(r.within)
	for try := 1; ; try++ {
		r.calls.Add(1)
		one, cancel := context.WithTimeout(ctx, 15*time.Second)
		err := do(one)
		cancel()
		switch status.Code(err) {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.ResourceExhausted:
		default:
			return err
		}
		wait := min(time.Second, time.Duration(try)*50*time.Millisecond)
		if time.Now().Add(wait).After(until) || !pause(ctx, wait) {
			return err
		}
		r.repeats.Add(1)
	}
}
