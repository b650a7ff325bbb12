package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func status(t *testing.T, method, url, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func metrics(t *testing.T, a *app.App) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.HTTPAddr()+"/metrics", nil)
	require.NoError(t, err)
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

// The operators' metrics exist, change, and follow Prometheus naming conventions.
func TestMetrics(t *testing.T) {
	a := running(t, t.TempDir())
	base := "http://" + a.HTTPAddr()
	require.Equal(t, http.StatusCreated, status(t, http.MethodPost, base+"/order", `{"customer":{"name":"Anna"},"dropoff":{"address":"Main St 1"}}`))

	// Tombstones, empty values and garbage become dead letters.
	c, err := kgo.NewClient(kgo.SeedBrokers(a.Brokers()...))
	require.NoError(t, err)
	defer c.Close()
	for _, value := range [][]byte{nil, {}, []byte("rubbish"), []byte("null"), []byte(`{"status":"no such"}`)} {
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: domain.TopicStatusUpdates, Key: []byte("k"), Value: value}).FirstErr())
	}
	for _, line := range []string{
		`ordertracking_build_info{goversion="go`,
		"ordertracking_commit_duration_seconds_count ",
		"ordertracking_commit_group_size_sum ",
		`ordertracking_database_connections_max{pool="write"} 1`,
		`ordertracking_order_cache_requests_total{result="miss"} `,
		`ordertracking_consumer_lag_messages{partition="0"} 0`,
		`ordertracking_dead_letters_total{code="malformed"} 3`,
		`ordertracking_dead_letters_total{code="validation_failed"} 2`,
		"ordertracking_outbox_pending 0",
		"ordertracking_outbox_oldest_age_seconds 0",
		`ordertracking_orders{status="created"} 1`,
		`ordertracking_dependency_up{dependency="database"} 1`,
		`ordertracking_dependency_up{dependency="kafka"} 1`,
	} {
		require.Eventually(t, func() bool { return strings.Contains(metrics(t, a), line) }, patience, moment, line)
	}
	problems, err := promlint.New(strings.NewReader(metrics(t, a))).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestProfiles(t *testing.T) {
	a := running(t, t.TempDir())
	require.Equal(t, http.StatusOK, status(t, http.MethodGet, "http://"+a.HTTPAddr()+"/debug/pprof/heap", ""))
	require.Equal(t, http.StatusOK, status(t, http.MethodGet, "http://"+a.HTTPAddr()+"/debug/pprof/goroutine?debug=1", ""))
	require.Equal(t, http.StatusNotFound, status(t, http.MethodGet, "http://"+a.HTTPAddr()+"/debug/pprof/cmdline", ""))
}
