package grpcserver

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// optional makes of a conversion one that leaves out what is absent.
func optional[A, B any](convert func(*A) *B) func(*A) *B {
	return func(v *A) *B {
		if v == nil {
			return nil
		}
		return convert(v)
	}
}

// each converts a list; of an empty one it makes nil, which is the same to a message.
func each[A, B any](in []A, convert func(A) B) []B {
	var out []B
	if len(in) > 0 {
		out = make([]B, len(in))
	}
	for i, v := range in {
		out[i] = convert(v)
	}
	return out
}

func timeTo(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

var timePointerTo = optional(func(t *time.Time) *timestamppb.Timestamp {
	return timestamppb.New(*t)
})

var orderTo = optional(func(o *domain.Order) *pb.Order {
	out := &pb.Order{
		Id: o.ID, Number: o.Number, ExternalId: o.ExternalID, MerchantId: o.MerchantID,
		Status: protoStatus[o.Status], Version: o.Version,
		Customer: &pb.Customer{
			Name: o.Customer.Name, Phone: o.Customer.Phone, Email: o.Customer.Email, Locale: o.Customer.Locale,
		},
		Pickup: placeTo(o.Pickup), Dropoff: placeTo(&o.Dropoff), Total: moneyTo(o.Total),
		Items: each(o.Items, itemTo), Notes: o.Notes, Metadata: o.Metadata, CourierId: o.CourierID, Shipment: shipmentTo(o.Shipment),
		ReadyAt: timePointerTo(o.ReadyAt), PromisedAt: timePointerTo(o.PromisedAt), Eta: estimateTo(o.ETA),
		Attempts: int32(o.Attempts), CreatedAt: timeTo(o.CreatedAt), UpdatedAt: timeTo(o.UpdatedAt),
		DeliveredAt: timePointerTo(o.DeliveredAt), CancelledAt: timePointerTo(o.CancelledAt),
	}
	if x := o.Exception; x != nil {
		out.Exception = &pb.Exception{Code: x.Code, Detail: x.Detail, Since: timeTo(x.Since)}
	}
	return out
})

var placeTo = optional(func(p *domain.Place) *pb.Place {
	return &pb.Place{Address: p.Address, Location: pointTo(p.Location), Notes: p.Notes}
})

var pointTo = optional(func(p *domain.Point) *pb.Point {
	return &pb.Point{Lat: p.Lat, Lon: p.Lon}
})

var moneyTo = optional(func(m *domain.Money) *pb.Money {
	return &pb.Money{Amount: m.Amount, Currency: m.Currency}
})

func itemTo(it domain.Item) *pb.Item {
	quantity := int32(it.Quantity)
	out := &pb.Item{Name: it.Name, Sku: it.SKU, Quantity: &quantity, Price: moneyTo(it.Price)}
	if it.WeightG != 0 {
		weight := int32(it.WeightG)
		out.WeightG = &weight
	}
	return out
}

var shipmentTo = optional(func(s *domain.Shipment) *pb.Shipment {
	out := &pb.Shipment{
		Carrier: s.Carrier, TrackingNumber: s.TrackingNumber, Reference: s.Reference,
		CarrierStatus: s.CarrierStatus, CarrierStatusText: s.CarrierStatusText, Phase: string(s.Phase),
		Tariff: s.Tariff, Price: moneyTo(s.Price), LabelUrl: s.LabelURL,
		Events: each(s.Events, carrierEventTo),
	}
	if p := s.Expected; p != nil {
		out.Expected = &pb.DeliveryPeriod{Earliest: timeTo(p.Earliest), Latest: timeTo(p.Latest)}
	}
	for _, w := range s.Warnings {
		out.Warnings = append(out.Warnings, &pb.CarrierMessage{Code: w.Code, Message: w.Message})
	}
	return out
})

func carrierEventTo(e domain.CarrierEvent) *pb.CarrierEvent {
	return &pb.CarrierEvent{
		Id: e.ID, Kind: string(e.Kind), Code: e.Code, Text: e.Text, Status: protoStatus[e.Status], Detail: e.Detail,
		ReasonCode: e.ReasonCode, Reason: e.Reason, Exception: e.Exception, OccurredAt: timeTo(e.OccurredAt),
		City: e.City, Value: e.Value, Unknown: e.Unknown, Retracted: e.Retracted,
	}
}

var estimateTo = optional(func(e *domain.Estimate) *pb.Estimate {
	return &pb.Estimate{
		OrderId: e.OrderID, Eta: timeTo(e.ETA), Earliest: timeTo(e.Earliest), Latest: timeTo(e.Latest),
		MinutesRemaining: int32(e.MinutesRemaining), DistanceM: e.DistanceM, Method: string(e.Method),
		Confidence: e.Confidence, ComputedAt: timeTo(e.ComputedAt),
	}
})

var courierTo = optional(func(c *domain.Courier) *pb.Courier {
	return &pb.Courier{
		Id: c.ID, Name: c.Name, Phone: c.Phone, Vehicle: string(c.Vehicle), Capacity: int32(c.Capacity),
		OnDuty: c.OnDuty, ActiveOrders: int32(c.ActiveOrders), Position: positionTo(c.Position),
		Metadata: c.Metadata, CreatedAt: timeTo(c.CreatedAt), UpdatedAt: timeTo(c.UpdatedAt),
	}
})

var positionTo = optional(func(p *domain.Position) *pb.Position {
	attributes, _ := structTo(p.Attributes) // strings, numbers and booleans always fit
	return &pb.Position{
		Lat: p.Lat, Lon: p.Lon, Accuracy: p.Accuracy, Speed: p.Speed, Heading: p.Heading,
		Altitude: p.Altitude, Battery: p.Battery,
		RecordedAt: timeTo(p.RecordedAt), ReceivedAt: timeTo(p.ReceivedAt), Attributes: attributes,
	}
})

func positionsTo(in []domain.Position) []*pb.Position {
	return each(in, func(p domain.Position) *pb.Position { return positionTo(&p) })
}

func eventTo(e domain.Event) (*pb.Event, error) {
	data, err := structTo(e.Data)
	return &pb.Event{
		Id: e.ID, OrderId: e.OrderID, Seq: e.Seq, Version: e.Version, Type: string(e.Type),
		Status: protoStatus[e.Status], PreviousStatus: protoStatus[e.PreviousStatus],
		OccurredAt: timeTo(e.OccurredAt), RecordedAt: timeTo(e.RecordedAt),
		Actor:  &pb.Actor{Kind: string(e.Actor.Kind), Id: e.Actor.ID},
		Source: e.Source, Reason: e.Reason, Location: pointTo(e.Location), Data: data,
	}, err
}

func eventsTo(in []domain.Event) ([]*pb.Event, error) {
	out := make([]*pb.Event, len(in))
	for i, e := range in {
		var err error
		if out[i], err = eventTo(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// structTo goes through JSON where the data holds more than JSON's own types, so
// that both doors show the same.
func structTo(data map[string]any) (*structpb.Struct, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if s, err := structpb.NewStruct(data); err == nil {
		return s, nil
	}
	b, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	out := &structpb.Struct{}
	return out, out.UnmarshalJSON(b)
}

// problemTo is an error inside of a reply that succeeded as a whole.
func problemTo(e *domain.Error) *pb.Problem {
	out := &pb.Problem{Code: string(e.Code), Detail: valid(e.Message)}
	for _, f := range e.Faults {
		out.Errors = append(out.Errors, &pb.Fault{Pointer: valid(f.Pointer), Code: f.Code, Detail: valid(f.Detail)})
	}
	return out
}
