package usecase_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/routing"
	"github.com/order-tracking/order-tracking/internal/usecase"
)

// at puts a new courier somewhere.
func (f *fleet) at(name string, lat float64, capacity int) *domain.Courier {
	f.t.Helper()
	c, err := f.Couriers.Create(f.ctx, domain.CourierEdit{Name: &name, Capacity: &capacity})
	require.NoError(f.t, err)
	_, err = f.Tracking.Report(f.ctx, c.ID, []domain.Position{{Lat: lat, Lon: 37}}, true)
	require.NoError(f.t, err)
	return c
}

func (f *fleet) nearest() (string, error) {
	o, err := f.Orders.Create(f.ctx, domain.Draft{
		Customer: domain.Customer{Name: "Ann"}, Pickup: &domain.Place{Location: &domain.Point{Lat: 55, Lon: 37}}, Dropoff: &domain.Place{Address: "x"},
	})
	require.NoError(f.t, err)
	o, err = f.Orders.Assign(f.ctx, o.ID, usecase.Assignment{Auto: true}, 0)
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
	f := newFleet(t, func(d *usecase.Deps) {
		d.Router = routing.New(routing.Options{URL: router.URL, Timeout: 5 * time.Second})
	})
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
