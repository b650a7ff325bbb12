package grpcserver

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

func (s *service) WatchOrder(r *pb.WatchOrderRequest, stream pb.OrderService_WatchOrderServer) error {
	ctx := stream.Context()
	if since := r.SinceVersion; since != nil && *since < 0 {
		return domain.Invalid("/since_version", "out_of_range", "must be a version that was seen, or 0")
	}
	caller, o, err := s.Orders.Reach(ctx, r.GetOrderId())
	if err != nil {
		return err
	}
	sub := s.Hub.OpenFor(caller.View(), nil)
	sub.OnClose(s.Guard.Hold(caller, func() { sub.End(push.ErrRevoked) }))
	defer sub.Close()
	if err := sub.Add(ctx, push.Topic{Kind: push.KindOrder, ID: o.ID}, r.SinceVersion); err != nil {
		return ended(err)
	}
	for {
		out, err := s.nextFrame(ctx, sub, o.ID)
		if err != nil {
			return ended(err)
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

// nextFrame waits for a frame and returns a ping when none arrives in time.
func (s *service) nextFrame(ctx context.Context, sub *push.Subscription, orderID string) (*pb.WatchOrderResponse, error) {
	wait, cancel := context.WithTimeout(ctx, s.Config.PingEvery)
	defer cancel()
	f, err := sub.Next(wait)
	if err == nil {
		return frameTo(&f)
	}
	if wait.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return &pb.WatchOrderResponse{
			Type: transport.TypePing, OrderId: orderID, At: timestamppb.New(s.Clock.Now()),
			Data: &pb.WatchOrderResponse_Ping{Ping: &pb.Ping{}},
		}, nil
	}
	return nil, err
}

// ended converts the end of a subscription to an error for the caller.
func ended(err error) error {
	end, ok := transport.EndOf(err)
	switch {
	case !ok:
		return err
	case end.Code == "":
		return nil
	}
	return &failure{reason: end.Reason, err: transport.Visible(domain.Errorf(end.Code, "%s", end.Text))}
}
