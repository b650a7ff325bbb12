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
	d := pb.NewDispatchServiceClient(r.conn)
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
	list, err := d.ListOffers(ctx, &pb.ListOffersRequest{CourierId: courier})
	require.NoError(t, err)
	require.Equal(t, made.GetOffer().GetId(), list.GetOffers()[0].GetId())
	declined, err := d.DeclineOffer(ctx, &pb.DeclineOfferRequest{OfferId: made.GetOffer().GetId(), Reason: "too far"})
	require.NoError(t, err)
	require.Equal(t, "declined", declined.GetOffer().GetStatus())
	_, err = d.AcceptOffer(ctx, &pb.AcceptOfferRequest{OfferId: made.GetOffer().GetId()})
	refused(t, err, codes.FailedPrecondition, "offer_gone")

	done, err := d.RunDispatch(ctx, &pb.RunDispatchRequest{OrderIds: []string{id}})
	require.NoError(t, err)
	require.Equal(t, id, done.GetAssignments()[0].GetOrderId())
	route, err := d.GetRoute(ctx, &pb.GetRouteRequest{CourierId: courier})
	require.NoError(t, err)
	stop := route.GetRoute().GetStops()[0]
	require.Equal(t, "dropoff", stop.GetKind())
	require.True(t, stop.GetEta().AsTime().After(r.clock.Now()))
}
