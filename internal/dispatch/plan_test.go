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
	"github.com/order-tracking/order-tracking/internal/eta"
)

var noon = time.Date(2026, time.May, 4, 12, 0, 0, 0, time.UTC)

// metres is a point the given metres east and north of the origin.
func metres(east, north float64) domain.Point {
	const degree = domain.EarthRadiusM * math.Pi / 180
	return domain.Point{Lat: north / degree, Lon: east / degree}
}

// drive is straight-line travel at 10 m/s.
func drive(v domain.Vehicle, from, to domain.Point) time.Duration {
	return straight.Drives(noon)(v, from, to)
}

var straight = eta.Config{Speeds: map[domain.Vehicle]float64{domain.VehicleMotorbike: 10}, Detour: 1, Pickup: time.Minute, Handover: time.Minute}

func job(id string, pickup, dropoff domain.Point) dispatch.Job {
	return dispatch.Job{OrderID: id, Pickup: pickup, Dropoff: dropoff, Placed: noon, PickupService: time.Minute, DropoffService: time.Minute}
}

func courier(id string, at domain.Point) dispatch.Courier {
	return dispatch.Courier{ID: id, Vehicle: domain.VehicleCar, Capacity: 3, Room: 3, FreeAt: noon, At: at}
}

func plan(p dispatch.Problem) dispatch.Proposal {
	p.Now = noon
	if p.Travel == nil {
		p.Travel = drive
	}
	return dispatch.DefaultConfig().Plan(p)
}

// problems generates problems with every feature.
func problems(t *rapid.T) dispatch.Problem {
	at := func(label string) domain.Point {
		if rapid.IntRange(0, 30).Draw(t, label+" unknown") == 0 {
			return domain.Point{Lat: math.NaN()}
		}
		return metres(rapid.Float64Range(0, 9000).Draw(t, label), rapid.Float64Range(0, 9000).Draw(t, label))
	}
	from := func(label string, least, most int) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(least, most).Draw(t, label)) * time.Minute)
	}
	maybe := func(label string, least, most int) (out time.Time) {
		if rapid.Bool().Draw(t, label+" set") {
			out = from(label, least, most)
		}
		return out
	}
	p := dispatch.Problem{Now: noon, Travel: drive}
	kitchens := []domain.Point{at("kitchen"), at("kitchen"), at("kitchen")}
	for n := range rapid.IntRange(0, 14).Draw(t, "jobs") {
		k := rapid.IntRange(0, 2).Draw(t, "which kitchen")
		j := job(fmt.Sprintf("o%d", n), kitchens[k], at("door"))
		j.Place, j.Placed, j.Ready = fmt.Sprint(k), from("placed", -40, 0), maybe("ready", -10, 80)
		j.DeliverAfter, j.DeliverBefore = maybe("after", -30, 90), maybe("before", 0, 90)
		j.Priority = rapid.IntRange(0, 9).Draw(t, "priority")
		j.Skills = rapid.SampledFrom([][]string{nil, nil, nil, {"fridge"}, {"fridge", "alcohol"}}).Draw(t, "needs")
		j.Vehicles = rapid.SampledFrom([][]domain.Vehicle{nil, nil, nil, {domain.VehicleCar, domain.VehicleVan}}).Draw(t, "vehicles")
		p.Jobs, p.Demand = append(p.Jobs, j), append(p.Demand, metres(0, 0))
	}
	for n := range rapid.IntRange(0, 6).Draw(t, "couriers") {
		c := courier(fmt.Sprintf("c%d", n), at("courier"))
		c.Capacity, c.Room = rapid.IntRange(0, 4).Draw(t, "capacity"), rapid.IntRange(0, 4).Draw(t, "room")
		c.Vehicle = rapid.SampledFrom(domain.Vehicles()).Draw(t, "vehicle")
		c.Skills = rapid.SampledFrom([][]string{nil, {"fridge"}, {"alcohol", "fridge"}}).Draw(t, "skills")
		c.FreeAt, c.Until, c.LastPickup = from("free", -20, 60), maybe("until", -10, 120), maybe("last pick-up", 0, 120)
		if rapid.Bool().Draw(t, "break") {
			start := from("break", 0, 60)
			c.Breaks = []dispatch.Break{{Start: start, End: start.Add(20 * time.Minute)}}
		}
		if rapid.Bool().Draw(t, "has a base") {
			c.Base = new(metres(0, 0))
		}
		p.Couriers = append(p.Couriers, c)
	}
	return p
}

// TestPlanHoldsItsRules simulates each courier's assignments independently of the planner.
func TestPlanHoldsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := problems(t)
		got := plan(p)
		jobs, seen := map[string]dispatch.Job{}, map[string]int{}
		for _, j := range p.Jobs {
			jobs[j.OrderID] = j
		}
		byCourier := map[string][]dispatch.Proposed{}
		for _, a := range got.Assignments {
			seen[a.OrderID]++
			byCourier[a.CourierID] = append(byCourier[a.CourierID], a)
			require.NotEmpty(t, a.Detail)
		}
		for _, u := range got.Unassigned {
			seen[u.OrderID]++
			require.NotEmpty(t, u.Reason)
			require.NotEmpty(t, u.Detail)
		}
		for _, j := range p.Jobs {
			require.Equal(t, 1, seen[j.OrderID], "%s is once in the plan or explained", j.OrderID)
		}
		for _, c := range p.Couriers {
			follow(t, c, jobs, byCourier[c.ID])
		}
		require.Equal(t, got, plan(p), "equal problems have equal plans")
	})
}

func follow(t *rapid.T, c dispatch.Courier, jobs map[string]dispatch.Job, mine []dispatch.Proposed) {
	free, at := noon, c.At
	if c.FreeAt.After(free) {
		free = c.FreeAt
	}
	given, stops := 0, 0
	for len(mine) > 0 {
		n := 1
		for n < len(mine) && mine[n].PickupAt.Equal(mine[0].PickupAt) && jobs[mine[n].OrderID].Place == jobs[mine[0].OrderID].Place {
			n++
		}
		trip := mine[:n]
		mine = mine[n:]
		require.LessOrEqual(t, n, c.Capacity)
		begin := free
		picked := trip[0].PickupAt
		stops += n
		for _, a := range trip {
			j := jobs[a.OrderID]
			require.Equal(t, stops, a.StopsBefore)
			stops++
			require.False(t, picked.Before(j.Ready), "picked up before it is ready")
			require.False(t, picked.Before(free.Add(drive("", at, j.Pickup)+j.PickupService/2)), "picked up before he can be there")
			require.False(t, !c.LastPickup.IsZero() && picked.After(c.LastPickup))
			require.True(t, a.DropoffAt.After(a.PickupAt))
			require.False(t, a.DropoffAt.Before(j.DeliverAfter))
			require.False(t, a.LeaveAt.Before(begin))
			for _, s := range j.Skills {
				require.Contains(t, c.Skills, s)
			}
			require.True(t, len(j.Vehicles) == 0 || slices.Contains(j.Vehicles, c.Vehicle))
			if a.Now {
				given++
				require.True(t, a.LeaveAt.Before(noon.Add(2*time.Minute)))
			}
		}
		t0, here := picked.Add(jobs[trip[0].OrderID].PickupService/2), jobs[trip[0].OrderID].Pickup
		for _, a := range trip {
			j := jobs[a.OrderID]
			require.False(t, a.DropoffAt.Before(t0.Add(drive("", here, j.Dropoff)+j.DropoffService/2)), "dropped off before he can be there")
			t0, here = a.DropoffAt.Add(j.DropoffService/2), j.Dropoff
		}
		for _, b := range c.Breaks {
			leave := picked.Add(-jobs[trip[0].OrderID].PickupService/2 - drive("", at, jobs[trip[0].OrderID].Pickup))
			require.False(t, leave.Before(b.Start) && t0.After(b.End), "a trip goes over a break")
		}
		free, at = t0, here
		home := free
		if c.Base != nil {
			home = home.Add(drive("", at, *c.Base))
		}
		require.False(t, !c.Until.IsZero() && home.After(c.Until), "not done at the end of the shift")
	}
	require.LessOrEqual(t, given, c.Room)
}

// TestPlanIsAsGoodAsTheBestAssignment compares with every assignment of one order per
// courier.
func TestPlanIsAsGoodAsTheBestAssignment(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var p dispatch.Problem
		for n := range 5 {
			at := func() domain.Point { return metres(rng.Float64()*9000, rng.Float64()*9000) }
			p.Jobs = append(p.Jobs, job(fmt.Sprint(n), at(), at()))
			p.Couriers = append(p.Couriers, courier(fmt.Sprint(n), at()))
		}
		wait := time.Duration(0)
		got := plan(p)
		require.Empty(t, got.Unassigned)
		for _, a := range got.Assignments {
			wait += a.DropoffAt.Sub(noon)
		}
		require.LessOrEqual(t, wait, bestOf(p, nil))
	}
}

// bestOf is the least total waiting time with one order per courier.
func bestOf(p dispatch.Problem, taken []int) time.Duration {
	n := len(taken)
	if n == len(p.Jobs) {
		return 0
	}
	best := time.Duration(math.MaxInt64)
	for c := range p.Couriers {
		if slices.Contains(taken, c) {
			continue
		}
		j := p.Jobs[n]
		this := drive("", p.Couriers[c].At, j.Pickup) + j.PickupService + drive("", j.Pickup, j.Dropoff) + j.DropoffService/2
		best = min(best, this+bestOf(p, append(slices.Clone(taken), c)))
	}
	return best
}

func TestPlanIsForEmptyProblemsToo(t *testing.T) {
	none := dispatch.Proposal{Assignments: []dispatch.Proposed{}, Unassigned: []dispatch.Explained{}}
	require.Equal(t, none, plan(dispatch.Problem{}))
	require.Equal(t, none, plan(dispatch.Problem{Couriers: []dispatch.Courier{courier("c", metres(0, 0))}}))
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{50, 500, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(3, 4))
			at := func() domain.Point { return metres(rng.Float64()*20000, rng.Float64()*20000) }
			p := dispatch.Problem{Now: noon, Travel: straight.Drives(noon)}
			for k := range n {
				p.Jobs = append(p.Jobs, job(fmt.Sprint("o", k), at(), at()))
				p.Couriers = append(p.Couriers, courier(fmt.Sprint("c", k), at()))
			}
			b.ReportAllocs()
			for b.Loop() {
				dispatch.DefaultConfig().Plan(p)
			}
		})
	}
}
