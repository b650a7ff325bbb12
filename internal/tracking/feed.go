package tracking

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	feedEvery   = 500 * time.Millisecond
	feedLimit   = 100_000 // couriers with a position waiting for the bus
	feedTimeout = 5 * time.Second
)

// feed publishes positions to courier_location in batches, with only the newest of each
// courier. Positions are telemetry: what the bus does not accept in time is lost, and counted.
type feed struct {
	*Deps
	counts  *Counts
	mu      sync.Mutex
	waiting []located
	place   map[string]int // in waiting, by courier
}

// located is the value of courier_location.
type located struct {
	domain.Fix
	OrderIDs []string `json:"order_ids,omitempty"`
}

// add queues the newest position of a courier, with its orders.
func (f *feed) add(fix domain.Fix, orderIDs []string) {
	if f.Bus == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, waits := f.place[fix.CourierID]; waits {
		f.waiting[i] = located{fix, orderIDs}
		return
	}
	if len(f.waiting) >= feedLimit {
		f.counts.Unpublished.Add(1)
		return
	}
	f.place[fix.CourierID] = len(f.waiting)
	f.waiting = append(f.waiting, located{fix, orderIDs})
}

// run publishes until the context ends.
func (f *feed) run(ctx context.Context) {
	background.Loop(ctx, nil, feedEvery, func() time.Duration {
		f.flush(ctx)
		return feedEvery
	})
}

func (f *feed) flush(ctx context.Context) {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = make([]located, 0, len(waiting))
	clear(f.place)
	f.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	batch := make([]domain.Message, 0, len(waiting))
	for _, l := range waiting {
		if value, err := json.Marshal(l); err == nil { // validated numbers always encode
			batch = append(batch, domain.Message{
				Topic: domain.TopicCourierLocation, Key: l.CourierID, Value: value, Time: l.ReceivedAt,
				Headers: domain.CloudEventHeaders(domain.NewID(), "courier.location", l.RecordedAt, l.CourierID),
			})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	if err := f.Bus.Publish(ctx, batch); err != nil {
		f.counts.Unpublished.Add(int64(len(batch)))
	}
}
