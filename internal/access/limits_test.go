package access

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
)

func TestABurstAndThenTheRate(t *testing.T) {
	c := newClock()
	l := NewLimiter(c, Limit{Rate: 10, Burst: 3}, "", nil)
	for want := 2; want >= 0; want-- {
		q, err := l.Take("a")
		require.NoError(t, err)
		require.Equal(t, want, q.Remaining)
	}
	q, err := l.Take("a")
	require.Equal(t, domain.CodeRateLimited, domain.CodeOf(err))
	require.Equal(t, 100*time.Millisecond, q.Retry)
	require.Equal(t, 300*time.Millisecond, q.Reset)
	_, err = l.Take("b")
	require.NoError(t, err, "others have their own")
	c.pass(q.Retry)
	_, err = l.Take("a")
	require.NoError(t, err)
	_, err = l.Take("a")
	require.Error(t, err)
	require.Nil(t, NewLimiter(c, Limit{}, "", nil))
}

func TestNoMoreThanTheBurstAndTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		limit := Limit{Rate: float64(rapid.IntRange(1, 50).Draw(t, "rate")), Burst: rapid.IntRange(1, 20).Draw(t, "burst")}
		l := NewLimiter(c, limit, "", nil)
		begun, allowed := c.Now(), 0
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			c.pass(time.Duration(rapid.IntRange(0, 200).Draw(t, "pause")) * time.Millisecond)
			if _, err := l.Take("a"); err == nil {
				allowed++
			}
			most := float64(limit.Burst) + c.Now().Sub(begun).Seconds()*limit.Rate
			if float64(allowed) > most+1e-6 {
				t.Fatalf("%d calls were allowed, %v are possible", allowed, most)
			}
		}
	})
}

func TestWhoDoesNotCallIsForgotten(t *testing.T) {
	c := newClock()
	l := NewLimiter(c, Limit{Rate: 10, Burst: 3}, "", nil)
	for round := range 4 {
		for i := range 20_000 {
			_, err := l.Take(fmt.Sprint(round, " ", i))
			require.NoError(t, err)
		}
		c.pass(time.Minute)
	}
	kept := 0
	for i := range l.parts {
		kept += len(l.parts[i].next)
	}
	require.LessOrEqual(t, kept, 2*20_000+16_000)
}

// openRedis returns the connection of one of several replicas.
func openRedis(t *testing.T, url, prefix string) *cache.Redis {
	r, err := cache.NewRedis(t.Context(), url, cache.RedisOptions{Prefix: prefix, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestReplicasShareALimit(t *testing.T) {
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" {
		t.Skip("set TEST_REDIS_URL to run this with a Redis")
	}
	prefix, c := "test-"+domain.NewID(), newClock()
	const burst = 500
	limit := Limit{Rate: 0.001, Burst: burst} // nothing comes back during the test
	a := NewLimiter(c, limit, "k", openRedis(t, url, prefix))
	b := NewLimiter(c, limit, "k", openRedis(t, url, prefix))
	var allowed atomic.Int32
	var callers sync.WaitGroup
	for _, l := range []*Limiter{a, b, a, b} {
		callers.Go(func() {
			for range burst {
				if _, err := l.Take("x"); err == nil {
					allowed.Add(1)
				}
			}
		})
	}
	callers.Wait()
	require.LessOrEqual(t, allowed.Load(), int32(burst), "together no more than the burst")
	require.GreaterOrEqual(t, allowed.Load(), int32(burst-2*burst/leaseShare), "but for what each has taken and not used")
	q, err := a.Take("x")
	require.Equal(t, domain.CodeRateLimited, domain.CodeOf(err))
	require.Positive(t, q.Retry)
	q, err = b.Take("y")
	require.NoError(t, err)
	require.Equal(t, burst-1, q.Remaining)
}

func TestReplicasHaveTheirShareWhileRedisIsAway(t *testing.T) {
	c := newClock()
	l := NewLimiter(c, Limit{Rate: 30, Burst: 30}, "k", openRedis(t, "redis://127.0.0.1:1", "p"))
	l.replicas.Store(3)
	allowed := func() (n int) {
		for range 100 {
			if _, err := l.Take("x"); err == nil {
				n++
			}
		}
		return n
	}
	require.Equal(t, 10, allowed(), "a third of the burst")
	c.pass(time.Second)
	require.Equal(t, 10, allowed(), "and of the rate")
}
