package grpcserver

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// envelope is a frame as encoded by the hub.
type envelope struct {
	OrderID string          `json:"order_id"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data"`
}

// besides holds a snapshot's members other than the order's own.
type besides struct {
	Courier  *domain.Courier  `json:"courier"`
	Position *domain.Position `json:"position"`
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
		out.Version = &f.Version
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
		with, err := read[besides](data)
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
