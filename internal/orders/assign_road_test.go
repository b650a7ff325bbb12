package orders_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/infrastructure/routing"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// fleet is couriers and orders over a real store.
type fleet struct {
	Orders   *orders.Service
	Couriers *tracking.Couriers
	Tracking *tracking.Service
	ctx      context.Context
	t        *testing.T
}

type clock struct{}

func (clock) Now() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

// nobody watches.
type nobody struct{}

func (nobody) CourierMoved(domain.Fix, []string) {}
func (nobody) Estimated(domain.Estimate)         {}

func newFleet(t *testing.T, router domain.Router) *fleet {
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "orders.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	live, keys := cache.NewMemory(cache.MemoryOptions{}), idempotency.NewKeys(store, clock{})
	f := &fleet{t: t, ctx: domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "test"})}
	f.Orders = orders.New(orders.Deps{
		Store: store, Live: live, Clock: clock{}, Log: zap.NewNop(), Keys: keys, StaleAfter: time.Minute, Router: router,
	})
	f.Tracking = tracking.New(tracking.Deps{
		Store: store, Live: live, Watchers: nobody{}, Clock: clock{}, Log: zap.NewNop(), Keys: keys, Orders: f.Orders,
		StaleAfter: time.Minute, Plausible: domain.Plausibility{MaxSpeed: 100, MaxAccuracy: 1000},
	})
	f.Couriers = &tracking.Couriers{Service: f.Tracking}
	return f
}

// at puts a new courier somewhere.
func (f *fleet) at(name string, lat float64, capacity int) *domain.Courier {
	f.t.Helper()
	c, err := f.Couriers.Create(f.ctx, domain.CourierEdit{Name: &name, Capacity: &capacity})
	require.NoError(f.t, err)
	_, err = f.Tracking.Report(f.ctx, c.ID, []domain.Position{{Lat: lat, Lon: 37}}, true)
	require.NoError(f.t, err)
	return c
}

// carrying gives the courier an order.
func (f *fleet) carrying(courierID string, to domain.Point) {
	f.t.Helper()
	o, err := f.Orders.Create(f.ctx, domain.Draft{Customer: domain.Customer{Name: "Ann"}, Dropoff: &domain.Place{Location: &to}})
	require.NoError(f.t, err)
	_, err = f.Orders.Assign(f.ctx, o.ID, orders.Assignment{CourierID: courierID}, 0)
	require.NoError(f.t, err)
}

func (f *fleet) nearest() (string, error) {
	o, err := f.Orders.Create(f.ctx, domain.Draft{
		Customer: domain.Customer{Name: "Ann"}, Pickup: &domain.Place{Location: &domain.Point{Lat: 55, Lon: 37}}, Dropoff: &domain.Place{Address: "x"},
	})
	require.NoError(f.t, err)
	o, err = f.Orders.Assign(f.ctx, o.ID, orders.Assignment{Auto: true}, 0)
	if err != nil {
		return "", err
	}
	return o.CourierID, nil
}

// The nearest courier is across the river: the one with the shortest way by road gets
// the order, one that no road leads from gets it last, and while the router is away the
// straight line decides.
func TestNearestByRoad(t *testing.T) {
	rows, asked := "", []string{}
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if rows == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprintf(w, `{"code":"Ok","durations":%s}`, rows)
	}))
	defer router.Close()
	f := newFleet(t, routing.New(routing.Options{URL: router.URL, Timeout: 5 * time.Second}))
	full := f.at("full", 55.0005, 1)
	island, across, near := f.at("island", 55.001, 1), f.at("across the river", 55.002, 2), f.at("near", 55.003, 1)
	f.carrying(full.ID, domain.Point{Lat: 55, Lon: 37})

	for _, step := range []struct {
		rows, want string
		compared   int
	}{
		{`[[null],[900],[120]]`, near.ID, 3},
		{`[[null],[900]]`, across.ID, 2},
		{``, island.ID, 2},         // the router is away
		{`[[null]]`, across.ID, 0}, // there is nobody to compare with
	} {
		rows, asked = step.rows, nil
		got, err := f.nearest()
		require.NoError(t, err)
		require.Equal(t, step.want, got)
		if step.compared == 0 {
			require.Empty(t, asked)
			continue
		}
		require.Len(t, asked, 1)
		require.Equal(t, step.compared, strings.Count(asked[0], ";"), "couriers compared: %s", asked[0])
	}
	_, err := f.nearest()
	refused(t, domain.CodeNoCourierAvailable, err)
}

// However many have their hands full: the first who has not gets the order.
func TestNearestOfThoseWithRoom(t *testing.T) {
	f := newFleet(t, nil)
	far := f.at("far", 55.5, 1)
	for i := range 101 {
		c := f.at(fmt.Sprint("full ", i), 55.001+float64(i)/1e5, 1)
		f.carrying(c.ID, domain.Point{Lat: 55, Lon: 37})
	}
	got, err := f.nearest()
	require.NoError(t, err)
	require.Equal(t, far.ID, got)
	_, err = f.nearest()
	refused(t, domain.CodeNoCourierAvailable, err)
}

func refused(t *testing.T, code domain.Code, err error) {
	t.Helper()
	require.Equal(t, code, domain.CodeOf(err), "%v", err)
}
