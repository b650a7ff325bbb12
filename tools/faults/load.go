//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// load runs clients that create and change orders over all replicas and record what was
// acknowledged.
type load struct {
	clients []*client.Client
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu       sync.Mutex
	versions map[string]int64  // acknowledged, by order
	keys     map[string]string // order by idempotency key
	took     []time.Duration   // of calls that succeeded
	refused  int               // calls that failed and were tried again
	wrong    error
}

// startLoad starts workers that make changes one by one with pauses in between; a
// failed call is retried on another replica until it succeeds.
func startLoad(ctx context.Context, c *cluster, workers int, pause time.Duration) (*load, error) {
	l := &load{versions: map[string]int64{}, keys: map[string]string{}}
	for _, s := range c.replicas {
		h := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
		cl, err := client.New(s.HTTP, client.WithRetryFor(0), client.WithHTTPClient(h))
		if err != nil {
			return nil, err
		}
		l.clients = append(l.clients, cl)
	}
	running, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	for w := range workers {
		l.wg.Go(func() {
			for n := w; running.Err() == nil; n++ {
				if err := l.order(ctx, n); err != nil {
					l.fail(err)
					return
				}
				sleep(running, pause)
			}
		})
	}
	return l, nil
}

// stop ends the load after pending calls have finished.
func (l *load) stop() error {
	l.cancel()
	l.wg.Wait()
	return l.wrong
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = errors.Join(l.wrong, err)
}

// order creates an order and moves it two steps.
func (l *load) order(ctx context.Context, n int) error {
	key := uuid.NewString()
	draft := client.Draft{Customer: client.Customer{Name: "Anna"}, Dropoff: &client.Place{Address: "Main St 1"}}
	create := func(cl *client.Client) (*client.Order, error) {
		return cl.CreateOrder(ctx, draft, client.IdempotencyKey(key))
	}
	o, err := l.insist(ctx, n, create)
	if err != nil {
		return err
	}
	l.acknowledge(o)
	if rand.IntN(8) == 0 { // as a client does that lost the answer
		again, err := l.insist(ctx, n+1, create)
		if err != nil {
			return err
		}
		if again.ID != o.ID {
			return fmt.Errorf("the key %s made two orders, %s and %s", key, o.ID, again.ID)
		}
	}
	for _, to := range []client.Status{"confirmed", "cancelled"} {
		o, err = l.insist(ctx, n+rand.IntN(2), func(cl *client.Client) (*client.Order, error) {
			return cl.UpdateStatus(ctx, o.ID, client.StatusChange{Status: to})
		})
		if err != nil {
			return err
		}
		l.acknowledge(o)
	}
	return nil
}

// insist retries a call over the replicas until it succeeds. A rejection that is not an
// outage is an error.
func (l *load) insist(ctx context.Context, n int, call func(*client.Client) (*client.Order, error)) (*client.Order, error) {
	for try := 0; ; try++ {
		begun := time.Now()
		o, err := call(l.clients[(n+try)%len(l.clients)])
		if err == nil {
			l.mu.Lock()
			l.took = append(l.took, time.Since(begun))
			l.mu.Unlock()
			return o, nil
		}
		var p *client.Problem
		if errors.As(err, &p) && p.Status < 500 && p.Code != "idempotency_in_progress" {
			return nil, err
		}
		if errors.As(err, &p) && p.Status == http.StatusServiceUnavailable && p.RetryAfter <= 0 {
			return nil, errors.New("a 503 without Retry-After")
		}
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(20+rand.IntN(80)) * time.Millisecond):
		}
	}
}

func (l *load) acknowledge(o *client.Order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versions[o.ID] = max(l.versions[o.ID], o.Version)
}

// numbers summarises the load so far.
func (l *load) numbers() (orders, calls, refused int, p99 time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.took) == 0 {
		return 0, 0, l.refused, 0
	}
	sorted := slices.Sorted(slices.Values(l.took))
	return len(l.versions), len(l.took), l.refused, sorted[len(sorted)*99/100]
}

// kept reads every acknowledged order back.
func (l *load) kept(ctx context.Context) error {
	for id, version := range l.versions {
		o, err := l.clients[0].Order(ctx, id)
		if err != nil {
			return fmt.Errorf("order %s, acknowledged at version %d: %w", id, version, err)
		}
		if o.Version < version {
			return fmt.Errorf("order %s is at version %d; %d was acknowledged", id, o.Version, version)
		}
	}
	return nil
}
