package dispatch

import (
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// worthIt is the minimum time that an order must gain over the plan, minus the delay of
// other orders, to be inserted into a running tour.
const worthIt = 2 * time.Minute

// detour is the insertion of a job into a running tour.
type detour struct {
	courier         *Courier
	picked, dropped time.Time
	stopsBefore     int
	others          time.Duration // total delay of the tour's other orders
}

// divert moves planned jobs into running tours where that is faster and breaks no promise.
// The courier's other planned jobs are planned again at the next step.
func (s *search) divert(asked []*Job, plan *Proposal) {
	byID := map[string]*Job{}
	for _, j := range asked {
		byID[j.OrderID] = j
	}
	taken := map[string]bool{}
	for n := range plan.Assignments {
		a := &plan.Assignments[n]
		best := s.bestDetour(byID[a.OrderID], taken)
		if best == nil || a.DropoffAt.Sub(best.dropped)-best.others < worthIt {
			continue
		}
		taken[best.courier.ID] = true
		*a = Proposed{
			OrderID: a.OrderID, CourierID: best.courier.ID, PickupAt: domain.Timestamp(best.picked), DropoffAt: domain.Timestamp(best.dropped),
			StopsBefore: best.stopsBefore, LeaveAt: s.problem.Now, Now: true,
			Detail: "he passes by on his way: at " + clock(byID[a.OrderID], best.dropped) + ", and nobody's promise suffers",
		}
	}
	for n := range plan.Assignments {
		if a := &plan.Assignments[n]; taken[a.CourierID] && a.LeaveAt.After(s.problem.Now) {
			a.Now = false
		}
	}
}

func (s *search) bestDetour(j *Job, taken map[string]bool) *detour {
	var best *detour
	for i := range s.problem.Couriers {
		c := &s.problem.Couriers[i]
		if len(c.Tour) == 0 || c.Room < 1 || taken[c.ID] || !suits(j, c) || !j.DeliverAfter.IsZero() {
			continue
		}
		if d := s.detour(j, c); d != nil && (best == nil || d.dropped.Add(d.others).Before(best.dropped.Add(best.others))) {
			best = d
		}
	}
	return best
}

// detour inserts a job into a courier's tour at the lowest cost, or returns nil. The stop he is driving to stays first.
func (s *search) detour(j *Job, c *Courier) (best *detour) {
	tour := Tour{Vehicle: c.Vehicle, At: c.Position, Start: s.problem.Now, Travel: s.problem.Travel, Stops: c.Tour}
	before, _, _ := tour.Times()
	up := Stop{OrderID: j.OrderID, Kind: domain.StopPickup, At: j.Pickup, Earliest: j.Ready, Service: j.PickupService}
	down := Stop{OrderID: j.OrderID, Kind: domain.StopDropoff, At: j.Dropoff, Service: j.DropoffService}
	for p := 1; p <= len(c.Tour); p++ {
		for d := p; d <= len(c.Tour); d++ {
			try := tour
			try.Stops = slices.Insert(slices.Insert(slices.Clone(c.Tour), d, down), p, up)
			at, end, _ := try.Times()
			found := &detour{courier: c, picked: at[p], dropped: at[d+1], stopsBefore: d + 1}
			fits := (c.Until.IsZero() || !end.After(c.Until)) && (best == nil || found.dropped.Before(best.dropped))
			for i, was := range before {
				k := i
				if i >= p {
					k++
				}
				if i >= d {
					k++
				}
				latest := c.Tour[i].Latest
				fits = fits && (latest.IsZero() || !at[k].After(latest) || !at[k].After(was))
				found.others += at[k].Sub(was)
			}
			if fits {
				best = found
			}
		}
	}
	return best
}
