package push

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// desk answers what a courier has to do.
type desk struct {
	mu  sync.Mutex
	now Duties
	err error
}

func (d *desk) read(context.Context, string) (Duties, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now, d.err
}

func (d *desk) set(now Duties, err error) {
	d.mu.Lock()
	d.now, d.err = now, err
	d.mu.Unlock()
}

func routeOf(version int64, eta time.Time, orders ...string) *domain.Route {
	r := &domain.Route{CourierID: "c", Version: version, Stops: []domain.RouteStop{}}
	for _, o := range orders {
		r.Stops = append(r.Stops, domain.RouteStop{OrderID: o, Kind: domain.StopDropoff, ETA: &eta})
	}
	return r
}

func offerOf(id string, s domain.OfferStatus) domain.Offer {
	return domain.Offer{ID: id, OrderID: "o" + id, CourierID: "c", Status: s}
}

// duties drains a subscription and describes routes and offers.
func duties(t testing.TB, s *Subscription) (out []string) {
	t.Helper()
	frames, err := s.Drain(nil)
	require.NoError(t, err)
	for _, f := range frames {
		text := f.Type
		switch f.Type {
		case TypeRoute:
			var r domain.Route
			require.NoError(t, json.Unmarshal(decode(t, f).Data, &r))
			for _, stop := range r.Stops {
				text += " " + stop.OrderID
			}
		case TypeOffer:
			var o domain.Offer
			require.NoError(t, json.Unmarshal(decode(t, f).Data, &o))
			require.Equal(t, o.OrderID, decode(t, f).OrderID)
			text += " " + o.ID + " " + string(o.Status)
		}
		out = append(out, text)
	}
	return out
}

// A courier's watchers get his route and open offers, then what changes, on every replica,
// also when the announcement of a change was lost.
func TestDutiesOfACourier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := false
		air := &ether{lose: func() bool { return lost }}
		d, at := &desk{}, time.Now()
		here := newWorld(t, Config{Wakeups: air.end(), Duties: d.read})
		there := newWorld(t, Config{Wakeups: air.end(), Duties: d.read})
		there.db = here.db
		there.hub.store = here.db
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, w := range []*world{here, there} {
			running.Go(func() { _ = w.hub.Run(ctx) })
		}
		defer running.Wait()
		defer cancel()
		c, o := here.courier(), here.create()
		d.set(Duties{Route: routeOf(1, at, "a"), Offers: []domain.Offer{offerOf("2", domain.OfferOpen), offerOf("1", domain.OfferDeclined)}}, nil)
		subs := []*Subscription{here.watch(CourierTopic(c)), there.watch(CourierTopic(c))}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for _, s := range subs {
				require.Equal(t, want, duties(t, s))
			}
		}
		expect("snapshot", "route a", "offer 2 open")

		d.set(Duties{Route: routeOf(1, at.Add(10*time.Second), "a"), Offers: []domain.Offer{offerOf("3", domain.OfferOpen), offerOf("2", domain.OfferExpired)}}, nil)
		here.hub.CourierChanged(c)
		expect("offer 2 expired", "offer 3 open")

		d.set(Duties{Route: routeOf(1, at, "b", "a"), Offers: []domain.Offer{offerOf("3", domain.OfferAccepted)}}, nil)
		here.announced(o.ID, assign(t, c))
		expect("route b a", "offer 3 accepted")

		d.set(Duties{}, errors.New("the database is away"))
		there.hub.CourierChanged(c)
		expect()
		lost = true
		d.set(Duties{Route: routeOf(1, at.Add(dutyShift), "b", "a")}, nil)
		here.announced(o.ID, moveTo(t, domain.StatusConfirmed))
		time.Sleep(dutiesEvery)
		expect("route b a")
		require.Equal(t, []string{"snapshot", "route b a"}, duties(t, here.watch(CourierTopic(c))), "a late one gets the newest")
	})
}

// The fleet's watchers see offers to all couriers, each status once.
func TestOffersOfTheFleet(t *testing.T) {
	w := newWorld(t, Config{})
	c, o := w.courier(), w.create()
	fleet := w.watch(FleetTopic(), 0)
	both := w.watch(FleetTopic())
	require.NoError(t, both.Add(t.Context(), OrderTopic(o.ID), nil))
	duties(t, fleet)
	duties(t, both)
	expires := domain.Timestamp(time.Now().Add(time.Minute))
	w.announced(o.ID, func(o *domain.Order) []domain.Event {
		events, err := o.Offer([]domain.Offer{{ID: "f", OrderID: o.ID, CourierID: c, Status: domain.OfferOpen, ExpiresAt: expires}}, by())
		require.NoError(t, err)
		return events
	})
	w.announced(o.ID, func(o *domain.Order) []domain.Event {
		events, err := o.DeclineOffer("f", "too far", by())
		require.NoError(t, err)
		return events
	})
	frames, err := fleet.Drain(nil)
	require.NoError(t, err)
	require.Len(t, frames, 2)
	var offer domain.Offer
	require.NoError(t, json.Unmarshal(decode(t, frames[0]).Data, &offer))
	require.Equal(t, domain.Offer{ID: "f", OrderID: o.ID, CourierID: c, Status: domain.OfferOpen, ExpiresAt: expires}, offer)
	require.NoError(t, json.Unmarshal(decode(t, frames[1]).Data, &offer))
	require.Equal(t, domain.Offer{ID: "f", OrderID: o.ID, CourierID: c, Status: domain.OfferDeclined, ExpiresAt: expires, Reason: "too far"}, offer)
	require.ElementsMatch(t, []string{"note", "offer f open", "note", "offer f declined"}, duties(t, both), "as an offer, and as a note of the order")
}
