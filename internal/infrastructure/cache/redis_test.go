package cache

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
)

// redisURL is the server for tests, which use their own keys.
func redisURL(t testing.TB) string {
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" {
		t.Skip("set TEST_REDIS_URL, such as redis://127.0.0.1:6379, to run this on a Redis 7 or later")
	}
	return url
}

// newPrefix returns a key prefix for a test; its keys are deleted afterwards.
func newPrefix(t testing.TB, url string) string {
	prefix := "test-" + domain.NewID()
	t.Cleanup(func() {
		option, err := parseRedisURL(url)
		require.NoError(t, err)
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		defer client.Close()
		ctx := context.Background()
		for _, node := range client.Nodes() {
			for cursor := uint64(0); ; {
				page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(prefix+":*").Count(1000).Build()).AsScanEntry()
				require.NoError(t, err)
				for _, key := range page.Elements {
					_ = client.Do(ctx, client.B().Unlink().Key(key).Build()) // on a replica it is refused
				}
				if cursor = page.Cursor; cursor == 0 {
					break
				}
			}
		}
	})
	return prefix
}

// open returns a store over the server with its log.
func open(t testing.TB, url, prefix string) (*Redis, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	r, err := NewRedis(t.Context(), url, RedisOptions{Prefix: prefix, Log: zap.New(core)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r, logs
}

func TestRedis(t *testing.T) {
	url := redisURL(t)
	domaintest.Live(t, domaintest.LiveOptions{ToleranceM: 1.5}, func(t *testing.T) domain.LiveStore {
		r, _ := open(t, url, newPrefix(t, url))
		return r
	})
}

func TestRedisWakeups(t *testing.T) {
	url := redisURL(t)
	domaintest.Wakeups(t, func(t *testing.T) (a, b domain.Wakeups) {
		prefix := newPrefix(t, url)
		one, _ := open(t, url, prefix)
		two, _ := open(t, url, prefix)
		return one, two
	})
}

func TestRedisURLs(t *testing.T) {
	for in, want := range map[string][]string{
		"redis://h":                           {"h:6379"},
		"redis://h:7000":                      {"h:7000"},
		"redis://u:p%40@h:7000,i:7001,j/2":    {"h:7000", "i:7001", "j:6379"},
		"redis://h:7000,i:7001?addr=k:7002":   {"h:7000", "k:7002", "i:7001"},
		"rediss://:secret@h:7000?addr=k:7002": {"h:7000", "k:7002"},
		"redis://h:7000,[::1]:7001":           {"h:7000", "[::1]:7001"},
	} {
		o, err := parseRedisURL(in)
		require.NoError(t, err, in)
		require.Equal(t, want, o.InitAddress, in)
	}
	o, err := parseRedisURL("redis://u:p%40@h:7000,i:7001,j/2")
	require.NoError(t, err)
	require.Equal(t, []any{"u", "p@", 2}, []any{o.Username, o.Password, o.SelectDB})
	for _, in := range []string{"", "h:6379", "http://h", "redis://h/x", "redis://:se%cret@h"} {
		_, err := parseRedisURL(in)
		require.Error(t, err, in)
		require.NotContains(t, err.Error(), "cret")
	}
	_, err = NewRedis(t.Context(), "http://h", RedisOptions{Log: zap.NewNop()})
	require.Error(t, err)
}

func TestOrderCodec(t *testing.T) {
	o := liveOrder(t, domain.NewID(), 3)
	raw, err := encodeOrder(o)
	require.NoError(t, err)
	back, err := decodeOrder(raw)
	require.NoError(t, err)
	require.Equal(t, o.Bookkeeping, back.Bookkeeping)
	require.Equal(t, o.Version, back.Version)
	for n := range len(raw) - 1 {
		_, err := decodeOrder(raw[:n])
		require.Error(t, err, "cut short")
	}
	_, err = decodeOrder("1 1 -5 {}")
	require.Error(t, err)
}

func liveOrder(t testing.TB, id string, version int64) *domain.Order {
	at := domain.Timestamp(time.Now())
	o := &domain.Order{
		ID: id, Status: domain.StatusCreated, Version: version, CreatedAt: at, UpdatedAt: at,
		Bookkeeping: domain.Bookkeeping{Seq: version, CustodyAt: &at},
	}
	_, err := o.Freeze()
	require.NoError(t, err)
	return o
}
