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
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Plan assigns jobs to couriers. Each job is either assigned or explained. It is pure.
func (cfg Config) Plan(p Problem) Plan {
	var plan Plan
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
		for _, b := range c.Breaks {
			w.breaks = append(w.breaks, [2]float64{seconds(b.From, now, 0), seconds(b.To, now, 0)})
		}
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
func (s *search) readJobs(plan *Plan) []*Job {
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
			s.may = append(s.may, s.fit(in))
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

// source is the source of our history entries.
const source = "dispatch"

// documentShifts are couriers' shifts.
const documentShifts = "shifts"

// step is one turn: it plans, carries out what is due, and explains unassigned orders in their histories.
func (s *Service) step(ctx context.Context) error {
	mine, err := s.Orders.TakeTurn(ctx, source, s.Config.Step/2)
	if err != nil || !mine {
		return err
	}
	by := s.Orders.System(source)
	out, err := s.run(domain.WithActor(ctx, by.Actor), Ask{}, by)
	if err != nil {
		return err
	}
	for _, u := range out.Unassigned {
		if u.Reason == ReasonLater || u.Reason == ReasonEarly {
			continue
		}
		if err := s.explain(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// explain records in the history why an order is unassigned, once per reason.
func (s *Service) explain(ctx context.Context, u Explained) error {
	by := s.Orders.System(source)
	by.Reason = u.Detail
	_, err := s.Orders.Change(ctx, u.OrderID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if !waits(o.Status) || !o.Once(source+":"+string(u.Reason)) {
			return nil, nil
		}
		return []domain.Event{o.Note(domain.EventUnassigned, by, map[string]any{"code": u.Reason})}, nil
	})
	if domain.CodeOf(err) == domain.CodeUnavailable {
		return err
	}
	return nil
}

// Job is an order waiting for a courier. Zero times are unknown.
type Job struct {
	OrderID string
	// Place names the pick-up: orders of one place and point can share a trip.
	Place           string
	Pickup, Dropoff domain.Point
	// PickupService and DropoffService are the service times at the two places; the hand-over is in the middle of each.
	PickupService, DropoffService time.Duration

	Placed        time.Time
	Ready         time.Time // earliest pick-up
	Promised      time.Time // promised drop-off; lateness costs more
	DeliverAfter  time.Time // earliest drop-off
	DeliverBefore time.Time // latest drop-off; lateness costs much more
	Priority      int       // 0 to 9: weight 1 + Priority/2
	Vehicles      []domain.Vehicle
	Skills        []string
	Zone          *time.Location // time zone of reasons; nil: UTC
}

// Courier is an available courier in the state after his current stops.
type Courier struct {
	ID       string
	Vehicle  domain.Vehicle
	Skills   []string
	Capacity int // orders on one trip
	Room     int // further orders that he may be assigned now
	// FreeAt is when he finishes his current stops or comes on duty; At is where.
	FreeAt time.Time
	At     domain.Point
	// Tour is his current stops in order, and Position his location; without them nothing is inserted into his tour.
	Tour     []Stop
	Position domain.Point
	// Until is the end of his shift: no drop-off is later, and he is back at his base if he
	// has one. LastPickup limits only the last pick-up. Zero: no end.
	Until, LastPickup time.Time
	Base              *domain.Point
	Breaks            []Interval
}

// Interval is a break, in which a courier drives no trip.
type Interval struct{ From, To time.Time }

// Travel returns the travel time; negative if there is no route. It must be pure.
type Travel func(v domain.Vehicle, from, to domain.Point) time.Duration

// Problem is the input of a plan.
type Problem struct {
	Now      time.Time
	Jobs     []Job
	Couriers []Courier
	Travel   Travel
	// Demand is where orders were recently picked up: ending a trip nearby is a small advantage.
	Demand []domain.Point
}

// Config configures the planner.
type Config struct {
	// Step is the time until the next plan: couriers who must leave before it are assigned their orders now.
	Step time.Duration
	// Bundle is the maximum number of orders per trip, Trips the number of trips planned ahead.
	Bundle, Trips int
	// Horizon is how soon a courier must be free to be included.
	Horizon time.Duration
	// Patience is the acceptable waiting time if nothing was promised.
	Patience time.Duration
}

// DefaultConfig was tuned on days of a food delivery service.
func DefaultConfig() Config {
	return Config{Step: 2 * time.Minute, Bundle: 3, Trips: 4, Horizon: 30 * time.Minute, Patience: time.Hour}
}

// Assignment is an order's place in a plan.
type Assignment struct {
	OrderID, CourierID string
	PickupAt           time.Time // hand-over to the courier
	DropoffAt          time.Time // hand-over to the customer
	// StopsBefore is the number of the courier's stops in this plan before the drop-off.
	StopsBefore int
	// LeaveAt is the latest departure that delays nothing; the order is assigned Now if that is before the next plan.
	LeaveAt time.Time
	Now     bool
	Reason  string // why this courier, in words
}

// Unassigned is an order without a courier, and the reason.
type Unassigned struct {
	OrderID string
	Code    Reason
	Reason  string // in words
}

// Reason is a machine-readable reason why an order is not assigned.
type Reason string

// The reasons.
const (
	ReasonNoLocation Reason = "no_location"   // the destination is unknown
	ReasonNoCourier  Reason = "no_courier"    // no courier is on duty soon
	ReasonVehicle    Reason = "vehicle"       // no courier has the vehicle
	ReasonSkills     Reason = "skills"        // no courier has the skills
	ReasonNoWay      Reason = "no_way"        // there is no route
	ReasonShiftEnd   Reason = "shift_end"     // no courier can finish it within the shift
	ReasonBusy       Reason = "couriers_busy" // all suitable couriers are full
	ReasonNotWaiting Reason = "not_waiting"   // it is not waiting for a courier
	ReasonEarly      Reason = "too_early"     // there is enough time
)

// Plan is the result: each job of the problem is in one of the two lists.
type Plan struct {
	Assignments []Assignment // per courier in stop order
	Unassigned  []Unassigned
}

// seconds converts t to seconds since start; a zero t becomes otherwise.
func seconds(t, start time.Time, otherwise float64) float64 {
	if t.IsZero() {
		return otherwise
	}
	return t.Sub(start).Seconds()
}

// never is an infinite time or cost.
var never = math.Inf(1)

// Straight estimates travel times from the straight line, a detour factor and the vehicle's
// speed in m/s; a vehicle without a speed counts as a motorbike.
func Straight(speeds map[domain.Vehicle]float64, detour float64) Travel {
	return func(v domain.Vehicle, from, to domain.Point) time.Duration {
		speed := speeds[v]
		if speed <= 0 {
			speed = speeds[domain.VehicleMotorbike]
		}
		return span(detour * metresBetween(from, to) / speed)
	}
}

// metresBetween is the distance in a flat approximation.
func metresBetween(a, b domain.Point) float64 {
	lat, lon := b.Lat-a.Lat, b.Lon-a.Lon
	if math.Abs(lat)+math.Abs(lon) > .5 || math.Abs(a.Lat) > 70 {
		return a.DistanceM(b)
	}
	const rad = math.Pi / 180
	lon *= math.Cos((a.Lat + b.Lat) / 2 * rad)
	return domain.EarthRadiusM * rad * math.Sqrt(lat*lat+lon*lon)
}
