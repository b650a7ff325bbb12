package messaging_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

// bothBrokers runs the test on an embedded broker and, if available, on Kafka.
func bothBrokers(t *testing.T, run func(t *testing.T, addrs []string)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { run(t, []string{start(t, t.TempDir()).Addr()}) })
	t.Run("kafka", func(t *testing.T) { run(t, realBrokers(t)) })
}

// handler records the messages of one test.
type handler struct {
	mark string // in the key of the test's messages
	fn   func(ctx context.Context, m domain.Message) error

	mu   sync.Mutex
	got  []domain.Message
	more chan struct{}
}

func newHandler(fn func(ctx context.Context, m domain.Message) error) *handler {
	return &handler{mark: uuid.NewString(), fn: fn, more: make(chan struct{}, 1)}
}

func (h *handler) handle(ctx context.Context, m domain.Message) error {
	if !strings.HasPrefix(m.Key, h.mark) {
		return nil // another test's, on the real brokers
	}
	if h.fn != nil {
		if err := h.fn(ctx, m); err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.got = append(h.got, m)
	h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
	return nil
}

func (h *handler) handled() []domain.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]domain.Message(nil), h.got...)
}

// wait returns the handled messages once enough returns true.
func (h *handler) wait(t *testing.T, enough func([]domain.Message) bool) []domain.Message {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		if got := h.handled(); enough(got) {
			return got
		}
		select {
		case <-h.more:
		case <-timeout:
			require.FailNow(t, "not handled in time", "%d were", len(h.handled()))
		}
	}
}

func atLeast(n int) func([]domain.Message) bool {
	return func(got []domain.Message) bool { return len(got) >= n }
}

func (h *handler) message(key, value string) domain.Message {
	return domain.Message{Topic: domain.TopicStatusUpdates, Key: h.mark + key, Value: []byte(value)}
}

// consume runs a consumer until the test ends or the returned func is called.
func consume(t *testing.T, c messaging.ClientConfig, group string, h *handler) (stop func()) {
	t.Helper()
	k, err := messaging.NewConsumer(c, group, h.handle)
	require.NoError(t, err)
	return run(t, k)
}

func run(t *testing.T, k *messaging.Consumer) (stop func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- k.Run(context.WithoutCancel(t.Context())) }()
	stop = sync.OnceFunc(func() {
		k.Close()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// committed is the sum of the group's offsets in order_status_updates.
func committed(t *testing.T, addr, group string) int64 {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	defer c.Close()
	offsets, err := kadm.NewClient(c).FetchOffsets(t.Context(), group)
	require.NoError(t, err)
	sum := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == domain.TopicStatusUpdates {
			sum += max(o.At, 0)
		}
	})
	return sum
}
