package carrier

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// EventID names a fact the same way by whichever spelling and channel it comes; at
// most 110 characters.
func EventID(shipment, code string, at time.Time, where string) string {
	return strings.Join([]string{Clip(shipment, 36), Clip(code, 40), at.UTC().Format("20060102T150405Z"), Clip(where, 15)}, ":")
}

// Timeline brings events into the order of their times; those of one second stay in the
// order in which they are told, but for ends (of the rank given and above), which come
// last. What is told twice is kept once, standing rather than retracted.
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

// OldestFirst brings a list that a company tells in either direction into that of time.
// When all its times are one, progress tells the direction.
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

// Current returns the newest status that stands, but for those that say less than any
// other whatever their time.
func Current(timeline []domain.CarrierEvent, weakest string) (code, text string) {
	for _, ev := range timeline {
		if ev.Kind == domain.CarrierScan && !ev.Retracted && (ev.Code != weakest || code == "") {
			code, text = ev.Code, ev.Text
		}
	}
	return code, text
}

// Explain gives an event the reason that was reported last before it.
func Explain(ev *domain.CarrierEvent, obstacles []domain.CarrierEvent) {
	var last time.Time
	for _, why := range obstacles {
		if !why.OccurredAt.Before(last) && !why.OccurredAt.After(ev.OccurredAt) {
			last, ev.ReasonCode, ev.Reason, ev.Detail = why.OccurredAt, why.Code, why.Text, why.Detail
		}
	}
}

// Memo remembers what was found out, at most maxMemo of it: then it starts anew.
type Memo[V any] struct {
	mu   sync.Mutex
	seen map[string]V
}

const maxMemo = 4096

// Get returns what is remembered.
func (m *Memo[V]) Get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.seen[key]
	return v, ok
}

// Put remembers and says whether there was nothing before.
func (m *Memo[V]) Put(key string, v V) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.seen[key]
	if m.seen == nil || len(m.seen) >= maxMemo {
		m.seen = map[string]V{}
	}
	m.seen[key] = v
	return !known
}
