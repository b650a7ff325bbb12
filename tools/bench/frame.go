//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var (
	positionMark = []byte(`{"type":"position"`)
	recordedMark = []byte(`"recorded_at":"`)
)

// benchFrame measures the time from sending a phone's position over gRPC to the frame on
// a WebSocket that watches the order.
func benchFrame(ctx context.Context, b *bench) error {
	const (
		couriers  = 200
		perSecond = 2000
	)
	s, err := b.server(ctx, "server")
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	fleet, err := phones(ctx, s.HTTP, couriers)
	if err != nil {
		return err
	}
	orders, err := inCustody(ctx, s.HTTP, fleet)
	if err != nil {
		return err
	}
	conn, err := dialGRPC(s.GRPC)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var mu sync.Mutex
	var took []time.Duration
	path := func(i int) string { return "/order/" + orders[i] + "/ws" }
	c, err := openCrowd(ctx, s.HTTP, couriers, path, "", func(_ int, message []byte) {
		if d, ok := age(message); ok {
			mu.Lock()
			took = append(took, d)
			mu.Unlock()
		}
	})
	if err != nil {
		return err
	}
	var p99 []float64
	for round := range b.rounds + 1 {
		turn, cancel := context.WithTimeout(ctx, b.each)
		sent, err := report{phones: fleet, streams: 8, batch: 1, perSecond: perSecond, clock: func(*phone) time.Time { return time.Now() }}.run(turn, conn)
		cancel()
		if err != nil {
			return errors.Join(err, c.close())
		}
		pause(ctx, 300*time.Millisecond)
		mu.Lock()
		seen := outcome{latencies: slices.Sorted(slices.Values(took))}
		took = nil
		mu.Unlock()
		if len(seen.latencies) == 0 {
			return errors.Join(errors.New("nobody saw a position"), c.close())
		}
		fmt.Printf("  %5.0f positions/s, %d of %d seen   p50 %-12v p99 %-12v worst %v\n", float64(sent)/b.each.Seconds(),
			len(seen.latencies), sent, seen.quantile(0.5), seen.quantile(0.99), seen.quantile(1))
		if round > 0 { // the first one warms up
			p99 = append(p99, float64(seen.quantile(0.99).Microseconds())/1000)
		}
	}
	ms := median(p99)
	verdict("position in to frame out, p99 at 2,000/s", ms, " ms", "< 50 ms", ms < 50)
	return c.close()
}

// age returns the age of a frame's position.
func age(message []byte) (time.Duration, bool) {
	if !bytes.HasPrefix(message, positionMark) {
		return 0, false
	}
	_, rest, ok := bytes.Cut(message, recordedMark)
	text, _, closed := bytes.Cut(rest, []byte{'"'})
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return time.Since(at), ok && closed && err == nil
}
