//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/tools/proc"
)

const (
	webhookReceivers = 4
	webhookOrders    = 5000 // whose events are sent as fast as possible
	webhookPace      = 50   // orders a second on each side while times are taken
)

// inbox is an HTTP server that takes everything and counts it.
type inbox struct {
	addr string

	mu   sync.Mutex
	got  int
	ids  map[string]bool // of messages
	late []time.Duration // from the events to the requests
}

// newInbox serves until the context ends.
func newInbox(ctx context.Context) (*inbox, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	in := &inbox{addr: l.Addr().String(), ids: map[string]bool{}}
	s := &http.Server{Handler: in, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(l) }() // until it is closed
	return in, nil
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	now := time.Now()
	if err != nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got++
	if _, rest, ok := bytes.Cut(body, []byte(`"recorded_at":"`)); ok {
		text, _, _ := bytes.Cut(rest, []byte(`"`))
		if at, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
			in.late = append(in.late, now.Sub(at))
		}
	} else {
		in.ids[string(body)] = true
	}
	_, _ = io.WriteString(w, "ok")
}

func (in *inbox) reset() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got, in.late = 0, nil
}

func (in *inbox) count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.got
}

// reach waits until as many requests have come, as long as any come within four minutes.
func (in *inbox) reach(ctx context.Context, wanted int) error {
	for last, since := -1, time.Now(); ; pause(ctx, 5*time.Millisecond) {
		got := in.count()
		switch {
		case got >= wanted:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case got > last:
			last, since = got, time.Now()
		case time.Since(since) > 4*time.Minute:
			return fmt.Errorf("%d of %d requests came", got, wanted)
		}
	}
}

// onEngines runs a benchmark on each engine.
func (b *bench) onEngines(ctx context.Context, run func(ctx context.Context, engine string) error) error {
	for _, engine := range strings.Split(b.engines, ",") {
		running, stop := context.WithCancel(ctx)
		err := run(running, engine)
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return nil
}

// on starts a server on an empty database of an engine; nothing gets to Kafka.
func (b *bench) on(ctx context.Context, engine, name string, env ...string) (*proc.Server, error) {
	mute, err := noKafka()
	if err != nil {
		return nil, err
	}
	env = append(env, mute, "OT_WEBHOOKS__ALLOW=127.0.0.0/8")
	switch engine {
	case "sqlite":
		return b.server(ctx, name+"-"+engine, env...)
	case "postgres":
		if err := b.services.up(ctx); err != nil {
			return nil, err
		}
		schema, err := b.services.schema(ctx, "bench_"+name)
		if err != nil {
			return nil, err
		}
		return b.replica(ctx, name+"-"+engine, schema, env...)
	}
	return nil, fmt.Errorf("there is no engine %q", engine)
}

// cpu is the time of a server and of its database.
func (b *bench) cpu(ctx context.Context, s *proc.Server, engine string) (time.Duration, error) {
	own, err := s.CPU()
	if err != nil || engine == "sqlite" {
		return own, err
	}
	pid, err := b.services.pid(ctx, "postgres")
	if err != nil {
		return 0, err
	}
	of, err := treeCPU(pid)
	return own + of, err
}

// hooks are webhooks of a server whose receiver is an inbox, and one whose receiver is dead.
type hooks struct {
	s    *proc.Server
	in   *inbox
	ids  []string
	dead string
}

// newHooks starts a server with webhooks.
func (b *bench) newHooks(ctx context.Context, engine, name string) (*hooks, error) {
	s, err := b.on(ctx, engine, name)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = s.Stop() })
	h := &hooks{s: s}
	if h.in, err = newInbox(ctx); err != nil {
		return nil, err
	}
	for range webhookReceivers {
		id, err := h.hook(ctx, h.in.addr)
		if err != nil {
			return nil, err
		}
		h.ids = append(h.ids, id)
	}
	return h, nil
}

// benchWebhooks measures how many deliveries a core makes, when the first try comes, and
// whether a dead receiver delays the others.
func benchWebhooks(ctx context.Context, b *bench) error {
	return b.onEngines(ctx, func(ctx context.Context, engine string) error {
		var both [2]*hooks
		for i := range both {
			h, err := b.newHooks(ctx, engine, fmt.Sprint("webhooks", i))
			if err != nil {
				return err
			}
			both[i] = h
		}
		if err := b.fullSpeed(ctx, both[0], engine); err != nil {
			return err
		}
		return b.besideDead(ctx, both, engine)
	})
}

func (h *hooks) hook(ctx context.Context, addr string) (string, error) {
	answer, err := answerTo(ctx, http.MethodPost, "http://"+h.s.HTTP+"/webhooks", fmt.Sprintf(`{"url":"http://%s/","types":["order.created"]}`, addr))
	if err != nil {
		return "", err
	}
	var w struct{ ID string }
	return w.ID, json.Unmarshal(answer, &w)
}

func (h *hooks) enable(ctx context.Context, id string, enabled bool) error {
	return call(ctx, http.MethodPatch, "http://"+h.s.HTTP+"/webhooks/"+id, fmt.Sprintf(`{"enabled":%t}`, enabled))
}

// fullSpeed makes orders, and then has the webhooks told of them all again and again.
func (b *bench) fullSpeed(ctx context.Context, h *hooks, engine string) error {
	const conns = 50
	begun := time.Now().UTC()
	out, err := load{
		addr: h.s.HTTP, conns: conns, each: webhookOrders / conns, request: always(postOrder(h.s.HTTP, orderBody)), status: http.StatusCreated,
	}.run(ctx, time.Minute)
	if err != nil {
		return err
	}
	n := len(out.latencies) * len(h.ids)
	if err := h.in.reach(ctx, n); err != nil {
		return err
	}
	var perCore []float64
	for range b.rounds {
		pause(ctx, time.Second) // until the last results are stored
		h.in.reset()
		before, err := b.cpu(ctx, h.s, engine)
		if err != nil {
			return err
		}
		since := time.Now()
		for _, id := range h.ids {
			err = errors.Join(err, call(ctx, http.MethodPost, "http://"+h.s.HTTP+"/webhooks/"+id+"/replay", `{"from":"`+begun.Format(time.RFC3339)+`"}`))
		}
		if err := errors.Join(err, h.in.reach(ctx, n)); err != nil {
			return err
		}
		took := time.Since(since)
		after, err := b.cpu(ctx, h.s, engine)
		if err != nil {
			return err
		}
		perCore = append(perCore, float64(n)/(after-before).Seconds())
		fmt.Printf("  %-9s %6d deliveries %8.0f/s   %8.0f for a second of CPU\n", engine, n, float64(n)/took.Seconds(), perCore[len(perCore)-1])
	}
	r := median(perCore)
	verdict("deliveries of webhooks for a core's second, "+engine, r, "", ">= 2000", r >= 2000)
	return nil
}

// besideDead measures from events to first tries on two servers at the same time, so that what
// else the machine does delays both; they take turns at having a receiver that takes
// connections and never answers.
func (b *bench) besideDead(ctx context.Context, both [2]*hooks, engine string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0") // what it accepts is the kernel's matter
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	for _, h := range both {
		if h.dead, err = h.hook(ctx, l.Addr().String()); err != nil {
			return err
		}
	}
	var late [2][]time.Duration // without and with a dead one
	for round := range 2 * b.rounds {
		var errs [2]error
		var wg sync.WaitGroup
		for i, h := range both {
			wg.Go(func() { errs[i] = h.paced(ctx, b.each, (i+round)%2 == 1) })
		}
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		for i, h := range both {
			late[(i+round)%2] = append(late[(i+round)%2], h.in.late...)
		}
	}
	var at [2]func(q float64) time.Duration
	for i, side := range []string{"alone", "beside a dead one"} {
		slices.Sort(late[i])
		at[i] = outcome{latencies: late[i]}.quantile
		fmt.Printf("  %-9s %-18s %7d first tries after p50 %-12v p90 %-12v p99 %v\n", engine, side, len(late[i]), at[i](0.5), at[i](0.9), at[i](0.99))
	}
	ms, r := float64(at[0](0.99).Microseconds())/1000, float64(at[1](0.99))/float64(at[0](0.99))
	verdict("event to first try, p99, "+engine, ms, " ms", "<= 500 ms", ms <= 500)
	verdict("p99 beside a dead receiver over alone, "+engine, r, "x", "<= 1.1x", r <= 1.1)
	return nil
}

// paced makes orders at a steady pace and waits until the inbox was told of them all.
func (h *hooks) paced(ctx context.Context, d time.Duration, dead bool) error {
	if err := h.enable(ctx, h.dead, dead); err != nil {
		return err
	}
	pause(ctx, time.Second)
	h.in.reset()
	out, err := load{
		addr: h.s.HTTP, conns: 16, request: always(postOrder(h.s.HTTP, orderBody)), status: http.StatusCreated, perSecond: webhookPace,
	}.run(ctx, d)
	if err != nil {
		return err
	}
	return h.in.reach(ctx, len(out.latencies)*len(h.ids))
}
