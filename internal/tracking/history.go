package tracking

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	historyEvery = 250 * time.Millisecond // between commits, while positions come in
	historyBatch = 2000                   // positions per commit, at most
	historyLimit = 200_000                // positions waiting for the database
	historyRetry = time.Second
)

// history stores positions in batches. While the database is down they wait; when too many
// wait, new ones are rejected, so that their senders keep them.
type history struct {
	*Deps
	counts *Counts

	mu      sync.Mutex
	waiting []domain.Fix
}

// room checks that n more positions fit, or returns unavailable.
func (h *history) room(n int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) > 0 && len(h.waiting)+n > historyLimit {
		return domain.Unavailable("the history of positions", nil)
	}
	return nil
}

func (h *history) add(fixes []domain.Fix) {
	if len(fixes) == 0 || !h.KeepHistory {
		return
	}
	h.mu.Lock()
	h.waiting = append(h.waiting, fixes...)
	h.mu.Unlock()
}

// known returns which of the positions older than the courier's newest are stored already,
// by recording time in microseconds. The filter remembers only the last ones.
func (h *history) known(ctx context.Context, courierID string, positions []domain.Position, f domain.PlausibilityFilter) (map[int64]bool, error) {
	newest, some := f.Newest()
	var from, to time.Time
	for _, p := range positions {
		if !some || !p.RecordedAt.Before(newest.RecordedAt) {
			continue
		}
		if from.IsZero() || p.RecordedAt.Before(from) {
			from = p.RecordedAt
		}
		to = domain.Later(to, p.RecordedAt)
	}
	if from.IsZero() || !h.KeepHistory {
		return nil, nil
	}
	known := map[int64]bool{}
	h.mu.Lock()
	for _, fix := range h.waiting {
		if fix.CourierID == courierID {
			known[fix.RecordedAt.UnixMicro()] = true
		}
	}
	h.mu.Unlock()
	for {
		page, err := h.Store.Trail(ctx, courierID, from, to, trailPage)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			known[p.RecordedAt.UnixMicro()] = true
		}
		if len(page) < trailPage {
			return known, nil
		}
		from = page[len(page)-1].RecordedAt.Add(time.Microsecond)
	}
}

// run commits incoming positions until the context ends, then the rest.
func (h *history) run(ctx context.Context) {
	outage := background.Outage{Log: h.Log, Lost: "positions are not kept; trying again until they are", Back: "positions are kept again"}
	background.Loop(ctx, nil, historyEvery, func() time.Duration {
		err := h.flush(ctx)
		if ctx.Err() == nil {
			outage.Note(err)
		}
		if err != nil {
			return historyRetry
		}
		return historyEvery
	})
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := h.flush(last); err != nil {
		h.Log.Warn("last positions not stored", zap.Error(err))
	}
}

// flush commits all waiting positions.
func (h *history) flush(ctx context.Context) error {
	for {
		h.mu.Lock()
		n := min(len(h.waiting), historyBatch)
		batch := h.waiting[:n:n]
		h.mu.Unlock()
		if n == 0 {
			return nil
		}
		if err := h.keep(ctx, batch); err != nil {
			return err
		}
		h.mu.Lock()
		if h.waiting = h.waiting[n:]; len(h.waiting) == 0 {
			h.waiting = nil // so that stored positions can be freed
		}
		h.mu.Unlock()
	}
}

// keep commits positions. A position that the database permanently rejects is found by
// bisection and dropped, so that it does not block the others.
func (h *history) keep(ctx context.Context, batch []domain.Fix) error {
	added, err := h.Store.AppendFixes(ctx, batch, nil)
	switch {
	case err == nil:
		h.counts.Stored.Add(int64(added))
		h.counts.drop(domain.DropDuplicate, int64(len(batch)-added))
		return nil
	case domain.CodeOf(err) == domain.CodeUnavailable || ctx.Err() != nil:
		return err
	case len(batch) == 1:
		h.Log.Error("a position can't be kept and is dropped", zap.String("courier_id", batch[0].CourierID), zap.Error(domain.Explained(err)))
		h.counts.drop(domain.DropMalformed, 1)
		return nil
	}
	if err := h.keep(ctx, batch[:len(batch)/2]); err != nil {
		return err
	}
	return h.keep(ctx, batch[len(batch)/2:])
}

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
