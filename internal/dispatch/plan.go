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
	"math"
	"slices"
	"strings"
	"time"

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

type place struct {
	name string
	at   domain.Point
}

// index numbers keys in order of first use.
func index[K comparable](known map[K]int32, key K) int32 {
	n, ok := known[key]
	if !ok {
		n = int32(len(known)) //nolint:gosec // there are fewer keys
		known[key] = n
	}
	return n
}

// span converts seconds to a duration, to the millisecond.
func span(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds*1000)) * time.Millisecond
}

// clock formats a time for people, in the job's time zone.
func clock(j *Job, t time.Time) string {
	if j.Zone != nil {
		return t.In(j.Zone).Format("15:04")
	}
	return t.UTC().Format("15:04 UTC")
}

func (p *Proposal) leave(orderID string, code Reason, why string) {
	p.Unassigned = append(p.Unassigned, Explained{orderID, code, why})
}

// prepare sets up the empty plan.
func (s *search) prepare() {
	s.trips, s.cost = make([][]trip, len(s.couriers)), make([]float64, len(s.couriers))
	s.owner, s.singles = make([]int32, len(s.jobs)), make([]int32, len(s.jobs))
	s.spare = make([]trip, 0, s.cfg.Trips+1)
	speeds := map[domain.Vehicle]int32{}
	var drivers []*courier // one of each vehicle
	for c := range s.couriers {
		w := &s.couriers[c]
		if w.speed = int(index(speeds, w.Vehicle)); w.speed == len(drivers) {
			drivers = append(drivers, w)
		}
	}
	for i := range s.jobs {
		j := &s.jobs[i]
		s.owner[i], s.singles[i] = nobody, int32(i) //nolint:gosec // there are fewer jobs
		j.stray = s.stray(drivers[0].Vehicle, j.dropoff)
		j.direct = domain.Each(drivers, func(w *courier) float64 { return s.travel(w, j.pickup, j.dropoff) })
	}
	s.toPlace = domain.Each(s.couriers, func(w courier) []float32 {
		return domain.Each(s.byPlace, func(jobs []int32) float32 { return float32(s.travel(&w, w.At, s.jobs[jobs[0]].pickup)) })
	})
}

// suits reports whether a courier meets a job's requirements.
func suits(j *Job, c *Courier) bool {
	return domain.Requirements{Skills: j.Skills, Vehicle: j.Vehicles}.MetBy(c.Vehicle, c.Skills)
}

// unfit explains why no courier meets a job's requirements.
func (s *search) unfit(j *Job) (Reason, string) {
	vehicle := len(j.Vehicles) == 0 || slices.ContainsFunc(s.couriers, func(c courier) bool { return slices.Contains(j.Vehicles, c.Vehicle) })
	if !vehicle {
		return ReasonVehicle, fmt.Sprintf("nobody on duty has the vehicle that it needs (%s)", list(j.Vehicles))
	}
	return ReasonSkills, fmt.Sprintf("nobody on duty has all that it needs (%s)", list(j.Skills))
}

func list[S ~string](words []S) string {
	return strings.Join(domain.Each(words, func(w S) string { return string(w) }), ", ")
}

// writePlan converts the search's result to a plan.
func (s *search) writePlan(asked []*Job, plan *Proposal) {
	for n, trips := range s.trips {
		c := int32(n) //nolint:gosec // there are fewer couriers
		w := &s.couriers[c]
		stops, seen, room := 0, -1, w.Room
		s.schedule(c, trips, func(k int, i int32, picked, dropped, leave float64) {
			j, together := asked[i], len(trips[k].jobs)
			if k != seen {
				stops, seen = stops+together, k // one stop per pick-up
			}
			at := func(t float64) time.Time { return s.problem.Now.Add(span(t)) }
			plan.Assignments = append(plan.Assignments, Proposed{
				OrderID: j.OrderID, CourierID: w.ID, PickupAt: at(picked), DropoffAt: at(dropped), LeaveAt: at(leave),
				StopsBefore: stops, Now: k == 0 && leave < s.cfg.Step.Seconds() && together <= room,
				Detail: s.why(w, j, k, together, at(dropped)),
			})
			stops++
		})
	}
	for i := range s.jobs {
		if s.owner[i] == nobody {
			code, why := s.stranded(int32(i)) //nolint:gosec // there are fewer jobs
			plan.leave(asked[i].OrderID, code, why)
		}
	}
}

// why explains in words why a courier gets an order.
func (s *search) why(w *courier, j *Job, trip, together int, dropped time.Time) string {
	how := "he can drop it off soonest without making others wait longer"
	if together > 1 {
		how = fmt.Sprintf("he takes %d orders of one place together", together)
	}
	when := ""
	switch {
	case trip > 0:
		when = fmt.Sprintf(", after %d other trips", trip)
		if trip == 1 {
			when = ", after another trip"
		}
	case w.free > 0:
		when = ", once he is free at " + clock(j, w.FreeAt)
	}
	late := ""
	if !j.Promised.IsZero() && dropped.After(j.Promised) {
		late = fmt.Sprintf("; %d min late, nobody is earlier", int(math.Ceil(dropped.Sub(j.Promised).Minutes())))
	}
	return how + when + ", at " + clock(j, dropped) + late
}

// stranded explains why no suitable courier can take a job.
func (s *search) stranded(i int32) (Reason, string) {
	j := &s.jobs[i]
	way, time := false, false
	for n := range s.couriers {
		c := int32(n) //nolint:gosec // there are fewer couriers
		if !s.may[j.kind][c] {
			continue
		}
		way = way || j.direct[s.couriers[c].speed] < never && s.toPlace[c][j.place] < nowhere.delta
		time = time || s.schedule(c, []trip{{j.place, s.own(i)}}, nil) < never
	}
	switch {
	case !way:
		return ReasonNoWay, "no way is known from a courier to the pick-up and the drop-off"
	case !time:
		return ReasonShiftEnd, "nobody who could take it can finish it before his shift ends"
	}
	return ReasonBusy, "all who could take it have as many trips before them as are planned"
}
