package dispatch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/routing"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// carrying gives a courier orders to places along a line, by kilometre.
func (f *fleet) carrying(courierID string, km ...float64) (out []*domain.Order) {
	f.t.Helper()
	for _, x := range km {
		o := f.order(domain.Draft{Dropoff: from(metres(1000*x, 0))})
		o, err := f.orders.Assign(f.ctx, o.ID, orders.Assignment{CourierID: courierID}, 0)
		require.NoError(f.t, err)
		out = append(out, o)
	}
	return out
}

func (f *fleet) expected(o *domain.Order) time.Duration {
	f.t.Helper()
	e, err := f.orders.DeliveryTime(f.ctx, o.ID)
	require.NoError(f.t, err)
	return e.ETA.Sub(noon).Round(time.Second)
}

// A kilometre takes 100 s here, a hand-over a minute.
func TestEstimatesOnATour(t *testing.T) {
	f := newFleet(t, nil)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	list := f.carrying(id, 2, 3, 4)
	const drive, door = 100 * time.Second, time.Minute
	require.Equal(t, 2*drive+door, f.expected(list[0]))
	require.Equal(t, 3*drive+2*door, f.expected(list[1]))
	require.Equal(t, 4*drive+3*door, f.expected(list[2]))
	require.Equal(t, f.expected(list[2]), list[2].ETA.ETA.Sub(noon).Round(time.Second), "the order says the same from the start")

	for _, s := range []domain.Status{domain.StatusPickedUp, domain.StatusDelivered} {
		_, err := f.orders.UpdateStatus(f.ctx, list[0].ID, orders.StatusChange{Status: s}, 0)
		require.NoError(t, err)
	}
	require.Equal(t, 4*drive+2*door, f.expected(list[2]), "nobody waits for what is done")

	refs := []dispatch.StopRef{{OrderID: list[2].ID, Kind: domain.StopDropoff}}
	r, err := f.SetRoute(f.ctx, id, dispatch.RouteOrder{Stops: refs}, 0)
	require.NoError(t, err)
	require.Equal(t, 4*drive+door, f.expected(list[2]))
	require.Equal(t, 5*drive+2*door, f.expected(list[1]))
	for i, o := range []*domain.Order{list[2], list[1]} {
		require.Equal(t, f.expected(o), r.Stops[i].ETA.Sub(noon).Round(time.Second), "on the route too")
	}
}

// The order of the stops does not change with every position, but is reconsidered.
func TestToursAreSteady(t *testing.T) {
	f := newFleet(t, nil)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	list := f.carrying(id, -1, 1.1)
	first := func() string {
		r, err := f.Route(f.ctx, id)
		require.NoError(t, err)
		return r.Stops[0].OrderID
	}
	require.Equal(t, list[0].ID, first())
	at := metres(600, 0)
	_, err := f.live.PutFixes(f.ctx, []domain.Fix{{CourierID: id, Position: domain.Position{Lat: at.Lat, Lon: at.Lon, RecordedAt: noon.Add(time.Second)}}})
	require.NoError(t, err)
	f.clock.pass(30 * time.Second)
	require.Equal(t, list[0].ID, first())
	f.clock.pass(30 * time.Second)
	require.Equal(t, list[1].ID, first(), "the other is much nearer now")
	between := f.carrying(id, .5)
	r, err := f.Route(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, between[0].ID, r.Stops[1].OrderID, "a new order has its place at once")
}

// The way of a route comes from the router, for those who drive on roads; a router that is
// late or lies leaves it out.
func TestRoutesHaveTheWayByRoad(t *testing.T) {
	answer := `{"code":"Ok","routes":[{"duration":60,"distance":900,"geometry":"abc"}]}`
	var asked string
	late := make(chan struct{})
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		if answer == "" {
			<-late
		}
		_, _ = fmt.Fprint(w, answer)
	}))
	defer router.Close()
	defer close(late)
	f := newFleet(t, routing.New(routing.Options{URL: router.URL, Timeout: 50 * time.Millisecond}))
	car, foot := domain.VehicleCar, domain.VehicleFoot
	driver, walker := f.at("D", metres(0, 0), domain.CourierEdit{Vehicle: &car}), f.at("W", metres(0, 0), domain.CourierEdit{Vehicle: &foot})
	way := func(id string) string {
		r, err := f.Route(f.ctx, id)
		require.NoError(t, err)
		return r.Polyline
	}
	require.Empty(t, way(driver), "nowhere to go")
	f.carrying(driver, 1, 2)
	f.carrying(walker, 1)
	require.Equal(t, "abc", way(driver))
	require.Equal(t, 3, strings.Count(asked, ","), "from where he is through both stops")
	require.Empty(t, way(walker))
	for _, bad := range []string{`{"code":"NoRoute"}`, `{"code":"Ok","routes":[]}`, `<html>`, ""} {
		answer = bad
		require.Empty(t, way(driver), bad)
	}
}
