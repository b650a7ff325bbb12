package messaging_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

// start runs an embedded broker on a free port until the test ends.
func start(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	return startWith(t, dir, 4)
}

func startWith(t *testing.T, dir string, partitions int) *broker.Broker {
	t.Helper()
	e, err := broker.Start(t.Context(), broker.Config{
		Listen: "127.0.0.1:0", Dir: dir, Partitions: partitions, Log: zap.NewNop(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func clientConfig(t *testing.T, addrs ...string) messaging.ClientConfig {
	t.Helper()
	return messaging.ClientConfig{Brokers: addrs, Partitions: 4, Replication: 1, Log: zap.NewNop()}
}

// realBrokers returns the brokers of TEST_KAFKA_BROKERS, with the topics created.
func realBrokers(t *testing.T) []string {
	t.Helper()
	v := os.Getenv("TEST_KAFKA_BROKERS")
	if v == "" {
		t.Skip("set TEST_KAFKA_BROKERS to host:port of an Apache Kafka to run this; scripts/services.sh starts one")
	}
	brokers := strings.Split(v, ",")
	require.NoError(t, messaging.EnsureTopics(t.Context(), clientConfig(t, brokers...)))
	return brokers
}

func producer(t *testing.T, addrs ...string) *messaging.Producer {
	t.Helper()
	p, err := messaging.NewProducer(clientConfig(t, addrs...))
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// reader reads topics from the start with its own client.
func reader(addrs ...string) domaintest.ReadBus {
	return func(t *testing.T, topic string, enough func(domain.Message) bool) {
		t.Helper()
		readRecords(t, addrs, topic, func(r *kgo.Record) bool { return enough(asMessage(r)) })
	}
}

// readRecords reads a topic's records from its start until enough returns true.
func readRecords(t *testing.T, addrs []string, topic string, enough func(*kgo.Record) bool) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for seen, full := 0, false; !full; {
		fetched := c.PollFetches(ctx)
		require.NoError(t, fetched.Err(), "after %d messages", seen)
		fetched.EachRecord(func(r *kgo.Record) {
			seen++
			full = full || enough(r)
		})
	}
}

func asMessage(r *kgo.Record) domain.Message {
	m := domain.Message{Topic: r.Topic, Key: string(r.Key), Value: r.Value, Time: r.Timestamp}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, domain.Header{Key: h.Key, Value: string(h.Value)})
	}
	return m
}

func TestBusOnEmbeddedBroker(t *testing.T) {
	addr := start(t, t.TempDir()).Addr()
	domaintest.Bus(t, producer(t, addr), reader(addr))
}

func TestBusOnKafka(t *testing.T) {
	brokers := realBrokers(t)
	domaintest.Bus(t, producer(t, brokers...), reader(brokers...))
}
