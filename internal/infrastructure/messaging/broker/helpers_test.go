package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

// start runs a broker on a free port until the test ends.
func start(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Dir: dir, Partitions: 4, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func producer(t *testing.T, addr string) *messaging.Producer {
	t.Helper()
	p, err := messaging.NewProducer(messaging.ClientConfig{Brokers: []string{addr}})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
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
	for full := false; !full; {
		fetched := c.PollFetches(ctx)
		require.NoError(t, fetched.Err())
		fetched.EachRecord(func(r *kgo.Record) { full = full || enough(r) })
	}
}
