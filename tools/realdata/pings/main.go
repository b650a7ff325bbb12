package pings

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/pkg/client"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// flags holds the product's addresses and the options.
type flags struct {
	file, http, grpc, key, via string
	limit, connections, batch  int
	within                     time.Duration
}

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("realdata pings", flag.ContinueOnError)
	set.StringVar(&f.file, "file", "", "CSV file of the pings, may be gzipped (required)")
	set.StringVar(&f.http, "http", "127.0.0.1:8080", "host:port of REST")
	set.StringVar(&f.grpc, "grpc", "127.0.0.1:9090", "host:port of gRPC")
	set.StringVar(&f.key, "key", os.Getenv("BOOTSTRAP_ADMIN_KEY"), "an administrator's key, where the product asks for one")
	set.StringVar(&f.via, "via", "grpc", "grpc (ReportLocations streams) or osmand (a phone app's requests)")
	set.IntVar(&f.limit, "limit", 0, "how many rows to replay; 0 is all")
	set.IntVar(&f.connections, "connections", 16, "over how many streams or connections")
	set.IntVar(&f.batch, "batch", 16, "pings in a batch")
	set.DurationVar(&f.within, "retry-for", 2*time.Minute, "how long a step may take")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	switch {
	case f.file == "":
		return f, errors.New("--file is required")
	case set.NArg() > 0:
		return f, fmt.Errorf("what is %q?", set.Arg(0))
	case f.via != "grpc" && f.via != "osmand":
		return f, errors.New("--via must be grpc or osmand")
	case f.limit < 0 || f.connections < 1 || f.connections > 1000 || f.batch < 1 || f.batch > 10_000 || f.within <= 0:
		return f, errors.New("--limit must not be negative, --connections 1 to 1000, --batch 1 to 10000, --retry-for more than nothing")
	}
	return f, nil
}

// Main replays and verifies the pings; it returns the exit code.
func Main(ctx context.Context, args []string) int {
	f, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		var ok bool
		if ok, err = run(ctx, f, os.Stdout); err == nil && ok {
			return 0
		}
	}
	if err != nil {
		tell(os.Stdout, "FAIL %v", err)
	}
	return 1
}

// tell prints a line and ignores write errors.
func tell(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }

// driver replays one file.
type driver struct {
	flags
	run      string // a name for this run
	base     string
	rest     *client.Client
	http     *http.Client
	faults   faults
	fates    map[fate]int
	sent     int
	before   counters
	from, to time.Time
	parcel   *parcel
	trail    int           // places of the parcel's trail
	settled  time.Duration // how long the history took after the last answer
	progress atomic.Int64
}

// run replays the file and reports whether all is as expected; an error if it could not
// finish.
func run(ctx context.Context, f flags, out io.Writer) (bool, error) {
	return runWith(ctx, f, out, nil)
}

// runWith lets a test change what is expected, once everything was sent.
func runWith(ctx context.Context, f flags, out io.Writer, tamper func(*driver, []*cab)) (bool, error) {
	pings, err := readFile(f.file, f.limit, time.Now().Add(-2*time.Second))
	if err != nil {
		return false, err
	}
	d := &driver{
		flags: f, run: "pings-" + strings.ToLower(rand.Text()[:8]), base: "http://" + f.http, fates: map[fate]int{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: f.connections + 8, MaxConnsPerHost: f.connections + 8}},
		from: pings[0].at, to: pings[len(pings)-1].at,
	}
	if d.rest, err = client.New(f.http, client.WithKey(f.key), client.WithRetryFor(f.within), client.WithUserAgent("realdata"), client.WithHTTPClient(d.http)); err != nil {
		return false, err
	}
	cabs := plan(pings, f.batch)
	d.predict(cabs)
	tell(out, "run %s: %d pings of %d cabs from %s, sent %d with repeats, via %s", d.run, len(pings), len(cabs), f.file, d.sent, f.via)
	tell(out, "expected: %s", d.expected())
	if d.before, err = d.counters(ctx); err != nil {
		return false, err
	}
	if err := d.hire(ctx, cabs); err != nil {
		return false, err
	}
	start := time.Now()
	total, err := d.replay(ctx, out, cabs)
	if err != nil {
		return false, err
	}
	took := time.Since(start)
	tell(out, "sent %d positions in %s: %.0f/s; %d times the server asked to wait", d.sent, took.Round(time.Millisecond), float64(d.sent)/took.Seconds(), total.refused)
	if tamper != nil {
		tamper(d, cabs)
	}
	d.checkAnswers(total)
	if err := d.verify(ctx, cabs); err != nil {
		return false, err
	}
	tell(out, "the history was complete %s after the last answer", d.settled.Round(time.Millisecond))
	if d.parcel != nil {
		tell(out, "the order's trail has %d places, its watcher saw %d positions", d.trail, d.parcel.positions.Load())
	}
	return d.verdict(out, len(cabs)), nil
}

// predict asks the oracle, in the order of sending.
func (d *driver) predict(cabs []*cab) {
	now := time.Now()
	for _, c := range cabs {
		for _, b := range c.batches {
			for _, p := range b {
				d.fates[c.oracle.take(p, now)]++
				d.sent++
			}
		}
	}
}

func (d *driver) expected() string {
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(d.fates)) {
		parts = append(parts, fmt.Sprintf("%d %s", d.fates[f], f))
	}
	return strings.Join(parts, ", ")
}

// hire creates a courier for each cab, with a phone if needed.
func (d *driver) hire(ctx context.Context, cabs []*cab) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, c := range cabs {
		g.Go(func() error {
			made, err := d.rest.CreateCourier(ctx, client.CourierEdit{
				Name: client.Ptr(d.run + " " + c.name), Vehicle: client.Ptr("car"), Metadata: map[string]string{"cab": c.name},
			})
			if err != nil {
				return err
			}
			c.courier = made.ID
			if d.via == "osmand" {
				phone, err := d.rest.Onboard(ctx, c.courier)
				if err != nil {
					return err
				}
				c.token = phone.Token
			}
			return nil
		})
	}
	return g.Wait()
}

// replay sends everything, each cab over one connection.
func (d *driver) replay(ctx context.Context, out io.Writer, cabs []*cab) (sums, error) {
	conn, err := dial(d.grpc)
	if err != nil {
		return sums{}, err
	}
	defer func() { _ = conn.Close() }() // nothing is left to be said
	parts := make([][]*cab, d.connections)
	for i, c := range cabs {
		parts[i%len(parts)] = append(parts[i%len(parts)], c)
		if c.run == nil {
			continue
		}
		if err := d.orderFor(ctx, c); err != nil {
			return sums{}, err
		}
	}
	stop := d.report(ctx, out)
	defer stop()
	senders := make([]sender, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	for i, part := range parts {
		if d.via == "grpc" {
			senders[i] = &grpcSender{orders: pb.NewOrderServiceClient(conn), key: d.key}
		} else {
			senders[i] = &osmandSender{base: d.base, client: d.http, within: d.within}
		}
		g.Go(func() error { return d.drive(ctx, senders[i], part) })
	}
	err = g.Wait()
	var total sums
	for _, s := range senders {
		one := s.sums()
		total.accepted += one.accepted
		total.dropped += one.dropped
		total.refused += one.refused
	}
	return total, err
}

// report prints the progress from time to time.
func (d *driver) report(ctx context.Context, out io.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				tell(out, "  %d of %d sent", d.progress.Load(), d.sent)
			}
		}
	}()
	return func() { cancel(); <-gone }
}

// drive sends the cabs' batches over one connection, in turn.
func (d *driver) drive(ctx context.Context, s sender, cabs []*cab) error {
	for round, left := 0, true; left; round++ {
		left = false
		for _, c := range cabs {
			if round >= len(c.batches) {
				continue
			}
			left = true
			if err := d.sendBatch(ctx, s, c, round); err != nil {
				return fmt.Errorf("%s, batch %d: %w", c.name, round, err)
			}
			d.progress.Add(int64(len(c.batches[round])))
		}
	}
	return s.settle(ctx)
}

func (d *driver) sendBatch(ctx context.Context, s sender, c *cab, n int) error {
	if c.run != nil && n == c.run.firstBatch {
		if err := s.settle(ctx); err != nil {
			return err
		}
		if err := d.step(ctx, client.StatusPickedUp, c.run.first); err != nil {
			return err
		}
	}
	if err := s.send(ctx, c, c.batches[n]); err != nil {
		return err
	}
	if c.run == nil || n != c.run.lastBatch {
		return nil
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return d.step(ctx, client.StatusDelivered, c.run.last)
}

func (d *driver) checkAnswers(got sums) {
	if n := got.accepted + got.dropped; int(n) != d.sent {
		d.faults.add("the answers count %d positions, not %d", n, d.sent)
	}
}

func (d *driver) verdict(out io.Writer, cabs int) bool {
	for _, f := range d.faults.first {
		tell(out, "difference: %s", f)
	}
	if d.faults.total > 0 {
		tell(out, "FAIL %d differences or more", d.faults.total)
		return false
	}
	tell(out, "PASS %d positions of %d cabs: %d in the history, %d dropped, as expected", d.sent, cabs, d.stored(), d.sent-d.stored())
	return true
}
