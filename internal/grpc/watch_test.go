package grpcserver

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// watch opens a stream that ends with the test.
func (r *rig) watch(t *testing.T, orderID string, since *int64) pb.OrderService_WatchOrderClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	stream, err := r.WatchOrder(ctx, &pb.WatchOrderRequest{OrderId: orderID, SinceVersion: since})
	require.NoError(t, err)
	return stream
}

// next returns the next frame of the type, skipping others that coalesce.
func next(t *testing.T, stream pb.OrderService_WatchOrderClient, typ string) *pb.WatchOrderResponse {
	t.Helper()
	for {
		f, err := stream.Recv()
		require.NoError(t, err, "waiting for %s", typ)
		if f.GetType() == typ {
			return f
		}
		require.Contains(t, []string{"eta", "position", "ping"}, f.GetType(), "waiting for %s", typ)
	}
}

func TestWatchTellsEverything(t *testing.T) {
	r := start(t, with{queue: 100})
	o, courier := r.create(t, "A-1").GetId(), r.courier(t, 1)
	stream := r.watch(t, o, nil)
	f := next(t, stream, "snapshot")
	require.Equal(t, "A-1", f.GetSnapshot().GetOrder().GetExternalId())
	require.Equal(t, int64(1), f.GetVersion())
	require.Equal(t, r.clock.Now(), f.GetAt().AsTime())
	require.Nil(t, f.GetSnapshot().GetCourier())

	_, err := r.AssignCourier(t.Context(), &pb.AssignCourierRequest{OrderId: o, CourierId: courier})
	require.NoError(t, err)
	f = next(t, stream, "status")
	require.Equal(t, int64(2), f.GetVersion())
	require.Equal(t, assigned, f.GetStatus().GetStatus())
	require.Equal(t, "admin", f.GetStatus().GetActor().GetKind())
	require.Equal(t, courier, f.GetStatus().GetData().AsMap()["courier_id"])

	r.step(t, o, pickedUp)
	next(t, stream, "status")
	_, err = r.report(t.Context(), courier, []*pb.Position{{Lat: 55.7, Lon: 37.6, RecordedAt: nil}})
	require.NoError(t, err)
	f = next(t, stream, "position")
	require.Equal(t, courier, f.GetPosition().GetCourierId())
	require.Equal(t, 55.7, f.GetPosition().GetPosition().GetLat())
	require.Nil(t, f.Version, "a position has no version")

	n, err := r.NotifyCustomer(t.Context(), &pb.NotifyCustomerRequest{OrderId: o, Text: "soon"})
	require.NoError(t, err)
	f = next(t, stream, "notification")
	require.Equal(t, n.GetNotificationId(), f.GetNotification().GetNotificationId())
	require.Equal(t, "soon", f.GetNotification().GetText())

	r.step(t, o, delivered)
	require.Equal(t, delivered, next(t, stream, "status").GetStatus().GetStatus())
	require.NotNil(t, next(t, stream, "end").GetEnd())
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func TestWatchTellsEstimates(t *testing.T) {
	r := start(t, with{queue: 100})
	o, courier := r.create(t, "A-1").GetId(), r.courier(t, 1)
	_, err := r.AssignCourier(t.Context(), &pb.AssignCourierRequest{OrderId: o, CourierId: courier})
	require.NoError(t, err)
	r.step(t, o, pickedUp)
	stream := r.watch(t, o, nil)
	f := next(t, stream, "snapshot")
	require.Equal(t, courier, f.GetSnapshot().GetCourier().GetId())
	_, err = r.report(t.Context(), courier, []*pb.Position{{Lat: 55.7, Lon: 37.6}})
	require.NoError(t, err)
	f = next(t, stream, "eta")
	require.Equal(t, o, f.GetEta().GetOrderId())
	require.Positive(t, f.GetEta().GetDistanceM())

	again := r.watch(t, o, nil) // a snapshot of an order in custody shows where it is
	require.Equal(t, 55.7, next(t, again, "snapshot").GetSnapshot().GetPosition().GetLat())
}

func TestWatchResumes(t *testing.T) {
	r := start(t, with{queue: 100})
	o := r.create(t, "A-1").GetId()
	r.step(t, o, confirmed)
	_, err := r.AssignCourier(t.Context(), &pb.AssignCourierRequest{OrderId: o, CourierId: r.courier(t, 1)})
	require.NoError(t, err)
	r.step(t, o, pickedUp)
	seen := int64(2)
	stream := r.watch(t, o, &seen)
	require.Equal(t, int64(4), next(t, stream, "snapshot").GetVersion())
	r.step(t, o, delivered)
	for version := seen + 1; version <= 5; version++ {
		require.Equal(t, version, next(t, stream, "status").GetVersion())
	}
	next(t, stream, "end")
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func TestWatchOfAFinishedOrder(t *testing.T) {
	r := start(t, with{})
	o := r.create(t, "").GetId()
	r.step(t, o, cancelled)
	stream := r.watch(t, o, nil)
	require.Equal(t, cancelled, next(t, stream, "snapshot").GetSnapshot().GetOrder().GetStatus())
	next(t, stream, "end")
	_, err := stream.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func TestWatchRefusals(t *testing.T) {
	r := start(t, with{})
	bad := int64(-1)
	for _, tc := range []struct {
		id     string
		since  *int64
		code   codes.Code
		reason string
	}{
		{domain.NewID(), nil, codes.NotFound, "order_not_found"},
		{"17", nil, codes.InvalidArgument, "validation_failed"},
		{r.create(t, "").GetId(), &bad, codes.InvalidArgument, "validation_failed"},
	} {
		_, err := r.watch(t, tc.id, tc.since).Recv()
		refused(t, err, tc.code, tc.reason)
	}
	require.Zero(t, r.hub.Watchers())
}

func TestSilentStreamsArePinged(t *testing.T) {
	r := start(t, with{config: Config{PingEvery: time.Millisecond}})
	o := r.create(t, "").GetId()
	stream := r.watch(t, o, nil)
	next(t, stream, "snapshot")
	for range 2 {
		f := next(t, stream, "ping")
		require.NotNil(t, f.GetPing())
		require.Equal(t, o, f.GetOrderId())
	}
	r.step(t, o, cancelled) // a ping loses nothing
	require.Equal(t, cancelled, next(t, stream, "status").GetStatus().GetStatus())
}

func TestServerGoesAway(t *testing.T) {
	r := start(t, with{})
	o := r.create(t, "").GetId()
	stream := r.watch(t, o, nil)
	next(t, stream, "snapshot")
	r.hub.Close()
	_, err := stream.Recv()
	refused(t, err, codes.Unavailable, "unavailable")
	_, err = r.watch(t, o, nil).Recv() // and for later callers
	refused(t, err, codes.Unavailable, "unavailable")
	r.server.GracefulStop() // returns at once
}

func TestTooManyStreams(t *testing.T) {
	r := start(t, with{streams: 1})
	o := r.create(t, "").GetId()
	next(t, r.watch(t, o, nil), "snapshot")
	_, err := r.watch(t, o, nil).Recv()
	refused(t, err, codes.Unavailable, "unavailable")
}

func TestSlowReadersAreEnded(t *testing.T) {
	r := start(t, with{queue: 4})
	o := r.create(t, "").GetId()
	stream := r.watch(t, o, nil)
	next(t, stream, "snapshot")
	text := strings.Repeat("x", domain.MaxText) // more than the windows of HTTP/2 hold
	for range 100 {
		_, err := r.NotifyCustomer(t.Context(), &pb.NotifyCustomerRequest{OrderId: o, Text: text})
		require.NoError(t, err)
	}
	for {
		if _, err := stream.Recv(); err != nil {
			refused(t, err, codes.ResourceExhausted, "too_slow")
			return
		}
	}
}

func TestWatchersThatLeaveAreForgotten(t *testing.T) {
	r := start(t, with{})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := r.WatchOrder(ctx, &pb.WatchOrderRequest{OrderId: r.create(t, "").GetId()})
	require.NoError(t, err)
	next(t, stream, "snapshot")
	require.Equal(t, 1, r.hub.Watchers())
	cancel()
	_, err = stream.Recv()
	require.False(t, errors.Is(err, io.EOF))
	require.Eventually(t, func() bool { return r.hub.Watchers() == 0 }, 20*time.Second, time.Millisecond)
}
