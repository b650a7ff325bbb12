package eta

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var (
	noon   = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	pickup = domain.Point{Lat: 55.75, Lon: 37.60}
	door   = domain.Point{Lat: 55.76, Lon: 37.65}
	config = Config{
		Speeds: map[domain.Vehicle]float64{domain.VehicleFoot: 1, domain.VehicleMotorbike: 5, domain.VehicleCar: 10},
		Detour: 1.5, Handover: 3 * time.Minute, Dispatch: 20 * time.Minute, Default: time.Hour, FreshFor: 5 * time.Minute,
	}
)

func order(status domain.Status) *domain.Order {
	return &domain.Order{
		ID: "o", Status: status, CreatedAt: noon.Add(-10 * time.Minute),
		Pickup: &domain.Place{Location: &pickup}, Dropoff: domain.Place{Location: &door},
	}
}

func at(p domain.Point, recorded time.Time) *domain.Position {
	return &domain.Position{Lat: p.Lat, Lon: p.Lon, RecordedAt: recorded}
}

func estimate(t require.TestingT, f Facts) domain.Estimate {
	f.Now = noon
	e, err := config.Estimate(f)
	require.NoError(t, err)
	return e
}

func TestWhatAnEstimateIsMadeFrom(t *testing.T) {
	road := 1.5 * pickup.DistanceM(door)
	drive := time.Duration(road / 5 * float64(time.Second))

	t.Run("route before custody counts dispatch from the order on", func(t *testing.T) {
		e := estimate(t, Facts{Order: order(domain.StatusCreated)})
		require.Equal(t, domain.MethodRoute, e.Method)
		require.WithinDuration(t, noon.Add(-10*time.Minute+20*time.Minute+3*time.Minute+drive), e.ETA, time.Second)
		require.InDelta(t, road, *e.DistanceM, 1)
	})
	t.Run("route from custody on", func(t *testing.T) {
		o := order(domain.StatusPickedUp)
		custody := noon.Add(-time.Minute)
		o.Bookkeeping.CustodyAt = &custody
		e := estimate(t, Facts{Order: o, Vehicle: domain.VehicleCar})
		require.Equal(t, domain.MethodRoute, e.Method)
		require.WithinDuration(t, custody.Add(3*time.Minute+drive/2), e.ETA, time.Second)
	})
	t.Run("live from where the courier is", func(t *testing.T) {
		half := domain.Point{Lat: (pickup.Lat + door.Lat) / 2, Lon: (pickup.Lon + door.Lon) / 2}
		e := estimate(t, Facts{Order: order(domain.StatusPickedUp), Position: at(half, noon.Add(-time.Minute))})
		require.Equal(t, domain.MethodLive, e.Method)
		require.InDelta(t, road/2, *e.DistanceM, road/100)
	})
	t.Run("an old position says nothing", func(t *testing.T) {
		e := estimate(t, Facts{Order: order(domain.StatusPickedUp), Position: at(door, noon.Add(-6*time.Minute))})
		require.Equal(t, domain.MethodRoute, e.Method)
	})
	t.Run("before custody the way leads over the pick-up", func(t *testing.T) {
		e := estimate(t, Facts{Order: order(domain.StatusAssigned), Position: at(door, noon)})
		require.InDelta(t, 2*road, *e.DistanceM, 2)
	})
	t.Run("goods that are not ready hold the courier up", func(t *testing.T) {
		o := order(domain.StatusAssigned)
		without := estimate(t, Facts{Order: o, Position: at(pickup, noon)})
		ready := noon.Add(30 * time.Minute)
		o.ReadyAt = &ready
		require.Equal(t, 30*time.Minute, estimate(t, Facts{Order: o, Position: at(pickup, noon)}).ETA.Sub(without.ETA))
	})
	t.Run("the promise where no distance is known", func(t *testing.T) {
		o := order(domain.StatusCreated)
		o.Dropoff = domain.Place{Address: "Main St 1"}
		promise := noon.Add(40 * time.Minute)
		o.PromisedAt = &promise
		e := estimate(t, Facts{Order: o})
		require.Equal(t, domain.MethodPromised, e.Method)
		require.Equal(t, promise, e.ETA)
		require.Equal(t, 40, e.MinutesRemaining)
	})
	t.Run("the default where nothing is known", func(t *testing.T) {
		o := order(domain.StatusCreated)
		o.Dropoff = domain.Place{Address: "Main St 1"}
		e := estimate(t, Facts{Order: o})
		require.Equal(t, domain.MethodDefault, e.Method)
		require.Equal(t, noon.Add(50*time.Minute), e.ETA)
		require.Nil(t, e.DistanceM)
	})
}

func TestAgeSilenceAndTheDoor(t *testing.T) {
	custody := noon.Add(-20 * time.Minute)
	o := order(domain.StatusPickedUp)
	o.Bookkeeping.CustodyAt = &custody
	half := domain.Point{Lat: (pickup.Lat + door.Lat) / 2, Lon: (pickup.Lon + door.Lon) / 2}
	fresh := estimate(t, Facts{Order: o, Position: at(half, noon)})
	aged := estimate(t, Facts{Order: o, Position: at(half, noon.Add(-2*time.Minute))})
	require.Equal(t, 2*time.Minute, fresh.ETA.Sub(aged.ETA), "he has driven on since")

	for age := time.Duration(0); age < time.Hour; age += 30 * time.Second {
		e, err := config.Estimate(Facts{Order: o, Position: at(half, noon), Now: noon.Add(age)})
		require.NoError(t, err)
		require.LessOrEqual(t, *e.DistanceM, *fresh.DistanceM, "by silence the way does not become longer")
	}

	o = order(domain.StatusAtDropoff)
	o.Bookkeeping.CustodyAt, o.UpdatedAt = &custody, noon.Add(-30*time.Second)
	require.Equal(t, o.UpdatedAt.Add(config.Handover), estimate(t, Facts{Order: o, Position: at(door, noon)}).ETA)
}

func TestAPromiseInTheYear9999(t *testing.T) {
	o := order(domain.StatusCreated)
	o.Dropoff = domain.Place{Address: "Main St 1"}
	promise := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	o.PromisedAt = &promise
	e := estimate(t, Facts{Order: o})
	require.Equal(t, promise, e.ETA)
	require.False(t, e.Earliest.After(e.ETA) || e.Latest.Before(e.ETA) || e.Earliest.Before(noon), "%v", e)
	require.Positive(t, e.MinutesRemaining)
}

func TestEnds(t *testing.T) {
	o := order(domain.StatusDelivered)
	when := noon.Add(-time.Hour)
	o.DeliveredAt = &when
	e := estimate(t, Facts{Order: o})
	require.Equal(t, domain.MethodActual, e.Method)
	require.Equal(t, []time.Time{when, when, when}, []time.Time{e.ETA, e.Earliest, e.Latest})

	for _, s := range []domain.Status{domain.StatusCancelled, domain.StatusReturned, domain.StatusFailed, domain.StatusReturning} {
		_, err := config.Estimate(Facts{Order: order(s), Now: noon})
		require.Equal(t, domain.CodeOrderFinished, domain.CodeOf(err), s)
	}
}

// Whatever is known, the interval contains the estimate and lies ahead of now, and the
// estimate for an unfinished order is never in the past.
func TestIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := order(rapid.SampledFrom([]domain.Status{
			domain.StatusCreated, domain.StatusAssigned, domain.StatusPickedUp, domain.StatusAtDropoff, domain.StatusDeliveryFailed,
		}).Draw(t, "status"))
		o.CreatedAt = noon.Add(-time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "age")))
		if rapid.Bool().Draw(t, "no drop-off location") {
			o.Dropoff.Location = nil
		}
		f := Facts{Order: o, Vehicle: rapid.SampledFrom(append(domain.Vehicles(), "")).Draw(t, "vehicle")}
		if rapid.Bool().Draw(t, "position") {
			f.Position = at(domain.Point{
				Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon"),
			}, noon.Add(-time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "fix age"))))
		}
		e := estimate(t, f)
		if !e.Earliest.After(noon) || e.ETA.Before(e.Earliest) || e.Latest.Before(e.ETA) {
			t.Fatalf("%v not within [%v, %v]", e.ETA, e.Earliest, e.Latest)
		}
		if e.MinutesRemaining < 1 || e.Confidence <= 0 || e.Confidence > 1 {
			t.Fatalf("%d minutes, confidence %v", e.MinutesRemaining, e.Confidence)
		}
	})
}
