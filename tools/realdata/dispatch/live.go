package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/tools/proc"
)

// dayClock is the product's clock: it shows the time of the day that is played.
type dayClock struct{ since atomic.Int64 }

func (c *dayClock) Now() time.Time { return midnight.Add(time.Duration(c.since.Load())) }

func (c *dayClock) set(t time.Time) { c.since.Store(int64(t.Sub(midnight))) }

// How the product may differ from the planner alone, and how long after its off_time a
// courier's shift ends: the days end picking up then, the product's shifts end everything.
const (
	liveTolerance = .02
	finishing     = 20 * time.Minute
	reporters     = 8
)

// live plays a day through the product, by its API: orders are created when they are
// placed, couriers report where they are, do what their routes say and say when it is done.
type live struct {
	*day
	base     string
	clock    *dayClock
	couriers []*driver
	placed   map[string]*order // by the product's id
	waited   []time.Duration
}

// driver is a courier in the product. He is on a leg until then, and at its stop until free.
type driver struct {
	courier
	product     string
	from, to    domain.Point
	left, there time.Time
	kind        domain.StopKind // of the stop that he goes to; "" when he waits
	orders      []string
	done, free  time.Time
	told        bool // that the stop is done
}

// runLive plays one day and compares it with the planner alone.
func runLive(ctx context.Context, d *day, cfg dispatch.Config) (err error) {
	dir, err := os.MkdirTemp("", "realdata-dispatch-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l := &live{day: d, clock: &dayClock{}, placed: map[string]*order{}}
	a, err := l.product(ctx, dir, cfg)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(running) }()
	l.base = "http://" + a.HTTPAddr()
	err = l.play(ctx, cfg)
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return err
	}
	alone, mine := d.mean(ctx, cfg), mean(l.waited)
	fmt.Printf("%s: %d of %d orders delivered, %.2f min each; the planner alone %.2f\n", d.name, len(l.waited), len(d.orders), mine.Minutes(), alone.Minutes())
	if len(l.waited) != len(d.orders) {
		return errors.New("not every order was delivered")
	}
	if mine.Minutes() > (1+liveTolerance)*alone.Minutes() {
		return fmt.Errorf("customers waited more than %.0f %% longer than with the planner alone", 100*liveTolerance)
	}
	return nil
}

func mean(waits []time.Duration) (sum time.Duration) {
	for _, w := range waits {
		sum += w
	}
	return sum / time.Duration(max(len(waits), 1))
}

// mean is how long customers wait when the planner alone plays the day.
func (d *day) mean(ctx context.Context, cfg dispatch.Config) time.Duration {
	var waits []time.Duration
	couriers := d.fleet(cfg)
	for _, r := range d.play(ctx, cfg) {
		waits = append(waits, d.drive(couriers, r)...)
	}
	return mean(waits)
}

func (l *live) product(ctx context.Context, dir string, cfg dispatch.Config) (*app.App, error) {
	file := func(name string) string { return filepath.ToSlash(filepath.Join(dir, name)) }
	args := []string{"--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0", "--database-url=sqlite://" + file("orders.db")}
	for key, v := range map[string]string{
		"kafka.dir": file("kafka"), "tracking.stale_after": "24h", "tracking.history": "false", "estimate.detour": "1", "estimate.handover": l.dropoff.String(),
		"estimate.speeds.car": strconv.FormatFloat(l.speed/60, 'f', 4, 64), "dispatch.mode": "manual", "dispatch.pickup_time": l.pickup.String(),
		"dispatch.step": cfg.Step.String(), "dispatch.bundle": strconv.Itoa(cfg.Bundle), "http.access_log": "false",
	} {
		args = append(args, "--set="+key+"="+v)
	}
	c, err := config.Load(args, nil)
	if err != nil {
		return nil, err
	}
	return app.New(ctx, c, zap.NewNop(), "realdata", app.WithClock(l.clock))
}

// call asks the product.
func (l *live) call(ctx context.Context, method, path string, in, out any) error {
	return proc.Call(ctx, method, l.base+path, in, out)
}

func (l *live) play(ctx context.Context, cfg dispatch.Config) error {
	end := midnight
	for _, c := range l.day.couriers {
		if err := l.hire(ctx, c); err != nil {
			return err
		}
		end = later(end, c.off.Add(2*time.Hour))
	}
	orders := slices.Clone(l.orders)
	slices.SortStableFunc(orders, func(a, b order) int { return a.placed.Compare(b.placed) })
	next := 0
	for now := midnight; !now.After(end); now = now.Add(time.Minute) {
		l.clock.set(now)
		for ; next < len(orders) && !orders[next].placed.After(now); next++ {
			if err := l.place(ctx, &orders[next]); err != nil {
				return err
			}
		}
		for _, c := range l.couriers {
			if err := l.goOn(ctx, c, now); err != nil {
				return err
			}
		}
		if now.Sub(midnight)%cfg.Step == 0 && len(l.waited) < next {
			if err := l.dispatch(ctx, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *live) hire(ctx context.Context, c courier) error {
	var made struct {
		ID string `json:"id"`
	}
	if err := l.call(ctx, http.MethodPost, "/couriers", map[string]any{"name": c.id}, &made); err != nil {
		return err
	}
	l.couriers = append(l.couriers, &driver{courier: c, product: made.ID, to: c.at})
	if !c.off.After(c.on) {
		c.off = c.on.Add(time.Minute)
	}
	shift := map[string]any{"start": c.on, "end": c.off.Add(finishing)}
	return errors.Join(l.call(ctx, http.MethodPut, "/courier/"+made.ID+"/shifts", map[string]any{"shifts": []any{shift}}, nil),
		l.report(ctx, made.ID, c.at))
}

func (l *live) report(ctx context.Context, id string, at domain.Point) error {
	return l.call(ctx, http.MethodPost, "/courier/"+id+"/location", at, nil)
}

func (l *live) place(ctx context.Context, o *order) error {
	var made struct {
		ID string `json:"id"`
	}
	err := l.call(ctx, http.MethodPost, "/order", map[string]any{
		"external_id": o.id, "customer": map[string]string{"name": o.id}, "ready_at": o.ready,
		"pickup": map[string]any{"location": l.restaurants[o.restaurant]}, "dropoff": map[string]any{"location": o.at},
	}, &made)
	l.placed[made.ID] = o
	return err
}

// goOn reports what a courier has done by now and starts the way to the next stop.
func (l *live) goOn(ctx context.Context, c *driver, now time.Time) error {
	for c.kind != "" && !c.done.After(now) {
		if !c.told {
			if err := l.tell(ctx, c); err != nil {
				return err
			}
		}
		if c.free.After(now) {
			return nil
		}
		if err := l.setOut(ctx, c, c.free); err != nil {
			return err
		}
	}
	return nil
}

// tell reports that a stop is done.
func (l *live) tell(ctx context.Context, c *driver) error {
	c.told = true
	status := "delivered"
	if c.kind == domain.StopPickup {
		status = "picked_up"
	}
	for _, id := range c.orders {
		if err := l.call(ctx, http.MethodPatch, "/order/"+id+"/status", map[string]string{"status": status}, nil); err != nil {
			return err
		}
		if c.kind == domain.StopDropoff {
			l.waited = append(l.waited, c.done.Sub(l.placed[id].placed))
		}
	}
	return l.report(ctx, c.product, c.to)
}

// setOut asks where to go and goes there. What is picked up at one place is picked up together.
func (l *live) setOut(ctx context.Context, c *driver, now time.Time) error {
	var route domain.Route
	if err := l.call(ctx, http.MethodGet, "/courier/"+c.product+"/route", nil, &route); err != nil {
		return err
	}
	c.kind, c.orders = "", nil
	ready := midnight
	for _, s := range route.Stops {
		if s.Done || c.kind != "" && (s.Kind != domain.StopPickup || c.kind != domain.StopPickup || *s.Location != c.to) {
			continue
		}
		if c.kind == "" {
			c.kind, c.from, c.to = s.Kind, c.to, *s.Location
		}
		c.orders = append(c.orders, s.OrderID)
		if ready = later(ready, l.placed[s.OrderID].ready); s.Kind == domain.StopDropoff {
			break
		}
	}
	if c.kind == "" {
		return nil
	}
	service := l.dropoff
	if c.kind == domain.StopPickup {
		service = l.pickup
	}
	c.left, c.told = now, false
	c.there = now.Add(l.travel("", c.from, c.to))
	if c.done = c.there.Add(service / 2); c.kind == domain.StopPickup {
		c.done = later(c.done, ready)
	}
	c.free = c.done.Add(service / 2)
	return nil
}

// dispatch has the couriers report where they are and the product plan; who waited sets out.
func (l *live) dispatch(ctx context.Context, now time.Time) error {
	g, reporting := errgroup.WithContext(ctx)
	g.SetLimit(reporters)
	for _, c := range l.couriers {
		if c.kind != "" {
			g.Go(func() error { return l.report(reporting, c.product, c.where(now)) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var done dispatch.Proposal
	if err := l.call(ctx, http.MethodPost, "/dispatch/run", map[string]any{}, &done); err != nil {
		return err
	}
	for _, a := range done.Assignments {
		c := l.couriers[slices.IndexFunc(l.couriers, func(c *driver) bool { return c.product == a.CourierID })]
		if c.kind == "" {
			if err := l.setOut(ctx, c, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// where is how far a courier has come on his leg.
func (c *driver) where(now time.Time) domain.Point {
	if !now.Before(c.there) {
		return c.to
	}
	part := float64(now.Sub(c.left)) / float64(c.there.Sub(c.left))
	return domain.Point{Lat: c.from.Lat + part*(c.to.Lat-c.from.Lat), Lon: c.from.Lon + part*(c.to.Lon-c.from.Lon)}
}
