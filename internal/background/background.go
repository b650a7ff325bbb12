// Package background has helpers for goroutines that run until they are stopped.
package background

import (
	"context"
	"time"
)

// Loop calls a function repeatedly until the context ends: after the pause, later after the duration it returns, or when woken.
func Loop(ctx context.Context, wake <-chan struct{}, pause time.Duration, do func() time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-t.C:
		}
		t.Reset(do())
	}
}

// Sleep waits, and returns false if the context ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Within returns what a function that can't be stopped returns, or the context's error if that ends first.
func Within(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wake signals a waiting goroutine; signals are coalesced.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
