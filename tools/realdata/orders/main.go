package orders

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// flags holds the product's addresses and the options.
type flags struct {
	file, http, grpc, kafka, key, group string
	limit, concurrency                  int
	within                              time.Duration
}

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("realdata orders", flag.ContinueOnError)
	set.StringVar(&f.file, "file", "", "CSV file of the orders, may be gzipped (required)")
	set.StringVar(&f.http, "http", "127.0.0.1:8080", "host:port of REST")
	set.StringVar(&f.grpc, "grpc", "127.0.0.1:9090", "host:port of gRPC")
	set.StringVar(&f.kafka, "kafka", "127.0.0.1:9092", "host:port of a Kafka broker")
	set.StringVar(&f.key, "key", os.Getenv("BOOTSTRAP_ADMIN_KEY"), "an administrator's key, where the product asks for one")
	set.StringVar(&f.group, "group", "order-tracking", "the product's consumer group of order_status_updates")
	set.IntVar(&f.limit, "limit", 0, "how many rows to drive; 0 is all")
	set.IntVar(&f.concurrency, "concurrency", 64, "how many rows are driven at a time")
	set.DurationVar(&f.within, "retry-for", 2*time.Minute, "how long a step may take, a dead server included")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	switch {
	case f.file == "":
		return f, errors.New("--file is required")
	case set.NArg() > 0:
		return f, fmt.Errorf("what is %q?", set.Arg(0))
	case f.limit < 0 || f.concurrency < 1 || f.concurrency > 900 || f.within <= 0:
		return f, errors.New("--limit must not be negative, --concurrency 1 to 900, --retry-for more than nothing")
	}
	return f, nil
}

// Main drives and verifies the orders; it returns the exit code.
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

// run replays and verifies the rows and reports whether all is as expected; an error if
// it could not finish.
func run(ctx context.Context, f flags, out io.Writer) (bool, error) {
	rows, err := readFile(f.file, f.limit)
	if err != nil {
		return false, err
	}
	name := "rd" + strings.ToLower(rand.Text()[:10])
	plans := make([]*plan, len(rows))
	for i, r := range rows {
		plans[i] = newPlan(name, r)
	}
	counted := &counter{next: &http.Transport{MaxIdleConnsPerHost: f.concurrency, ResponseHeaderTimeout: 30 * time.Second}}
	d, err := connect(ctx, f, name, counted)
	if err != nil {
		return false, err
	}
	defer d.rpc.close()
	defer d.bus.close()
	tell(out, "run %s: %d orders of %s over REST %s, gRPC %s, Kafka %s", name, len(rows), f.file, f.http, f.grpc, f.kafka)
	describe(out, plans)

	var reading errgroup.Group
	tailing, stop := context.WithCancel(ctx)
	reading.Go(func() error { d.tail.read(tailing); return nil })
	defer func() {
		stop()
		_ = reading.Wait() // it has nothing to say
		d.tail.close()
	}()
	start := time.Now()
	took := d.phases(ctx, out, plans)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	d.summary(out, counted, took, time.Since(start))
	return d.verdict(out, len(plans), time.Since(start)), nil
}

func connect(ctx context.Context, f flags, name string, counted *counter) (*driver, error) {
	d := &driver{run: name, concurrency: f.concurrency, within: f.within, faults: new(faults)}
	var err error
	d.rest, err = client.New(f.http, client.WithKey(f.key), client.WithRetryFor(f.within), client.WithUserAgent("realdata"),
		client.WithPauses(50*time.Millisecond, time.Second), client.WithHTTPClient(&http.Client{Transport: counted}))
	if err != nil {
		return nil, err
	}
	if d.tail, err = newTail(ctx, f.kafka, name, d.faults); err != nil {
		return nil, err
	}
	if d.bus, err = newBus(f.kafka, f.group, f.within); err != nil {
		return nil, err
	}
	d.rpc, err = newRPC(f.grpc, f.key, f.within)
	return d, err
}

// phases runs the whole of it and returns how long the driving took.
func (d *driver) phases(ctx context.Context, out io.Writer, plans []*plan) time.Duration {
	d.hire(ctx, plans)
	if d.faults.count() > 0 || ctx.Err() != nil {
		return 0
	}
	start := time.Now()
	var done atomic.Int64
	stop := tick(10*time.Second, func() {
		tell(out, "  %d of %d delivered after %s", done.Load(), len(plans), time.Since(start).Round(time.Second))
	})
	d.drive(ctx, plans, &done)
	stop()
	took := time.Since(start)
	if d.faults.count() > 0 || ctx.Err() != nil {
		return took
	}
	if err := d.repeat(ctx); err != nil {
		d.faults.add("sending reports once more: %v", err)
		return took
	}
	d.verify(ctx, plans)
	return took
}

// tell prints a line and ignores write errors.
func tell(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }

// tick calls do again and again until the function that it returns is called.
func tick(every time.Duration, do func()) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				do()
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// describe prints the plan.
func describe(out io.Writer, plans []*plan) {
	var late, byHand, entries, changes, reports int
	for _, p := range plans {
		if p.confirmed.Before(p.placed) || p.atPickup.Before(p.confirmed) || p.pickedUp.Before(p.atPickup) || p.arrived.Before(p.pickedUp) {
			late++
		}
		if p.byHand {
			byHand++
		}
		entries += len(p.want.entries)
		changes += len(p.want.changes())
		reports += len(p.before) + len(p.after)
	}
	tell(out, "expected: %d history entries, %d published events, from %d reports; times run backwards in %d rows, %d picked up by hand",
		entries, changes, reports, late, byHand)
}

func (d *driver) summary(out io.Writer, c *counter, took, whole time.Duration) {
	d.tail.mu.Lock()
	events, repeats, foreign := d.tail.events, d.tail.repeats, d.tail.foreign
	d.tail.mu.Unlock()
	tell(out, "REST: %d requests, %d broken connections, %d answers of 429 or 5xx; gRPC: %d calls, %d repeated",
		c.requests.Load(), c.broken.Load(), c.refused.Load(), d.rpc.calls.Load(), d.rpc.repeats.Load())
	tell(out, "Kafka: %d reports sent; %d events read, %d repeats with a known ce_id, %d of other orders",
		d.bus.sent.Load(), events, repeats, foreign)
	if seconds := took.Seconds(); seconds > 0 {
		n := float64(len(d.driven))
		tell(out, "driven in %s: %.0f orders/s, %.0f events/s; verified by %s", took.Round(time.Millisecond),
			n/seconds, float64(events)/seconds, whole.Round(time.Millisecond))
	}
	if p50, p99, ok := d.applied.percentiles(); ok {
		tell(out, "from a report's acknowledgement to its event: p50 %s, p99 %s", p50.Round(time.Microsecond), p99.Round(time.Microsecond))
	}
}

func (l *latencies) percentiles() (p50, p99 time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return 0, 0, false
	}
	slices.Sort(l.all)
	return l.all[len(l.all)/2], l.all[len(l.all)*99/100], true
}

func (d *driver) verdict(out io.Writer, rows int, took time.Duration) bool {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	for _, f := range d.faults.first {
		tell(out, "difference: %s", f)
	}
	if d.faults.total > 0 {
		tell(out, "FAIL %d differences or more", d.faults.total)
		return false
	}
	tell(out, "PASS %d orders, %d couriers, %d events as expected in %s", rows, len(d.couriers), d.tail.events, took.Round(time.Millisecond))
	return true
}

// counter counts what goes through a transport.
type counter struct {
	next                      http.RoundTripper
	requests, broken, refused atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	resp, err := c.next.RoundTrip(r)
	switch {
	case err != nil && r.Context().Err() == nil:
		c.broken.Add(1)
	case err != nil:
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		c.refused.Add(1)
	}
	return resp, err
}
