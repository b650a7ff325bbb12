package usecase

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	feedEvery   = 200 * time.Millisecond
	feedLimit   = 20_000 // positions that may wait for the bus
	feedTimeout = 5 * time.Second
)

// feed publishes positions to courier_location in batches. Positions are telemetry:
// while the bus is away the oldest of those that wait are lost, and counted.
type feed struct {
	core    *core
	counts  *Counts
	mu      sync.Mutex
	waiting []domain.Message
}

func newFeed(c *core, counts *Counts) *feed { return &feed{core: c, counts: counts} }

// located is the value of courier_location.
type located struct {
	domain.Fix
	OrderIDs []string `json:"order_ids,omitempty"`
}

func (f *feed) add(fix domain.Fix, orderIDs []string) {
	if f.core.Bus == nil {
		return
	}
	value, err := json.Marshal(located{fix, orderIDs})
	if err != nil {
		return // validated numbers always encode
	}
	m := locationMessage(fix, value)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= feedLimit {
		lost := len(f.waiting) / 2
		f.counts.lost.Add(int64(lost))
		f.waiting = append([]domain.Message(nil), f.waiting[lost:]...)
	}
	f.waiting = append(f.waiting, m)
}

// locationMessage is a position as a CloudEvent in binary mode.
func locationMessage(fix domain.Fix, value []byte) domain.Message {
	return domain.Message{
		Topic: domain.TopicCourierLocation, Key: fix.CourierID, Value: value, Time: fix.ReceivedAt,
		Headers: domain.CloudEventHeaders(domain.NewID(), "courier.location", fix.RecordedAt, fix.CourierID),
	}
}

// run publishes until the context ends.
func (f *feed) run(ctx context.Context) {
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.flush(ctx)
		}
	}
}

func (f *feed) flush(ctx context.Context) {
	f.mu.Lock()
	batch := f.waiting
	f.waiting = nil
	f.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	if err := f.core.Bus.Publish(ctx, batch); err != nil {
		f.counts.lost.Add(int64(len(batch)))
	}
}
