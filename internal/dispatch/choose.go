package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Choose plans one order over the couriers with free capacity; see domain.Chooser.
func (s *Service) Choose(ctx context.Context, o *domain.Order, not []string) (courierID, reason string, err error) {
	job := s.job(o, s.Clock.Now())
	if !job.Pickup.Valid() {
		return "", "", domain.Errorf(domain.CodeNoCourierAvailable, "the order has no location to find a courier for")
	}
	if !job.Dropoff.Valid() { // the route is then the same for every courier
		job.Dropoff = job.Pickup
	}
	f, err := s.read(ctx, Ask{})
	if err != nil {
		return "", "", err
	}
	f.waiting = nil
	p, err := s.problem(ctx, f)
	if err != nil {
		return "", "", err
	}
	job.DeliverAfter, job.Ready = time.Time{}, domain.Earlier(job.Ready, p.Now.Add(s.Config.Horizon)) // it is wanted now
	p.Jobs = []Job{job}
	p.Couriers = slices.DeleteFunc(p.Couriers, func(c Courier) bool { return c.Room < 1 || slices.Contains(not, c.ID) })
	s.byRoad(ctx, &p)
	cfg := s.Config
	cfg.Horizon = 24 * time.Hour // consider everyone with free capacity
	plan := cfg.Plan(p)
	if len(plan.Assignments) == 0 {
		return "", "", domain.Errorf(domain.CodeNoCourierAvailable, "no courier can be given the order: %s", plan.Unassigned[0].Detail)
	}
	return plan.Assignments[0].CourierID, plan.Assignments[0].Detail, nil
}
