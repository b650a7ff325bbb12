package eta

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// delivered is an order with the minutes after noon at which its statuses occurred.
func delivered(id string, at map[domain.Status]float64) (*domain.Order, []domain.Event) {
	after := func(m float64) time.Time { return noon.Add(time.Duration(m * float64(time.Minute))) }
	o := order(domain.StatusDelivered)
	o.ID, o.CreatedAt, o.CourierID, o.MerchantID, o.Attempts = id, noon, "c", "shop", 1
	end := after(at[domain.StatusDelivered])
	o.DeliveredAt = &end
	history := []domain.Event{{Type: domain.EventCreated, Status: domain.StatusCreated, OccurredAt: noon}}
	for _, s := range []domain.Status{domain.StatusAssigned, domain.StatusAtPickup, domain.StatusPickedUp, domain.StatusAtDropoff, domain.StatusDelivered} {
		if m, ok := at[s]; ok {
			t := after(m)
			if s == domain.StatusPickedUp {
				o.Bookkeeping.CustodyAt = &t
			}
			history = append(history, domain.Event{Type: domain.EventStatusChanged, Status: s, OccurredAt: t})
		}
	}
	return o, history
}

func stagesOf(lessons []Lesson) (out []Stage) {
	for _, l := range lessons {
		if len(l.Done) > 0 {
			out = append(out, l.Stage)
		}
	}
	return out
}

var walk = map[domain.Status]float64{
	domain.StatusAssigned: 5, domain.StatusAtPickup: 15, domain.StatusPickedUp: 20, domain.StatusAtDropoff: 40, domain.StatusDelivered: 43,
}

func TestWhatAnOrderTeaches(t *testing.T) {
	o, history := delivered("o", walk)
	trail := []domain.Position{*at(pickup, noon.Add(21*time.Minute)), *at(door, noon.Add(38*time.Minute)), *at(door, noon.Add(50*time.Minute))}
	lessons := Teach(o, history, trail, domain.VehicleBicycle)
	require.Equal(t, []Stage{StageOrder, StageApproach, StagePickup, StageCarry, StageDoor, StageDrive, StageRest}, stagesOf(lessons))
	require.Equal(t, []Amount{43 * 60}, lessons[0].Took)
	require.Equal(t, []Amount{22 * 60, 5 * 60}, lessons[6].Took, "what came after the end says nothing")

	jumped, history := delivered("o", map[domain.Status]float64{domain.StatusDelivered: 30})
	require.Equal(t, []Stage{StageOrder}, stagesOf(Teach(jumped, history, nil, "")), "as imported orders are")
	wrong, history := delivered("o", map[domain.Status]float64{domain.StatusPickedUp: 20, domain.StatusDelivered: 20.5})
	require.Empty(t, Teach(wrong, history, nil, ""), "pressed wrongly")
	twice, history := delivered("o", walk)
	twice.Attempts = 2
	require.Empty(t, stagesOf(Teach(twice, history, nil, "")))
	cancelled := order(domain.StatusCancelled)
	require.Empty(t, stagesOf(Teach(cancelled, nil, nil, "")))

	parcel, history := delivered("o", walk)
	parcel.CourierID, parcel.Shipment = "", &domain.Shipment{Carrier: "cdek", Phase: domain.PhaseRegistered}
	require.Equal(t, []Stage{StageBooking, StageParcel}, stagesOf(Teach(parcel, history, nil, "")))
}

// taught is a configuration whose book has seen 60 equal orders.
func taught(t *testing.T) Config {
	c := config
	c.Book = NewBook()
	for i := range 60 {
		o, history := delivered(string(rune('a'+i)), walk)
		half := domain.Point{Lat: (pickup.Lat + door.Lat) / 2, Lon: (pickup.Lon + door.Lon) / 2}
		trail := []domain.Position{*at(pickup, noon.Add(20*time.Minute)), *at(half, noon.Add(30*time.Minute))}
		require.True(t, c.Book.Learn(int64(i+1), o.ID, *o.DeliveredAt, Teach(o, history, trail, domain.VehicleBicycle)))
	}
	return c
}

func TestAnEstimateFollowsWhatWasLearned(t *testing.T) {
	c := taught(t)
	ask := func(s domain.Status, after float64, p *domain.Position) domain.Estimate {
		o, _ := delivered("new", walk)
		o.Status, o.DeliveredAt = s, nil
		assigned := noon.Add(5 * time.Minute)
		if !s.BeforeCustody() {
			o.Bookkeeping.AssignedAt = &assigned
		} else {
			o.Bookkeeping.CustodyAt = nil
			if s == domain.StatusAssigned || s == domain.StatusAtPickup {
				o.Bookkeeping.AssignedAt = &assigned
			} else {
				o.CourierID = ""
			}
		}
		now := noon.Add(time.Duration(after * float64(time.Minute)))
		o.UpdatedAt = now
		e, err := c.Estimate(Facts{Order: o, Vehicle: domain.VehicleBicycle, Position: p, Now: now})
		require.NoError(t, err)
		require.True(t, now.Before(e.Earliest) && !e.Earliest.After(e.ETA) && !e.ETA.After(e.Latest), "%+v", e)
		return e
	}
	end := noon.Add(43 * time.Minute)
	for s, after := range map[domain.Status]float64{
		domain.StatusCreated: 0, domain.StatusAssigned: 5, domain.StatusAtPickup: 15, domain.StatusPickedUp: 20, domain.StatusAtDropoff: 40,
	} {
		e := ask(s, after, nil)
		require.WithinDuration(t, end, e.ETA, 4*time.Minute, s)
		if s != domain.StatusAtDropoff {
			require.Equal(t, domain.MethodHistory, e.Method, s)
		}
	}
	half := domain.Point{Lat: (pickup.Lat + door.Lat) / 2, Lon: (pickup.Lon + door.Lon) / 2}
	fresh := ask(domain.StatusPickedUp, 30, at(half, noon.Add(30*time.Minute)))
	require.Equal(t, domain.MethodLive, fresh.Method)
	require.WithinDuration(t, end, fresh.ETA, 4*time.Minute)
	stale := ask(domain.StatusPickedUp, 40, at(half, noon.Add(30*time.Minute)))
	require.Equal(t, domain.MethodHistory, stale.Method)
	require.Greater(t, stale.Latest.Sub(stale.ETA).Seconds()/stale.ETA.Sub(noon.Add(40*time.Minute)).Seconds(),
		fresh.Latest.Sub(fresh.ETA).Seconds()/fresh.ETA.Sub(noon.Add(30*time.Minute)).Seconds(), "relatively wider")

	late := ask(domain.StatusPickedUp, 600, nil)
	require.Greater(t, late.ETA, noon.Add(600*time.Minute), "never before now")
}

func TestTheRestOfADuration(t *testing.T) {
	w := Window{P10: 20 * time.Minute, P50: 30 * time.Minute, P90: 50 * time.Minute, Learned: 100}
	require.Equal(t, w, w.After(0))
	require.Equal(t, w, w.After(-time.Hour))
	last := w
	for _, passed := range []time.Duration{time.Second, 5 * time.Minute, 20 * time.Minute, 40 * time.Minute, 2 * time.Hour, 100 * time.Hour} {
		r := w.After(passed)
		require.True(t, 0 <= r.P10 && r.P10 <= r.P50 && r.P50 <= r.P90 && r.P50 > 0, "%v: %v", passed, r)
		require.GreaterOrEqual(t, passed+r.P50, last.P50-time.Millisecond, "the end is never expected earlier for waiting")
		last = Window{P50: passed + r.P50}
	}
	median := w.After(30 * time.Minute)
	require.InDelta(t, 39.3, 30+median.P50.Minutes(), 0.2, "the 75th percentile of the whole")
}

func TestUntilHistoryKnowsBetterTheCarriersPeriodHolds(t *testing.T) {
	c := config
	c.Book = NewBook()
	o := order(domain.StatusInTransit)
	o.CreatedAt = noon
	custody := noon.Add(24 * time.Hour)
	o.Bookkeeping.CustodyAt = &custody
	o.Shipment = &domain.Shipment{Carrier: "cdek", Phase: domain.PhaseRegistered, Expected: &domain.DeliveryPeriod{
		Earliest: noon.Add(3 * 24 * time.Hour), Latest: noon.Add(5 * 24 * time.Hour),
	}}
	ask := func() domain.Estimate {
		e, err := c.Estimate(Facts{Order: o, Now: custody})
		require.NoError(t, err)
		return e
	}
	require.Equal(t, domain.MethodCarrier, ask().Method)
	for i := range 40 {
		done := *o
		done.ID, done.Status, done.Attempts = string(rune('a'+i)), domain.StatusDelivered, 1
		end := custody.Add(6 * 24 * time.Hour)
		done.DeliveredAt = &end
		history := []domain.Event{{Type: domain.EventStatusChanged, Status: domain.StatusInTransit, OccurredAt: custody}}
		c.Book.Learn(int64(i+1), done.ID, end, Teach(&done, history, nil, ""))
	}
	e := ask()
	require.Equal(t, domain.MethodHistory, e.Method)
	require.WithinDuration(t, custody.Add(6*24*time.Hour), e.ETA, 14*time.Hour, "they always come later than the carrier says")
}
