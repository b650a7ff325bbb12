// Package dispatch plans which courier carries which order.
//
// The planner is pure: Plan takes the waiting orders, the couriers and the time, and returns a plan; it reads no clock, does
// no I/O and is deterministic. It considers all orders and couriers together. Each courier gets a sequence of trips: a trip
// goes to one pick-up place and delivers one or several of its orders. Orders are inserted by regret (first the order that
// would lose most by waiting), then parts of the plan are removed and reinserted where that improves it. The objective is
// the time from placing an order to its drop-off, weighted by priority, plus a penalty for lateness. An order is assigned
// only when its courier must leave, because a later plan knows more; until then the plan is only a forecast.
package dispatch

import (
	"fmt"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Plan assigns jobs to couriers. Each job is either assigned or explained. It is pure.
func (cfg Config) Plan(p Problem) Proposal {
	plan := Proposal{Assignments: []Proposed{}, Unassigned: []Explained{}}
	s := &search{cfg: cfg, problem: &p}
	s.readCouriers()
	asked := s.readJobs(&plan)
	if len(s.jobs) == 0 {
		return plan
	}
	s.prepare()
	everybody := make([]int32, len(s.couriers))
	for c := range everybody {
		everybody[c] = int32(c) //nolint:gosec // there are fewer couriers
	}
	list := make([]waiting, len(s.jobs))
	for i := range list {
		list[i] = s.waiting(int32(i), everybody) //nolint:gosec // there are fewer jobs
	}
	s.insertAll(list)
	s.improve()
	s.writePlan(asked, &plan)
	s.divert(asked, &plan)
	return plan
}

// readCouriers keeps the couriers who are free soon enough and have a known location.
func (s *search) readCouriers() {
	now := s.problem.Now
	for i := range s.problem.Couriers {
		c := &s.problem.Couriers[i]
		w := courier{
			Courier: c, free: seconds(c.FreeAt, now, 0), until: seconds(c.Until, now, never),
			lastPick: seconds(c.LastPickup, now, never), most: min(c.Capacity, s.cfg.Bundle),
		}
		if !c.At.Valid() || w.most < 1 || w.free > s.cfg.Horizon.Seconds() || max(w.free, 0) > min(w.until, w.lastPick) {
			continue
		}
		w.breaks = domain.Each(c.Breaks, func(b Break) [2]float64 { return [2]float64{seconds(b.Start, now, 0), seconds(b.End, now, 0)} })
		w.stray = s.stray(c.Vehicle, c.At)
		s.couriers = append(s.couriers, w)
	}
}

// stray is the mean travel time from a location to where orders come from, in seconds.
func (s *search) stray(v domain.Vehicle, at domain.Point) float64 {
	sum, n := 0.0, 0
	for _, d := range s.problem.Demand {
		if way := s.problem.Travel(v, at, d); way >= 0 {
			sum, n = sum+way.Seconds(), n+1
		}
	}
	return sum / float64(max(n, 1))
}

// readJobs keeps and returns the plannable jobs, and explains the others.
func (s *search) readJobs(plan *Proposal) []*Job {
	p, now := s.problem, s.problem.Now
	places, kinds := map[place]int32{}, map[string]int32{}
	var asked []*Job
	for n := range p.Jobs {
		in := &p.Jobs[n]
		j := job{
			pickup: in.Pickup, dropoff: in.Dropoff,
			beforePick: in.PickupService.Seconds() / 2, beforeDrop: in.DropoffService.Seconds() / 2,
			placed: seconds(in.Placed, now, 0), ready: seconds(in.Ready, now, 0),
			after: seconds(in.DeliverAfter, now, 0), before: seconds(in.DeliverBefore, now, never),
			weight: 1 + prioritised*float64(in.Priority),
		}
		j.late = seconds(in.Promised, now, j.placed+s.cfg.Patience.Seconds())
		early := max(j.ready, j.after) - 2*s.cfg.Horizon.Seconds()
		switch {
		case !in.Pickup.Valid() || !in.Dropoff.Valid():
			plan.leave(in.OrderID, ReasonNoLocation, "it is not known where the order goes")
			continue
		case len(s.couriers) == 0:
			plan.leave(in.OrderID, ReasonNoCourier, "no courier is on duty, known to be somewhere and free soon")
			continue
		case early > 0:
			plan.leave(in.OrderID, ReasonEarly, "there is time enough: it is planned from "+clock(in, now.Add(span(early)))+" on")
			continue
		}
		if j.kind = index(kinds, fmt.Sprintf("%q%q", in.Vehicles, in.Skills)); int(j.kind) == len(s.may) {
			s.may = append(s.may, domain.Each(s.couriers, func(c courier) bool { return suits(in, c.Courier) }))
		}
		if !slices.Contains(s.may[j.kind], true) {
			code, why := s.unfit(in)
			plan.leave(in.OrderID, code, why)
			continue
		}
		if j.place = index(places, place{in.Place, in.Pickup}); int(j.place) == len(s.byPlace) {
			s.byPlace = append(s.byPlace, nil)
		}
		s.byPlace[j.place] = append(s.byPlace[j.place], int32(len(s.jobs))) //nolint:gosec // there are fewer jobs
		s.jobs, asked = append(s.jobs, j), append(asked, in)
	}
	return asked
}
