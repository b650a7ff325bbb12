package grpcserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

func TestDispatchService(t *testing.T) {
	r := start(t, with{})
	ctx := t.Context()
	d, c := pb.NewDispatchServiceClient(r.conn), pb.NewCourierServiceClient(r.conn)
	courier := r.courier(t, 3)
	_, err := r.report(ctx, courier, []*pb.Position{{Lat: 55.75, Lon: 37.61}})
	require.NoError(t, err)
	created, err := r.CreateOrder(ctx, &pb.CreateOrderRequest{
		Customer: &pb.Customer{Name: "Ann"}, Priority: 3, Timezone: "Europe/Moscow",
		Dropoff: &pb.Place{Location: &pb.Point{Lat: 55.76, Lon: 37.61}},
	})
	require.NoError(t, err)
	id := created.GetOrder().GetId()
	require.Equal(t, int32(3), created.GetOrder().GetPriority())
	nowhere, err := r.CreateOrder(ctx, &pb.CreateOrderRequest{Customer: &pb.Customer{Name: "Ann"}, Dropoff: &pb.Place{Address: "nobody knows where"}})
	require.NoError(t, err)
	lost := nowhere.GetOrder()

	plan, err := d.PlanDispatch(ctx, &pb.PlanDispatchRequest{OrderIds: []string{id, lost.GetId()}})
	require.NoError(t, err)
	require.Len(t, plan.GetAssignments(), 1)
	require.Equal(t, courier, plan.GetAssignments()[0].GetCourierId())
	require.True(t, plan.GetAssignments()[0].GetDropoffAt().AsTime().After(r.clock.Now()))
	require.Equal(t, "no_location", plan.GetUnassigned()[0].GetReason())
	_, err = d.PlanDispatch(ctx, &pb.PlanDispatchRequest{OrderIds: []string{"x"}})
	refused(t, err, codes.InvalidArgument, "validation_failed")

	made, err := d.OfferOrder(ctx, &pb.OfferOrderRequest{OrderId: id, CourierIds: []string{courier}, ExpiresInS: 30})
	require.NoError(t, err)
	require.Equal(t, r.clock.Now().Add(30*time.Second), made.GetOffer().GetExpiresAt().AsTime())
	list, err := c.ListOffers(ctx, &pb.ListOffersRequest{CourierId: courier})
	require.NoError(t, err)
	require.Equal(t, made.GetOffer().GetId(), list.GetOffers()[0].GetId())
	declined, err := c.DeclineOffer(ctx, &pb.DeclineOfferRequest{OfferId: made.GetOffer().GetId(), Reason: "too far"})
	require.NoError(t, err)
	require.Equal(t, "declined", declined.GetOffer().GetStatus())
	_, err = c.AcceptOffer(ctx, &pb.AcceptOfferRequest{OfferId: made.GetOffer().GetId()})
	refused(t, err, codes.FailedPrecondition, "offer_gone")

	done, err := d.RunDispatch(ctx, &pb.RunDispatchRequest{OrderIds: []string{id}})
	require.NoError(t, err)
	require.Equal(t, id, done.GetAssignments()[0].GetOrderId())
	route, err := c.GetRoute(ctx, &pb.GetRouteRequest{CourierId: courier})
	require.NoError(t, err)
	stop := route.GetRoute().GetStops()[0]
	require.Equal(t, "dropoff", stop.GetKind())
	require.True(t, stop.GetEta().AsTime().After(r.clock.Now()))
	set := &pb.SetRouteRequest{CourierId: courier, Stops: []*pb.RouteStopRef{{OrderId: id, Kind: "dropoff"}}, IfMatch: new(int64(2))}
	_, err = c.SetRoute(ctx, set)
	refused(t, err, codes.Aborted, "version_conflict")
	set.IfMatch = new(route.GetRoute().GetVersion())
	again, err := c.SetRoute(ctx, set)
	require.NoError(t, err)
	require.Equal(t, int64(2), again.GetRoute().GetVersion())
	set.Stops[0].Kind = "pickup"
	_, err = c.SetRoute(ctx, &pb.SetRouteRequest{CourierId: courier, Stops: set.Stops})
	refused(t, err, codes.InvalidArgument, "validation_failed")
}

func TestCourierService(t *testing.T) {
	r := start(t, with{})
	ctx, c := t.Context(), pb.NewCourierServiceClient(r.conn)
	made, err := c.CreateCourier(ctx, &pb.CreateCourierRequest{
		Name: new("Ivan"), Vehicle: new("bicycle"), Skills: []string{"cold"}, Base: &pb.Point{Lat: 55.75, Lon: 37.61}, Metadata: map[string]string{"a": "1"},
	})
	require.NoError(t, err)
	id := made.GetCourier().GetId()
	require.True(t, made.GetCourier().GetOnDuty())
	_, err = c.CreateCourier(ctx, &pb.CreateCourierRequest{Vehicle: new("boat")})
	refused(t, err, codes.InvalidArgument, "validation_failed")
	edited, err := c.EditCourier(ctx, &pb.EditCourierRequest{CourierId: id, Capacity: new(int32(3)), Metadata: map[string]string{"b": "2"}})
	require.NoError(t, err)
	require.Equal(t, "Ivan", edited.GetCourier().GetName())
	require.Equal(t, []string{"cold"}, edited.GetCourier().GetSkills())
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, edited.GetCourier().GetMetadata())
	require.NotNil(t, edited.GetCourier().GetBase())
	edited, err = c.EditCourier(ctx, &pb.EditCourierRequest{CourierId: id, Clear: []string{"base", "skills"}})
	require.NoError(t, err)
	require.Nil(t, edited.GetCourier().GetBase())
	require.Empty(t, edited.GetCourier().GetSkills())
	_, err = c.EditCourier(ctx, &pb.EditCourierRequest{CourierId: id, Clear: []string{"name"}})
	refused(t, err, codes.InvalidArgument, "validation_failed")

	_, err = r.report(ctx, id, []*pb.Position{{Lat: 55.76, Lon: 37.61}})
	require.NoError(t, err)
	got, err := c.GetCourier(ctx, &pb.GetCourierRequest{CourierId: id})
	require.NoError(t, err)
	require.Equal(t, 55.76, got.GetCourier().GetPosition().GetLat())
	near, err := c.NearCouriers(ctx, &pb.NearCouriersRequest{Lat: 55.75, Lon: 37.61})
	require.NoError(t, err)
	require.InDelta(t, 1112, near.GetCouriers()[0].GetDistanceM(), 5)
	_, err = c.NearCouriers(ctx, &pb.NearCouriersRequest{Lat: 95, Limit: new(int32(0))})
	refused(t, err, codes.InvalidArgument, "validation_failed")
	other := r.courier(t, 1)
	first, err := c.ListCouriers(ctx, &pb.ListCouriersRequest{PageSize: new(int32(1))})
	require.NoError(t, err)
	require.Equal(t, other, first.GetCouriers()[0].GetId())
	second, err := c.ListCouriers(ctx, &pb.ListCouriersRequest{PageSize: new(int32(1)), PageToken: first.GetNextPageToken()})
	require.NoError(t, err)
	require.Equal(t, id, second.GetCouriers()[0].GetId())
}

func TestEditOrder(t *testing.T) {
	r := start(t, with{})
	ctx := t.Context()
	created, err := r.CreateOrder(ctx, &pb.CreateOrderRequest{Customer: &pb.Customer{Name: "Ann"}, Notes: "ring", Dropoff: &pb.Place{Address: "Door 1"}})
	require.NoError(t, err)
	id := created.GetOrder().GetId()
	edited, err := r.EditOrder(ctx, &pb.EditOrderRequest{
		OrderId: id, Dropoff: &pb.Place{Address: "Door 2"}, Priority: new(int32(4)), IfMatch: new(int64(1)), Clear: []string{"notes"},
		Exception: &pb.ExceptionEdit{Code: "damaged"},
	})
	require.NoError(t, err)
	require.Equal(t, "Door 2", edited.GetOrder().GetDropoff().GetAddress())
	require.Equal(t, "Ann", edited.GetOrder().GetCustomer().GetName())
	require.Empty(t, edited.GetOrder().GetNotes())
	require.Equal(t, "damaged", edited.GetOrder().GetException().GetCode())
	_, err = r.EditOrder(ctx, &pb.EditOrderRequest{OrderId: id, Notes: new("x"), IfMatch: new(int64(1))})
	refused(t, err, codes.Aborted, "version_conflict")
	_, err = r.EditOrder(ctx, &pb.EditOrderRequest{OrderId: id, Priority: new(int32(40))})
	refused(t, err, codes.InvalidArgument, "validation_failed")
	events, err := r.ListEvents(ctx, &pb.ListEventsRequest{OrderId: id})
	require.NoError(t, err)
	require.Len(t, events.GetEvents(), 2)
	require.Equal(t, "order.changed", events.GetEvents()[1].GetType())
	_, err = r.ListEvents(ctx, &pb.ListEventsRequest{OrderId: "x"})
	refused(t, err, codes.InvalidArgument, "validation_failed")
}
