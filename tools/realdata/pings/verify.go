package pings

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/pkg/client"
)

const maxFaults = 20

// faults counts differences and keeps descriptions of the first ones.
type faults struct {
	mu    sync.Mutex
	total int
	first []string
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	if len(f.first) < maxFaults {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

// between is what the history should have of the cab, oldest first.
func (c *cab) between(from, to time.Time) []ping {
	var out []ping
	for _, p := range c.oracle.kept {
		if !p.at.Before(from) && !p.at.After(to) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b ping) int { return a.at.Compare(b.at) })
	return out
}

func (d *driver) sameWay(whose string, want []ping, got []client.Position) {
	if len(want) != len(got) {
		d.faults.add("%s: the way has %d places, not %d", whose, len(got), len(want))
		return
	}
	for i, w := range want {
		if !same(w, got[i]) {
			d.faults.add("%s: place %d is %v, %v at %s, not %v, %v at %s", whose, i, got[i].Lat, got[i].Lon, got[i].RecordedAt, w.lat, w.lon, w.at)
			return
		}
	}
}

func same(w ping, got client.Position) bool {
	return w.lat == got.Lat && w.lon == got.Lon && w.at.Equal(got.RecordedAt)
}

// verify compares each cab's newest position and history, the counters and the order.
func (d *driver) verify(ctx context.Context, cabs []*cab) error {
	if err := d.historyWritten(ctx); err != nil {
		return err
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, c := range cabs {
		g.Go(func() error { return d.checkCab(each, c) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var followed *cab
	for _, c := range cabs {
		if c.run != nil {
			followed = c
		}
	}
	d.checkParcel(ctx, followed)
	return d.checkCounters(ctx)
}

func (d *driver) checkCab(ctx context.Context, c *cab) error {
	if want := c.oracle.newest; want != nil {
		at, err := d.rest.CourierLocation(ctx, c.courier)
		if err != nil {
			return fmt.Errorf("where %s is: %w", c.name, err)
		}
		if !same(*want, at.Position) {
			d.faults.add("%s is shown at %v, %v as of %s, not at %v, %v as of %s", c.name, at.Lat, at.Lon, at.RecordedAt, want.lat, want.lon, want.at)
		}
	}
	track, err := d.rest.CourierTrack(ctx, c.courier, d.from, d.to, 50_000)
	if err != nil {
		return fmt.Errorf("the way of %s: %w", c.name, err)
	}
	if !track.Complete {
		d.faults.add("the way of %s is not shown whole", c.name)
	}
	d.sameWay(c.name, c.between(d.from, d.to), track.Trail)
	return nil
}

// counters are those of the metrics that are about positions.
type counters map[string]float64

const dropPrefix = "ordertracking_positions_dropped_total"

func (d *driver) counters(ctx context.Context) (counters, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	if d.key != "" {
		req.Header.Set("Authorization", "Bearer "+d.key)
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /metrics: %s", resp.Status)
	}
	return readCounters(resp.Body)
}

// readCounters reads the text format of Prometheus as far as it is needed here.
func readCounters(r io.Reader) (counters, error) {
	out := counters{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || !strings.HasPrefix(name, "ordertracking_positions_") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, lines.Err()
}

// stored is how many positions the history should have got.
func (d *driver) stored() int { return d.fates[moves] + d.fates[history] }

// historyWritten waits for the history to be written, which comes after the answers.
func (d *driver) historyWritten(ctx context.Context) error {
	start, last := time.Now(), -1.0
	for until := start.Add(d.within); ; {
		now, err := d.counters(ctx)
		if err != nil {
			return err
		}
		got := now["ordertracking_positions_stored_total"] - d.before["ordertracking_positions_stored_total"]
		if int(got) >= d.stored() {
			d.settled = time.Since(start)
			return nil
		}
		if got > last { // as long as it goes on there is hope
			last, until = got, time.Now().Add(d.within)
		}
		if time.Now().After(until) {
			d.faults.add("%d positions are in the history, not %d", int(got), d.stored())
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *driver) checkCounters(ctx context.Context) error {
	now, err := d.counters(ctx)
	if err != nil {
		return err
	}
	want := counters{
		"ordertracking_positions_received_total": float64(d.sent),
		"ordertracking_positions_stored_total":   float64(d.stored()),
	}
	for f, n := range d.fates {
		if f.dropped() {
			want[fmt.Sprintf("%s{reason=%q}", dropPrefix, string(f))] = float64(n)
		}
	}
	for name := range now {
		grown := now[name] - d.before[name]
		_, expected := want[name]
		if (expected || strings.HasPrefix(name, dropPrefix)) && math.Abs(grown-want[name]) > 0.5 {
			d.faults.add("%s grew by %.0f, not by %.0f", name, grown, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		d.faults.add("there is no counter %s", name)
	}
	return nil
}
