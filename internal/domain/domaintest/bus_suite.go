package domaintest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// ReadBus reads the messages of a topic from its start, those of each key in order, until
// enough returns true; the test fails when that takes too long.
type ReadBus func(t *testing.T, topic string, enough func(domain.Message) bool)

// Bus is the conformance suite of domain.Bus, for an implementation whose topics exist.
// They may hold other messages.
func Bus(t *testing.T, bus domain.Bus, read ReadBus) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, domain.Bus, ReadBus)
	}{
		{"a message arrives as it was given", busKeepsMessage},
		{"messages of a key keep their order", busKeepsOrder},
		{"callers at once do not mix up each other's order", busConcurrent},
		{"nothing to publish is no error", busEmpty},
		{"a value may be absent, empty or large", busValues},
		{"a message may go without a key", busNoKey},
		{"a caller that gave up publishes again, oldest first", busGivenUp},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, bus, read) })
	}
}

func busContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// mark identifies the messages of one subtest, since topics are shared.
func mark() string { return uuid.NewString() }

// readMarked returns the n marked messages, each at its first appearance, without its
// repeats, which have the same key and value.
func readMarked(t *testing.T, read ReadBus, topic string, n int, m string) []domain.Message {
	t.Helper()
	var got []domain.Message
	seen := map[string]bool{}
	read(t, topic, func(msg domain.Message) bool {
		id := msg.Key + "\x00" + fmt.Sprint(msg.Value == nil) + string(msg.Value)
		if !seen[id] && slices.Contains(msg.Headers, domain.Header{Key: "mark", Value: m}) {
			seen[id] = true
			got = append(got, msg)
		}
		return len(got) >= n
	})
	return got
}

func markedMessage(topic, key, m string, value []byte) domain.Message {
	return domain.Message{Topic: topic, Key: key, Value: value, Headers: []domain.Header{{Key: "mark", Value: m}}}
}

func busKeepsMessage(t *testing.T, bus domain.Bus, read ReadBus) {
	m := mark()
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond) // as fine as Kafka's
	want := domain.Message{
		Topic: domain.TopicOrderCreated, Key: "ключ", Value: []byte(`{"text":"чай ☕"}`), Time: at,
		Headers: []domain.Header{
			{Key: "mark", Value: m},
			{Key: "ce_id", Value: "1"},
			{Key: "empty", Value: ""},
			{Key: "ce_id", Value: "again, and ☕"}, // a header may repeat
		},
	}
	require.NoError(t, bus.Publish(busContext(t), []domain.Message{want}))
	got := readMarked(t, read, domain.TopicOrderCreated, 1, m)
	require.Len(t, got, 1)
	got[0].Time = got[0].Time.UTC()
	require.Equal(t, want, got[0])
}

func busKeepsOrder(t *testing.T, bus domain.Bus, read ReadBus) {
	const keys, each = 50, 60
	m := mark()
	var msgs []domain.Message
	for i := range each {
		for k := range keys {
			// Large enough for several rounds of any batching.
			value := fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 700))
			msgs = append(msgs, markedMessage(domain.TopicOrderUpdated, fmt.Sprint(m, k), m, value))
		}
	}
	require.NoError(t, bus.Publish(busContext(t), msgs))
	requireOrdered(t, readMarked(t, read, domain.TopicOrderUpdated, len(msgs), m), keys, each)
}

// requireOrdered checks that the values of every key count from 0 to each-1.
func requireOrdered(t *testing.T, msgs []domain.Message, keys, each int) {
	t.Helper()
	next := map[string]int{}
	for _, msg := range msgs {
		var i int
		_, err := fmt.Sscan(string(msg.Value), &i)
		require.NoError(t, err)
		require.Equal(t, next[msg.Key], i, "key %s", msg.Key)
		next[msg.Key]++
	}
	require.Len(t, next, keys)
	for k, n := range next {
		require.Equal(t, each, n, "key %s", k)
	}
}

func busConcurrent(t *testing.T, bus domain.Bus, read ReadBus) {
	const callers, each = 16, 25
	m := mark()
	var wg sync.WaitGroup
	errs := make([]error, callers)
	ctx := busContext(t)
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				msg := markedMessage(domain.TopicOrderUpdated, fmt.Sprint(m, c), m, fmt.Append(nil, i))
				if errs[c] = bus.Publish(ctx, []domain.Message{msg}); errs[c] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	requireOrdered(t, readMarked(t, read, domain.TopicOrderUpdated, callers*each, m), callers, each)
}

func busEmpty(t *testing.T, bus domain.Bus, _ ReadBus) {
	require.NoError(t, bus.Publish(busContext(t), nil))
}

func busValues(t *testing.T, bus domain.Bus, read ReadBus) {
	m := mark()
	// As large as the largest order the domain accepts, and hard to compress.
	large := make([]byte, 0, 1_500_000)
	for x := uint32(1); len(large) < cap(large); x = x*1664525 + 1013904223 {
		large = append(large, byte(x>>24)) //nolint:gosec // a pseudo-random byte
	}
	msgs := []domain.Message{
		markedMessage(domain.TopicOrderUpdated, m, m, nil),
		markedMessage(domain.TopicOrderUpdated, m, m, []byte{}),
		markedMessage(domain.TopicOrderUpdated, m, m, large),
	}
	require.NoError(t, bus.Publish(busContext(t), msgs))
	got := readMarked(t, read, domain.TopicOrderUpdated, 3, m)
	require.Len(t, got, 3)
	require.Nil(t, got[0].Value)
	require.NotNil(t, got[1].Value)
	require.Empty(t, got[1].Value)
	require.True(t, bytes.Equal(large, got[2].Value))
}

func busNoKey(t *testing.T, bus domain.Bus, read ReadBus) {
	m := mark()
	require.NoError(t, bus.Publish(busContext(t), []domain.Message{markedMessage(domain.TopicCourierLocation, "", m, []byte("1"))}))
	got := readMarked(t, read, domain.TopicCourierLocation, 1, m)
	require.Len(t, got, 1)
	require.Empty(t, got[0].Key)
}

func busGivenUp(t *testing.T, bus domain.Bus, read ReadBus) {
	const keys, each = 20, 30
	m := mark()
	var msgs []domain.Message
	for i := range each {
		for k := range keys {
			msgs = append(msgs, markedMessage(domain.TopicOrderUpdated, fmt.Sprint(m, k), m, fmt.Append(nil, i)))
		}
	}
	gone, cancel := context.WithCancel(busContext(t))
	cancel()
	require.Error(t, bus.Publish(gone, msgs))
	// And once more while it is being sent.
	for d := 50 * time.Microsecond; d < 20*time.Millisecond; d *= 2 {
		short, cancel := context.WithTimeout(busContext(t), d)
		_ = bus.Publish(short, msgs) //nolint:errcheck // it may or may not make it
		cancel()
	}
	require.NoError(t, bus.Publish(busContext(t), msgs))
	requireOrdered(t, readMarked(t, read, domain.TopicOrderUpdated, len(msgs), m), keys, each)
}
