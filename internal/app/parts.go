package app

import (
	"context"
	"fmt"
	nethttp "net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	grpcserver "github.com/order-tracking/order-tracking/internal/grpc"
	httpserver "github.com/order-tracking/order-tracking/internal/http"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/geocoding"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/routing"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/outbox"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// systemClock is the machine's clock.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// connect creates the Kafka clients and the in-memory parts.
func (a *App) connect(ctx context.Context) (err error) {
	client := a.kafkaClient()
	if a.producer, err = messaging.NewProducer(client); err != nil {
		return fmt.Errorf("kafka.brokers (KAFKA_BROKERS): %w", err)
	}
	a.closing(func() error { a.producer.Close(); return nil })
	// Positions have a separate producer, so that its failures don't disturb events.
	if a.telemetry, err = messaging.NewProducer(client); err != nil {
		return fmt.Errorf("kafka.brokers (KAFKA_BROKERS): %w", err)
	}
	a.closing(func() error { a.telemetry.Close(); return nil })
	a.relay = outbox.New(a.store, a.producer, a.log)
	a.relay.Forget = a.live.ForgetOlder
	a.estimate = estimateConfig(a.cfg.Estimate, a.cfg.Dispatch.PickupTime)
	a.gate.Documents = &access.Documents{Store: a.store, Clock: a.clock}
	a.hub = push.New(push.Config{
		ShowCourier: func(merchantID string) domain.ShowCourier { return a.orders.ShowCourier(merchantID) }, Duties: a.duties,
		Glimpse: func(ctx context.Context, o *domain.Order, v domain.View) (*domain.Position, error) {
			return a.orders.Glimpse(ctx, o, v)
		},
		Queue: a.cfg.Live.Queue, MaxSubscriptions: a.cfg.Live.MaxStreams, FleetTick: a.cfg.Live.FleetTick, Wakeups: a.wakeups,
	}, a.store, a.live, a.clock, a.log)
	if a.embedded != nil && a.embedded.SetAside() {
		n, err := a.store.Republish(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			a.log.Warn("the embedded broker's log was missing or incomplete; all events are published again", zap.Int64("events", n))
		}
		return a.embedded.Restored()
	}
	return nil
}

// duties are a courier's route and offers; the hub reads them once it runs.
func (a *App) duties(ctx context.Context, courierID string) (d push.Duties, err error) {
	d.Route, d.Offers, err = a.dispatch.Duties(ctx, courierID)
	return d, err
}

// restore loads the couriers' newest positions into memory.
func (a *App) restore(ctx context.Context) error {
	fixes, err := a.store.LatestFixes(ctx, time.Now().Add(-domain.MaxPositionAge))
	if err != nil {
		return err
	}
	_, err = a.live.PutFixes(ctx, fixes)
	return err
}

func (a *App) kafkaClient() messaging.ClientConfig {
	k := a.cfg.Kafka
	c := messaging.ClientConfig{
		Brokers: a.Brokers(), Partitions: k.Partitions, Replication: k.Replication, DeliveryTimeout: k.DeliveryTimeout,
		Compression: k.Compression, Log: a.log,
	}
	if !k.Embedded() {
		c.TLS, c.SASL = messaging.TLS(k.TLS), messaging.SASL(k.SASL)
	}
	return c
}

// ensureTopics creates the topics on external brokers as soon as they answer; the product works without them until then.
func (a *App) ensureTopics(ctx context.Context) {
	outage := background.Outage{Log: a.log, Lost: "the topics can't be checked or created; retrying until it works"}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := messaging.EnsureTopics(ctx, a.kafkaClient())
		if err == nil || ctx.Err() != nil {
			return
		}
		outage.Note(err)
		background.Sleep(ctx, pause)
	}
}

func (a *App) buildServers(ctx context.Context) (err error) {
	a.buildServices()
	a.consumer, err = messaging.NewConsumer(a.kafkaClient(), a.cfg.Kafka.Group, a.orders.HandleReport)
	if err != nil {
		return fmt.Errorf("kafka.group: %w", err)
	}
	a.consumer.Healthy = a.store.Ping
	a.consumer.OnDeadLetter = func(code domain.Code) { a.dead.WithLabelValues(string(code)).Inc() }
	a.closing(func() error { a.consumer.Close(); return nil })

	if err := a.openAccess(ctx); err != nil {
		return err
	}
	a.registerMetrics()
	pages, err := a.pages()
	if err != nil {
		return err
	}
	h := a.cfg.HTTP
	a.restAPI = httpserver.New(httpserver.Deps{
		Orders: a.orders, Couriers: &tracking.Couriers{Service: a.tracking}, Tracking: a.tracking, Shipments: a.shipments, Dispatch: a.dispatch, Privacy: a.privacy,
		Services: a.gate, Notify: a.notify, Hub: a.hub, Ready: a.ready, Registerer: a.metrics, Gatherer: a.metrics,
		Log: a.log, Clock: a.clock,
		Config: httpserver.Config{
			MaxBodyBytes: h.MaxBodyBytes, MaxImportBytes: h.MaxImportBytes, AllowedOrigins: h.AllowedOrigins, AccessLog: h.AccessLog,
			ReadTimeout: h.ReadTimeout, SpoolDir: a.cfg.Spool.Dir, SpoolMax: a.cfg.Spool.Max, PingEvery: a.cfg.Live.PingEvery, Version: a.version, PublicURL: h.PublicURL, Pages: pages,
		},
	})
	a.httpServer = &nethttp.Server{
		Handler: a.restAPI, ReadHeaderTimeout: h.ReadHeaderTimeout, ReadTimeout: h.ReadTimeout, IdleTimeout: h.IdleTimeout,
		ErrorLog: zap.NewStdLog(a.log.Named("http")),
	}
	if a.secure != nil {
		a.httpServer.TLSConfig, a.httpServer.Protocols = a.secure.Clone(), new(nethttp.Protocols)
		a.httpServer.Protocols.SetHTTP1(true) // streams and uploads are made for its connections
	}
	a.grpcServer = grpcserver.New(grpcserver.Deps{
		Orders: a.orders, Couriers: &tracking.Couriers{Service: a.tracking}, Tracking: a.tracking, Dispatch: a.dispatch, Parcels: a.shipments,
		Hub: a.hub, Guard: a.gate.Guard, Ready: a.ready, Registerer: a.metrics, Log: a.log, Clock: a.clock,
		Config: grpcserver.Config{TLS: a.secure, MaxMessageBytes: a.cfg.GRPC.MaxMessageBytes, PingEvery: a.cfg.Live.PingEvery, AccessLog: h.AccessLog},
	})
	return nil
}

// buildServices creates the services for orders, couriers and shipments.
func (a *App) buildServices() {
	a.requests = idempotency.NewKeys(a.store, a.clock)
	keys, estimate := a.requests, a.estimate
	region, stale := a.cfg.Orders.PhoneRegion, a.cfg.Tracking.StaleAfter
	a.orders = orders.New(orders.Deps{
		Store: a.store, Live: a.counting(a.live), Clock: a.clock, Log: a.log, Keys: keys, Estimate: estimate,
		Watching: a.hub.Watching, PhoneRegion: region, Profile: a.gate.Documents.Profile,
	}, a.hub)
	a.tracking = tracking.New(tracking.Deps{
		Store: a.store, Live: a.live, Watchers: a.hub, Clock: a.clock, Log: a.log, Keys: keys, Orders: a.orders, Estimate: estimate,
		PhoneRegion: region, StaleAfter: stale, Bus: a.telemetry, KeepHistory: a.cfg.Tracking.History, Alone: a.alone,
		Plausible: domain.Plausibility{MaxSpeed: a.cfg.Tracking.MaxSpeed, MaxAccuracy: a.cfg.Tracking.MaxAccuracy},
		Arrival:   tracking.Arrival(a.cfg.Arrival), NewPhoneToken: access.NewPhoneToken,
	})
	a.orders.PhotoForPIN = a.cfg.Proof.Offline == "photo"
	d := a.cfg.Dispatch
	planner := dispatch.DefaultConfig()
	planner.Step, planner.Bundle, planner.Patience = d.Step, d.Bundle, d.Patience
	a.dispatch = dispatch.New(dispatch.Deps{
		Store: a.store, Live: a.live, Clock: a.clock, Log: a.log, Keys: keys, Orders: a.orders, Config: planner, Mode: d.Mode,
		Learned: estimate, Router: a.router(), Geocoder: a.geocoder(), GeocodeEvery: a.cfg.Geocoding.Every,
		Offers:   dispatch.OfferConfig{ExpiresIn: d.OfferFor, Total: d.OfferTotal, AtOnce: d.OfferAtOnce, OnNoTaker: d.OnNoTaker},
		FreshFor: stale, Tune: a.tuning,
	})
	a.shipments = shipping.New(shipping.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Keys: keys, Orders: a.orders, Watchers: a.hub, Alone: a.alone, Carriers: a.carriers,
	})
}

// router returns the configured router, or none.
func (a *App) router() domain.Router {
	if a.cfg.Routing.URL == "" {
		return nil
	}
	r := routing.New(routing.Options{URL: a.cfg.Routing.URL, Timeout: a.cfg.Routing.Timeout})
	a.closing(func() error { r.Close(); return nil })
	return r
}

// geocoder returns the configured geocoder, or none.
func (a *App) geocoder() domain.Geocoder {
	g := a.cfg.Geocoding
	if g.URL == "" {
		return nil
	}
	agent := g.UserAgent
	if agent == "" {
		agent = strings.TrimSpace("order-tracking/" + a.version + " " + a.cfg.HTTP.PublicURL)
	}
	c := geocoding.New(geocoding.Options{
		URL: g.URL, API: g.API, UserAgent: agent, Language: g.Language, Countries: strings.ToLower(strings.Join(g.Countries, ",")), Timeout: g.Timeout,
	})
	a.closing(func() error { c.Close(); return nil })
	return c
}

func estimateConfig(c config.Estimate, pickup time.Duration) eta.Config {
	s := c.Speeds
	return eta.Config{
		Speeds: map[domain.Vehicle]float64{
			domain.VehicleFoot: s.Foot, domain.VehicleBicycle: s.Bicycle, domain.VehicleMotorbike: s.Motorbike,
			domain.VehicleCar: s.Car, domain.VehicleVan: s.Van,
		},
		Detour: c.Detour, Handover: c.Handover, Pickup: pickup, Dispatch: c.Dispatch, Default: c.Default, FreshFor: c.FreshFor, Book: eta.NewBook(),
	}
}
