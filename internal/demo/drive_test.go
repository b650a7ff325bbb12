package demo_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/demo"
	"github.com/order-tracking/order-tracking/pkg/client"
)

func start(t *testing.T) *client.Client {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load([]string{
		"--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0", "--sandbox-carriers",
		"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(dir, "orders.db")), "--set=kafka.dir=" + filepath.Join(dir, "kafka"),
	}, nil)
	require.NoError(t, err)
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	c, err := client.New("http://" + a.HTTPAddr())
	require.NoError(t, err)
	return c
}

// A real server agrees with a quarter of an hour of the day: orders are delivered, the parcel
// is on its way, every courier is where he reported to be. An order that a person takes away
// is left to that person, and the day goes on.
func TestDemoDelivers(t *testing.T) {
	c := start(t)
	var said []string
	var watched []*client.Order
	pages := map[string]bool{}
	taken := ""
	err := demo.Run(t.Context(), demo.Options{
		Client: c, Seed: 7, Couriers: 12, Speed: 1, Every: 10 * time.Second,
		Begin: time.Now().Add(-time.Hour), For: 15 * time.Minute,
		Say: func(_ time.Time, text string) {
			said = append(said, text)
			number := text[strings.LastIndex(text, " ")+1:]
			if taken != "" || !strings.Contains(text, " ordered ") || strings.Contains(text, "Янссон") {
				return
			}
			for o, err := range c.Orders(t.Context(), client.OrderFilter{Search: number}) {
				require.NoError(t, err)
				_, err = c.CancelOrder(t.Context(), o.ID, "by a dispatcher")
				require.NoError(t, err)
				taken = o.Number
			}
		},
		Watch: func(o *client.Order, page string) {
			watched = append(watched, o)
			require.NotEmpty(t, o.CourierID)
			pages[page] = strings.Contains(page, "/t/ot_shr_")
		},
	})
	require.NoError(t, err)

	byStatus, parcels := map[client.Status]int{}, 0
	for o, err := range c.Orders(t.Context(), client.OrderFilter{}) {
		require.NoError(t, err)
		byStatus[o.Status]++
		if o.Shipment != nil {
			parcels++
		}
	}
	require.Greater(t, byStatus[client.StatusDelivered], 8, "%v\n%s", byStatus, strings.Join(said, "\n"))
	require.Positive(t, parcels)
	couriers := 0
	for courier, err := range c.Couriers(t.Context(), client.CourierFilter{}) {
		require.NoError(t, err)
		require.NotNil(t, courier.Position, courier.Name)
		couriers++
	}
	require.Equal(t, 12, couriers)

	require.NotEmpty(t, taken)
	require.True(t, slices.ContainsFunc(said, func(text string) bool { return strings.HasPrefix(text, taken+" is left to others") }), said)
	require.Greater(t, len(watched), 1, "another one when the first was delivered")
	require.Len(t, pages, len(watched))
	require.NotContains(t, slices.Collect(maps.Values(pages)), false)
	track, err := c.Track(t.Context(), watched[0].ID)
	require.NoError(t, err)
	require.Equal(t, client.StatusDelivered, track.Status)
	require.Greater(t, len(track.Trail), 20)
}

// A day that begins now has a story in order; and it stops when it is told to.
func TestDemoBeginsAndStops(t *testing.T) {
	c := start(t)
	ctx, stop := context.WithCancel(t.Context())
	id := ""
	err := demo.Run(ctx, demo.Options{Client: c, Couriers: 2, Speed: 3, Every: time.Second, Watch: func(o *client.Order, _ string) {
		id = o.ID
		stop()
	}})
	require.NoError(t, err)
	require.Error(t, ctx.Err())
	events, err := c.Events(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, events, 6)
	require.True(t, slices.IsSortedFunc(events, func(a, b client.Event) int { return a.OccurredAt.Compare(b.OccurredAt) }), events)
}
