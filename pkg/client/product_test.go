package client_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/pkg/client"
)

// product is the server in this process, at the same address over restarts.
type product struct {
	dir, http string
	stop      func()
}

func (p *product) start(t *testing.T) {
	t.Helper()
	cfg, err := config.Load([]string{
		"--http-addr=" + p.http, "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0",
		"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(p.dir, "orders.db")), "--set=kafka.dir=" + filepath.Join(p.dir, "kafka"),
	}, nil)
	require.NoError(t, err)
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	p.http = a.HTTPAddr()
	p.stop = func() { cancel(); require.NoError(t, <-ended) }
}

func startProduct(t *testing.T, opts ...client.Option) (*product, *client.Client) {
	t.Helper()
	p := &product{dir: t.TempDir(), http: "127.0.0.1:0"}
	p.start(t)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); p.stop() })
	opts = append([]client.Option{
		client.WithHTTPClient(&http.Client{Transport: transport}), client.WithPauses(time.Millisecond, 50*time.Millisecond),
	}, opts...)
	c, err := client.New(p.http, opts...)
	require.NoError(t, err)
	return p, c
}

func draft(externalID string) client.Draft {
	return client.Draft{
		ExternalID: externalID, Customer: client.Customer{Name: "Ann", Phone: "+254712123456", Email: "a@example.com", Locale: "en"},
		Pickup:  &client.Place{Address: "Here", Location: &client.Point{Lat: -1.25, Lon: 36.75}},
		Dropoff: &client.Place{Address: "There", Location: &client.Point{Lat: -1.3, Lon: 36.8}, Notes: "ring"},
		Items:   []client.Item{{Name: "Tea", Quantity: 2, Price: &client.Money{Amount: 350, Currency: "KES"}, WeightG: 100}},
		Total:   &client.Money{Amount: 700, Currency: "KES"}, Metadata: map[string]string{"k": "v"},
		PromisedAt: client.Ptr(time.Now().Add(time.Hour).UTC().Truncate(time.Second)),
	}
}

// What the client sends is what the product takes, and the other way round.
func TestEveryOperationOnTheProduct(t *testing.T) {
	_, c := startProduct(t)
	ctx := t.Context()
	d := draft("shop-1")
	o, err := c.CreateOrder(ctx, d, client.IdempotencyKey("k1"))
	require.NoError(t, err)
	require.Equal(t, d, client.Draft{
		ExternalID: o.ExternalID, Customer: o.Customer, Pickup: o.Pickup, Dropoff: &o.Dropoff, Items: o.Items,
		Total: o.Total, Metadata: o.Metadata, PromisedAt: o.PromisedAt,
	})
	again, err := c.CreateOrder(ctx, d, client.IdempotencyKey("k1"))
	require.NoError(t, err)
	require.Equal(t, o, again)
	_, err = c.CreateOrder(ctx, d)
	require.Equal(t, client.CodeDuplicateExternalID, client.CodeOf(err))
	got, err := c.Order(ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, o, got)

	edited, err := c.EditOrder(ctx, o.ID, client.Edit{
		Notes: client.Ptr("n"), Exception: &client.Exception{Code: "on_hold"}, Clear: []string{"promised_at"},
	}, client.IfMatch(1))
	require.NoError(t, err)
	require.Equal(t, "n", edited.Notes)
	require.Equal(t, "on_hold", edited.Exception.Code)
	require.Nil(t, edited.PromisedAt)
	_, err = c.EditOrder(ctx, o.ID, client.Edit{Notes: client.Ptr("m")}, client.IfMatch(1))
	require.Equal(t, client.CodeVersionConflict, client.CodeOf(err))
	_, err = c.UpdateStatus(ctx, o.ID, client.StatusChange{Status: client.StatusDelivered})
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, client.CodeIllegalTransition, p.Code)
	require.Equal(t, []client.Status{client.StatusConfirmed, client.StatusAssigned, client.StatusCancelled}, p.AllowedTransitions)
	require.NotEmpty(t, p.RequestID)
	_, err = c.CreateOrder(ctx, client.Draft{})
	require.ErrorAs(t, err, &p)
	require.Equal(t, client.CodeValidationFailed, p.Code)
	require.NotEmpty(t, p.Errors)

	courier := courierOnTheRoad(t, c)
	assigned, err := c.AssignCourier(ctx, o.ID, courier.ID)
	require.NoError(t, err)
	require.Equal(t, courier.ID, assigned.CourierID)
	st, err := c.Status(ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, client.StatusAssigned, st.Status)
	require.Contains(t, st.AllowedTransitions, client.StatusPickedUp)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, err = c.UpdateStatus(ctx, o.ID, client.StatusChange{
		Status: client.StatusPickedUp, Reason: "r", OccurredAt: &at, Location: &client.Point{Lat: 1, Lon: 2},
		Proof: &client.Proof{Code: "4711"},
	})
	require.NoError(t, err)
	note, err := c.Notify(ctx, o.ID, client.Notice{Text: "on its way"})
	require.NoError(t, err)
	require.NotEmpty(t, note.Deliveries)
	track, err := c.Track(ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, courier.ID, track.Courier.ID)
	require.NotNil(t, track.Position)
	require.NotEmpty(t, track.Timeline)
	e, err := c.DeliveryTime(ctx, o.ID)
	require.NoError(t, err)
	require.NotEmpty(t, e.Method)
	events, err := c.Events(ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, track.Timeline, events)
	picked := events[len(events)-2]
	require.Equal(t, at, picked.OccurredAt)
	require.Equal(t, &client.Point{Lat: 1, Lon: 2}, picked.Location)
	require.Equal(t, map[string]any{"proof": map[string]any{"code": "4711"}}, picked.Data)
	_, err = c.CancelOrder(ctx, o.ID, "")
	require.Equal(t, client.CodeCancelAfterPickup, client.CodeOf(err))

	for _, reason := range []string{"", "changed their mind"} {
		other, err := c.CreateOrder(ctx, draft(""))
		require.NoError(t, err)
		cancelled, err := c.CancelOrder(ctx, other.ID, reason)
		require.NoError(t, err)
		require.Equal(t, client.StatusCancelled, cancelled.Status)
		_, err = c.DeliveryTime(ctx, other.ID)
		require.Equal(t, client.CodeOrderFinished, client.CodeOf(err))
	}
	nearest, err := c.CreateOrder(ctx, draft(""))
	require.NoError(t, err)
	nearest, err = c.AssignNearest(ctx, nearest.ID)
	require.NoError(t, err)
	require.Equal(t, courier.ID, nearest.CourierID)
	listsOnTheProduct(t, c, o, courier)
}

func courierOnTheRoad(t *testing.T, c *client.Client) *client.Courier {
	t.Helper()
	ctx := t.Context()
	courier, err := c.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr("Bob"), Vehicle: client.Ptr("bicycle")})
	require.NoError(t, err)
	courier, err = c.EditCourier(ctx, courier.ID, client.CourierEdit{Capacity: client.Ptr(4)})
	require.NoError(t, err)
	require.Equal(t, 4, courier.Capacity)
	_, err = c.CourierLocation(ctx, courier.ID)
	require.Equal(t, client.CodePositionNotFound, client.CodeOf(err))
	now := time.Now().UTC().Truncate(time.Millisecond)
	received, err := c.ReportPositions(ctx, courier.ID, []client.Position{
		{Lat: -1.2501, Lon: 36.75, Speed: client.Ptr(3.5), RecordedAt: now}, {Lat: 0, Lon: 0},
	})
	require.NoError(t, err)
	require.Equal(t, client.Received{Accepted: 1, Dropped: 1}, received)
	require.Eventually(t, func() bool { // it may be shown a moment after it was taken
		is, err := c.CourierLocation(ctx, courier.ID)
		return err == nil && is.RecordedAt.Equal(now) && !is.Stale && *is.Speed == 3.5
	}, 20*time.Second, 5*time.Millisecond)
	near, err := c.NearCouriers(ctx, client.Point{Lat: -1.25, Lon: 36.75}, 3)
	require.NoError(t, err)
	require.Len(t, near, 1)
	require.Equal(t, courier.ID, near[0].ID)
	require.InDelta(t, 11.1, near[0].DistanceM, 0.1)
	return courier
}

func listsOnTheProduct(t *testing.T, c *client.Client, o *client.Order, courier *client.Courier) {
	t.Helper()
	ctx := t.Context()
	var listed []string
	for one, err := range c.Orders(ctx, client.OrderFilter{PageSize: 1}) {
		require.NoError(t, err)
		listed = append(listed, one.ID)
	}
	require.Len(t, listed, 4)
	found := 0
	for one, err := range c.Orders(ctx, client.OrderFilter{
		Statuses: []client.Status{client.StatusPickedUp, client.StatusFailed}, CourierID: courier.ID, ExternalID: "shop-1",
		CustomerPhone: "+254712123456", Search: "ann", CreatedFrom: o.CreatedAt, CreatedTo: o.CreatedAt.Add(time.Second), Active: client.Ptr(true),
	}) {
		require.NoError(t, err)
		require.Equal(t, o.ID, one.ID)
		found++
	}
	require.Equal(t, 1, found)
	carried := 0
	for _, err := range c.CourierOrders(ctx, courier.ID, 1) {
		require.NoError(t, err)
		carried++
	}
	require.Equal(t, 2, carried)
	for one, err := range c.Couriers(ctx, client.CourierFilter{OnDuty: client.Ptr(true), Search: "bob"}) {
		require.NoError(t, err)
		require.Equal(t, 2, one.ActiveOrders)
	}
}

// A watch outlives a restart of the product, sees each change once and ends with the order.
func TestWatchOnTheProduct(t *testing.T) {
	for name, opts := range map[string][]client.Option{"events": nil, "socket": {client.WithWebSocket()}} {
		t.Run(name, func(t *testing.T) {
			p, c := startProduct(t, opts...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			o, err := c.CreateOrder(ctx, draft(""))
			require.NoError(t, err)
			courier, err := c.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr("Bob")})
			require.NoError(t, err)
			steps := []func(){
				func() { _, err = c.AssignCourier(ctx, o.ID, courier.ID) },
				func() {
					p.stop()
					p.start(t)
					_, err = c.UpdateStatus(ctx, o.ID, client.StatusChange{Status: client.StatusPickedUp})
				},
				func() { _, err = c.Notify(ctx, o.ID, client.Notice{Text: "soon"}) },
				func() { _, err = c.UpdateStatus(ctx, o.ID, client.StatusChange{Status: client.StatusDelivered}) },
			}
			var versions []int64
			snapshots, notes, ended := 0, 0, false
			for f, watchErr := range c.Watch(ctx, o.ID, 0) {
				require.NoError(t, watchErr)
				require.Equal(t, o.ID, f.OrderID)
				switch f.Type {
				case client.FrameSnapshot:
					snapshots++
					continue
				case client.FrameStatus:
					versions = append(versions, f.Version)
					require.Equal(t, f.Version, f.Event.Version)
				case client.FrameNotification:
					notes++
					require.Equal(t, "soon", f.Notification.Text)
				case client.FrameEnd:
					ended = true
					continue
				default:
					continue
				}
				if len(steps) > 0 {
					steps[0]()
					require.NoError(t, err)
					steps = steps[1:]
				}
			}
			require.Equal(t, []int64{1, 2, 3, 4}, versions)
			require.Equal(t, 2, snapshots)
			require.Equal(t, 1, notes)
			require.True(t, ended)
			for _, watchErr := range c.Watch(ctx, "00000000-0000-7000-8000-000000000000", client.FromNow) {
				require.Equal(t, client.CodeOrderNotFound, client.CodeOf(watchErr))
			}
		})
	}
}
