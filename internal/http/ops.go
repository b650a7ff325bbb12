package httpserver

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// readyWithin bounds the checks of /readyz.
const readyWithin = 2 * time.Second

// health is the response of /healthz and /readyz.
type health struct {
	Status string `json:"status" enum:"ok"`
}

// opsRoutes registers the endpoints for operators.
func (s *Server) opsRoutes() {
	ok := func(c *gin.Context) { c.Data(http.StatusOK, jsonType, []byte(`{"status":"ok"}`)) }
	plain[struct{}, bodyOnly[health]](s, "health", ok)
	plain[struct{}, bodyOnly[health]](s, "readiness", s.answering(func(ctx context.Context, c *gin.Context) error {
		ctx, cancel := context.WithTimeout(ctx, readyWithin)
		defer cancel()
		err := s.ready(ctx)
		if err == nil {
			ok(c)
		}
		return err
	}))
	exposition := promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{})
	plain[struct{}, struct{}](s, "metrics", s.guarded(func(_ context.Context, c *gin.Context) error {
		exposition.ServeHTTP(c.Writer, c.Request)
		return nil
	}))
	plain[struct{}, struct{}](s, "profile", s.guarded(func(_ context.Context, c *gin.Context) error {
		if err := knownQuery(c.Request.URL, s.api.OpenAPI().Paths["/debug/pprof/{profile}"].Get); err != nil {
			return err
		}
		if n, _ := strconv.Atoi(c.DefaultQuery("seconds", "1")); n < 1 || n > 600 {
			return domain.Invalid("/seconds", "out_of_range", "must be between 1 and 600")
		}
		switch name := c.Param("profile"); name {
		case "profile":
			pprof.Profile(c.Writer, c.Request)
		case "trace":
			pprof.Trace(c.Writer, c.Request)
		case "allocs", "block", "goroutine", "heap", "mutex", "threadcreate":
			pprof.Handler(name).ServeHTTP(c.Writer, c.Request)
		default:
			return domain.Errorf(domain.CodeNotFound, "there is no profile %q", name)
		}
		return nil
	}))
	s.docsRoutes()
}

// ready checks whether the server can work, without waiting for a check that hangs.
func (s *Server) ready(ctx context.Context) error {
	if err := background.Within(ctx, func() error { return s.Ready(ctx) }); err != nil {
		return domain.Unavailable("the service", err)
	}
	return nil
}

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
