package domaintest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// inbox collects the messages received by one replica.
type inbox struct {
	domain.Wakeups
	mu       sync.Mutex
	messages map[string][]string // by topic
}

func (h *inbox) of(topic string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.messages[topic]...)
}

// until publishes from a replica repeatedly, until the topic's messages are received here:
// a watch may start late.
func (h *inbox) until(t *testing.T, from domain.Wakeups, topic string) {
	t.Helper()
	require.Eventually(t, func() bool {
		from.Publish(topic, []byte("are you there?"))
		return len(h.of(topic)) > 0
	}, 20*time.Second, 10*time.Millisecond, topic)
}

// has waits until the message was received on the topic.
func (h *inbox) has(t *testing.T, topic, message string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, m := range h.of(topic) {
			if m == message {
				return true
			}
		}
		return false
	}, 20*time.Second, 5*time.Millisecond, topic)
}

// Wakeups is the conformance suite of domain.Wakeups. open returns two replicas.
func Wakeups(t *testing.T, open func(*testing.T) (a, b domain.Wakeups)) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, a, b *inbox)
	}{
		{"a watched topic is heard, by its publisher too", wakeupsReach},
		{"what is not watched is not heard", wakeupsUnwatched},
		{"whether a topic is watched is known everywhere", wakeupsWatched},
		{"any bytes arrive in their order", wakeupsBytes},
		{"thousands of topics", wakeupsMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := open(t)
			a, b := listenTo(t, one), listenTo(t, two)
			c.run(t, a, b)
		})
	}
}

// listenTo receives until the test ends, and checks that Receive returns then.
func listenTo(t *testing.T, w domain.Wakeups) *inbox {
	h := &inbox{Wakeups: w, messages: map[string][]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- w.Receive(ctx, func(topic string, message []byte) {
			h.mu.Lock()
			h.messages[topic] = append(h.messages[topic], string(message))
			h.mu.Unlock()
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return h
}

func wakeupsReach(t *testing.T, a, b *inbox) {
	a.Watch("order:1")
	b.Watch("order:1")
	a.until(t, a, "order:1")
	b.until(t, a, "order:1")
	b.Publish("order:1", []byte("from b"))
	a.has(t, "order:1", "from b")
	b.has(t, "order:1", "from b")
}

func wakeupsUnwatched(t *testing.T, a, b *inbox) {
	a.Publish("order:1", []byte("to nobody"))
	b.Watch("order:1")
	b.Watch("order:2")
	b.until(t, a, "order:1")
	b.until(t, a, "order:2")
	require.Empty(t, a.of("order:1"))
	b.Unwatch("order:1")
	b.Unwatch("order:7") // never watched
	require.Eventually(t, func() bool {
		before := len(b.of("order:1"))
		mark := fmt.Sprint("mark ", time.Now().UnixNano())
		a.Publish("order:1", []byte(mark))
		a.Publish("order:2", []byte(mark))
		b.has(t, "order:2", mark)
		return len(b.of("order:1")) == before
	}, 20*time.Second, 20*time.Millisecond)
	b.Watch("order:1")
	n := len(b.of("order:1"))
	require.Eventually(t, func() bool {
		a.Publish("order:1", []byte("again"))
		return len(b.of("order:1")) > n
	}, 20*time.Second, 10*time.Millisecond)
}

func wakeupsWatched(t *testing.T, a, b *inbox) {
	require.False(t, a.Watched(t.Context(), "order:1"))
	b.Watch("order:1")
	for _, w := range []*inbox{a, b} {
		require.Eventually(t, func() bool { return w.Watched(t.Context(), "order:1") }, 20*time.Second, 10*time.Millisecond)
		require.False(t, w.Watched(t.Context(), "order:2"))
	}
	b.Unwatch("order:1")
	require.Eventually(t, func() bool { return !a.Watched(t.Context(), "order:1") }, 20*time.Second, 10*time.Millisecond)
}

func wakeupsBytes(t *testing.T, a, b *inbox) {
	b.Watch("fleet")
	b.until(t, a, "fleet")
	a.Publish("fleet", []byte("start"))
	large := make([]byte, 200_000)
	for i := range large {
		large[i] = byte(i * 7)
	}
	want := []string{"\x00\xff\r\n\"", "", string(large)}
	for i := range 200 {
		want = append(want, fmt.Sprint(i))
	}
	for _, m := range want {
		a.Publish("fleet", []byte(m))
	}
	b.has(t, "fleet", "199")
	got := b.of("fleet")
	require.Equal(t, want, got[len(got)-len(want):])
}

func wakeupsMany(t *testing.T, a, b *inbox) {
	const n = 3000
	for i := range n {
		b.Watch(fmt.Sprint("order:", i))
	}
	for i := range n {
		if i%3 == 0 {
			b.Unwatch(fmt.Sprint("order:", i))
		}
	}
	b.until(t, a, fmt.Sprint("order:", n-1))
	b.until(t, a, "order:1")
	for i := range n {
		a.Publish(fmt.Sprint("order:", i), []byte("last"))
	}
	for i := range n {
		if i%3 != 0 {
			b.has(t, fmt.Sprint("order:", i), "last")
		}
	}
}
