package push

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
)

// TestReplicasOverRedis has two replicas change and watch the same orders.
func TestReplicasOverRedis(t *testing.T) {
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" {
		t.Skip("set TEST_REDIS_URL, such as redis://127.0.0.1:6379, to run this on a Redis 7 or later")
	}
	const orders, changes, readers = 5, 40, 20
	base := newWorld(t, Config{})
	prefix := "test-" + domain.NewID()
	ctx, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	worlds := make([]*world, 2)
	for i := range worlds {
		r, err := cache.NewRedis(ctx, url, cache.RedisOptions{Prefix: prefix, Log: zap.NewNop()})
		require.NoError(t, err)
		w := &world{t: t, db: base.db, live: cache.NewMemory(cache.MemoryOptions{})}
		w.hub = New(Config{Wakeups: r, Queue: 10_000}, w.db, r, wall{}, zap.NewNop())
		background.Go(func() { _ = w.hub.Run(ctx) })
		defer func() {
			w.hub.Close()
			require.NoError(t, r.Close())
		}()
		worlds[i] = w
	}
	defer background.Wait()
	defer cancel()
	ids := make([]string, orders)
	for i := range ids {
		ids[i] = base.create().ID
	}
	var changing sync.Mutex // the journal has no group commit
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			seen := int64(0)
			if err := follow(ctx, worlds[r%2].hub, ids[r%orders], &seen, 1+changes, false); err != nil {
				t.Error(r, err)
			}
		})
	}
	fleet := worlds[1].watch(FleetTopic())
	for n := range changes {
		for i, id := range ids {
			changing.Lock()
			o, events := worlds[n%2].change(id, edit)
			changing.Unlock()
			_ = worlds[n%2].hub.live.CacheOrder(ctx, o)
			wg.Go(func() { worlds[n%2].hub.OrderChanged(domain.Announce(o, events)) })
			if i == 0 {
				worlds[0].hub.CourierMoved(fixOf("courier", time.Now(), float64(n)), nil)
			}
		}
	}
	wg.Wait()
	require.Eventually(t, func() bool {
		for _, f := range drained(t, fleet) {
			if f == fmt.Sprintf("positions %d", changes-1) {
				return true
			}
		}
		return false
	}, 10*time.Second, 20*time.Millisecond, "the last move of the other replica's courier")
}
