package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// box is an in-memory outbox. It signals only on request.
type box struct {
	entries   []domain.OutboxEntry
	committed chan struct{}
	failNext  error       // of the next Published
	led       atomic.Bool // by another process
	terms     int         // that were not resigned
}

func (b *box) Pending(_ context.Context, limit int) ([]domain.OutboxEntry, error) {
	return b.entries[:min(limit, len(b.entries))], nil
}

func (b *box) Published(_ context.Context, positions []int64) error {
	if err := b.failNext; err != nil {
		b.failNext = nil
		return err
	}
	gone := map[int64]bool{}
	for _, p := range positions {
		gone[p] = true
	}
	var rest []domain.OutboxEntry
	for _, e := range b.entries {
		if !gone[e.Position] {
			rest = append(rest, e)
		}
	}
	b.entries = rest
	return nil
}
func (b *box) Lead(context.Context) (domain.Outbox, func(), error) {
	if b.led.Load() {
		return nil, nil, nil
	}
	b.terms++
	return b, func() { b.terms-- }, nil
}
func (b *box) Republish(context.Context) (int64, error) { return 0, nil }
func (b *box) Backlog(context.Context) (int64, error)   { return int64(len(b.entries)), nil }
func (b *box) Committed() <-chan struct{}               { return b.committed }

// bus accepts messages; each outage makes one call fail after accepting some of them.
type bus struct {
	got     []domain.Message
	outages []int // of the next calls: how many messages got through before the failure
}

func (b *bus) Publish(_ context.Context, msgs []domain.Message) error {
	if len(b.outages) > 0 {
		n := min(b.outages[0], len(msgs))
		b.outages = b.outages[1:]
		b.got = append(b.got, msgs[:n]...)
		return errors.New("the broker went away")
	}
	b.got = append(b.got, msgs...)
	return nil
}

// narrow is a bus that rejects messages above a size, and batches with such a message.
type narrow struct {
	bus
	limit int
}

func (n *narrow) Publish(ctx context.Context, msgs []domain.Message) error {
	for _, m := range msgs {
		if len(m.Value) > n.limit {
			return domain.Errorf(domain.CodeTooLarge, "never")
		}
	}
	return n.bus.Publish(ctx, msgs)
}

// A permanently rejected message is published in its place in short form, and one that is
// rejected even then blocks nothing.
func TestAnEventThatBrokersNeverTake(t *testing.T) {
	b := &box{}
	for i := range int64(5) {
		b.entries = append(b.entries, entry(i+1, "o", i+1))
	}
	b.entries[1].Order = []byte(`{"notes":"` + strings.Repeat("x", 2000) + `"}`)
	b.entries[3].Event.Reason = strings.Repeat("y", 2000)
	core, logs := observer.New(zap.InfoLevel)
	out := &narrow{limit: 1000}
	r := New(b, out, zap.New(core))
	require.NoError(t, r.Drain(t.Context()))
	require.Empty(t, b.entries)
	var got []string
	for _, m := range out.got {
		var v struct {
			ID        string
			Order     json.RawMessage
			Truncated bool
		}
		require.NoError(t, json.Unmarshal(m.Value, &v))
		require.Equal(t, v.Truncated, v.Order == nil)
		got = append(got, fmt.Sprint(v.ID, " ", v.Truncated))
	}
	require.Equal(t, []string{"e1 false", "e2 true", "e3 false", "e5 false"}, got)
	require.Equal(t, 2, logs.FilterMessageSnippet("published without its order").Len())
	require.Equal(t, 1, logs.FilterMessageSnippet("in no topic").Len())
	require.Equal(t, []int64{2, 1}, []int64{r.Truncated.Load(), r.Unpublished.Load()})
}

func entry(pos int64, order string, version int64) domain.OutboxEntry {
	return domain.OutboxEntry{
		Position: pos,
		Event:    domain.Event{ID: fmt.Sprint("e", pos), OrderID: order, Version: version, Type: domain.EventStatusChanged},
		Order:    []byte(fmt.Sprintf(`{"id":%q}`, order)),
	}
}

// Whatever fails and whenever, every event is published, an order's events first appear in
// version order, and repeats have the same id.
func TestNothingLostNothingOutOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 3*batch/2).Draw(t, "events")
		b := &box{}
		versions := map[string]int64{}
		for i := range n {
			order := fmt.Sprint("o", i%7)
			versions[order]++
			b.entries = append(b.entries, entry(int64(i+1), order, versions[order]))
		}
		out := &bus{outages: rapid.SliceOfN(rapid.IntRange(0, batch), 0, 4).Draw(t, "outages")}
		if rapid.Bool().Draw(t, "crash before forgetting") {
			b.failNext = errors.New("killed")
		}
		r := New(b, out, zap.NewNop())
		for tries := 0; len(b.entries) > 0; tries++ {
			if err := r.Drain(t.Context()); err == nil && len(b.entries) > 0 {
				t.Fatal("drained, but events are pending")
			}
			if tries > 10 {
				t.Fatal("does not end")
			}
		}
		seen, last := map[string]bool{}, map[string]int64{}
		for _, m := range out.got {
			id := header(m, "ce_id")
			if seen[id] {
				continue
			}
			seen[id] = true
			var ev domain.Event
			if err := json.Unmarshal(m.Value, &ev); err != nil {
				t.Fatal(err)
			}
			if ev.Version != last[m.Key]+1 {
				t.Fatalf("order %s: version %d after %d", m.Key, ev.Version, last[m.Key])
			}
			last[m.Key] = ev.Version
		}
		if len(seen) != n {
			t.Fatalf("%d of %d events appeared", len(seen), n)
		}
	})
}

func header(m domain.Message, key string) string {
	for _, h := range m.Headers {
		if h.Key == key {
			return h.Value
		}
	}
	return ""
}

func TestMessageIsABinaryCloudEvent(t *testing.T) {
	e := entry(1, "0190-order", 1)
	e.Event.Type = domain.EventCreated
	e.Event.OccurredAt = time.Date(2026, 5, 4, 3, 2, 1, 5000, time.UTC)
	m := message(e)
	headers := map[string]string{}
	for _, h := range m.Headers {
		headers[h.Key] = h.Value
	}
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": "e1", "ce_source": "/order-tracking", "ce_type": "ordertracking.order.created",
		"ce_time": "2026-05-04T03:02:01.000005Z", "ce_subject": "0190-order", "content-type": "application/json",
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
	if m.Topic != domain.TopicOrderCreated || m.Key != "0190-order" {
		t.Errorf("topic %q key %q", m.Topic, m.Key)
	}
	var value struct {
		ID    string         `json:"id"`
		Order map[string]any `json:"order"`
	}
	if err := json.Unmarshal(m.Value, &value); err != nil || value.ID != "e1" || value.Order["id"] != "0190-order" {
		t.Errorf("value %s: %v", m.Value, err)
	}
}

// An outage of any length logs one line when it starts and one when it ends.
func TestRunWaitsOutAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &box{entries: []domain.OutboxEntry{entry(1, "o", 1)}, committed: make(chan struct{}, 1)}
		out := &bus{outages: []int{0, 0, 0, 0, 0}}
		core, logs := observer.New(zap.InfoLevel)
		r := New(b, out, zap.New(core))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		time.Sleep(time.Minute) // of the bubble's clock
		synctest.Wait()
		if len(b.entries) != 0 || r.Published.Load() != 1 {
			t.Fatalf("%d pending, %d published", len(b.entries), r.Published.Load())
		}
		if logs.Len() != 2 {
			t.Errorf("log: %v", logs.All())
		}
		cancel()
		<-done
	})
}

// While another process leads, nothing is published, even after a wake-up; it takes over
// soon after the other one ends. Stopping gives up leadership.
func TestOneProcessLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &box{entries: []domain.OutboxEntry{entry(1, "o", 1)}, committed: make(chan struct{}, 1)}
		b.led.Store(true)
		out := &bus{}
		r := New(b, out, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		b.committed <- struct{}{}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(out.got) != 0 || len(b.committed) != 1 {
			t.Fatalf("%d published, %d wake-ups left", len(out.got), len(b.committed))
		}
		if err := r.Drain(t.Context()); err != nil || len(out.got) != 0 {
			t.Fatalf("drained %d: %v", len(out.got), err)
		}
		b.led.Store(false)
		time.Sleep(900 * time.Millisecond) // not exactly at a poll
		synctest.Wait()
		if n := r.Published.Load(); n != 1 {
			t.Fatalf("%d published", n)
		}
		cancel()
		<-done
		if len(out.got) != 1 || b.terms != 0 {
			t.Errorf("%d published, %d terms not resigned", len(out.got), b.terms)
		}
	})
}

// A bus failure gives up leadership to a process that can reach it.
func TestAFailureGivesUpTheLead(t *testing.T) {
	b := &box{entries: []domain.OutboxEntry{entry(1, "o", 1)}}
	r := New(b, &bus{outages: []int{0}}, zap.NewNop())
	if _, err := r.drain(t.Context()); err == nil || b.terms != 0 {
		t.Fatalf("%v, %d terms", err, b.terms)
	}
	if leads, err := r.drain(t.Context()); err != nil || !leads || b.terms != 1 {
		t.Fatalf("%v, %d terms", err, b.terms)
	}
}

// A cache gets each order's newest version before its events are published, and its failure
// blocks nothing.
func TestRelayTellsTheCache(t *testing.T) {
	b := &box{entries: []domain.OutboxEntry{entry(1, "a", 1), entry(2, "b", 2), entry(3, "b", 3), entry(4, "c", 1)}}
	out := &bus{}
	r := New(b, out, zap.NewNop())
	var told []map[string]int64
	r.Forget = func(_ context.Context, versions map[string]int64) error {
		if len(out.got) > 0 {
			t.Error("published before")
		}
		told = append(told, versions)
		return errors.New("the cache is away")
	}
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]map[string]int64{{"b": 3}}, told); diff != "" {
		t.Error(diff)
	}
	if len(out.got) != 4 {
		t.Errorf("published %d", len(out.got))
	}
}
