//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// call makes a small request whose answer must be a success.
func call(ctx context.Context, method, url, body string) error {
	_, err := answerTo(ctx, method, url, body)
	return err
}

// answerTo is call with the answer.
func answerTo(ctx context.Context, method, url, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, answer)
	}
	return answer, err
}

var statusMark = []byte(`{"type":"status"`)

// fanOut is one message on its way to many sockets.
type fanOut struct {
	begun   atomic.Int64 // nanoseconds since 1970
	missing atomic.Int64
	all     chan struct{}
	took    []time.Duration // of each socket
	sample  atomic.Pointer[[]byte]
}

func newFanOut(n int) *fanOut {
	return &fanOut{all: make(chan struct{}, 1), took: make([]time.Duration, n)}
}

func (f *fanOut) heard(i int, message []byte) {
	if !bytes.HasPrefix(message, statusMark) {
		return
	}
	f.took[i] = time.Duration(time.Now().UnixNano() - f.begun.Load())
	if f.missing.Add(-1) == 0 {
		copied := bytes.Clone(message)
		f.sample.Store(&copied)
		f.all <- struct{}{}
	}
}

// publish publishes again and again for a while, the next message once all have the one
// before, and not more often than perSecond, unless that is 0. It returns how long each
// delivery took, from the beginning of its publishing, unsorted.
func (f *fanOut) publish(ctx context.Context, d time.Duration, perSecond float64, one func(i int) error) ([]time.Duration, error) {
	var out []time.Duration
	pace := newPace(perSecond, 0, 1)
	for i, begun := 0, time.Now(); pace.wait(ctx) && (i < 3 || time.Since(begun) < d); i++ {
		f.missing.Store(int64(len(f.took)))
		f.begun.Store(time.Now().UnixNano())
		if err := one(i); err != nil {
			return nil, err
		}
		select {
		case <-f.all:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(30 * time.Second):
			return nil, fmt.Errorf("%d of %d sockets did not get the message", f.missing.Load(), len(f.took))
		}
		out = append(out, f.took...)
	}
	return out, ctx.Err()
}

// delivery is a round of one side of a broadcast.
type delivery struct {
	cpu       float64 // seconds for each
	perSecond float64 // messages
	took      []time.Duration
}

func (d delivery) p99() time.Duration { return outcome{latencies: d.took}.quantile(0.99) }

// publisher is a side of a broadcast: its server's CPU and its publish function.
type publisher struct {
	*fanOut
	cpu func() (time.Duration, error)
	one func(i int) error
}

func (p publisher) measure(ctx context.Context, d time.Duration, perSecond float64) (delivery, error) {
	begun := time.Now()
	before, err := p.cpu()
	if err != nil {
		return delivery{}, err
	}
	took, err := p.publish(ctx, d, perSecond, p.one)
	if err != nil {
		return delivery{}, err
	}
	after, err := p.cpu()
	slices.Sort(took)
	return delivery{
		cpu: (after - before).Seconds() / float64(len(took)), took: took,
		perSecond: float64(len(took)/len(p.took)) / time.Since(begun).Seconds(),
	}, err
}

// alone is the CPU seconds of a change that reaches nobody.
func (p publisher) alone(ctx context.Context, d time.Duration, perSecond float64, one func(i int) error) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	n := 0
	for pace := newPace(perSecond, 0, 1); pace.wait(ctx); n++ {
		if err := one(n); err != nil && ctx.Err() == nil {
			return 0, err
		}
	}
	after, err := p.cpu()
	return (after - before).Seconds() / float64(max(1, n)), err
}

// benchBroadcast compares publishing a change of one order to all its watchers with
// writing a prepared frame of the same bytes to as many sockets, as often. Times start
// with the request, so ours include the commit. The CPU of as many unwatched changes is
// subtracted from ours.
func benchBroadcast(ctx context.Context, b *bench) error {
	if err := raiseFiles(20_000); err != nil {
		return err
	}
	for _, n := range []int{1000, 9000} {
		if err := b.broadcast(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) broadcast(ctx context.Context, n int) error {
	s, order, err := b.watched(ctx, fmt.Sprint("server-", n))
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	bare, err := startBare(ctx)
	if err != nil {
		return err
	}
	defer bare.stop()
	ours, theirs := newFanOut(n), newFanOut(n)
	path := func(int) string { return "/order/" + order + "/ws" }
	watchers, err := openCrowd(ctx, s.HTTP, n, path, "", ours.heard)
	if err != nil {
		return err
	}
	others, err := openCrowd(ctx, bare.addr, n, path, "", theirs.heard)
	if err != nil {
		return errors.Join(err, watchers.close())
	}
	change := func(id string) func(int) error {
		return func(i int) error {
			return call(ctx, http.MethodPatch, "http://"+s.HTTP+"/order/"+id, fmt.Sprintf(`{"notes":"%d %d"}`, i, time.Now().UnixNano()))
		}
	}
	write := func(int) error { return bare.publish(ctx, string(*ours.sample.Load()), 1, 0) }
	unseen, err := createOne(ctx, s.HTTP)
	var id struct{ ID string }
	if err == nil {
		err = json.Unmarshal(unseen, &id)
	}
	if err == nil {
		err = b.broadcastRounds(ctx, n, publisher{ours, s.CPU, change(order)}, publisher{theirs, bare.CPU, write}, change(id.ID))
	}
	return errors.Join(err, watchers.close(), others.close())
}

func (b *bench) broadcastRounds(ctx context.Context, n int, ours, theirs publisher, unseen func(int) error) error {
	var cpus, late []float64
	for _, p := range []publisher{ours, theirs} { // the first ones grow buffers
		if _, err := p.publish(ctx, 0, 0, p.one); err != nil {
			return err
		}
	}
	for range b.rounds {
		product, err := ours.measure(ctx, b.each, 0)
		if err != nil {
			return err
		}
		changes, err := ours.alone(ctx, b.each, product.perSecond, unseen)
		if err != nil {
			return err
		}
		bare, err := theirs.measure(ctx, b.each, product.perSecond)
		if err != nil {
			return err
		}
		for i, d := range []delivery{product, bare} {
			fmt.Printf("  %-8s %9d deliveries   %6.2f µs CPU each   p50 %-12v p99 %v\n", []string{"product", "bare"}[i],
				len(d.took), d.cpu*1e6, d.took[len(d.took)/2], d.p99())
		}
		fmt.Printf("           a change that nobody watches: %.0f µs CPU, %.2f µs of each delivery\n", changes*1e6, changes/float64(n)*1e6)
		cpus = append(cpus, (product.cpu-changes/float64(n))/bare.cpu)
		late = append(late, product.p99().Seconds()/bare.p99().Seconds())
	}
	c, l := median(cpus), median(late)
	verdict(fmt.Sprintf("CPU of a delivery to one of %d, ours over bare", n), c, "x", "<= 1.2x", c <= 1.2)
	verdict(fmt.Sprintf("p99 of a delivery to %d, ours over bare", n), l, "x", "<= 2.5x", l <= 2.5)
	return nil
}

// watched starts a server, with rare pings, and makes an order to watch.
func (b *bench) watched(ctx context.Context, name string) (*proc.Server, string, error) {
	s, err := b.server(ctx, name, "OT_LIVE__PING_EVERY=10m")
	if err != nil {
		return nil, "", err
	}
	order, err := createOne(ctx, s.HTTP)
	if err != nil {
		return nil, "", errors.Join(err, s.Stop())
	}
	var id struct{ ID string }
	err = json.Unmarshal(order, &id)
	return s, id.ID, err
}
