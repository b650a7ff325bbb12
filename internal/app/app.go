// Package app wires the product together by hand: New builds every part from the configuration, Run serves until its context
// ends and then shuts down gracefully, so that accepted requests are finished and committed events published.
//
// It is the only package that may import all others.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"slices"
	"sync/atomic"
	"time"
	_ "time/tzdata" // time zones also work on machines without a zone database

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	httpserver "github.com/order-tracking/order-tracking/internal/http"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/outbox"
	"github.com/order-tracking/order-tracking/internal/privacy"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// App is the running product.
type App struct {
	cfg     *config.Config
	log     *zap.Logger
	version string
	clock   domain.Clock
	metrics *prometheus.Registry
	measured

	httpListener, grpcListener net.Listener

	store    *database.Store
	alone    bool // there are no other replicas
	live     domain.LiveStore
	wakeups  domain.Wakeups // nil with a single process
	redis    *cache.Redis   // nil without Redis
	embedded *broker.Broker
	producer *messaging.Producer
	// telemetry publishes positions.
	telemetry *messaging.Producer
	orders    *orders.Service
	tracking  *tracking.Service
	shipments *shipping.Service
	dispatch  *dispatch.Service
	notify    *notify.Service
	privacy   *privacy.Service
	pushKey   notify.VAPID
	consumer  *messaging.Consumer
	relay     *outbox.Relay
	hub       *push.Hub
	carriers  shipping.Carriers

	restAPI    *httpserver.Server
	httpServer *nethttp.Server
	grpcServer *grpc.Server
	gate       access.Services
	// secure is nil without TLS. certificate is that of files, which reloads asks to be loaded again; manage gets one by ACME.
	secure      *tls.Config
	certificate *certificate
	manage      func(context.Context) error
	reloads     chan chan<- error
	requests    *idempotency.Keys

	stopping atomic.Bool
	closers  []func() error // in the order of opening

	estimate eta.Config
}

// Option changes what New builds.
type Option func(*App)

// WithClock replaces the machine's clock. Intervals, such as those of polling, stay real time.
func WithClock(c domain.Clock) Option { return func(a *App) { a.clock = c } }

// New builds the product and starts listening, but does not serve yet. On an error it closes
// everything that it opened. The context only bounds startup.
func New(ctx context.Context, cfg *config.Config, log *zap.Logger, version string, options ...Option) (*App, error) {
	log = explained(log)
	a := &App{cfg: cfg, log: log, version: version, clock: systemClock{}, metrics: prometheus.NewRegistry(), reloads: make(chan chan<- error)}
	for _, o := range options {
		o(a)
	}
	a.measured = newMeasured(a.metrics)
	for _, step := range []func(context.Context) error{a.listen, a.openTLS, a.openParts, a.connect, a.restore, a.openCarriers, a.buildServers} {
		if err := step(ctx); err != nil {
			if closeErr := a.Close(); closeErr != nil {
				log.Warn("cleanup after a failed start failed too", zap.Error(closeErr))
			}
			return nil, err
		}
	}
	return a, nil
}

// listen binds the addresses first, since a busy port is the most likely problem.
func (a *App) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if a.httpListener, err = lc.Listen(ctx, "tcp", a.cfg.HTTP.Addr); err != nil {
		return fmt.Errorf("http.addr (HTTP_ADDR): %w", err)
	}
	a.closing(quiet(a.httpListener.Close))
	if a.grpcListener, err = lc.Listen(ctx, "tcp", a.cfg.GRPC.Addr); err != nil {
		return fmt.Errorf("grpc.addr (GRPC_ADDR): %w", err)
	}
	a.closing(quiet(a.grpcListener.Close))
	return nil
}

// quiet closes a listener that serving may have closed already.
func quiet(closeFn func() error) func() error {
	return func() error {
		if err := closeFn(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func (a *App) closing(f func() error) { a.closers = append(a.closers, f) }

// Close releases everything, last opened first. Run calls it.
func (a *App) Close() error {
	var errs []error
	for _, closeFn := range slices.Backward(a.closers) {
		errs = append(errs, closeFn())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// HTTPAddr is the address of REST and streams, host:port.
func (a *App) HTTPAddr() string { return a.httpListener.Addr().String() }

// GRPCAddr is the address of gRPC, host:port.
func (a *App) GRPCAddr() string { return a.grpcListener.Addr().String() }

// Brokers are the Kafka brokers in use, host:port each.
func (a *App) Brokers() []string {
	if a.embedded != nil {
		return []string{a.embedded.Addr()}
	}
	return a.cfg.Kafka.Brokers
}

// errStopping is the readiness error of a server that is shutting down.
var errStopping = errors.New("the server is stopping")

// ready fails while the server is stopping or the database does not accept writes. Redis and
// Kafka may be down; orders are still accepted.
func (a *App) ready(ctx context.Context) error {
	if a.stopping.Load() {
		return errStopping
	}
	return a.store.Ping(ctx)
}

// Run serves until the context ends or a server fails, then shuts down: it keeps answering for shutdown.delay while /readyz
// reports not ready, rejects new requests, finishes running ones, tells open streams to reconnect elsewhere, publishes
// committed events and closes everything.
func (a *App) Run(ctx context.Context) error {
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	var background errgroup.Group
	a.startBackground(work, &background)

	failed := make(chan error, 2)
	go func() { failed <- a.serveHTTP() }()
	go func() { failed <- a.grpcServer.Serve(a.grpcListener) }()
	a.log.Info("serving", zap.String("http", a.HTTPAddr()), zap.String("grpc", a.GRPCAddr()),
		zap.Strings("kafka", a.Brokers()), zap.String("version", a.version))

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-failed:
	}
	a.log.Info("stopping", zap.Duration("delay", a.cfg.Shutdown.Delay))
	a.stopping.Store(true)
	if failure == nil {
		select { // keep serving while load balancers see that it is not ready
		case <-time.After(a.cfg.Shutdown.Delay):
		case failure = <-failed:
		}
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Shutdown.Timeout)
	defer cancel()
	a.stop(limit, endWork, &background)
	err := errors.Join(failure, a.Close())
	a.log.Info("stopped")
	return err
}

// serveHTTP serves REST and streams.
func (a *App) serveHTTP() error {
	l := httpserver.Listener(a.httpListener, a.cfg.HTTP.MaxPerAddress)
	if a.secure == nil {
		return a.httpServer.Serve(l)
	}
	return a.httpServer.ServeTLS(l, "", "")
}

func (a *App) stop(ctx context.Context, endWork func(), background *errgroup.Group) {
	var servers errgroup.Group
	servers.Go(func() error {
		// Spreads out the reconnects of open streams to other replicas.
		spread := time.Duration(a.hub.Watchers()) * 2 * time.Millisecond
		a.hub.Shutdown(ctx, min(spread, a.cfg.Shutdown.Timeout/3))
		return nil
	})
	servers.Go(func() error {
		err := a.httpServer.Shutdown(ctx)
		return errors.Join(err, a.restAPI.Wait(ctx))
	})
	servers.Go(func() error {
		done := context.AfterFunc(ctx, a.grpcServer.Stop)
		defer done()
		a.grpcServer.GracefulStop()
		return ctx.Err()
	})
	if err := servers.Wait(); err != nil {
		a.log.Warn("some requests were cut off", zap.Error(err))
		_ = a.httpServer.Close() // closes the remaining connections
	}
	a.consumer.Close()
	endWork()
	_ = background.Wait() // its goroutines log their own errors
	if err := a.relay.Drain(ctx); err != nil {
		a.log.Warn("some events are not published yet; the next start will publish them", zap.Error(err))
	}
}

// startBackground starts the background workers, which run until ctx ends.
func (a *App) startBackground(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { a.relay.Run(ctx); return nil })
	g.Go(func() error { return a.hub.Run(ctx) })
	g.Go(func() error { a.indexSearch(ctx); return nil })
	g.Go(func() error {
		if err := a.consumer.Run(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the consumer of "+domain.TopicStatusUpdates+" stopped", zap.Error(err))
		}
		return nil
	})
	g.Go(func() error { a.tracking.Run(ctx); return nil })
	g.Go(func() error { a.orders.Summarize(ctx); return nil })
	g.Go(func() error { a.shipments.Run(ctx); return nil })
	g.Go(func() error { a.dispatch.Work(ctx); return nil })
	g.Go(func() error { a.privacy.Run(ctx); return nil })
	if a.embedded == nil {
		g.Go(func() error { a.ensureTopics(ctx); return nil })
	}
	g.Go(func() error { a.purge(ctx); return nil })
	if a.manage != nil {
		g.Go(func() error { return a.manage(ctx) })
	}
	if a.certificate != nil {
		tick := time.NewTicker(lookEvery)
		g.Go(func() error { defer tick.Stop(); a.watchCertificate(ctx, tick.C); return nil })
	}
	g.Go(func() error { a.gate.Guard.Run(ctx); return nil })
	g.Go(func() error { a.gate.Audit.Run(ctx); return nil })
	g.Go(func() error { a.notify.Run(ctx); return nil })
	g.Go(func() error { a.notify.Register(ctx); return nil })
}

// indexEvery is how often new orders are looked for. Searches scan those that are not
// indexed yet, so that it bounds their cost and not what they find.
const indexEvery = time.Second

// indexSearch feeds the index of searches.
func (a *App) indexSearch(ctx context.Context) {
	outage := background.Outage{Log: a.log, Lost: "the search index can't be extended; retrying until it works"}
	background.Loop(ctx, nil, 0, func() time.Duration {
		more, err := a.store.IndexSearch(ctx)
		if ctx.Err() == nil {
			outage.Note(err)
		}
		if more && err == nil {
			return 0
		}
		return indexEvery
	})
}

// purge periodically deletes rows past their retention; one replica does so at a time.
func (a *App) purge(ctx context.Context) {
	background.Loop(ctx, nil, 0, func() time.Duration {
		mine, err := a.orders.TakeTurn(ctx, "purge", a.cfg.Database.PurgeEvery/2)
		if now := a.clock.Now(); mine && err == nil {
			positions, _ := a.retention()
			err = a.store.Purge(ctx, now.Add(-a.cfg.Database.IdempotencyFor), now.Add(-a.cfg.Database.InboundFor), now.Add(-positions), now)
			err = errors.Join(err, a.notify.Purge(ctx))
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("old rows could not be deleted; retrying later", zap.Error(err))
		}
		return a.cfg.Database.PurgeEvery
	})
}
