package grpcserver

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

func TestStatusEnumIsTheTable(t *testing.T) {
	require.Len(t, pb.OrderStatus_name, len(domain.Statuses())+1)
	for i, s := range domain.Statuses() {
		n := protoStatus[s]
		require.Equal(t, pb.OrderStatus(i+1), n, "numbers are in the order of the table: %s", s)
		require.Equal(t, "ORDER_STATUS_"+strings.ToUpper(string(s)), n.String())
		require.Equal(t, s, statusFrom(n))
	}
	for _, n := range []pb.OrderStatus{0, -1, 16, math.MaxInt32} {
		require.False(t, statusFrom(n).Valid(), n)
	}
}

// gRPC shows the same names and values as REST's JSON.
func TestMessagesAreTwinsOfTheJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := order.Draw(t, "order")
		sameAsJSON(t, o, orderTo(o))
		c := courier.Draw(t, "courier")
		sameAsJSON(t, c, courierTo(c))
		e := event.Draw(t, "event")
		m, err := eventTo(e)
		require.NoError(t, err)
		sameAsJSON(t, e, m)
	})
}

// A request's fields arrive in the created order.
func TestDraftsKeepTheirFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := order.Draw(t, "order")
		d := domain.Draft{
			ExternalID: o.ExternalID, MerchantID: o.MerchantID, Customer: o.Customer, Pickup: o.Pickup,
			Dropoff: &o.Dropoff, Items: o.Items, Total: o.Total, Notes: o.Notes, Metadata: o.Metadata,
			ReadyAt: o.ReadyAt, PromisedAt: o.PromisedAt,
		}
		m := orderTo(o)
		r := &pb.CreateOrderRequest{
			ExternalId: m.ExternalId, MerchantId: m.MerchantId, Customer: m.Customer, Pickup: m.Pickup,
			Dropoff: m.Dropoff, Items: m.Items, Total: m.Total, Notes: m.Notes, Metadata: m.Metadata,
			ReadyAt: m.ReadyAt, PromisedAt: m.PromisedAt,
		}
		if diff := cmp.Diff(d, draftFrom(wire(t, r)), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPositionsKeepTheirFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := *position.Draw(t, "position")
		m := wire(t, &pb.ReportLocationsRequest{Positions: []*pb.Position{positionTo(&p)}})
		p.ReceivedAt = time.Time{} // set by the server
		if diff := cmp.Diff([]domain.Position{p}, positionsFrom(m.GetPositions())); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAbsentMeasurementsStayAbsent(t *testing.T) {
	zero := 0.0
	p := &domain.Position{Lat: 1, Lon: 2, Speed: &zero}
	m := positionTo(p)
	require.NotNil(t, m.Speed)
	require.Nil(t, m.Accuracy)
	require.Nil(t, m.Battery)
	require.Nil(t, m.ReceivedAt)
	require.Equal(t, 1, itemFrom(&pb.Item{}).Quantity, "an absent quantity is one")
	require.Equal(t, 0, itemFrom(&pb.Item{Quantity: new(int32)}).Quantity, "a quantity of zero is not")
	require.Nil(t, estimateTo(&domain.Estimate{}).DistanceM)
}

// An invalid timestamp is reported with all other faults.
func TestBadTimestampsAreFaults(t *testing.T) {
	for name, bad := range map[string]*timestamppb.Timestamp{
		"nanos":     {Nanos: -1},
		"too late":  {Seconds: math.MaxInt64},
		"too early": {Seconds: math.MinInt64},
		"zero":      timestamppb.New(time.Time{}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := draftFrom(&pb.CreateOrderRequest{PromisedAt: bad}).Normalize("RU")
			got := faults(t, err)
			require.Equal(t, "impossible_time", got["/promised_at"])
			require.Equal(t, "required", got["/customer/name"])
			_, err = domain.NormalizePositions(positionsFrom([]*pb.Position{{RecordedAt: bad}}), false, time.Now())
			require.Equal(t, "impossible_time", faults(t, err)["/0/recorded_at"])
			_, err = filterFrom(&pb.GetOrdersRequest{CreatedFrom: bad, CreatedTo: bad})
			require.Equal(t, map[string]string{"/created_from": "impossible_time", "/created_to": "impossible_time"}, faults(t, err))
		})
	}
}

func TestEventDataOfEveryKind(t *testing.T) {
	m, err := eventTo(domain.Event{Data: map[string]any{
		"fields": []string{"notes"}, "n": int64(3), "at": time.Unix(0, 0).UTC(), "status": domain.StatusCreated, "none": nil,
		"proof": map[string]any{"code": "1234"},
	}})
	require.NoError(t, err)
	want, err := structpb.NewStruct(map[string]any{
		"fields": []any{"notes"}, "n": 3, "at": "1970-01-01T00:00:00Z", "status": "created", "none": nil,
		"proof": map[string]any{"code": "1234"},
	})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, m.GetData(), protocmp.Transform()))
}

func FuzzRequests(f *testing.F) {
	o := orderTo(order.Example(1))
	seed, err := proto.Marshal(&pb.CreateOrderRequest{Customer: o.Customer, Dropoff: o.Dropoff, Items: o.Items, ReadyAt: o.CreatedAt})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
		var create pb.CreateOrderRequest
		if proto.Unmarshal(data, &create) == nil {
			if d, err := draftFrom(&create).Normalize("RU"); err == nil {
				made, _ := domain.NewOrder(d, domain.By{Now: now})
				_, err := proto.Marshal(orderTo(made))
				require.NoError(t, err)
			}
		}
		var report pb.ReportLocationsRequest
		if proto.Unmarshal(data, &report) == nil {
			positions, err := domain.NormalizePositions(positionsFrom(report.GetPositions()), false, now)
			if err == nil {
				_, err = json.Marshal(positions)
				require.NoError(t, err, "what is valid can be stored")
			}
		}
		var list pb.GetOrdersRequest
		if proto.Unmarshal(data, &list) == nil {
			if filter, err := filterFrom(&list); err == nil {
				_, err = json.Marshal(filter)
				require.NoError(t, err, "page tokens are bound to the filter's JSON")
			}
		}
	})
}

// wire encodes and decodes a message.
func wire[M proto.Message](t require.TestingT, m M) M {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	out := m.ProtoReflect().New().Interface()
	require.NoError(t, proto.Unmarshal(b, out))
	return out.(M)
}

func faults(t *testing.T, err error) map[string]string {
	t.Helper()
	var e *domain.Error
	require.ErrorAs(t, err, &e)
	out := map[string]string{}
	for _, f := range e.Faults {
		out[f.Pointer] = f.Code
	}
	return out
}

// sameAsJSON compares a message with the JSON of the value that it was converted from.
func sameAsJSON(t *rapid.T, v any, m proto.Message) {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	var want map[string]any
	require.NoError(t, json.Unmarshal(b, &want))
	if diff := cmp.Diff(want, plain(t, wire(t, m).ProtoReflect(), want), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s\n%s", b, diff)
	}
}

// plain converts a message to the form that its JSON equivalent decodes to. like tells which
// zero fields without presence appear in the JSON.
func plain(t *rapid.T, m protoreflect.Message, like any) any {
	switch v := m.Interface().(type) {
	case *timestamppb.Timestamp:
		return v.AsTime().Format(time.RFC3339Nano)
	case *structpb.Struct:
		return v.AsMap()
	}
	shown, _ := like.(map[string]any)
	out := map[string]any{}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := string(fd.Name())
		if _, zeroShown := shown[name]; m.Has(fd) || (zeroShown && !fd.HasPresence()) {
			out[name] = plainField(t, m.Get(fd), fd, shown[name])
		}
	}
	return out
}

func plainField(t *rapid.T, v protoreflect.Value, fd protoreflect.FieldDescriptor, like any) any {
	switch {
	case fd.IsList():
		likes, _ := like.([]any)
		out := make([]any, v.List().Len())
		for i := range out {
			var one any
			if i < len(likes) {
				one = likes[i]
			}
			out[i] = plainOne(t, v.List().Get(i), fd, one)
		}
		return out
	case fd.IsMap():
		out := map[string]any{}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			out[k.String()] = v.String()
			return true
		})
		return out
	}
	return plainOne(t, v, fd, like)
}

func plainOne(t *rapid.T, v protoreflect.Value, fd protoreflect.FieldDescriptor, like any) any {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return plain(t, v.Message(), like)
	case protoreflect.EnumKind:
		return strings.ToLower(strings.TrimPrefix(string(fd.Enum().Values().ByNumber(v.Enum()).Name()), "ORDER_STATUS_"))
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return float64(v.Int())
	}
	return v.Interface()
}
