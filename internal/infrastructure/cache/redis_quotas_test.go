package cache

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestRedisQuotasAreShared(t *testing.T) {
	url := redisURL(t)
	prefix := newPrefix(t, url)
	a, _ := open(t, url, prefix)
	b, _ := open(t, url, prefix)
	const every, full = time.Hour, 5 * time.Hour // nothing comes back during the test
	take := func(r *Redis, who string, n int) (int, time.Duration) {
		got, reset, err := r.TakeQuota(t.Context(), who, every, full, n)
		require.NoError(t, err)
		return got, reset
	}
	got, reset := take(a, "x", 2)
	require.Equal(t, 2, got)
	require.Equal(t, 2*time.Hour, reset.Round(time.Second))
	got, _ = take(b, "x", 2)
	require.Equal(t, 2, got)
	got, reset = take(a, "x", 2)
	require.Equal(t, 1, got, "one of five is left")
	require.Equal(t, full, reset.Round(time.Minute))
	got, _ = take(b, "x", 2)
	require.Zero(t, got)
	got, _ = take(b, "y", 2)
	require.Equal(t, 2, got, "others have their own")

	for range 2 {
		n, err := a.Replicas(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n, "the same one is counted once")
	}
	n, err := b.Replicas(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

func TestRedisQuotasComeBack(t *testing.T) {
	url := redisURL(t)
	r, _ := open(t, url, newPrefix(t, url))
	taken := 0
	begun := time.Now()
	for range 200 {
		got, _, err := r.TakeQuota(t.Context(), "x", time.Millisecond, 3*time.Millisecond, 2)
		require.NoError(t, err)
		taken += got
	}
	require.GreaterOrEqual(t, taken, 4)
	require.LessOrEqual(t, float64(taken), 4+time.Since(begun).Seconds()*1000, "no more than the burst and the rate")
}

func TestRedisQuotasWhileItIsAway(t *testing.T) {
	r, _ := open(t, "redis://127.0.0.1:1", "p")
	_, _, err := r.TakeQuota(t.Context(), "x", time.Second, time.Minute, 1)
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	_, err = r.Replicas(t.Context())
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
}
