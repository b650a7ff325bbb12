package dispatch_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// tours generates a tour of up to the given number of orders, with windows.
func tours(t *rapid.T, most int) dispatch.Tour {
	at := func() domain.Point {
		return metres(rapid.Float64Range(0, 5000).Draw(t, "x"), rapid.Float64Range(0, 5000).Draw(t, "y"))
	}
	tour := dispatch.Tour{At: at(), Start: noon, Travel: drive}
	for n := range rapid.IntRange(0, most).Draw(t, "orders") {
		id := fmt.Sprint(n)
		if rapid.Bool().Draw(t, "picked up before") {
			tour.Stops = append(tour.Stops, dispatch.Stop{OrderID: id, Kind: domain.StopPickup, At: at(), Service: time.Minute})
		}
		down := dispatch.Stop{OrderID: id, Kind: domain.StopDropoff, At: at(), Service: time.Minute}
		if rapid.Bool().Draw(t, "promised") {
			down.Latest = noon.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "latest")) * time.Minute)
		}
		tour.Stops = append(tour.Stops, down)
	}
	return tour
}

// cost is the objective of a tour: its end plus three times the lateness.
func cost(t dispatch.Tour) time.Duration {
	at, end, _ := t.Times()
	sum := end.Sub(t.Start)
	for i, s := range t.Stops {
		if !s.Latest.IsZero() {
			sum += 3 * max(0, at[i].Sub(s.Latest))
		}
	}
	return sum
}

func TestSequenceKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tour := tours(t, 9)
		got := tour.Sequence(0, rapid.IntRange(0, len(tour.Stops)).Draw(t, "known"))
		require.ElementsMatch(t, tour.Stops, got.Stops, "no stop is lost or there twice")
		require.LessOrEqual(t, cost(got), cost(tour))
		for i, s := range got.Stops {
			up := slices.IndexFunc(got.Stops, func(p dispatch.Stop) bool { return p.OrderID == s.OrderID && p.Kind == domain.StopPickup })
			require.True(t, s.Kind == domain.StopPickup || up < i, "a drop-off before its pick-up")
		}
	})
}

// With up to nine stops the order is optimal.
func TestSequenceIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tour := tours(t, 3)
		best := time.Duration(math.MaxInt64)
		permute(tour, 0, func(try dispatch.Tour) { best = min(best, cost(try)) })
		require.InDelta(t, best.Seconds(), cost(tour.Sequence(0, 0)).Seconds(), .01)
	})
}

func permute(t dispatch.Tour, k int, fn func(dispatch.Tour)) {
	if k == len(t.Stops) {
		for i, s := range t.Stops {
			if s.Kind == domain.StopPickup && slices.ContainsFunc(t.Stops[:i], func(d dispatch.Stop) bool { return d.OrderID == s.OrderID }) {
				return
			}
		}
		fn(t)
		return
	}
	for i := k; i < len(t.Stops); i++ {
		stops := slices.Clone(t.Stops)
		stops[k], stops[i] = stops[i], stops[k]
		next := t
		next.Stops = stops
		permute(next, k+1, fn)
	}
}

// 25 stops on a circle are visited in circular order.
func TestSequenceGoesRound(t *testing.T) {
	tour := dispatch.Tour{At: metres(5000, 0), Start: noon, Travel: drive}
	for n := range 25 {
		a := 2 * math.Pi * float64(n) / 26
		tour.Stops = append(tour.Stops, dispatch.Stop{OrderID: fmt.Sprint(n), Kind: domain.StopDropoff, At: metres(5000*math.Cos(a), 5000*math.Sin(a))})
	}
	want := cost(tour)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(25, func(i, j int) { tour.Stops[i], tour.Stops[j] = tour.Stops[j], tour.Stops[i] })
	require.LessOrEqual(t, cost(tour.Sequence(0, 0)).Seconds(), 1.03*want.Seconds())
}

// A stop that is new to a long tour gets the place that costs least, at a fraction of the work of a tour of new stops.
func TestSequenceAddsToALongTour(t *testing.T) {
	tour := dispatch.Tour{At: metres(0, 0), Start: noon, Travel: drive}
	rng := rand.New(rand.NewPCG(5, 6))
	one := func(n int) dispatch.Stop {
		return dispatch.Stop{OrderID: fmt.Sprint(n), Kind: domain.StopDropoff, At: metres(5000*rng.Float64(), 5000*rng.Float64())}
	}
	for n := range 150 {
		tour.Stops = append(tour.Stops, one(n))
	}
	start := time.Now()
	tour = tour.Sequence(0, 0)
	whole := time.Since(start)
	last := one(150)
	least := time.Duration(math.MaxInt64)
	for k := range 151 {
		try := tour
		try.Stops = slices.Insert(slices.Clone(tour.Stops), k, last)
		least = min(least, cost(try))
	}
	tour.Stops = append(tour.Stops, last)
	start = time.Now()
	got := tour.Sequence(0, 150)
	require.Less(t, time.Since(start), whole/3)
	require.LessOrEqual(t, cost(got), least)
}

// A van's tour of hundreds of stops is searched no longer than commits can wait.
func TestLongSequencesAreSearchedForAMoment(t *testing.T) {
	tour := dispatch.Tour{At: metres(0, 0), Start: noon, Travel: drive}
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 400 {
		tour.Stops = append(tour.Stops, dispatch.Stop{OrderID: fmt.Sprint(n), Kind: domain.StopDropoff, At: metres(5000*rng.Float64(), 5000*rng.Float64())})
	}
	start := time.Now()
	got := tour.Sequence(0, 0)
	require.Less(t, time.Since(start), 5*time.Second, "without a bound it takes hours")
	require.ElementsMatch(t, tour.Stops, got.Stops)
	require.LessOrEqual(t, cost(got), cost(tour))
}

func TestRouteOfACourier(t *testing.T) {
	f := newFleet(t, nil)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	far := f.order(domain.Draft{Pickup: from(metres(100, 0)), Dropoff: from(metres(3000, 0))})
	near := f.order(domain.Draft{Dropoff: from(metres(1000, 0)), PromisedAt: new(noon.Add(time.Hour))})
	for _, o := range []*domain.Order{far, near} {
		_, err := f.orders.Assign(f.ctx, o.ID, orders.Assignment{CourierID: id}, 0)
		require.NoError(t, err)
	}
	ref := func(o *domain.Order, k domain.StopKind) dispatch.StopRef {
		return dispatch.StopRef{OrderID: o.ID, Kind: k}
	}
	refs := func(r *domain.Route) (out []dispatch.StopRef) {
		for i, s := range r.Stops {
			require.True(t, s.Done || i == 0 || !s.ETA.Before(noon))
			out = append(out, dispatch.StopRef{OrderID: s.OrderID, Kind: s.Kind})
		}
		return out
	}
	r, err := f.Route(f.as(id), id)
	require.NoError(t, err)
	require.Equal(t, []dispatch.StopRef{ref(far, "pickup"), ref(near, "dropoff"), ref(far, "dropoff")}, refs(r))
	require.Equal(t, noon.Add(time.Hour), *r.Stops[1].Window.To)
	require.Equal(t, int64(1), r.Version)

	_, err = f.SetRoute(f.as(id), id, dispatch.RouteOrder{Stops: []dispatch.StopRef{ref(far, "dropoff"), ref(far, "pickup")}}, 0)
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err))
	_, err = f.SetRoute(f.as(id), id, dispatch.RouteOrder{Stops: []dispatch.StopRef{ref(far, "dropoff")}}, 0)
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), "its pick-up is not before it")
	_, err = f.SetRoute(f.as(id), id, dispatch.RouteOrder{Stops: []dispatch.StopRef{ref(near, "pickup")}}, 0)
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), "no such stop")
	r, err = f.SetRoute(f.as(id), id, dispatch.RouteOrder{Stops: []dispatch.StopRef{ref(near, "dropoff")}}, 0)
	require.NoError(t, err)
	require.Equal(t, []dispatch.StopRef{ref(near, "dropoff"), ref(far, "pickup"), ref(far, "dropoff")}, refs(r))
	require.Equal(t, int64(2), r.Version)
	_, err = f.SetRoute(f.as(id), id, dispatch.RouteOrder{Stops: []dispatch.StopRef{}}, 1)
	require.Equal(t, domain.CodeVersionConflict, domain.CodeOf(err))

	// A completed pick-up is no longer in the route.
	_, err = f.orders.UpdateStatus(f.ctx, far.ID, orders.StatusChange{Status: domain.StatusPickedUp}, 0)
	require.NoError(t, err)
	r, err = f.Route(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, []dispatch.StopRef{ref(far, "pickup"), ref(near, "dropoff"), ref(far, "dropoff")}, refs(r))
	require.True(t, r.Stops[0].Done)
	_, err = f.Route(f.as(domain.NewID()), id)
	require.Equal(t, domain.CodeCourierNotFound, domain.CodeOf(err), "not his")
}
