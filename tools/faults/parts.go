//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
	"github.com/order-tracking/order-tracking/tools/proc"
)

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// outage stops a service for a while, between a warm-up and a cool-down.
func outage(ctx context.Context, service string, away time.Duration, during func() error) error {
	sleep(ctx, 5*time.Second)
	if err := services(ctx, "stop", service); err != nil {
		return err
	}
	begun := time.Now()
	var err error
	if during != nil {
		err = during()
	}
	sleep(ctx, away-time.Since(begun))
	if startErr := services(ctx, "start", service); startErr != nil {
		return startErr
	}
	sleep(ctx, 5*time.Second)
	return err
}

func faultRedis(ctx context.Context, c *cluster) error {
	l, err := startLoad(ctx, c, 8, 10*time.Millisecond)
	if err != nil {
		return err
	}
	fresh, stopFresh := context.WithCancel(ctx)
	stale := make(chan error, 1)
	go func() { stale <- freshness(fresh, l) }()
	err = outage(ctx, "redis", 10*time.Second, nil)
	stopFresh()
	if err := errors.Join(err, l.stop(), <-stale, l.kept(ctx)); err != nil {
		return err
	}
	orders, calls, refused, p99 := l.numbers()
	fmt.Printf("   %d orders, %d calls, %d refused, p99 %v\n", orders, calls, refused, p99)
	if refused > 0 {
		return fmt.Errorf("%d calls were refused", refused)
	}
	return nil
}

// freshness changes an order on one replica and reads it on both: the change must be
// visible on the same one at once, on the other within a second.
func freshness(ctx context.Context, l *load) error {
	o, err := l.clients[0].CreateOrder(ctx, client.Draft{Customer: client.Customer{Name: "F"}, Dropoff: &client.Place{Address: "x"}})
	if err != nil {
		return err
	}
	for n := 0; ctx.Err() == nil; n++ {
		writer := l.clients[n%2]
		note := strconv.Itoa(n)
		changed, err := writer.EditOrder(ctx, o.ID, client.Edit{Notes: &note})
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for i, reader := range []*client.Client{writer, l.clients[(n+1)%2]} {
			if i == 1 {
				sleep(ctx, 1100*time.Millisecond)
			}
			read, err := reader.Order(ctx, o.ID)
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			if read.Version < changed.Version {
				return fmt.Errorf("version %d is served after %d was acknowledged (replica %d)", read.Version, changed.Version, i)
			}
		}
	}
	return nil
}

func faultKafka(ctx context.Context, c *cluster) error {
	t, err := startTail(ctx, c.brokers)
	if err != nil {
		return err
	}
	defer t.close()
	l, err := startLoad(ctx, c, 16, 5*time.Millisecond)
	if err != nil {
		return err
	}
	var most float64
	err = outage(ctx, "kafka", c.long, func() error {
		for begun := time.Now(); time.Since(begun) < c.long && ctx.Err() == nil; {
			sleep(ctx, time.Second)
			for _, s := range c.replicas {
				n, err := metric(ctx, s, "ordertracking_outbox_pending")
				if err != nil {
					return err
				}
				most = max(most, n)
			}
		}
		return nil
	})
	if err := errors.Join(err, l.stop()); err != nil {
		return err
	}
	if err := errors.Join(t.caughtUp(ctx, l, time.Minute), l.kept(ctx)); err != nil {
		return err
	}
	orders, calls, refused, p99 := l.numbers()
	fmt.Printf("   %d orders, %d calls, %d refused, p99 %v; up to %.0f events waited, %d came twice\n",
		orders, calls, refused, p99, most, t.repeats)
	for _, s := range c.replicas {
		rss, err := s.RSS()
		if err != nil {
			return err
		}
		fmt.Printf("   memory of a replica: %d MB\n", rss>>20)
		if rss > 500<<20 {
			return errors.New("memory grew")
		}
	}
	if refused > 0 || most == 0 {
		return fmt.Errorf("%d calls were refused, %.0f events waited", refused, most)
	}
	return nil
}

// metric reads one value from a replica's /metrics.
func metric(ctx context.Context, s *proc.Server, name string) (float64, error) {
	body, _, err := get(ctx, s, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

func get(ctx context.Context, s *proc.Server, path string) (string, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.HTTP+path, nil)
	if err != nil {
		return "", 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp.StatusCode, err
}

func faultPostgres(ctx context.Context, c *cluster) error {
	t, err := startTail(ctx, c.brokers)
	if err != nil {
		return err
	}
	defer t.close()
	l, err := startLoad(ctx, c, 16, 5*time.Millisecond)
	if err != nil {
		return err
	}
	err = outage(ctx, "postgres", 10*time.Second, func() error {
		for _, s := range c.replicas {
			begun := time.Now()
			status := 0
			for status != http.StatusServiceUnavailable && time.Since(begun) < 2*time.Second {
				if _, status, err = get(ctx, s, "/readyz"); err != nil {
					return err
				}
				sleep(ctx, 50*time.Millisecond)
			}
			if status != http.StatusServiceUnavailable {
				return fmt.Errorf("/readyz answers %d 2 s after the database went away", status)
			}
			fmt.Printf("   not ready after %v\n", time.Since(begun).Round(10*time.Millisecond))
		}
		return nil
	})
	if err := errors.Join(err, l.stop()); err != nil {
		return err
	}
	for _, s := range c.replicas {
		if _, status, err := get(ctx, s, "/readyz"); err != nil || status != http.StatusOK {
			return fmt.Errorf("/readyz answers %d after the database is back: %w", status, err)
		}
	}
	if err := errors.Join(l.kept(ctx), t.caughtUp(ctx, l, time.Minute)); err != nil {
		return err
	}
	orders, calls, refused, p99 := l.numbers()
	fmt.Printf("   %d orders, %d calls, %d refused and tried again, p99 %v\n", orders, calls, refused, p99)
	if refused == 0 {
		return errors.New("nothing was refused: the database was never away")
	}
	return nil
}

func faultKills(ctx context.Context, c *cluster) error {
	t, err := startTail(ctx, c.brokers)
	if err != nil {
		return err
	}
	defer t.close()
	l, err := startLoad(ctx, c, 16, 2*time.Millisecond)
	if err != nil {
		return err
	}
	kills := 0
	for begun := time.Now(); time.Since(begun) < c.long && ctx.Err() == nil; kills++ {
		sleep(ctx, time.Second)
		victim := c.replicas[kills%2]
		if err := victim.Kill(); err != nil {
			return err
		}
		if _, err := victim.Start(ctx); err != nil {
			return err
		}
	}
	if err := l.stop(); err != nil {
		return err
	}
	if err := errors.Join(l.kept(ctx), t.caughtUp(ctx, l, time.Minute)); err != nil {
		return err
	}
	orders, calls, refused, p99 := l.numbers()
	fmt.Printf("   %d kills; %d orders, %d calls, %d cut and tried again, p99 %v; %d events came twice (%.2f %%)\n",
		kills, orders, calls, refused, p99, t.repeats, 100*float64(t.repeats)/float64(len(t.seen)))
	return nil
}

// faultStall freezes the publishing replica, like a hanging machine, and measures how
// long the other one's events wait.
func faultStall(ctx context.Context, c *cluster) error {
	t, err := startTail(ctx, c.brokers)
	if err != nil {
		return err
	}
	defer t.close()
	l, err := startLoad(ctx, c, 1, time.Hour)
	if err != nil {
		return err
	}
	defer func() { _ = l.stop() }()
	for round := range 4 {
		victim, other := c.replicas[round%2], (round+1)%2
		if err := victim.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		begun := time.Now()
		o, err := l.clients[other].CreateOrder(ctx, client.Draft{Customer: client.Customer{Name: "S"}, Dropoff: &client.Place{Address: "x"}})
		if err != nil {
			return err
		}
		for !t.has(o.ID) && time.Since(begun) < 10*time.Second {
			sleep(ctx, 10*time.Millisecond)
		}
		took := time.Since(begun)
		if err := victim.Signal(syscall.SIGCONT); err != nil {
			return err
		}
		fmt.Printf("   replica %d hangs: the event comes after %v\n", round%2, took.Round(10*time.Millisecond))
		if took > 5*time.Second {
			return fmt.Errorf("nobody led for %v", took)
		}
		sleep(ctx, 2*time.Second)
	}
	return t.wrong
}
