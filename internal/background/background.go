// Package background has what goroutines that work until they are stopped have in common.
package background

import (
	"context"
	"time"
)

// Loop does something again and again until the context ends: after the pause, later after
// what it returns, or when woken.
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

// Sleep waits, and returns false when the context ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Wake signals a waiting goroutine; one signal that waits is enough.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
