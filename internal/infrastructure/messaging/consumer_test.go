package messaging_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

func TestConsumerHandlesOnceAndInOrder(t *testing.T) {
	t.Parallel()
	bothBrokers(t, func(t *testing.T, addrs []string) {
		const keys, each = 40, 50
		h, group := newHandler(nil), uuid.NewString()
		var msgs []domain.Message
		for i := range each {
			for k := range keys {
				msgs = append(msgs, h.message(fmt.Sprint(".", k), fmt.Sprint(i)))
			}
		}
		// Published before the group exists: a new group starts at the earliest message.
		require.NoError(t, producer(t, addrs...).Publish(t.Context(), msgs))
		stop := consume(t, clientConfig(t, addrs...), group, h)
		next := map[string]int{}
		for _, m := range h.wait(t, atLeast(len(msgs))) {
			require.Equal(t, fmt.Sprint(next[m.Key]), string(m.Value), "key %s", m.Key)
			next[m.Key]++
		}
		stop()
		// Everything was committed: the group's next member gets only later messages.
		again := newHandler(nil)
		again.mark = h.mark
		consume(t, clientConfig(t, addrs...), group, again)
		require.NoError(t, producer(t, addrs...).Publish(t.Context(), []domain.Message{h.message("", "last")}))
		got := again.wait(t, atLeast(1))
		require.Len(t, got, 1)
		require.Equal(t, "last", string(got[0].Value))
	})
}

func TestConsumerHandlesKeysAtOnce(t *testing.T) {
	// One partition's messages arrive together; those of several possibly one by one.
	addr := startWith(t, t.TempDir(), 1).Addr()
	const n = 64
	var running, most atomic.Int64
	all := make(chan struct{})
	h := newHandler(func(ctx context.Context, _ domain.Message) error {
		now := running.Add(1)
		defer running.Add(-1)
		if most.Store(max(most.Load(), now)); now == n {
			close(all)
		}
		select {
		case <-all: // only if all run concurrently
			return nil
		case <-ctx.Done(): // the test has failed
			return ctx.Err()
		}
	})
	var msgs []domain.Message
	for i := range n {
		msgs = append(msgs, h.message(fmt.Sprint(i), ""))
	}
	require.NoError(t, producer(t, addr).Publish(t.Context(), msgs))
	consume(t, clientConfig(t, addr), "g", h)
	h.wait(t, atLeast(n))
}

func TestConsumerWaitsForWhatIsUnavailable(t *testing.T) {
	t.Parallel()
	bothBrokers(t, func(t *testing.T, addrs []string) {
		core, logs := observer.New(zapcore.InfoLevel)
		var tries atomic.Int64
		h := newHandler(func(context.Context, domain.Message) error {
			if tries.Add(1) <= 5 {
				return domain.Unavailable("the database", errors.New("down"))
			}
			return nil
		})
		c := clientConfig(t, addrs...)
		c.Log = zap.New(core)
		require.NoError(t, producer(t, addrs...).Publish(t.Context(),
			[]domain.Message{h.message("a", "1"), h.message("a", "2"), h.message("b", "1")}))
		consume(t, c, uuid.NewString(), h)
		require.Len(t, h.wait(t, atLeast(3)), 3, "each once")
		require.Equal(t, 1, logs.FilterMessageSnippet("trying again").Len(), "one line for the outage: %v", logs.All())
		require.Eventually(t, func() bool { return logs.FilterMessageSnippet("works again").Len() == 1 },
			5*time.Second, 10*time.Millisecond)
	})
}

// deadLetters reads a test's dead letters until there are n.
func deadLetters(t *testing.T, addrs []string, mark string, n int) []*kgo.Record {
	t.Helper()
	var dead []*kgo.Record
	readRecords(t, addrs, domain.TopicStatusUpdatesFails, func(r *kgo.Record) bool {
		if strings.HasPrefix(string(r.Key), mark) || strings.HasPrefix(string(r.Value), mark) {
			dead = append(dead, r)
		}
		return len(dead) >= n
	})
	return dead
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestConsumerBuriesWhatCantBeApplied(t *testing.T) {
	t.Parallel()
	bothBrokers(t, func(t *testing.T, addrs []string) {
		h := newHandler(func(_ context.Context, m domain.Message) error {
			switch {
			case strings.HasSuffix(m.Key, "bad"):
				return domain.Errorf(domain.CodeOrderNotFound, "no order %s", "42")
			case strings.HasSuffix(m.Key, "panic"):
				panic("a bug")
			case strings.HasSuffix(m.Key, "plain"):
				return errors.New(strings.Repeat("long ж ", 5000))
			}
			return nil
		})
		huge := strings.Repeat("x", 1_900_000)
		records := []*kgo.Record{
			{Key: []byte(h.mark + "bad"), Value: []byte("not json"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0xff, 0}}, {Key: "content-type", Value: []byte("text/html")}}},
			{Key: []byte(h.mark + "bad"), Value: nil},
			{Key: []byte(h.mark + "bad"), Value: []byte{}},
			{Key: []byte(h.mark + "panic"), Value: []byte("{}")},
			{Key: []byte(h.mark + "plain"), Value: []byte(huge)},
			{Key: []byte(h.mark + "good"), Value: []byte("fine")},
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ProducerBatchMaxBytes(2<<20), kgo.DefaultProduceTopic(domain.TopicStatusUpdates))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.ProduceSync(t.Context(), records...).FirstErr())
		group := uuid.NewString()
		stop := consume(t, clientConfig(t, addrs...), group, h)
		h.wait(t, atLeast(1))
		dead := deadLetters(t, addrs, h.mark, 5)
		byKind := map[string][]*kgo.Record{}
		for _, r := range dead {
			kind := strings.TrimPrefix(string(r.Key), h.mark)
			byKind[kind] = append(byKind[kind], r)
		}
		require.Len(t, byKind["bad"], 3)
		first := byKind["bad"][0]
		require.Equal(t, "not json", string(first.Value))
		require.Equal(t, []kgo.RecordHeader{
			{Key: "h", Value: []byte{0xff, 0}}, {Key: "content-type", Value: []byte("text/html")},
			{Key: "error_code", Value: []byte("order_not_found")}, {Key: "error", Value: []byte("no order 42")},
		}, first.Headers)
		require.Nil(t, byKind["bad"][1].Value)
		require.NotNil(t, byKind["bad"][2].Value)
		require.Empty(t, byKind["bad"][2].Value)
		require.Equal(t, "internal", header(byKind["panic"][0], "error_code"))
		require.NotContains(t, header(byKind["panic"][0], "error"), "a bug")
		require.Equal(t, "internal", header(byKind["plain"][0], "error_code"))
		require.Less(t, len(header(byKind["plain"][0], "error")), 5000)
		require.Equal(t, huge, string(byKind["plain"][0].Value))
		stop()

		// They were committed, so they are not read again.
		again := newHandler(nil)
		again.mark = h.mark
		consume(t, clientConfig(t, addrs...), group, again)
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Key: []byte(h.mark), Value: []byte("last")}).FirstErr())
		require.Len(t, again.wait(t, atLeast(1)), 1)
	})
}

func TestConsumerTakesMessagesWithoutAKeyInOrder(t *testing.T) {
	addr := start(t, t.TempDir()).Addr()
	h := newHandler(nil)
	h.mark = ""
	var records []*kgo.Record
	for i := range 200 {
		records = append(records, &kgo.Record{Topic: domain.TopicStatusUpdates, Partition: 1, Value: []byte(fmt.Sprint(i))})
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.ProduceSync(t.Context(), records...).FirstErr())
	consume(t, clientConfig(t, addr), "g", h)
	for i, m := range h.wait(t, atLeast(200)) {
		require.Equal(t, fmt.Sprint(i), string(m.Value))
	}
}

// TestConsumerCommitsUpToTheFirstThatIsNotDone: one message hangs while later ones with
// other keys are handled; no offset after it may be committed.
func TestConsumerCommitsUpToTheFirstThatIsNotDone(t *testing.T) {
	addr := start(t, t.TempDir()).Addr()
	h := newHandler(func(_ context.Context, m domain.Message) error {
		if string(m.Value) == "1" {
			return domain.Unavailable("the database", nil)
		}
		return nil
	})
	var records []*kgo.Record
	for i := range 10 {
		records = append(records, &kgo.Record{Topic: domain.TopicStatusUpdates, Partition: 2,
			Key: fmt.Append(nil, h.mark, i), Value: fmt.Append(nil, i)})
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.ProduceSync(t.Context(), records...).FirstErr())
	stop := consume(t, clientConfig(t, addr), "g", h)
	h.wait(t, atLeast(9))
	stop()
	require.EqualValues(t, 1, committed(t, addr, "g"), "0 is done, 1 is not")
}

// A message that keeps failing delays no other key or partition, nor later messages; if its
// dependencies work it becomes a dead letter.
func TestOneMessageThatFailsForEver(t *testing.T) {
	addr := start(t, t.TempDir()).Addr()
	h := newHandler(func(_ context.Context, m domain.Message) error {
		if string(m.Value) == "stuck" {
			return domain.Unavailable("the database", errors.New("a lock that nobody lets go"))
		}
		return nil
	})
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer c.Close()
	send := func(partition int32, key, value string) {
		t.Helper()
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{
			Topic: domain.TopicStatusUpdates, Partition: partition, Key: []byte(h.mark + key), Value: []byte(value),
		}).FirstErr())
	}
	var healthy atomic.Bool
	core, logs := observer.New(zapcore.InfoLevel)
	cfg := clientConfig(t, addr)
	cfg.Log = zap.New(core)
	k, err := messaging.NewConsumer(cfg, "g", h.handle)
	require.NoError(t, err)
	buried := make(chan domain.Code, 1)
	k.GiveUpAfter, k.OnDeadLetter = time.Millisecond, func(c domain.Code) { buried <- c }
	k.Healthy = func(context.Context) error {
		if healthy.Load() {
			return nil
		}
		return errors.New("down")
	}
	run(t, k)
	send(0, "a", "stuck")
	send(0, "a", "behind it")
	for i := range 20 { // one poll each
		send(int32(i%2), fmt.Sprint("other", i), "x")
		h.wait(t, atLeast(i+1))
	}
	require.EqualValues(t, 12, k.Lag()[0], "nothing after it is committed")
	require.Zero(t, k.Lag()[1])

	healthy.Store(true)
	require.Equal(t, domain.CodeUnavailable, <-buried)
	got := h.wait(t, atLeast(21))
	require.Equal(t, "behind it", string(got[20].Value))
	require.Eventually(t, func() bool { return k.Lag()[0] == 0 }, 10*time.Second, 10*time.Millisecond)
	letter := logs.FilterMessageSnippet("is in order_status_updates.dlq").All()
	require.Len(t, letter, 1)
	require.Contains(t, letter[0].ContextMap()["error"], "a lock that nobody lets go")
}

// A full window pauses its partition, which later resumes at the same offset.
func TestConsumerPausesWhenTooMuchWaits(t *testing.T) {
	t.Parallel()
	addr := startWith(t, t.TempDir(), 1).Addr()
	gate := make(chan struct{})
	h := newHandler(func(ctx context.Context, _ domain.Message) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	const n = 9000
	msgs := make([]domain.Message, n)
	for i := range msgs {
		msgs[i] = h.message(fmt.Sprint(i%100), fmt.Sprint(i))
	}
	require.NoError(t, producer(t, addr).Publish(t.Context(), msgs))
	stop := consume(t, clientConfig(t, addr), "g", h)
	close(gate)
	next := map[string]int{}
	for _, m := range h.wait(t, atLeast(n)) {
		i, err := strconv.Atoi(string(m.Value))
		require.NoError(t, err)
		require.Equal(t, next[m.Key], i/100, "key %s", m.Key)
		next[m.Key]++
	}
	stop()
	require.EqualValues(t, n, committed(t, addr, "g"))
}

func TestConsumerCloseFinishesTheRunningMessage(t *testing.T) {
	addr := start(t, t.TempDir()).Addr()
	running, finish := make(chan struct{}), make(chan struct{})
	var cut atomic.Bool
	h := newHandler(func(ctx context.Context, _ domain.Message) error {
		close(running)
		<-finish
		cut.Store(ctx.Err() != nil)
		return nil
	})
	require.NoError(t, producer(t, addr).Publish(t.Context(), []domain.Message{h.message("a", "1"), h.message("a", "2")}))
	stop := consume(t, clientConfig(t, addr), "g", h)
	<-running
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
		require.Fail(t, "Close did not wait for the message")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	<-stopped
	require.False(t, cut.Load(), "its context was alive")
	require.Len(t, h.handled(), 1, "the second was not begun")
	require.EqualValues(t, 1, committed(t, addr, "g"))
}

// TestMembersShareAndTakeOver: members join and leave; every message is handled, each key's
// first deliveries in order, and nothing stalls when a member leaves.
func TestMembersShareAndTakeOver(t *testing.T) {
	t.Parallel()
	bothBrokers(t, func(t *testing.T, addrs []string) {
		const keys, rounds = 30, 60
		h, group := newHandler(nil), uuid.NewString()
		p := producer(t, addrs...)
		stops := []func(){consume(t, clientConfig(t, addrs...), group, h)}
		for i := range rounds {
			var msgs []domain.Message
			for k := range keys {
				msgs = append(msgs, h.message(fmt.Sprint(".", k), fmt.Sprint(i)))
			}
			require.NoError(t, p.Publish(t.Context(), msgs))
			switch i {
			case 10, 20:
				stops = append(stops, consume(t, clientConfig(t, addrs...), group, h))
			case 30, 40:
				stops[i/10-3]()
			}
		}
		distinct := func(got []domain.Message) bool {
			seen := map[string]bool{}
			for _, m := range got {
				seen[m.Key+"="+string(m.Value)] = true
			}
			return len(seen) == keys*rounds
		}
		next := map[string]int{}
		for _, m := range h.wait(t, distinct) {
			var i int
			_, err := fmt.Sscan(string(m.Value), &i)
			require.NoError(t, err)
			require.LessOrEqual(t, i, next[m.Key], "key %s", m.Key)
			if i == next[m.Key] {
				next[m.Key]++
			}
		}
	})
}
