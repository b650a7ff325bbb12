package carrier

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// EventID returns the same id for an event regardless of its spelling and channel, in at
// most 110 characters.
func EventID(shipment, code string, at time.Time, where string) string {
	return strings.Join([]string{Clip(shipment, 36), Clip(code, 40), at.UTC().Format("20060102T150405Z"), Clip(where, 15)}, ":")
}

// Timeline sorts events by time. Events of the same second keep their order, except final
// ones (rank of ends and above), which come last. Duplicates are merged; a standing event
// wins over a retracted one.
func Timeline(events []domain.CarrierEvent, rank Meanings, ends int) []domain.CarrierEvent {
	var out []domain.CarrierEvent
	for _, ev := range events {
		at := slices.IndexFunc(out, func(known domain.CarrierEvent) bool { return known.ID == ev.ID })
		switch {
		case at < 0:
			out = append(out, ev)
		case out[at].Retracted:
			out[at] = ev
		}
	}
	slices.SortStableFunc(out, func(a, b domain.CarrierEvent) int {
		end := func(ev domain.CarrierEvent) int { return max(rank.Rank(ev.Code), ends-1) }
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(end(a), end(b)))
	})
	return out
}

// OldestFirst puts a list reported in either direction oldest first. If all times are
// equal, progress determines the direction.
func OldestFirst(events []domain.CarrierEvent, rank Meanings) []domain.CarrierEvent {
	if len(events) == 0 {
		return events
	}
	first, last := events[0], events[len(events)-1]
	if cmp.Or(first.OccurredAt.Compare(last.OccurredAt), cmp.Compare(rank.Rank(first.Code), rank.Rank(last.Code))) > 0 {
		slices.Reverse(events)
	}
	return events
}

// Current returns the newest status that is not retracted; weakest counts only if there is
// no other, whatever the times.
func Current(timeline []domain.CarrierEvent, weakest string) (code, text string) {
	for _, ev := range timeline {
		if ev.Kind == domain.CarrierScan && !ev.Retracted && (ev.Code != weakest || code == "") {
			code, text = ev.Code, ev.Text
		}
	}
	return code, text
}

// Explain gives an event the reason last reported before it.
func Explain(ev *domain.CarrierEvent, obstacles []domain.CarrierEvent) {
	var last time.Time
	for _, why := range obstacles {
		if !why.OccurredAt.Before(last) && !why.OccurredAt.After(ev.OccurredAt) {
			last, ev.ReasonCode, ev.Reason, ev.Detail = why.OccurredAt, why.Code, why.Text, why.Detail
		}
	}
}

// Memo is a cache that is cleared when it is full.
type Memo[V any] struct {
	Max int // entries; maxMemo when zero

	mu   sync.Mutex
	seen map[string]V
}

const maxMemo = 4096

// Get returns the cached value.
func (m *Memo[V]) Get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.seen[key]
	return v, ok
}

// Put stores a value and reports whether the key is new.
func (m *Memo[V]) Put(key string, v V) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.seen[key]
	if m.seen == nil || len(m.seen) >= cmp.Or(m.Max, maxMemo) {
		m.seen = map[string]V{}
	}
	m.seen[key] = v
	return !known
}
