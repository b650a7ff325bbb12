package dispatch

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// facts is the stored data that a plan is made from.
type facts struct {
	now      time.Time
	waiting  []*domain.Order
	carried  map[string][]*domain.Order // by courier
	couriers []*domain.Courier
	asked    map[string]bool // ids of the requested orders
}

// waits reports whether an order in the status has no courier yet.
func waits(s domain.Status) bool { return s == domain.StatusCreated || s == domain.StatusConfirmed }

// parcel reports whether a delivery company carries the order.
func parcel(o *domain.Order) bool { return o.Shipment != nil && o.Shipment.Phase.Live() }

// plan plans from stored data and returns the versions of the orders it used.
func (s *Service) plan(ctx context.Context, ask Ask) (*Proposal, map[string]int64, error) {
	f, err := s.read(ctx, ask)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.problem(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	config := s.Config
	config.Bundle = s.tuning().Bundle
	plan, known := config.Plan(p), map[string]int64{}
	for _, o := range f.waiting {
		known[o.ID] = o.Version
		delete(f.asked, o.ID)
	}
	for id := range f.asked {
		plan.leave(id, ReasonNotWaiting, "it has a courier, a delivery company or an end")
	}
	return &plan, known, nil
}

// read loads the orders and couriers for a plan.
func (s *Service) read(ctx context.Context, ask Ask) (*facts, error) {
	f := &facts{now: domain.Timestamp(s.Clock.Now()), carried: map[string][]*domain.Order{}, asked: map[string]bool{}}
	if err := s.check(ctx, ask, f); err != nil {
		return nil, err
	}
	for o, err := range paging.All(ctx, domain.OrderFilter{Active: new(true)}, s.Store.Orders) {
		switch {
		case err != nil:
			return nil, err
		case o.CourierID != "":
			f.carried[o.CourierID] = append(f.carried[o.CourierID], o)
		case waits(o.Status) && !parcel(o) && (f.asked[o.ID] || len(f.asked) == 0 && o.Bookkeeping.Search == nil):
			f.waiting = append(f.waiting, o)
		}
	}
	slices.SortFunc(f.waiting, func(a, b *domain.Order) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for c, err := range paging.All(ctx, domain.CourierFilter{OnDuty: new(true)}, s.Store.Couriers) {
		switch {
		case err != nil:
			return nil, err
		case len(ask.CourierIDs) == 0 || slices.Contains(ask.CourierIDs, c.ID):
			f.couriers = append(f.couriers, c)
		}
	}
	return f, nil
}

// Check rejects malformed ids.
func (a Ask) Check() error {
	var f domain.Faults
	f.Check("", &a)
	for list, ids := range map[string][]string{"/order_ids": a.OrderIDs, "/courier_ids": a.CourierIDs} {
		for i := range ids {
			f.ID(list+"/"+strconv.Itoa(i), &ids[i])
		}
	}
	return f.Err()
}

// check rejects malformed and unknown ids.
func (s *Service) check(ctx context.Context, ask Ask, f *facts) error {
	if err := ask.Check(); err != nil {
		return err
	}
	there, err := s.Store.Versions(ctx, ask.OrderIDs)
	if err != nil {
		return err
	}
	for _, id := range ask.OrderIDs {
		if f.asked[id] = true; there[id] == 0 {
			return domain.Errorf(domain.CodeOrderNotFound, "no order has the id %s", id)
		}
	}
	couriers, err := s.Store.CouriersByID(ctx, ask.CourierIDs)
	for _, id := range ask.CourierIDs {
		if err == nil && couriers[id] == nil {
			err = domain.Errorf(domain.CodeCourierNotFound, "no courier has the id %s", id)
		}
	}
	return err
}

// problem converts the facts to the planner's problem.
func (s *Service) problem(ctx context.Context, f *facts) (Problem, error) {
	p := Problem{Now: f.now, Jobs: domain.Each(f.waiting, func(o *domain.Order) Job { return s.job(o, f.now) })}
	for _, carried := range f.carried {
		for _, o := range carried {
			if at := pickupOf(o); at != nil {
				p.Demand = append(p.Demand, *at)
			}
		}
	}
	for _, j := range p.Jobs {
		if j.Pickup.Valid() {
			p.Demand = append(p.Demand, j.Pickup)
		}
	}
	if len(p.Demand) > mostDemand {
		p.Demand = p.Demand[len(p.Demand)-mostDemand:]
	}
	ids := domain.Each(f.couriers, func(c *domain.Courier) string { return c.ID })
	positions, err := s.Live.Positions(ctx, ids)
	if err != nil {
		return p, err
	}
	shifts, err := documents[Shifts](ctx, s.Store, documentShifts, nil)
	if err != nil {
		return p, err
	}
	routes, err := documents[RouteOrder](ctx, s.Store, documentRoute, nil)
	if err != nil {
		return p, err
	}
	p.Travel = s.Learned.Drives(f.now)
	for _, c := range f.couriers {
		var set []StopRef
		if r := routes[c.ID]; r != nil {
			set = r.Stops
		}
		if one, ok := s.courier(c, f.carried[c.ID], positions[c.ID], set, nil, p); ok && shifts[c.ID].bind(&one, f.now) {
			p.Couriers = append(p.Couriers, one)
		}
	}
	s.byRoad(ctx, &p)
	return p, nil
}

// mostDemand is the number of pick-ups sampled to estimate demand.
const mostDemand = 60

func pickupOf(o *domain.Order) *domain.Point {
	if o.Pickup != nil && o.Pickup.Location != nil {
		return o.Pickup.Location
	}
	return nil
}

// nowhereAt is an unknown location.
var nowhereAt = domain.Point{Lat: never}

// job converts an order for the planner. Without a pick-up the drop-off is used for both.
func (s *Service) job(o *domain.Order, now time.Time) Job {
	pickup, door := s.Learned.Stays(o, now)
	j := Job{
		OrderID: o.ID, Pickup: nowhereAt, Dropoff: nowhereAt, PickupService: pickup, DropoffService: door,
		Placed: o.CreatedAt, Ready: timeOf(o.ReadyAt), Promised: timeOf(o.PromisedAt),
		DeliverAfter: timeOf(o.DeliverAfter), DeliverBefore: timeOf(o.DeliverBefore), Priority: o.Priority, Zone: o.Zone(),
	}
	if at := o.Dropoff.Location; at != nil {
		j.Pickup, j.Dropoff = *at, *at
	}
	j.Pickup = domain.Or(pickupOf(o), j.Pickup)
	if r := o.Requirements; r != nil {
		j.Vehicles, j.Skills = r.Vehicle, r.Skills
	}
	return j
}

func timeOf(t *time.Time) time.Time { return domain.Or(t, time.Time{}) }

// courier converts a courier for the planner: free after his current stops, at the last drop-off. Without a fresh position
// he is at his last known stop or at his base; false if neither is known.
func (s *Service) courier(c *domain.Courier, carried []*domain.Order, at *domain.Position, set, kept []StopRef, p Problem) (Courier, bool) {
	out := Courier{
		ID: c.ID, Vehicle: c.Vehicle, Skills: c.Skills, Capacity: c.Capacity, Room: c.Capacity - c.ActiveOrders, FreeAt: p.Now, Base: c.Base,
	}
	tour := Tour{Vehicle: c.Vehicle, Start: p.Now, Travel: p.Travel, Stops: s.stops(carried, p.Now)}
	switch {
	case at != nil && p.Now.Sub(at.RecordedAt) <= s.FreshFor:
		tour.At = at.Point()
	case len(tour.Stops) > 0:
		tour.At = tour.Stops[0].At
	case c.Base != nil:
		tour.At = *c.Base
	default:
		return out, false
	}
	tour = tour.arrange(set, kept)
	_, out.FreeAt, out.At = tour.Times()
	out.Tour, out.Position = tour.Stops, tour.At
	return out, true
}

// stops are a courier's remaining stops for the orders he carries.
func (s *Service) stops(carried []*domain.Order, now time.Time) (out []Stop) {
	for _, o := range carried {
		pickup, door := s.Learned.Stays(o, now)
		up := pickupOf(o)
		if up != nil && (o.Status.BeforeCustody() || o.Status == domain.StatusReturning) {
			out = append(out, Stop{OrderID: o.ID, Kind: domain.StopPickup, At: *up, Earliest: timeOf(o.ReadyAt), Service: pickup})
		}
		if down := o.Dropoff.Location; down != nil && o.Status != domain.StatusReturning {
			latest := domain.Or(o.DeliverBefore, timeOf(o.PromisedAt))
			out = append(out, Stop{
				OrderID: o.ID, Kind: domain.StopDropoff, At: *down, Earliest: timeOf(o.DeliverAfter), Latest: latest, Service: door,
			})
		}
	}
	return out
}
