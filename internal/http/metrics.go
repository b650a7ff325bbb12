package httpserver

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests. Series are looked up once per route, method and status, which keeps counting cheap.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	streams  *prometheus.GaugeVec
	known    sync.Map // series by seriesKey
}

type seriesKey struct {
	route, method string
	status        int
}

type series struct {
	count    prometheus.Counter
	duration prometheus.Observer // nil where the duration means nothing
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time to answer a request; excludes streams.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "http_streams_open", Help: "Open streams by kind.",
		}, []string{"kind"}),
	}
	r.MustRegister(m.requests, m.duration, m.streams)
	return m
}

func (m *metrics) observe(route, method string, status int, took time.Duration) {
	key := seriesKey{route, method, status}.bounded()
	one, ok := m.known.Load(key)
	if !ok {
		one, _ = m.known.LoadOrStore(key, m.series(key))
	}
	one.(*series).count.Inc()
	if d := one.(*series).duration; d != nil {
		d.Observe(took.Seconds())
	}
}

// bounded keeps callers from creating series.
func (k seriesKey) bounded() seriesKey {
	if k.route == "" {
		k.route = "unknown"
	}
	switch k.method {
	case "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS":
	default:
		k.method = "other"
	}
	return k
}

func (m *metrics) series(k seriesKey) *series {
	s := &series{count: m.requests.WithLabelValues(k.route, k.method, strconv.Itoa(k.status))}
	if !streaming[k.route] {
		s.duration = m.duration.WithLabelValues(k.route, k.method)
	}
	return s
}

// streaming holds the routes that stay open.
var streaming = map[string]bool{"/order/:order_id/ws": true, "/order/:order_id/stream": true, "/ws": true}
