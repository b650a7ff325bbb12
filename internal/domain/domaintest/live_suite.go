package domaintest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// LiveOptions are the permitted deviations of an implementation of domain.LiveStore.
type LiveOptions struct {
	// ToleranceM is the permitted sorting error of Nearest, in metres.
	ToleranceM float64
}

// Live is the conformance suite of domain.LiveStore. open returns an empty store.
func Live(t *testing.T, o LiveOptions, open func(*testing.T) domain.LiveStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, LiveOptions, domain.LiveStore)
	}{
		{"a position comes back whole", liveRoundTrip},
		{"the device's newer time wins", liveNewerWins},
		{"a batch may repeat a courier", liveBatch},
		{"fixes are the newest of each after a time", liveFixes},
		{"nearest leaves out old ones and obeys its limit", liveNearestFilters},
		{"nearest crosses the antimeridian and the poles", liveNearestEdges},
		{"nearest is what a look at all of them finds", liveNearestProperty},
		{"nearest follows moving couriers", liveNearestMoving},
		{"an order is kept unless a newer one is", liveOrders},
		{"the newest of racing orders stays", liveOrdersRace},
		{"older copies are forgotten", liveForget},
		{"all at once", liveConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, o, open(t)) })
	}
}

func liveTime() time.Time { return domain.Timestamp(time.Now()) }

func fixAt(courier string, at time.Time, lat, lon float64) domain.Fix {
	return domain.Fix{CourierID: courier, Position: domain.Position{Lat: lat, Lon: lon, RecordedAt: at, ReceivedAt: at}}
}

func put(t require.TestingT, s domain.LiveStore, fixes ...domain.Fix) []bool {
	newer, err := s.PutFixes(context.Background(), fixes)
	require.NoError(t, err)
	require.Len(t, newer, len(fixes))
	return newer
}

func liveRoundTrip(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	ctx, now := t.Context(), liveTime()
	id := domain.NewID()
	p, err := s.Position(ctx, id)
	require.NoError(t, err)
	require.Nil(t, p, "of a courier that never reported")
	v := func(f float64) *float64 { return &f }
	whole := domain.Position{
		Lat: -55.751244, Lon: 137.618423, Accuracy: v(4.5), Speed: v(0), Heading: v(359.9), Altitude: v(-12.25),
		Battery: v(77), RecordedAt: now.Add(-time.Minute), ReceivedAt: now,
		Attributes: domain.Attributes{"alarm": "sos", "odometer": 12.5, "charge": true}, Interval: 10 * time.Second, Stale: true,
		LedFrom: now.Add(-time.Hour),
	}
	for i, fields := 0, reflect.ValueOf(whole); i < fields.NumField(); i++ {
		if fields.Type().Field(i).Name == "ClockAhead" {
			continue // of one report only
		}
		require.False(t, fields.Field(i).IsZero(), "this test must know of %s", fields.Type().Field(i).Name)
	}
	require.Equal(t, []bool{true}, put(t, s, domain.Fix{CourierID: id, Position: whole}))
	p, err = s.Position(ctx, id)
	require.NoError(t, err)
	require.Equal(t, whole, *p)
	bare := fixAt(domain.NewID(), now, 1.25, 2.5)
	put(t, s, bare)
	p, err = s.Position(ctx, bare.CourierID)
	require.NoError(t, err)
	require.Equal(t, bare.Position, *p, "what is unknown stays absent")
	require.Empty(t, put(t, s))
	several, err := s.Positions(ctx, []string{bare.CourierID, domain.NewID(), id})
	require.NoError(t, err)
	require.Equal(t, map[string]*domain.Position{bare.CourierID: &bare.Position, id: &whole}, several)
	several, err = s.Positions(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, several)

	contact := domain.Contact{At: now, Kind: domain.ContactHeartbeat, DroppedReason: domain.DropNullIsland, ClockOffS: 2.5, Battery: v(41)}
	require.NoError(t, s.PutContact(ctx, id, domain.Contact{At: now.Add(-time.Minute), Kind: domain.ContactPosition}))
	require.NoError(t, s.PutContact(ctx, id, contact))
	contacts, err := s.Contacts(ctx, []string{domain.NewID(), id})
	require.NoError(t, err)
	require.Equal(t, map[string]*domain.Contact{id: &contact}, contacts)
}

func liveNewerWins(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	now, id := liveTime(), domain.NewID()
	require.Equal(t, []bool{true}, put(t, s, fixAt(id, now, 10, 10)))
	require.Equal(t, []bool{false}, put(t, s, fixAt(id, now, 11, 11)), "the same time again")
	require.Equal(t, []bool{false}, put(t, s, fixAt(id, now.Add(-time.Microsecond), 12, 12)), "a late one")
	p, err := s.Position(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, domain.Point{Lat: 10, Lon: 10}, p.Point())
	require.Equal(t, []bool{true}, put(t, s, fixAt(id, now.Add(time.Microsecond), 13, 13)))
	p, err = s.Position(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, domain.Point{Lat: 13, Lon: 13}, p.Point())
	near, err := s.Nearest(t.Context(), domain.Point{Lat: 10, Lon: 10}, time.Time{}, 10)
	require.NoError(t, err)
	require.Len(t, near, 1, "a courier is in one place")
	require.Equal(t, *p, near[0].Position)
}

func liveBatch(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	now, a, b := liveTime(), domain.NewID(), domain.NewID()
	got := put(t, s,
		fixAt(a, now, 1, 1), fixAt(b, now, 2, 2), fixAt(a, now.Add(2*time.Second), 3, 3),
		fixAt(a, now.Add(time.Second), 4, 4), fixAt(b, now.Add(time.Second), 5, 5),
	)
	require.Equal(t, []bool{true, true, true, false, true}, got)
	p, err := s.Position(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3.0, p.Lat)
	many := make([]domain.Fix, 1000)
	for i := range many {
		many[i] = fixAt(a, now.Add(time.Minute+time.Duration(i)*time.Second), float64(i)/100, 0)
	}
	require.NotContains(t, put(t, s, many...), false)
	p, err = s.Position(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 9.99, p.Lat)
}

func liveFixes(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	now := liveTime()
	none, err := s.Fixes(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Empty(t, none)
	want := map[string]domain.Fix{}
	for i := range 1500 {
		f := fixAt(domain.NewID(), now.Add(time.Duration(-i)*time.Second), float64(i%90), float64(i%180))
		put(t, s, f)
		if i < 700 {
			want[f.CourierID] = f
		}
	}
	fixes, err := s.Fixes(t.Context(), now.Add(-700*time.Second))
	require.NoError(t, err)
	got := map[string]domain.Fix{}
	for _, f := range fixes {
		got[f.CourierID] = f
	}
	require.Len(t, fixes, len(got), "each courier once")
	require.Equal(t, want, got)
}

func liveNearestFilters(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	now, here := liveTime(), domain.Point{Lat: 55.75, Lon: 37.61}
	for i := range 20 {
		age := time.Duration(i%2) * time.Hour
		put(t, s, fixAt(fmt.Sprintf("courier-%02d", i), now.Add(-age), 55.75+float64(i)*0.001, 37.61))
	}
	near, err := s.Nearest(t.Context(), here, now.Add(-time.Minute), 4)
	require.NoError(t, err)
	require.Equal(t, []string{"courier-00", "courier-02", "courier-04", "courier-06"}, ids(near))
	near, err = s.Nearest(t.Context(), here, now.Add(-time.Minute), 1000)
	require.NoError(t, err)
	require.Len(t, near, 10, "all fresh ones")
	near, err = s.Nearest(t.Context(), here, now, 10)
	require.NoError(t, err)
	require.Empty(t, near, "recorded after since, not at it")
	near, err = s.Nearest(t.Context(), here, time.Time{}, 0)
	require.NoError(t, err)
	require.Empty(t, near)
}

func ids(fixes []domain.Fix) []string {
	out := make([]string, len(fixes))
	for i, f := range fixes {
		out[i] = f.CourierID
	}
	return out
}

func liveNearestEdges(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	now := liveTime()
	put(t, s,
		fixAt("east", now, 10, 179.99), fixAt("west", now, 10, -179.98), fixAt("date line", now, 10, 180),
		fixAt("west of it", now, 10, 179.9), fixAt("north", now, 89.9, 0), fixAt("over the pole", now, 89.95, 180),
		fixAt("pole", now, 90, 77), fixAt("south", now, -89.99, -120), fixAt("far", now, -10, 0),
	)
	for _, c := range []struct {
		at   domain.Point
		want []string
	}{
		{domain.Point{Lat: 10, Lon: -180}, []string{"date line", "east", "west", "west of it"}},
		{domain.Point{Lat: 10, Lon: 179.999}, []string{"date line", "east", "west", "west of it"}},
		{domain.Point{Lat: 10, Lon: -179.97}, []string{"west", "date line", "east", "west of it"}},
		{domain.Point{Lat: 89.99, Lon: 0}, []string{"pole", "over the pole", "north"}},
		{domain.Point{Lat: 89.99, Lon: 180}, []string{"pole", "over the pole", "north"}},
		{domain.Point{Lat: -90, Lon: 0}, []string{"south", "far"}},
		{domain.Point{Lat: 0, Lon: 0}, []string{"far"}},
	} {
		near, err := s.Nearest(t.Context(), c.at, time.Time{}, len(c.want))
		require.NoError(t, err)
		require.Equal(t, c.want, ids(near), "around %+v", c.at)
	}
}

// checkNearest compares a result with a linear search.
func checkNearest(t require.TestingT, o LiveOptions, s domain.LiveStore, all map[string]domain.Fix, at domain.Point, limit int) {
	near, err := s.Nearest(context.Background(), at, time.Time{}, limit)
	require.NoError(t, err)
	want := make([]float64, 0, len(all))
	for _, f := range all {
		want = append(want, at.DistanceM(f.Point()))
	}
	slices.Sort(want)
	want = want[:min(limit, len(want))]
	require.Len(t, near, len(want))
	seen := map[string]bool{}
	for i, f := range near {
		require.False(t, seen[f.CourierID], "twice in one answer")
		seen[f.CourierID] = true
		require.Equal(t, all[f.CourierID], f)
		// The haversine formula itself loses micrometres near and metres at the antipodes.
		got, slack := at.DistanceM(f.Point()), 1e-3
		if want[i] > 1.5e7 {
			slack = 2
		}
		if math.Abs(got-want[i]) > o.ToleranceM+slack {
			require.Fail(t, "not the nearest", "place %d around %+v is %f m away, should be %f", i, at, got, want[i])
		}
	}
}

// drawPoint draws points that tend to be close together, on edges and identical.
func drawPoint(t *rapid.T, label string) domain.Point {
	kind := rapid.IntRange(0, 4).Draw(t, label)
	lat, lon := rapid.Float64Range(-90, 90), rapid.Float64Range(-180, 180)
	switch kind {
	case 0:
		lat, lon = rapid.Float64Range(55.7, 55.8), rapid.Float64Range(37.5, 37.7)
	case 1:
		lat, lon = rapid.SampledFrom([]float64{-90, -89.999, 0, 89.999, 90}), rapid.SampledFrom([]float64{-180, -90, 0, 90, 180})
	case 2:
		lat, lon = rapid.Float64Range(-1, 1), rapid.SampledFrom([]float64{-180, -179.9999, 179.9999, 180})
	case 3:
		lat, lon = rapid.Just(48.8566), rapid.Just(2.3522)
	}
	return domain.Point{Lat: lat.Draw(t, "lat"), Lon: lon.Draw(t, "lon")}
}

func liveNearestProperty(t *testing.T, o LiveOptions, s domain.LiveStore) {
	all := map[string]domain.Fix{} // the store is shared by all runs and only fills up
	at := liveTime().Add(-time.Hour)
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 40).Draw(t, "puts") {
			at = at.Add(time.Millisecond)
			p := drawPoint(t, "kind")
			f := fixAt(fmt.Sprint("courier-", rapid.IntRange(0, 400).Draw(t, "courier")), at, p.Lat, p.Lon)
			all[f.CourierID] = f
			put(t, s, f)
		}
		checkNearest(t, o, s, all, drawPoint(t, "around"), rapid.IntRange(1, 30).Draw(t, "limit"))
	})
}

func liveNearestMoving(t *testing.T, o LiveOptions, s domain.LiveStore) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same walk every time
	all := map[string]domain.Fix{}
	at := liveTime()
	for step := range 30 {
		at = at.Add(time.Second)
		batch := make([]domain.Fix, 0, 300)
		for i := range 300 {
			id := fmt.Sprint("courier-", i)
			f, known := all[id]
			if !known {
				f = fixAt(id, at, 55+rng.Float64(), 37+rng.Float64())
			}
			f.Lat += (rng.Float64() - 0.5) * 0.01
			f.Lon += (rng.Float64() - 0.5) * 0.01
			if step == 20 { // all meet at one door, and leave again
				f.Lat, f.Lon = 55.5, 37.5
			}
			f.RecordedAt, f.ReceivedAt = at, at
			all[id] = f
			batch = append(batch, f)
		}
		put(t, s, batch...)
		for range 5 {
			checkNearest(t, o, s, all, domain.Point{Lat: 55 + rng.Float64(), Lon: 37 + rng.Float64()}, 10)
		}
	}
}
