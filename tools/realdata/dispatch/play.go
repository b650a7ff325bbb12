package dispatch

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// route is a trip that was given to a courier.
type route struct {
	decided time.Time
	courier string
	orders  []string
}

// known is how far back the planner is told where orders were picked up.
const known = 2 * time.Hour

// play plans the day step by step; at each the planner knows what was placed by then.
func (d *day) play(ctx context.Context, cfg dispatch.Config) []route {
	couriers, end := d.fleet(cfg), midnight
	for _, c := range d.couriers {
		end = later(end, c.off)
	}
	orders := slices.Clone(d.orders)
	slices.SortStableFunc(orders, func(a, b order) int { return a.placed.Compare(b.placed) })
	given := map[string]bool{}
	var routes []route
	for now := midnight; !now.After(end) && ctx.Err() == nil; now = now.Add(cfg.Step) {
		p := dispatch.Problem{Now: now, Couriers: couriers, Travel: d.travel}
		for _, o := range orders {
			if o.placed.After(now) {
				break
			}
			if now.Sub(o.placed) < known {
				p.Demand = append(p.Demand, d.restaurants[o.restaurant])
			}
			if !given[o.id] {
				p.Jobs = append(p.Jobs, d.job(o))
			}
		}
		for _, r := range decide(now, cfg.Plan(p)) {
			for _, id := range r.orders {
				given[id] = true
			}
			routes = append(routes, r)
			d.drive(couriers, r)
		}
	}
	return routes
}

// fleet is the couriers at the beginning of the day.
func (d *day) fleet(cfg dispatch.Config) []dispatch.Courier {
	couriers := make([]dispatch.Courier, len(d.couriers))
	for i, c := range d.couriers {
		couriers[i] = dispatch.Courier{
			ID: c.id, Vehicle: domain.VehicleCar, Capacity: cfg.Bundle, Room: cfg.Bundle,
			FreeAt: c.on, At: c.at, LastPickup: c.off,
		}
	}
	return couriers
}

func (d *day) job(o order) dispatch.Job {
	return dispatch.Job{
		OrderID: o.id, Place: o.restaurant, Pickup: d.restaurants[o.restaurant], Dropoff: o.at,
		PickupService: d.pickup, DropoffService: d.dropoff, Placed: o.placed, Ready: o.ready,
	}
}

// decide returns the assignments of a plan that are due now.
func decide(now time.Time, p dispatch.Proposal) []route {
	var routes []route
	for _, a := range p.Assignments {
		if !a.Now {
			continue
		}
		if n := len(routes); n > 0 && routes[n-1].courier == a.CourierID {
			routes[n-1].orders = append(routes[n-1].orders, a.OrderID)
			continue
		}
		routes = append(routes, route{now, a.CourierID, []string{a.OrderID}})
	}
	return routes
}

// drive moves the courier to the end of a trip by the rules of the days, and returns how
// long its customers waited.
func (d *day) drive(couriers []dispatch.Courier, r route) (waits []time.Duration) {
	n := slices.IndexFunc(couriers, func(c dispatch.Courier) bool { return c.ID == r.courier })
	c := &couriers[n]
	var stops []order
	for _, id := range r.orders {
		stops = append(stops, d.orders[slices.IndexFunc(d.orders, func(o order) bool { return o.id == id })])
	}
	at := d.restaurants[stops[0].restaurant]
	t := later(c.FreeAt, r.decided).Add(d.travel("", c.At, at) + d.pickup/2)
	for _, o := range stops {
		t = later(t, o.ready)
	}
	t = t.Add(d.pickup / 2)
	for _, o := range stops {
		t = t.Add(d.travel("", at, o.at) + d.dropoff/2)
		waits = append(waits, t.Sub(o.placed))
		t, at = t.Add(d.dropoff/2), o.at
	}
	c.FreeAt, c.At = t, at
	return waits
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func write(file string, routes []route) error {
	var out strings.Builder
	out.WriteString("decided_at\tcourier\torders\n")
	for _, r := range routes {
		minutes := math.Round(r.decided.Sub(midnight).Minutes()*1000) / 1000
		fmt.Fprintf(&out, "%g\t%s\t%s\n", minutes, r.courier, strings.Join(r.orders, ","))
	}
	return os.WriteFile(file, []byte(out.String()), 0o600)
}
