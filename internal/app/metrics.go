package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// scrapeWithin limits how long a scrape waits for the database and the brokers.
const scrapeWithin = time.Second

// namespace is the prefix of the product's own metrics.
const namespace = "ordertracking"

// measured holds the metrics updated by other parts; all others are collected on scrape.
type measured struct {
	commits   prometheus.Histogram
	groups    prometheus.Histogram
	cacheHits *prometheus.CounterVec
	dead      *prometheus.CounterVec
}

func newMeasured(r prometheus.Registerer) measured {
	m := measured{
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_duration_seconds", Help: "Duration of transactions that change orders, each shared by a group of callers.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		groups: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_group_size", Help: "Number of callers whose changes shared a transaction.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64},
		}),
		cacheHits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "order_cache_requests_total", Help: "Order cache lookups, by result: hit or miss.",
		}, []string{"result"}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "dead_letters_total", Help: "Inbound messages moved to the dead-letter topic, by error code.",
		}, []string{"code"}),
	}
	r.MustRegister(m.commits, m.groups, m.cacheHits, m.dead)
	return m
}

// committed records a group committed by the database.
func (m measured) committed(group int, took time.Duration) {
	m.commits.Observe(took.Seconds())
	m.groups.Observe(float64(group))
}

// countedCache counts hits and misses of the order cache.
type countedCache struct {
	domain.LiveStore
	hit, miss prometheus.Counter
}

func (m measured) counting(live domain.LiveStore) domain.LiveStore {
	return countedCache{live, m.cacheHits.WithLabelValues("hit"), m.cacheHits.WithLabelValues("miss")}
}

func (c countedCache) CachedOrder(ctx context.Context, id string) (*domain.Order, error) {
	o, err := c.LiveStore.CachedOrder(ctx, id)
	if err == nil && o != nil {
		c.hit.Inc()
	} else {
		c.miss.Inc()
	}
	return o, err
}

// registerMetrics registers the metrics that are collected on scrape.
func (a *App) registerMetrics() {
	counts := a.tracking.Counts()
	for _, c := range []struct {
		name, help string
		value      func() int64
	}{
		{"events_published_total", "Events acknowledged by the brokers, repeats included.", a.relay.Published.Load},
		{"events_truncated_total", "Events published without their order because the brokers rejected the full message.", a.relay.Truncated.Load},
		{"events_unpublished_total", "Events that the brokers rejected permanently.", a.relay.Unpublished.Load},
		{"positions_received_total", "Positions received.", counts.Received.Load},
		{"positions_stored_total", "Positions stored in the history.", counts.Stored.Load},
		{"positions_unpublished_total", "Positions that could not be published in time.", counts.Unpublished.Load},
		{"deliveries_sent_total", "Webhooks and messages taken by their receivers.", a.notify.Sent},
		{"deliveries_failed_total", "Tries of webhooks and messages that failed.", a.notify.Failed},
		{"deliveries_exhausted_total", "Webhooks and messages given up after their last try.", a.notify.Exhausted},
		{"webhooks_disabled_total", "Webhooks disabled because they were gone or only failed.", a.notify.Disabled},
		{"phone_signs_of_life_total", "Messages from phones without a position.", counts.SignsOfLife.Load},
	} {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: c.name, Help: c.help},
			func() float64 { return float64(c.value()) }))
	}
	for _, r := range domain.DropReasons() {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "positions_dropped_total", Help: "Positions dropped, by reason.",
			ConstLabels: prometheus.Labels{"reason": string(r)},
		}, func() float64 { return float64(counts.Dropped(r)) }))
	}
	a.metrics.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), a.buildInfo(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "subscriptions", Help: "Open live streams."},
			func() float64 { return float64(a.hub.Watchers()) }),
		inspector{a},
	)
}

func (a *App) buildInfo() prometheus.Collector {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Constant 1, labelled with the running build.",
		ConstLabels: prometheus.Labels{"version": a.version, "revision": revision, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// inspector collects the state of the database, the brokers and the cache.
type inspector struct{ a *App }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	outboxPending = desc("outbox_pending", "Events not yet acknowledged by the brokers; -1 if the database does not answer.")
	outboxAge     = desc("outbox_oldest_age_seconds", "Age of the oldest event not yet acknowledged by the brokers; 0 if there is none.")
	deliveryAge   = desc("deliveries_oldest_age_seconds", "How long the most overdue webhook or message is due; 0 if there is none.")
	failing       = desc("receivers_failing", "Webhooks and channels whose latest try failed.")
	etaOrders     = desc("eta_orders", "Delivered orders of the last 7 days whose first estimate is known, by all and the worst merchants, carriers and zones.", "by", "group")
	etaCoverage   = desc("eta_coverage_ratio", "Share of these that came within the first 80 % window.", "by", "group")
	etaLate       = desc("eta_late_ratio", "Share of these that came after it.", "by", "group")
	etaError      = desc("eta_absolute_error_seconds", "Mean absolute error of their first estimates.", "by", "group")
	etaBias       = desc("eta_bias_seconds", "Mean of expected minus actual.", "by", "group")
	activeOrders  = desc("orders", "Unfinished orders by status; every replica reports all orders.", "status")
	dependencyUp  = desc("dependency_up", "1 while a dependency answers, 0 while it does not.", "dependency")
	consumerLag   = desc("consumer_lag_messages", "Inbound messages not yet handled by this replica, by partition.", "partition")
	poolMax       = desc("database_connections_max", "Maximum number of database connections.", "pool")
	poolOpen      = desc("database_connections", "Database connections by state: idle or in_use.", "pool", "state")
	poolWaits     = desc("database_connection_waits_total", "Number of waits for a database connection.", "pool")
	poolWaited    = desc("database_connection_wait_seconds_total", "Total time spent waiting for a database connection.", "pool")
)

// Describe implements prometheus.Collector.
func (i inspector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		outboxPending, outboxAge, deliveryAge, failing, etaOrders, etaCoverage, etaLate, etaError, etaBias, activeOrders, dependencyUp, consumerLag, poolMax, poolOpen, poolWaits, poolWaited,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Metrics of a dependency that is down are omitted.
func (i inspector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for name, ping := range i.dependencies() {
		wg.Go(func() {
			up := 0.0
			if ping(ctx) == nil {
				up = 1
			}
			gauge(dependencyUp, up, name)
		})
	}
	wg.Go(func() { i.database(ctx, gauge) })
	for by, groups := range i.a.tracking.Quality() {
		for _, g := range groups {
			labels := []string{string(by), g.Group}
			gauge(etaOrders, float64(g.Orders), labels...)
			gauge(etaCoverage, g.Coverage, labels...)
			gauge(etaLate, g.LateShare, labels...)
			gauge(etaError, 60*g.MAE, labels...)
			gauge(etaBias, 60*g.Bias, labels...)
		}
	}
	for partition, n := range i.a.consumer.Lag() {
		gauge(consumerLag, float64(n), strconv.Itoa(int(partition)))
	}
	for _, p := range i.a.store.Pools() {
		gauge(poolMax, float64(p.Max), p.Name)
		gauge(poolOpen, float64(p.InUse), p.Name, "in_use")
		gauge(poolOpen, float64(p.Open-p.InUse), p.Name, "idle")
		ch <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(p.Waits), p.Name)
		ch <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, p.Waited.Seconds(), p.Name)
	}
}

func (i inspector) dependencies() map[string]func(context.Context) error {
	pings := map[string]func(context.Context) error{"database": i.a.store.Ping, "kafka": i.a.producer.Ping}
	if i.a.redis != nil {
		pings["redis"] = i.a.redis.Ping
	}
	return pings
}

func (i inspector) database(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	s := i.a.store
	pending, err := s.Backlog(ctx)
	if err != nil {
		gauge(outboxPending, -1)
		return
	}
	gauge(outboxPending, float64(pending))
	age := func(oldest time.Time) float64 {
		if oldest.IsZero() {
			return 0
		}
		return max(0, time.Since(oldest).Seconds())
	}
	if oldest, err := s.OldestPending(ctx); err == nil {
		gauge(outboxAge, age(oldest))
	}
	if waits, err := s.DeliveryBacklog(ctx); err == nil {
		gauge(deliveryAge, age(waits.Oldest))
		gauge(failing, float64(waits.Failing))
	}
	if orders, err := s.ActiveOrders(ctx); err == nil {
		for _, st := range domain.Statuses() {
			if !st.Terminal() {
				gauge(activeOrders, float64(orders[st]), string(st))
			}
		}
	}
}
