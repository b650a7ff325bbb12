package grpcserver

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

const (
	confirmed = pb.OrderStatus_ORDER_STATUS_CONFIRMED
	assigned  = pb.OrderStatus_ORDER_STATUS_ASSIGNED
	pickedUp  = pb.OrderStatus_ORDER_STATUS_PICKED_UP
	delivered = pb.OrderStatus_ORDER_STATUS_DELIVERED
	cancelled = pb.OrderStatus_ORDER_STATUS_CANCELLED
)

func TestLifeOfAnOrder(t *testing.T) {
	r, ctx := start(t, with{}), t.Context()
	made := r.create(t, "A-1")
	require.Equal(t, int64(1), made.GetVersion())
	require.Equal(t, "Anna", made.GetCustomer().GetName())

	got, err := r.GetOrder(ctx, &pb.GetOrderRequest{OrderId: made.GetId()})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(made, got.GetOrder(), protocmp.Transform()))

	st, err := r.GetOrderStatus(ctx, &pb.GetOrderStatusRequest{OrderId: made.GetId()})
	require.NoError(t, err)
	require.Equal(t, []pb.OrderStatus{confirmed, assigned, cancelled}, st.GetAllowedTransitions())
	require.Equal(t, made.GetUpdatedAt().AsTime(), st.GetUpdatedAt().AsTime())

	courier := r.courier(t, 1)
	a, err := r.AssignCourier(ctx, &pb.AssignCourierRequest{OrderId: made.GetId(), CourierId: courier})
	require.NoError(t, err)
	require.Equal(t, courier, a.GetOrder().GetCourierId())

	r.clock.pass(time.Minute)
	happened := timestamppb.New(r.clock.Now().Add(-30 * time.Second))
	u, err := r.UpdateOrderStatus(ctx, &pb.UpdateOrderStatusRequest{
		OrderId: made.GetId(), Status: pickedUp, Reason: "at the shop", OccurredAt: happened,
		Location: &pb.Point{Lat: 55.75, Lon: 37.61}, Proof: &pb.Proof{Code: "1234"},
	})
	require.NoError(t, err)
	require.Equal(t, pickedUp, u.GetOrder().GetStatus())

	sum, err := r.report(ctx, courier, []*pb.Position{{Lat: 55.751, Lon: 37.611}})
	require.NoError(t, err)
	require.Equal(t, int64(1), sum.GetAccepted())
	r.clock.pass(10 * time.Second)
	at, err := r.GetCourierLocation(ctx, &pb.GetCourierLocationRequest{CourierId: courier})
	require.NoError(t, err)
	require.Equal(t, 55.751, at.GetPosition().GetLat())
	require.Equal(t, 10.0, at.GetAgeSeconds())
	require.False(t, at.GetStale())

	var track *pb.TrackOrderResponse
	require.Eventually(t, func() bool { // the history takes a moment
		track, err = r.TrackOrder(ctx, &pb.TrackOrderRequest{OrderId: made.GetId()})
		return err != nil || len(track.GetTrail()) == 1
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, courier, track.GetCourier().GetId())
	require.Equal(t, 37.611, track.GetPosition().GetLon())
	require.Equal(t, made.GetId(), track.GetEta().GetOrderId())
	last := track.GetTimeline()[2]
	require.Equal(t, "order.status_changed", last.GetType())
	require.Equal(t, assigned, last.GetPreviousStatus())
	require.Equal(t, happened.AsTime(), last.GetOccurredAt().AsTime())
	require.Equal(t, "at the shop", last.GetReason())
	require.Equal(t, map[string]any{"proof": map[string]any{"code": "1234"}}, last.GetData().AsMap())

	note, err := r.NotifyCustomer(ctx, &pb.NotifyCustomerRequest{OrderId: made.GetId(), Text: "two minutes"})
	require.NoError(t, err)
	require.NotEmpty(t, note.GetNotificationId())
	require.Equal(t, "sent", note.GetDeliveries()[0].GetStatus())

	e, err := r.EstimateDelivery(ctx, &pb.EstimateDeliveryRequest{OrderId: made.GetId()})
	require.NoError(t, err)
	require.True(t, e.GetEstimate().GetEarliest().AsTime().Before(e.GetEstimate().GetLatest().AsTime()))
	r.step(t, made.GetId(), delivered)
	e, err = r.EstimateDelivery(ctx, &pb.EstimateDeliveryRequest{OrderId: made.GetId()})
	require.NoError(t, err)
	require.Equal(t, "actual", e.GetEstimate().GetMethod())

	list, err := r.ListCourierOrders(ctx, &pb.ListCourierOrdersRequest{CourierId: courier})
	require.NoError(t, err)
	require.Len(t, list.GetOrders(), 1)
	require.Equal(t, delivered, list.GetOrders()[0].GetStatus())

	_, err = r.CancelOrder(ctx, &pb.CancelOrderRequest{OrderId: made.GetId()})
	info := refused(t, err, codes.FailedPrecondition, "cancel_after_pickup")
	require.Equal(t, "", info.GetMetadata()["allowed_transitions"])
}

func TestPagesOfOrders(t *testing.T) {
	r, ctx := start(t, with{}), t.Context()
	for _, ext := range []string{"A", "B", "C"} {
		r.create(t, ext)
		r.clock.pass(time.Second)
	}
	two := int32(2)
	ask := &pb.GetOrdersRequest{PageSize: &two, Status: []pb.OrderStatus{pb.OrderStatus_ORDER_STATUS_CREATED}}
	first, err := r.GetOrders(ctx, ask)
	require.NoError(t, err)
	require.Equal(t, []string{"C", "B"}, externalIDs(first.GetOrders()))
	ask.PageToken = first.GetNextPageToken()
	second, err := r.GetOrders(ctx, ask)
	require.NoError(t, err)
	require.Equal(t, []string{"A"}, externalIDs(second.GetOrders()))
	require.Empty(t, second.GetNextPageToken())

	ask.ExternalId = "A" // another list
	_, err = r.GetOrders(ctx, ask)
	refused(t, err, codes.InvalidArgument, "malformed")

	from := timestamppb.New(first.GetOrders()[1].GetCreatedAt().AsTime())
	some, err := r.GetOrders(ctx, &pb.GetOrdersRequest{CreatedFrom: from})
	require.NoError(t, err)
	require.Equal(t, []string{"C", "B"}, externalIDs(some.GetOrders()))
	no := false
	some, err = r.GetOrders(ctx, &pb.GetOrdersRequest{Active: &no})
	require.NoError(t, err)
	require.Empty(t, some.GetOrders())
}

func externalIDs(orders []*pb.Order) []string {
	var out []string
	for _, o := range orders {
		out = append(out, o.GetExternalId())
	}
	return out
}

func TestRefusals(t *testing.T) {
	r, ctx := start(t, with{}), t.Context()
	o := r.create(t, "A-1").GetId()
	nobody := domain.NewID()
	full := r.courier(t, 1)
	_, err := r.AssignCourier(ctx, &pb.AssignCourierRequest{OrderId: r.create(t, "A-2").GetId(), CourierId: full})
	require.NoError(t, err)
	zero, tooMany, old := int32(0), int32(501), int64(7)

	for name, tc := range map[string]struct {
		call   func() error
		code   codes.Code
		reason string
		fields map[string]string
	}{
		"unknown order": {func() error {
			_, err := r.GetOrder(ctx, &pb.GetOrderRequest{OrderId: nobody})
			return err
		}, codes.NotFound, "order_not_found", nil},
		"bad id": {func() error {
			_, err := r.GetOrderStatus(ctx, &pb.GetOrderStatusRequest{OrderId: "17"})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"order_id": "invalid_id"}},
		"everything at once": {func() error {
			_, err := r.CreateOrder(ctx, &pb.CreateOrderRequest{
				Dropoff: &pb.Place{Location: &pb.Point{Lat: math.NaN(), Lon: math.Inf(1)}},
				Items:   []*pb.Item{{Name: "a"}, {Price: &pb.Money{Amount: -1, Currency: "RUB"}}},
				ReadyAt: &timestamppb.Timestamp{Nanos: -1},
			})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{
			"customer.name": "required", "dropoff.location.lat": "out_of_range", "dropoff.location.lon": "out_of_range",
			"items[1].name": "required", "items[1].price.amount": "out_of_range", "ready_at": "impossible_time",
		}},
		"taken number": {func() error {
			_, err := r.CreateOrder(ctx, draft("A-1"))
			return err
		}, codes.AlreadyExists, "duplicate_external_id", nil},
		"no status": {func() error {
			_, err := r.UpdateOrderStatus(ctx, &pb.UpdateOrderStatusRequest{OrderId: o})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"status": "unknown_status"}},
		"unknown status": {func() error {
			_, err := r.UpdateOrderStatus(ctx, &pb.UpdateOrderStatusRequest{OrderId: o, Status: 99})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"status": "unknown_status"}},
		"unknown status in a filter": {func() error {
			_, err := r.GetOrders(ctx, &pb.GetOrdersRequest{Status: []pb.OrderStatus{99}})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"status": "unknown_status"}},
		"impossible time": {func() error {
			_, err := r.UpdateOrderStatus(ctx, &pb.UpdateOrderStatusRequest{
				OrderId: o, Status: confirmed, OccurredAt: timestamppb.New(r.clock.Now().Add(time.Hour)),
			})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"occurred_at": "impossible_time"}},
		"illegal step": {func() error {
			_, err := r.UpdateOrderStatus(ctx, &pb.UpdateOrderStatusRequest{OrderId: o, Status: delivered})
			return err
		}, codes.FailedPrecondition, "illegal_transition", nil},
		"old version": {func() error {
			_, err := r.CancelOrder(ctx, &pb.CancelOrderRequest{OrderId: o, IfMatch: &old})
			return err
		}, codes.Aborted, "version_conflict", nil},
		"no version": {func() error {
			_, err := r.CancelOrder(ctx, &pb.CancelOrderRequest{OrderId: o, IfMatch: new(int64)})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"if_match": "out_of_range"}},
		"page of nothing": {func() error {
			_, err := r.GetOrders(ctx, &pb.GetOrdersRequest{PageSize: &zero})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"page_size": "out_of_range"}},
		"page of too much": {func() error {
			_, err := r.ListCourierOrders(ctx, &pb.ListCourierOrdersRequest{CourierId: full, PageSize: &tooMany})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"page_size": "out_of_range"}},
		"bad token": {func() error {
			_, err := r.ListCourierOrders(ctx, &pb.ListCourierOrdersRequest{CourierId: full, PageToken: "?"})
			return err
		}, codes.InvalidArgument, "malformed", nil},
		"full courier": {func() error {
			_, err := r.AssignCourier(ctx, &pb.AssignCourierRequest{OrderId: o, CourierId: full})
			return err
		}, codes.FailedPrecondition, "courier_busy", nil},
		"unknown courier": {func() error {
			_, err := r.AssignCourier(ctx, &pb.AssignCourierRequest{OrderId: o, CourierId: nobody})
			return err
		}, codes.NotFound, "courier_not_found", nil},
		"nobody near": {func() error {
			_, err := r.AssignCourier(ctx, &pb.AssignCourierRequest{OrderId: o, Auto: true})
			return err
		}, codes.FailedPrecondition, "no_courier_available", nil},
		"no position": {func() error {
			_, err := r.GetCourierLocation(ctx, &pb.GetCourierLocationRequest{CourierId: full})
			return err
		}, codes.NotFound, "position_not_found", nil},
		"unknown channel": {func() error {
			_, err := r.NotifyCustomer(ctx, &pb.NotifyCustomerRequest{OrderId: o, Channel: "pigeon"})
			return err
		}, codes.InvalidArgument, "validation_failed", map[string]string{"channel": "unknown_channel"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.call()
			refused(t, err, tc.code, tc.reason)
			if tc.fields != nil {
				require.Equal(t, tc.fields, fields(t, err))
			}
		})
	}
	now, err := r.GetOrder(ctx, &pb.GetOrderRequest{OrderId: o})
	require.NoError(t, err)
	require.Equal(t, int64(1), now.GetOrder().GetVersion(), "what was refused changed nothing")
}

func TestRefusedStepsListTheAllowed(t *testing.T) {
	r := start(t, with{})
	_, err := r.UpdateOrderStatus(t.Context(), &pb.UpdateOrderStatusRequest{OrderId: r.create(t, "A").GetId(), Status: delivered})
	info := refused(t, err, codes.FailedPrecondition, "illegal_transition")
	require.Equal(t, "confirmed,assigned,cancelled", info.GetMetadata()["allowed_transitions"])
}

func TestVersionsInTheMetadata(t *testing.T) {
	r := start(t, with{})
	for _, tc := range []struct {
		tag    string
		code   codes.Code
		reason string
	}{
		{`"v2"`, codes.Aborted, "version_conflict"},
		{`"abc"`, codes.Aborted, "version_conflict"},
		{`W/"v2"`, codes.Aborted, "version_conflict"},
		{`W/"v1"`, codes.OK, ""},
		{`v`, codes.InvalidArgument, "malformed"},
		{`v1`, codes.OK, ""},
		{`"v1"`, codes.OK, ""},
		{`*`, codes.OK, ""},
	} {
		t.Run(tc.tag, func(t *testing.T) {
			o := r.create(t, "")
			ctx := metadata.AppendToOutgoingContext(t.Context(), "if-match", tc.tag)
			_, err := r.CancelOrder(ctx, &pb.CancelOrderRequest{OrderId: o.GetId()})
			if tc.code == codes.OK {
				require.NoError(t, err)
				return
			}
			refused(t, err, tc.code, tc.reason)
		})
	}
	one, o := int64(1), r.create(t, "")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "if-match", `"v9"`)
	_, err := r.CancelOrder(ctx, &pb.CancelOrderRequest{OrderId: o.GetId(), IfMatch: &one})
	require.NoError(t, err, "the field goes first")
}

func TestIdempotencyKeys(t *testing.T) {
	r := start(t, with{})
	var header metadata.MD
	call := func(key, ext string) (*pb.CreateOrderResponse, error) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", key)
		return r.CreateOrder(ctx, draft(ext), grpc.Header(&header))
	}
	first, err := call("k-1", "A-1")
	require.NoError(t, err)
	require.Empty(t, header.Get("idempotent-replayed"))
	again, err := call(`"k-1"`, "A-1")
	require.NoError(t, err)
	require.Equal(t, []string{"true"}, header.Get("idempotent-replayed"))
	require.Empty(t, cmp.Diff(first, again, protocmp.Transform()))

	_, err = call("k-1", "A-2")
	refused(t, err, codes.InvalidArgument, "idempotency_key_reused")
	_, err = call(`k"1`, "A-3")
	refused(t, err, codes.InvalidArgument, "malformed")
	_, err = call(strings.Repeat("k", domain.MaxIdempotency+1), "A-3")
	refused(t, err, codes.InvalidArgument, "validation_failed")
}

func TestBatches(t *testing.T) {
	r := start(t, with{})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", "batch-1")
	batch := &pb.CreateOrdersRequest{Orders: []*pb.CreateOrderRequest{draft("A-1"), {ExternalId: "A-2"}, draft("A-3")}}
	out, err := r.CreateOrders(ctx, batch)
	require.NoError(t, err)
	require.Len(t, out.GetResults(), 3)
	require.Equal(t, "A-1", out.GetResults()[0].GetOrder().GetExternalId())
	require.Equal(t, "A-3", out.GetResults()[2].GetOrder().GetExternalId())
	bad := out.GetResults()[1].GetError()
	require.Equal(t, "validation_failed", bad.GetCode())
	require.Equal(t, "/customer/name", bad.GetErrors()[0].GetPointer())
	require.Equal(t, "required", bad.GetErrors()[0].GetCode())

	again, err := r.CreateOrders(ctx, batch)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(out, again, protocmp.Transform()), "a repeat makes no second orders")

	for _, n := range []int{0, 101} {
		_, err := r.CreateOrders(t.Context(), &pb.CreateOrdersRequest{Orders: make([]*pb.CreateOrderRequest, n)})
		refused(t, err, codes.InvalidArgument, "validation_failed")
		require.Equal(t, map[string]string{"orders": "out_of_range"}, fields(t, err))
	}
}

// Of several orders in a batch with one external id the first is created, each time.
func TestBatchWithARepeatedExternalID(t *testing.T) {
	r := start(t, with{})
	for i := range 20 {
		batch := &pb.CreateOrdersRequest{}
		for j := range 10 {
			d := draft(fmt.Sprint("twice-", i, "-", j/5))
			d.Notes = fmt.Sprint(j)
			batch.Orders = append(batch.Orders, d)
		}
		out, err := r.CreateOrders(t.Context(), batch)
		require.NoError(t, err)
		for j, result := range out.GetResults() {
			if j%5 == 0 {
				require.Equal(t, fmt.Sprint(j), result.GetOrder().GetNotes())
			} else {
				require.Equal(t, "duplicate_external_id", result.GetError().GetCode(), "%v", result)
			}
		}
	}
}

func TestReports(t *testing.T) {
	r := start(t, with{})
	courier := r.courier(t, 1)
	at := func(s int) *timestamppb.Timestamp {
		return timestamppb.New(r.clock.Now().Add(time.Duration(s) * time.Second))
	}
	good := []*pb.Position{{Lat: 1, Lon: 1, RecordedAt: at(-2)}, {Lat: 1, Lon: 1.001, RecordedAt: at(-1)}}
	out, err := r.report(t.Context(), courier, good, append(good, &pb.Position{RecordedAt: at(0)}), nil)
	require.NoError(t, err)
	require.Equal(t, int64(2), out.GetAccepted())
	require.Equal(t, int64(3), out.GetDropped(), "two known ones and a device that has no fix")

	bad := []*pb.Position{{Lat: 1, Lon: 1}, {Lat: math.NaN(), Lon: 1}}
	_, err = r.report(t.Context(), courier, []*pb.Position{{Lat: 1.001, Lon: 1, RecordedAt: at(0)}}, bad)
	info := refused(t, err, codes.InvalidArgument, "validation_failed")
	require.Equal(t, map[string]string{"positions[1].lat": "out_of_range"}, fields(t, err))
	require.Equal(t, "1", info.GetMetadata()["batch"])
	require.Equal(t, "1", info.GetMetadata()["accepted"])
	p, err := r.GetCourierLocation(t.Context(), &pb.GetCourierLocationRequest{CourierId: courier})
	require.NoError(t, err)
	require.Equal(t, 1.001, p.GetPosition().GetLat(), "what went before was kept")

	_, err = r.report(t.Context(), domain.NewID(), good)
	refused(t, err, codes.NotFound, "courier_not_found")
	_, err = r.report(t.Context(), "me", good)
	require.Equal(t, map[string]string{"courier_id": "invalid_id"}, fields(t, err))

	_, err = r.report(t.Context(), courier, make([]*pb.Position, domain.MaxPositions+1))
	refused(t, err, codes.InvalidArgument, "validation_failed")
	require.Equal(t, map[string]string{"positions": "too_many"}, fields(t, err))
}

func TestRepeatedReportsAreReplayed(t *testing.T) {
	r := start(t, with{})
	courier := r.courier(t, 1)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", "k")
	_, err := r.report(ctx, courier, []*pb.Position{{Lat: math.NaN(), Lon: 1, Accuracy: new(math.Inf(1))}})
	refused(t, err, codes.InvalidArgument, "validation_failed")
	for range 2 { // without recorded_at only the key identifies a repeat
		out, err := r.report(ctx, courier, []*pb.Position{{Lat: 1, Lon: 1}}, []*pb.Position{{}})
		require.NoError(t, err)
		require.Equal(t, int64(1), out.GetAccepted())
		require.Equal(t, int64(1), out.GetDropped())
		r.clock.pass(time.Second)
	}
	located, err := r.GetCourierLocation(t.Context(), &pb.GetCourierLocationRequest{CourierId: courier})
	require.NoError(t, err)
	require.Equal(t, 2.0, located.GetAgeSeconds(), "the repeat was not a new position")
}
