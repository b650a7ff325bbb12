package grpcserver

import (
	"encoding/json"
	"fmt"
	"time"

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
	return ended(sub.Serve(ctx, s.Config.PingEvery, func(frames []push.Frame) error {
		for i := range frames {
			out, err := frameTo(&frames[i])
			if err == nil {
				err = stream.Send(out)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		return stream.Send(&pb.WatchOrderResponse{
			Type: transport.TypePing, OrderId: o.ID, At: timestamppb.New(s.Clock.Now()), Data: &pb.WatchOrderResponse_Ping{Ping: &pb.Ping{}},
		})
	}))
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

// envelope is a frame as encoded by the hub.
type envelope struct {
	OrderID string          `json:"order_id"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data"`
}

// notification is the data of a customer notification.
type notification struct {
	ID      string `json:"notification_id"`
	Channel string `json:"channel"`
	Text    string `json:"text"`
}

// frameTo converts a frame to its message. A frame whose type the proto lacks keeps its type and version and has no data.
func frameTo(f *push.Frame) (*pb.WatchOrderResponse, error) {
	out, err := f.Form(func(f *push.Frame) (any, error) { return encodeFrame(f) })
	if err != nil {
		return nil, err
	}
	return out.(*pb.WatchOrderResponse), nil
}

func encodeFrame(f *push.Frame) (*pb.WatchOrderResponse, error) {
	var e envelope
	if err := json.Unmarshal(f.JSON, &e); err != nil {
		return nil, fmt.Errorf("frame %s: %w", f.Type, err)
	}
	out := &pb.WatchOrderResponse{Type: f.Type, OrderId: e.OrderID, At: timeTo(e.At)}
	if f.Version != 0 {
		out.Version = new(f.Version) // f is the reader's, and out is shared
	}
	if err := setData(out, f.Type, e.Data); err != nil {
		return nil, fmt.Errorf("frame %s: %w", f.Type, err)
	}
	return out, nil
}

func setData(out *pb.WatchOrderResponse, typ string, data json.RawMessage) error {
	switch typ {
	case push.TypeSnapshot:
		o, err := read[domain.Order](data)
		if err != nil {
			return err
		}
		with, err := read[push.Beside](data)
		out.Data = &pb.WatchOrderResponse_Snapshot{Snapshot: &pb.Snapshot{
			Order: orderTo(&o), Courier: courierTo(with.Courier), Position: positionTo(with.Position),
		}}
		return err
	case push.TypeStatus, push.TypeNote:
		ev, err := read[domain.Event](data)
		if err != nil {
			return err
		}
		entry, err := eventTo(ev)
		out.Data = &pb.WatchOrderResponse_Status{Status: entry}
		if typ == push.TypeNote {
			out.Data = &pb.WatchOrderResponse_Note{Note: entry}
		}
		return err
	case push.TypePosition:
		fix, err := read[domain.Fix](data)
		out.Data = &pb.WatchOrderResponse_Position{Position: &pb.CourierPosition{
			CourierId: fix.CourierID, Position: positionTo(&fix.Position),
		}}
		return err
	case push.TypeETA:
		e, err := read[domain.Estimate](data)
		out.Data = &pb.WatchOrderResponse_Eta{Eta: estimateTo(&e)}
		return err
	case push.TypeNotification:
		n, err := read[notification](data)
		out.Data = &pb.WatchOrderResponse_Notification{Notification: &pb.Notification{
			NotificationId: n.ID, Channel: n.Channel, Text: n.Text,
		}}
		return err
	case push.TypeEnd:
		out.Data = &pb.WatchOrderResponse_End{End: &pb.End{}}
	}
	return nil
}

func read[T any](data []byte) (v T, err error) {
	err = json.Unmarshal(data, &v)
	return v, err
}
