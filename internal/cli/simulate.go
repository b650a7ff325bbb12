package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// simulation runs couriers who deliver orders in a simulated town.
type simulation struct {
	*remote
	client *client.Client

	couriers, orders int
	radius           float64 // metres
	speed            float64 // metres per second
	every            time.Duration
	handover         time.Duration
	gpx              []string
	seed             uint64
	forever          bool

	middle    *client.Point
	trails    [][]client.Point // from files
	next      atomic.Int64     // number of orders started
	begun     time.Time
	delivered atomic.Int64
	driven    atomic.Int64 // nanoseconds spent on delivered orders
	accepted  atomic.Int64
	dropped   atomic.Int64
}

func simulateCommand(e *env) *cobra.Command {
	s := &simulation{}
	cmd := &cobra.Command{
		Use: "simulate", Short: "Simulate couriers and orders, as a demonstration or as load",
		Example: `  order-tracking simulate
  order-tracking simulate --couriers 200 --orders 1000 --every 1s --speed 12
  order-tracking simulate --gpx monday.gpx,tuesday.gpx --forever`,
	}
	s.remote = e.remoteFlags(cmd)
	fs := cmd.Flags()
	fs.IntVar(&s.couriers, "couriers", 5, "number of couriers")
	fs.IntVar(&s.orders, "orders", 10, "number of orders")
	s.middle = &client.Point{Lat: 55.7512, Lon: 37.6184}
	pointVar(fs, &s.middle, "center", "centre of the town, `LAT,LON` (default 55.7512,37.6184)")
	fs.Float64Var(&s.radius, "radius", 1500, "radius of the town, `metres`")
	fs.Float64Var(&s.speed, "speed", 10, "speed of couriers, `metres` per second")
	fs.DurationVar(&s.every, "every", 2*time.Second, "interval between position reports")
	fs.DurationVar(&s.handover, "handover", 5*time.Second, "duration of a pick-up and of a handover")
	fs.StringSliceVar(&s.gpx, "gpx", nil, "`files` with trails, .gpx or .csv: orders go from the beginning of one to its end")
	fs.Uint64Var(&s.seed, "seed", 0, "the same number gives the same town; 0: a different one each time")
	fs.BoolVar(&s.forever, "forever", false, "keep creating orders until interrupted")
	s.patience = watchPatience
	return s.on(cmd, nil, func(ctx context.Context, c *client.Client, _ []string) error { return s.run(ctx, c) })
}

func (s *simulation) prepare() error {
	switch {
	case s.couriers < 1 || s.orders < 0:
		return usagef("--couriers must be 1 or more, --orders not negative")
	case !(s.radius > 0 && s.radius <= 1e6) || !(s.speed > 0 && s.speed <= 90):
		return usagef("--radius must be more than 0 and at most 1000000 metres, --speed more than 0 and at most 90 metres per second")
	case s.every < time.Millisecond || s.handover < 0:
		return usagef("--every must be 1ms or more, --handover not negative")
	}
	for _, file := range s.gpx {
		trail, err := readTrail(file)
		if err != nil {
			return err
		}
		way := make([]client.Point, len(trail))
		for i, p := range trail {
			way[i] = pointOf(p)
		}
		s.trails = append(s.trails, way)
	}
	if s.seed == 0 {
		s.seed = rand.Uint64() //nolint:gosec // a town, not a secret
	}
	return nil
}

func (s *simulation) run(ctx context.Context, c *client.Client) error {
	s.client = c
	if err := s.prepare(); err != nil {
		return err
	}
	s.begun = time.Now()
	g, driving := errgroup.WithContext(ctx)
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() { s.showProgress(done) })
	for i := range s.couriers {
		g.Go(func() error { return s.courier(driving, i) })
	}
	err := g.Wait()
	close(done)
	shown.Wait()
	if err != nil && ctx.Err() == nil {
		return err
	}
	summary := struct {
		Couriers  int     `json:"couriers"`
		Delivered int64   `json:"delivered"`
		Accepted  int64   `json:"accepted"`
		Dropped   int64   `json:"dropped"`
		Seconds   float64 `json:"seconds"`
	}{s.couriers, s.delivered.Load(), s.accepted.Load(), s.dropped.Load(), time.Since(s.begun).Round(time.Millisecond).Seconds()}
	return s.show(summary, func(w io.Writer) {
		field(w, "Couriers", strconv.Itoa(summary.Couriers))
		field(w, "Delivered", fmt.Sprintf("%d in %v s", summary.Delivered, summary.Seconds))
		field(w, "Positions", fmt.Sprintf("%d, %d of no use", summary.Accepted, summary.Dropped))
	})
}

// courier runs one courier.
func (s *simulation) courier(ctx context.Context, n int) error {
	luck := rand.New(rand.NewPCG(s.seed, uint64(n))) //nolint:gosec // a town, not a secret
	vehicles := []string{"bicycle", "motorbike", "car", "van"}
	made, err := s.client.CreateCourier(ctx, client.CourierEdit{
		Name: client.Ptr(fmt.Sprintf("Courier %d", n+1)), Vehicle: client.Ptr(vehicles[n%len(vehicles)]),
		Metadata: map[string]string{"simulated": "true"},
	})
	if err != nil {
		return err
	}
	d := &drive{simulation: s, courier: made.ID, name: made.Name, luck: luck, at: s.place(luck), battery: 60 + 40*luck.Float64()}
	if err := d.report(ctx, 0, 0); err != nil {
		return err
	}
	for s.forever || s.next.Add(1) <= int64(s.orders) {
		if err := d.deliver(ctx); err != nil {
			return err
		}
	}
	return nil
}

// place returns a random place in the town.
func (s *simulation) place(luck *rand.Rand) client.Point {
	r, a := s.radius*math.Sqrt(luck.Float64()), 2*math.Pi*luck.Float64()
	return offset(*s.middle, r*math.Cos(a), r*math.Sin(a))
}
