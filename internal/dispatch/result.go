package dispatch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
