package messaging_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

// foreign runs a plain kfake broker, without the frame filter.
func foreign(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// TestPartitionIsJavas compares with the hashes in Apache Kafka's own tests.
func TestPartitionIsJavas(t *testing.T) {
	bothBrokers(t, func(t *testing.T, addrs []string) {
		for key, hash := range map[string]int32{
			"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
			"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
			"abc": 479470107,
		} {
			require.NoError(t, producer(t, addrs...).Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderCreated, Key: key}}))
			readRecords(t, addrs, domain.TopicOrderCreated, func(r *kgo.Record) bool {
				if string(r.Key) != key {
					return false
				}
				require.Equal(t, hash&0x7fffffff%4, r.Partition, key)
				return true
			})
		}
	})
}

func TestOldTimesAreNoTimeout(t *testing.T) {
	addr := start(t, t.TempDir()).Addr()
	old := time.Now().Add(-400 * 24 * time.Hour) // a long outbox backlog
	require.NoError(t, producer(t, addr).Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderUpdated, Key: "k", Time: old}}))
}

func TestPublishIsBounded(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never answers
	require.NoError(t, err)
	defer l.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for name, addr := range map[string]string{"nobody answers": l.Addr().String(), "nobody listens": closed.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientConfig(t, addr)
			c.DeliveryTimeout = 400 * time.Millisecond
			p, err := messaging.NewProducer(c)
			require.NoError(t, err)
			defer p.Close()
			msgs := []domain.Message{{Topic: domain.TopicOrderUpdated, Key: "k"}}
			begin := time.Now()
			err = p.Publish(t.Context(), msgs)
			require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
			require.Less(t, time.Since(begin), 5*time.Second)

			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			require.Equal(t, domain.CodeUnavailable, domain.CodeOf(p.Ping(ctx)))
			begin = time.Now()
			require.Error(t, p.Publish(ctx, msgs))
			require.Less(t, time.Since(begin), 5*time.Second)
		})
	}
}

func TestBrokerComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Dir: dir, Partitions: 4})
	require.NoError(t, err)
	addr := first.Addr()
	h := newHandler(nil)
	consume(t, clientConfig(t, addr), "g", h)
	c := clientConfig(t, addr)
	c.DeliveryTimeout = 300 * time.Millisecond
	p, err := messaging.NewProducer(c)
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.Ping(t.Context()))
	require.NoError(t, p.Publish(t.Context(), []domain.Message{h.message("a", "1")}))
	h.wait(t, atLeast(1))
	require.NoError(t, first.Close())
	require.Error(t, p.Publish(t.Context(), []domain.Message{h.message("a", "2")}))

	again, err := broker.Start(t.Context(), broker.Config{Listen: addr, PortFixed: true, Dir: dir, Partitions: 4})
	require.NoError(t, err)
	defer again.Close()
	back := time.Now()
	for p.Publish(t.Context(), []domain.Message{h.message("a", "2"), h.message("a", "3")}) != nil {
		require.Less(t, time.Since(back), 10*time.Second)
	}
	got := h.wait(t, func(got []domain.Message) bool { return len(got) > 0 && string(got[len(got)-1].Value) == "3" })
	values := []string{}
	for _, m := range got {
		values = append(values, string(m.Value))
	}
	require.Equal(t, []string{"1", "2", "3"}, slices.Compact(values))
	t.Log("back after", time.Since(back))
}

// TestLateBytesOnlyRepeat: bytes sent by a failed Publish reach the broker after the same or
// another process has published the messages again, and more.
func TestLateBytesOnlyRepeat(t *testing.T) {
	t.Parallel()
	for name, another := range map[string]bool{"same": false, "another": true} {
		t.Run(name, func(t *testing.T) { lateBytes(t, another) })
	}
}

func lateBytes(t *testing.T, another bool) {
	t.Helper()
	proxy, cluster := behindProxy(t)
	addr := proxy.Addr().String()
	c := clientConfig(t, addr)
	c.DeliveryTimeout = 300 * time.Millisecond
	publisher := func() *messaging.Producer {
		p, err := messaging.NewProducer(c)
		require.NoError(t, err)
		t.Cleanup(p.Close)
		return p
	}
	message := func(i int) domain.Message {
		return domain.Message{Topic: domain.TopicOrderUpdated, Key: "k", Value: fmt.Append(nil, i)}
	}
	p := publisher()
	require.NoError(t, p.Publish(t.Context(), []domain.Message{message(0)}))
	release := proxy.hold()
	defer release()
	require.Error(t, p.Publish(t.Context(), []domain.Message{message(1), message(2), message(3)}))
	if another {
		p = publisher()
	}
	require.Eventually(t, func() bool { // on new connections, which pass
		return p.Publish(t.Context(), []domain.Message{message(1), message(2)}) == nil
	}, 10*time.Second, time.Millisecond)
	arrived := produced(cluster)
	release()
	<-arrived // the late bytes
	require.NoError(t, p.Publish(t.Context(), []domain.Message{message(3), message(4)}))

	next, repeats := 0, 0
	readRecords(t, []string{addr}, domain.TopicOrderUpdated, func(r *kgo.Record) bool {
		var i int
		_, err := fmt.Sscan(string(r.Value), &i)
		require.NoError(t, err)
		require.LessOrEqual(t, i, next, "%d came before %d", i, next)
		if i == next {
			next++
		} else {
			repeats++
		}
		return next == 5
	})
	// The broker fences late bytes of the same producer, and accepts those of another.
	require.Equal(t, another, repeats > 0, "%d repeats", repeats)
}

// produced is closed once the cluster receives another produce request.
func produced(c *kfake.Cluster) <-chan struct{} {
	got := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(got)
		c.DropControl()
		return nil, nil, false
	})
	return got
}

func TestEnsureTopics(t *testing.T) {
	cluster := foreign(t)
	addr := cluster.ListenAddrs()[0]
	require.NoError(t, cluster.CreateTopic(domain.TopicOrderCreated, 7, nil))
	core, logs := observer.New(zapcore.InfoLevel)
	c := messaging.ClientConfig{Brokers: []string{addr}, Partitions: 3, Replication: 1, Log: zap.New(core)}
	for range 2 {
		require.NoError(t, messaging.EnsureTopics(t.Context(), c))
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	defer client.Close()
	details, err := kadm.NewClient(client).ListTopics(t.Context())
	require.NoError(t, err)
	sizes := map[string]int{}
	for _, d := range details {
		sizes[d.Topic] = len(d.Partitions)
	}
	require.Equal(t, map[string]int{
		domain.TopicOrderCreated: 7, domain.TopicOrderUpdated: 3, domain.TopicCourierLocation: 3,
		domain.TopicStatusUpdates: 3, domain.TopicStatusUpdatesFails: 3,
	}, sizes)
	require.Equal(t, 2, logs.FilterField(zap.Int("partitions", 7)).Len())

	dead := messaging.ClientConfig{Brokers: []string{"127.0.0.1:1"}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(messaging.EnsureTopics(ctx, dead)))
	require.Error(t, messaging.EnsureTopics(t.Context(), messaging.ClientConfig{}))
}

func TestDeletedTopicIsMadeAgain(t *testing.T) {
	t.Parallel()
	cluster := foreign(t)
	addr := cluster.ListenAddrs()[0]
	require.NoError(t, messaging.EnsureTopics(t.Context(), clientConfig(t, addr)))
	p := producer(t, addr)
	h := newHandler(nil)
	consume(t, clientConfig(t, addr), "g", h)
	require.NoError(t, p.Publish(t.Context(), []domain.Message{h.message("a", "1")}))
	h.wait(t, atLeast(1))
	require.NoError(t, cluster.DeleteTopic(domain.TopicStatusUpdates))
	require.NoError(t, p.Publish(t.Context(), []domain.Message{h.message("a", "2")}))
	h.wait(t, atLeast(2))
}

func TestTooLargeForTheBrokers(t *testing.T) {
	cluster := foreign(t)
	addr := cluster.ListenAddrs()[0]
	require.NoError(t, messaging.EnsureTopics(t.Context(), clientConfig(t, addr)))
	p := producer(t, addr)
	value := make([]byte, 3<<20)
	_, err := rand.Read(value)
	require.NoError(t, err)
	err = p.Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderUpdated, Key: "k", Value: value}})
	require.Equal(t, domain.CodeTooLarge, domain.CodeOf(err))
	require.NoError(t, p.Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderUpdated, Key: "k"}}))
}

// TestARoundIsOneBatchPerPartition: with two batches of a partition in flight the second
// could arrive without the first.
func TestARoundIsOneBatchPerPartition(t *testing.T) {
	cluster := foreign(t)
	addr := cluster.ListenAddrs()[0]
	c := clientConfig(t, addr)
	c.Partitions = 1
	require.NoError(t, messaging.EnsureTopics(t.Context(), c))
	p := producer(t, addr)
	message := func(i int) domain.Message {
		return domain.Message{Topic: domain.TopicOrderUpdated, Key: fmt.Sprint(i % 7), Value: fmt.Append(make([]byte, 500), i)}
	}
	require.NoError(t, p.Publish(t.Context(), []domain.Message{message(0)})) // the topic is known from here on
	var mu sync.Mutex
	var batches []int32
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			for _, partition := range topic.Partitions {
				var b kmsg.RecordBatch
				if err := b.ReadFrom(partition.Records); err == nil {
					batches = append(batches, b.NumRecords)
				}
			}
		}
		return nil, nil, false
	})
	var msgs []domain.Message
	for i := range 1500 {
		msgs = append(msgs, message(i))
	}
	require.NoError(t, p.Publish(t.Context(), msgs))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []int32{1500}, batches)
}
