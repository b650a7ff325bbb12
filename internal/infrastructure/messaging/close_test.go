package messaging_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

func TestCloseWithoutABroker(t *testing.T) {
	t.Parallel()
	e, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Dir: t.TempDir(), Partitions: 4})
	require.NoError(t, err)
	c := clientConfig(t, e.Addr())
	h := newHandler(nil)
	stop := consume(t, c, "g", h)
	p := producer(t, e.Addr())
	require.NoError(t, p.Publish(t.Context(), []domain.Message{h.message("a", "1")}))
	h.wait(t, atLeast(1))
	require.NoError(t, e.Close())
	begin := time.Now()
	stop()
	p.Close()
	require.Less(t, time.Since(begin), 8*time.Second)

	// Nor does one that never reached it.
	never, err := messaging.NewConsumer(c, "g", h.handle)
	require.NoError(t, err)
	begin = time.Now()
	never.Close()
	require.Less(t, time.Since(begin), 8*time.Second)
	require.NoError(t, never.Run(t.Context()), "after Close there is nothing to do")
}

func TestCloseWhenTheBrokerHangs(t *testing.T) {
	t.Parallel()
	proxy, _ := behindProxy(t)
	c := clientConfig(t, proxy.Addr().String())
	h := newHandler(nil)
	stop := consume(t, c, "g", h)
	p := producer(t, c.Brokers...)
	require.NoError(t, p.Publish(t.Context(), []domain.Message{h.message("a", "1")}))
	h.wait(t, atLeast(1))
	release := proxy.holdAll()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	require.Error(t, p.Publish(ctx, []domain.Message{h.message("a", "2")}))
	require.Less(t, time.Since(begin), 3*time.Second, "Publish ends soon after its context")
	begin = time.Now()
	stop()
	require.Less(t, time.Since(begin), 8*time.Second)
	begin = time.Now()
	p.Close()
	require.Less(t, time.Since(begin), 3*time.Second)
}
