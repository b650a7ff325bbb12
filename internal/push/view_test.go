package push

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// watchAs is watch with another view than staff's.
func (w *world) watchAs(v domain.View, t Topic, since ...int64) *Subscription {
	w.t.Helper()
	s := w.hub.OpenFor(v, nil)
	w.t.Cleanup(s.Close)
	var from *int64
	if len(since) > 0 {
		from = &since[0]
	}
	require.NoError(w.t, s.Add(context.Background(), t, from))
	return s
}

// secretly moves an order with a reason that must be hidden from customers.
func secretly(t testing.TB, to domain.Status) func(*domain.Order) []domain.Event {
	return func(o *domain.Order) []domain.Event {
		by := by()
		by.Actor.ID, by.Reason, by.Location = "SECRET-clerk", "SECRET", &domain.Point{Lat: 11.111, Lon: 22.222}
		events, err := o.Move(to, nil, by)
		require.NoError(t, err)
		return events
	}
}

func requireHidden(t testing.TB, frames []Frame, hidden ...string) {
	t.Helper()
	for _, f := range frames {
		for _, h := range hidden {
			require.NotContains(t, string(f.JSON), h)
		}
	}
}

// TestViewsOfOneOrder: every status of an order, watched and resumed with every view.
func TestViewsOfOneOrder(t *testing.T) {
	w := newWorld(t, Config{})
	o, c := w.create(), w.courier()
	live := map[domain.View]*Subscription{}
	for v := range domain.View(domain.Views) {
		live[v] = w.watchAs(v, OrderTopic(o.ID))
	}
	w.announced(o.ID, assign(t, c))
	w.announced(o.ID, edit)
	w.announced(o.ID, notice)
	steps := []domain.Status{
		domain.StatusPickedUp, domain.StatusInTransit, domain.StatusOutForDelivery, domain.StatusReadyForPickup,
		domain.StatusReturning, domain.StatusReturned,
	}
	for i, s := range steps {
		w.announced(o.ID, secretly(t, s))
		distance := 4321.5
		w.moved(fixOf(c, time.Now().UTC(), float64(50+i)), o.ID)
		w.hub.Estimated(domain.Estimate{OrderID: o.ID, Method: domain.MethodLive, DistanceM: &distance})
		for v, s := range live {
			frames, _ := s.Drain(nil)
			position, far := false, false
			for _, f := range frames {
				position = position || f.Type == TypePosition
				var e domain.Estimate
				if f.Type == TypeETA && json.Unmarshal(decode(t, f).Data, &e) == nil {
					far = far || e.DistanceM != nil
				}
			}
			require.Equal(t, steps[i].ShowsPlace(), position, "view %d, %s", v, steps[i])
			if v == domain.ViewCustomer {
				require.Equal(t, steps[i].ShowsPlace(), far, steps[i])
				requireHidden(t, frames, "SECRET", "11.111", c, "actor")
			} else if v != domain.ViewStaff {
				requireHidden(t, frames, "SECRET-clerk")
			}
			resumed, _ := w.watchAs(v, OrderTopic(o.ID), 0).Drain(nil)
			if v == domain.ViewCustomer {
				requireHidden(t, resumed, "SECRET", "11.111", c, "actor", "4321.5")
			}
			require.Equal(t, steps[i].ShowsPlace(), hasPosition(t, resumed[0]), "view %d, %s", v, steps[i])
		}
	}
}

func hasPosition(t testing.TB, snapshot Frame) bool {
	var with struct {
		Position *domain.Position `json:"position"`
	}
	require.NoError(t, json.Unmarshal(decode(t, snapshot).Data, &with))
	return with.Position != nil
}

func TestCustomersHearOfStatusesOnly(t *testing.T) {
	w := newWorld(t, Config{})
	o, c := w.create(), w.courier()
	customer := w.watchAs(domain.ViewCustomer, OrderTopic(o.ID))
	w.announced(o.ID, edit)         // 2
	w.announced(o.ID, assign(t, c)) // 3
	w.announced(o.ID, notice)
	w.announced(o.ID, late)
	require.Equal(t, []string{"snapshot 1", "status 3", "notification"}, drained(t, customer))
	require.Equal(t, []string{"snapshot 3", "status 1", "status 3"}, drained(t, w.watchAs(domain.ViewCustomer, OrderTopic(o.ID), 0)))
}

// Under stops_before customers see the courier, and how far he is, once few stops are left
// before theirs, and never while the number is not known.
func TestFewStopsBefore(t *testing.T) {
	two, err := domain.ParseShowCourier("stops_before:2")
	require.NoError(t, err)
	w := newWorld(t, Config{
		ShowCourier: func(string) domain.ShowCourier { return two },
	})
	id, c := w.carried()
	customer, staff := w.watchAs(domain.ViewCustomer, OrderTopic(id)), w.watch(OrderTopic(id))
	drained(t, customer)
	drained(t, staff)
	at, metres := time.Now().UTC(), 100.0
	for n, want := range []*int{nil, new(3), new(2), new(0), new(5)} {
		w.stops = want
		w.moved(fixOf(c, at.Add(time.Duration(n)*time.Millisecond), float64(n)), id)
		w.hub.Estimated(domain.Estimate{OrderID: id, DistanceM: &metres})
		frames, err := customer.Drain(nil)
		require.NoError(t, err)
		shown := want != nil && *want <= 2
		require.Equal(t, shown, strings.Contains(string(frames[len(frames)-1].JSON), "distance_m"))
		require.Equal(t, shown, len(frames) == 2, "a position and an estimate")
		require.Len(t, drained(t, staff), 2)
		first, err := w.watchAs(domain.ViewCustomer, OrderTopic(id)).Drain(nil)
		require.NoError(t, err)
		require.Equal(t, shown, strings.Contains(string(first[0].JSON), `"position"`), "in the snapshot")
	}
}

// A carrier's courier has no id: he moves his order, for everybody who may see it, and nobody of the fleet.
func TestPerformersMoveTheirOrderOnly(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	w.change(o.ID, func(o *domain.Order) []domain.Event {
		return o.Observe(domain.Report{EventID: "1", Status: domain.StatusPickedUp, OccurredAt: time.Now(), Source: "acme"}, by())
	})
	customer, staff, fleet := w.watchAs(domain.ViewCustomer, OrderTopic(o.ID)), w.watch(OrderTopic(o.ID)), w.watch(FleetTopic())
	w.hub.CourierMoved(fixOf("", time.Now().UTC(), 50), []domain.Carried{{OrderID: o.ID}})
	w.hub.fleet.turn()
	require.Equal(t, []string{"snapshot 2", "position 50"}, drained(t, customer))
	require.Equal(t, []string{"snapshot 2", "position 50"}, drained(t, staff))
	require.Equal(t, []string{"snapshot"}, drained(t, fleet))
}

// TestTheRuleOfTheMerchant: customers see the courier by their merchant's rule, others always.
func TestTheRuleOfTheMerchant(t *testing.T) {
	near, err := domain.ParseShowCourier("out_for_delivery")
	require.NoError(t, err)
	w := newWorld(t, Config{ShowCourier: func(merchant string) domain.ShowCourier {
		if merchant == "" {
			return near
		}
		return domain.ShowCourier{}
	}})
	id, c := w.carried()
	customer, merchant := w.watchAs(domain.ViewCustomer, OrderTopic(id)), w.watchAs(domain.ViewMerchant, OrderTopic(id))
	w.moved(fixOf(c, time.Now().UTC(), 1), id)
	require.Equal(t, []string{"snapshot 3"}, drained(t, customer))
	require.Equal(t, []string{"snapshot 3", "position 1"}, drained(t, merchant))
	w.announced(id, moveTo(t, domain.StatusOutForDelivery))
	w.moved(fixOf(c, time.Now().UTC(), 2), id)
	for _, s := range []*Subscription{customer, merchant} {
		require.Equal(t, []string{"status 4", "position 2"}, drained(t, s))
	}
}
