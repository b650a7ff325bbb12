package dispatch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestReasonsWhyNobodyGetsAnOrder(t *testing.T) {
	here, there := metres(0, 0), metres(3000, 0)
	for name, c := range map[string]struct {
		change func(j *dispatch.Job, c *dispatch.Courier, p *dispatch.Problem)
		code   dispatch.Reason
		words  string
	}{
		"no place to go to":    {func(j *dispatch.Job, _ *dispatch.Courier, _ *dispatch.Problem) { j.Dropoff.Lat = 91 }, dispatch.ReasonNoLocation, "not known where"},
		"nobody's place known": {func(_ *dispatch.Job, c *dispatch.Courier, _ *dispatch.Problem) { c.At.Lat = 91 }, dispatch.ReasonNoCourier, "on duty"},
		"nobody free soon":     {func(_ *dispatch.Job, c *dispatch.Courier, _ *dispatch.Problem) { c.FreeAt = noon.Add(time.Hour) }, dispatch.ReasonNoCourier, "free soon"},
		"no such vehicle":      {func(j *dispatch.Job, _ *dispatch.Courier, _ *dispatch.Problem) { j.Vehicles = []domain.Vehicle{"van"} }, dispatch.ReasonVehicle, "(van)"},
		"no such skill":        {func(j *dispatch.Job, _ *dispatch.Courier, _ *dispatch.Problem) { j.Skills = []string{"fridge", "id"} }, dispatch.ReasonSkills, "(fridge, id)"},
		"his shift ends":       {func(_ *dispatch.Job, c *dispatch.Courier, _ *dispatch.Problem) { c.Until = noon.Add(time.Minute) }, dispatch.ReasonShiftEnd, "shift"},
		"time enough": {func(j *dispatch.Job, _ *dispatch.Courier, _ *dispatch.Problem) {
			j.DeliverAfter = noon.Add(3 * time.Hour)
		}, dispatch.ReasonEarly, "14:00 UTC"},
		"no way": {func(_ *dispatch.Job, _ *dispatch.Courier, p *dispatch.Problem) {
			p.Travel = func(domain.Vehicle, domain.Point, domain.Point) time.Duration { return -1 }
		}, dispatch.ReasonNoWay, "no way"},
	} {
		t.Run(name, func(t *testing.T) {
			p := dispatch.Problem{Jobs: []dispatch.Job{job("o", here, there)}, Couriers: []dispatch.Courier{courier("c", here)}}
			c.change(&p.Jobs[0], &p.Couriers[0], &p)
			got := plan(p)
			require.Empty(t, got.Assignments)
			require.Len(t, got.Unassigned, 1)
			require.Equal(t, c.code, got.Unassigned[0].Reason)
			require.Contains(t, got.Unassigned[0].Detail, c.words)
		})
	}
}

func TestReasonBusy(t *testing.T) {
	here, there := metres(0, 0), metres(3000, 0)
	p := dispatch.Problem{Couriers: []dispatch.Courier{courier("c", here)}}
	p.Couriers[0].Capacity = 1
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		p.Jobs = append(p.Jobs, job(id, here, there))
	}
	got := plan(p)
	require.Len(t, got.Assignments, 4)
	require.Equal(t, dispatch.ReasonBusy, got.Unassigned[0].Reason)
	require.Contains(t, got.Assignments[1].Detail, "after another trip")
}

// An order waits until its courier must leave: he may be needed elsewhere first.
func TestAnOrderIsGivenWhenItsCourierMustLeave(t *testing.T) {
	p := dispatch.Problem{Jobs: []dispatch.Job{job("o", metres(3000, 0), metres(0, 0))}, Couriers: []dispatch.Courier{courier("c", metres(0, 0))}}
	p.Jobs[0].Ready = noon.Add(10 * time.Minute) // he needs 5 minutes and half a minute at the door
	got := plan(p).Assignments[0]
	require.Equal(t, noon.Add(4*time.Minute+30*time.Second), got.LeaveAt)
	require.False(t, got.Now)
	p.Jobs[0].Ready = noon.Add(7*time.Minute + 29*time.Second)
	require.True(t, plan(p).Assignments[0].Now)
	p.Couriers[0].Room = 0
	require.False(t, plan(p).Assignments[0].Now, "his hands are full")
}

func TestOrdersOfOnePlaceGoTogetherWhileCouriersAreShort(t *testing.T) {
	p := dispatch.Problem{
		Jobs:     []dispatch.Job{job("1", metres(0, 0), metres(3000, 0)), job("2", metres(0, 0), metres(3000, 50))},
		Couriers: []dispatch.Courier{courier("c", metres(0, 0))},
	}
	got := plan(p).Assignments
	require.Equal(t, got[0].PickupAt, got[1].PickupAt)
	require.Contains(t, got[0].Detail, "2 orders of one place together")
	p.Couriers = append(p.Couriers, courier("d", metres(0, 0)))
	got = plan(p).Assignments
	require.NotEqual(t, got[0].CourierID, got[1].CourierID)
}

func TestWhoIsMoreUrgentGoesFirst(t *testing.T) {
	near, far := job("near", metres(0, 0), metres(2900, 0)), job("far", metres(0, 0), metres(-3000, 0))
	p := dispatch.Problem{Jobs: []dispatch.Job{near, far}, Couriers: []dispatch.Courier{courier("c", metres(0, 0))}}
	require.Equal(t, "near", plan(p).Assignments[0].OrderID)
	p.Jobs[1].Priority = 5
	require.Equal(t, "far", plan(p).Assignments[0].OrderID)
	p.Jobs[1].Priority, p.Jobs[1].Promised = 0, noon.Add(8*time.Minute)
	require.Equal(t, "far", plan(p).Assignments[0].OrderID)
	p.Jobs[1].Promised, p.Jobs[1].DeliverBefore = time.Time{}, noon.Add(8*time.Minute)
	require.Equal(t, "far", plan(p).Assignments[0].OrderID)
}
