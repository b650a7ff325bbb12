// Package outbox relays committed events to the bus.
//
// Invariants: the oldest pending event goes first, none is ever skipped, and an
// event is forgotten only after the bus acknowledged it. So first appearances are
// in the order of the commits, and a crash between acknowledgement and forgetting
// repeats events (with the same ce_id) and loses none.
//
// Concurrency: one Relay runs per outbox; Run is its only goroutine. Lifecycle: Run
// until its context ends, then Drain once more when stopping in order. It depends on
// domain.Outbox and domain.Bus alone.
package outbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	batch    = 1000
	poll     = 500 * time.Millisecond // in case a wake-up was lost
	maxPause = 5 * time.Second
)

// Relay drains an outbox to a bus.
type Relay struct {
	box       domain.Outbox
	bus       domain.Bus
	log       *zap.Logger
	published atomic.Int64
	draining  chan struct{} // held by who drains
}

// New makes a relay.
func New(box domain.Outbox, bus domain.Bus, log *zap.Logger) *Relay {
	return &Relay{box: box, bus: bus, log: log, draining: make(chan struct{}, 1)}
}

// Published counts the events that the bus acknowledged, repeats included.
func (r *Relay) Published() int64 { return r.published.Load() }

// Run relays until the context ends. An outage of the bus or the database is logged
// once and waited out.
func (r *Relay) Run(ctx context.Context) {
	pause, outage := time.Duration(0), false
	for {
		err := r.Drain(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !outage:
			r.log.Warn("events are not relayed; trying again until they are", zap.Error(err))
			outage = true
		case err == nil && outage:
			r.log.Info("events are relayed again")
			outage = false
		}
		if err == nil {
			pause = 0
			select {
			case <-ctx.Done():
				return
			case <-r.box.Committed():
			case <-time.After(poll):
			}
			continue
		}
		pause = min(max(2*pause, 100*time.Millisecond), maxPause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter, not a secret
		}
	}
}

// Drain publishes until nothing is pending.
func (r *Relay) Drain(ctx context.Context) error {
	select {
	case r.draining <- struct{}{}:
		defer func() { <-r.draining }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		entries, err := r.box.Pending(ctx, batch)
		if err != nil || len(entries) == 0 {
			return err
		}
		msgs := make([]domain.Message, len(entries))
		positions := make([]int64, len(entries))
		for i, e := range entries {
			if msgs[i], err = message(e); err != nil {
				return fmt.Errorf("encode event %s: %w", e.Event.ID, err)
			}
			positions[i] = e.Position
		}
		if err := r.bus.Publish(ctx, msgs); err != nil {
			return err
		}
		r.published.Add(int64(len(msgs)))
		// What was acknowledged is forgotten even while stopping, to spare readers repeats.
		if err := r.box.Published(context.WithoutCancel(ctx), positions); err != nil {
			return err
		}
	}
}
