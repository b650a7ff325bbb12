package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/shipping"
)

// openCarriers sets up the delivery companies that are configured, emulated ones
// included.
func (a *App) openCarriers(ctx context.Context) error {
	c := a.cfg.Carriers
	m := newCarrierMetrics(a.metrics)
	a.carriers = shipping.Carriers{
		ByAccount: map[domain.CarrierAccount]domain.Carrier{}, HookTokens: map[domain.CarrierAccount]string{},
		HookBase: strings.TrimSuffix(c.HookURL, "/"), Count: m.count,
	}
	car, stop, err := openCDEK(ctx, c, m.hooks(a.log))
	if err != nil || car == nil {
		return err
	}
	a.closing(stop)
	a.carriers.ByAccount[car.Account()] = car
	a.carriers.HookTokens[car.Account()] = hookToken(c.CDEK)
	if c.Emulated() {
		a.carriers.HookBase = "http://" + reachable(a.HTTPAddr())
		a.log.Warn("delivery companies are emulated: what is booked with them goes nowhere")
	}
	return nil
}

// openCDEK returns CDEK as configured, nil when it is not, and what ends it.
func openCDEK(ctx context.Context, c config.Carriers, h carrier.Hooks) (car *cdek.Carrier, stop func() error, err error) {
	set := c.CDEK
	cfg := cdek.Config{
		Account: set.Account, Secret: set.Secret, Freight: set.Freight,
		Sender: domain.Customer{Name: set.SenderName, Phone: set.SenderPhone},
		From:   domain.Stop{City: set.FromCity, Point: set.FromPoint, Place: domain.Place{Address: set.FromAddress}},
		Limits: carrier.Limits{PerSecond: uint(set.PerSecond)}, Hooks: h, //nolint:gosec // checked by the configuration
	}
	stop = func() error { return nil }
	switch set.BaseURL {
	case config.CarrierProduction:
		cfg.BaseURL = cdek.ProductionURL
	case config.CarrierTest:
		cfg.BaseURL = cdek.TestURL
	default:
		cfg.BaseURL = set.BaseURL
	}
	if c.Emulated() {
		life, end := context.WithCancel(context.WithoutCancel(ctx))
		emulator := sandbox.New(sandbox.Options{
			Travel: sandbox.Journey, ReturnTravel: []sandbox.Step{{After: 5 * time.Second, Code: "DELIVERED", City: "Москва"}},
		})
		base, done, err := emulator.Listen(life)
		if err != nil {
			end()
			return nil, nil, err
		}
		stop = func() error { end(); <-done; return nil }
		cfg.BaseURL, cfg.Account, cfg.Secret = base, "sandbox", "sandbox"
		if cfg.From == (domain.Stop{}) {
			cfg.From = domain.Stop{City: "Москва", Place: domain.Place{Address: "ул. Складская, 1"}}
		}
	}
	if cfg.Account == "" {
		return nil, stop, nil
	}
	return cdek.New(cfg), stop, nil
}

// hookToken makes what ends the address for a carrier's hints: the same after a
// restart and on every replica, and known to nobody without the account's secret.
func hookToken(c config.CDEK) string {
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write([]byte("hints of " + cdek.Code + " for " + c.Account))
	return hex.EncodeToString(mac.Sum(nil)[:20])
}

// reachable is an address of this machine's that leads to a listener, which may be on
// all addresses.
func reachable(listener string) string {
	host, port, err := net.SplitHostPort(listener)
	if ip := net.ParseIP(host); err != nil || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener
}

// carrierMetrics is what operators watch of delivery companies.
type carrierMetrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	retries  *prometheus.CounterVec
	open     *prometheus.GaugeVec
	limited  *prometheus.CounterVec
	unknown  *prometheus.CounterVec
	events   *prometheus.CounterVec
}

func newCarrierMetrics(r prometheus.Registerer) *carrierMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ordertracking_carrier_" + name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	m := &carrierMetrics{
		calls:   counter("calls_total", "Calls of a delivery company; class is empty for those that worked.", "carrier", "operation", "class"),
		retries: counter("retries_total", "Further attempts at calls of a delivery company.", "carrier", "operation"),
		limited: counter("limited_total", "Calls that got no turn within the company's rate limit.", "carrier"),
		unknown: counter("unknown_codes_total", "Codes of a delivery company that are in none of our tables.", "carrier", "code"),
		events:  counter("events_total", "What went wrong with hints and looks.", "carrier", "what"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordertracking_carrier_call_duration_seconds", Help: "Time of calls of a delivery company, retries included.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"carrier", "operation"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ordertracking_carrier_suspended", Help: "1 while an operation of a delivery company is suspended because it does not answer.",
		}, []string{"carrier", "operation"}),
	}
	r.MustRegister(m.duration, m.open)
	return m
}

func (m *carrierMetrics) count(carrier, what string) { m.events.WithLabelValues(carrier, what).Inc() }

func (m *carrierMetrics) hooks(log *zap.Logger) carrier.Hooks {
	return carrier.Hooks{
		Call: func(code, operation string, class domain.ErrorClass, took time.Duration) {
			m.calls.WithLabelValues(code, operation, string(class)).Inc()
			m.duration.WithLabelValues(code, operation).Observe(took.Seconds())
			m.open.WithLabelValues(code, operation) // 0 until it is suspended
		},
		Retry: func(code, operation string) { m.retries.WithLabelValues(code, operation).Inc() },
		Breaker: func(code, operation, state string) {
			suspended := 0.0
			if state == "open" {
				suspended = 1
				log.Warn("a delivery company does not answer; calls are suspended", zap.String("carrier", code), zap.String("operation", operation))
			}
			m.open.WithLabelValues(code, operation).Set(suspended)
		},
		Limited: func(code string) { m.limited.WithLabelValues(code).Inc() },
		Unknown: func(code, unknown string) {
			log.Warn("a delivery company uses a code that is not known", zap.String("carrier", code), zap.String("code", unknown))
			m.unknown.WithLabelValues(code, unknown).Inc()
		},
	}
}

// Desk asks a delivery company as configured, without a server: for the command line.
type Desk struct {
	car  domain.Carrier
	stop func() error
}

// OpenDesk sets up the delivery company of a code.
func OpenDesk(ctx context.Context, cfg *config.Config, code string) (*Desk, error) {
	if code != cdek.Code {
		return nil, errors.New("there is no delivery company " + code + "; there is cdek")
	}
	car, stop, err := openCDEK(ctx, cfg.Carriers, carrier.Hooks{})
	if err == nil && car == nil {
		err = errors.New("carriers.cdek.account is not set; try --sandbox-carriers")
	}
	if err != nil {
		return nil, err
	}
	return &Desk{car, stop}, nil
}

// Close ends what was started for it.
func (d *Desk) Close() error { return d.stop() }

// Parcel is what a price is asked for; absent ends and measures are the usual ones.
type Parcel struct {
	FromCity, FromPoint        string
	ToCity, ToAddress, ToPoint string
	WeightG, LengthCm          int
	WidthCm, HeightCm          int
	Tariff                     string
}

// Quote returns offers.
func (d *Desk) Quote(ctx context.Context, p Parcel) ([]domain.Quote, error) {
	quoter, ok := d.car.(domain.CarrierQuoter)
	if !ok {
		return nil, domain.Unsupported(d.car.Account().Carrier, "quoting prices")
	}
	return quoter.Quote(ctx, domain.QuoteRequest{
		Tariff: p.Tariff, From: domain.Stop{City: p.FromCity, Point: p.FromPoint},
		To:       domain.Stop{City: p.ToCity, Point: p.ToPoint, Place: domain.Place{Address: p.ToAddress}},
		Packages: []domain.Package{{WeightG: p.WeightG, LengthCm: p.LengthCm, WidthCm: p.WidthCm, HeightCm: p.HeightCm}},
	})
}

// Track returns what the company knows of a parcel.
func (d *Desk) Track(ctx context.Context, number string) (domain.ShipmentSnapshot, error) {
	tracker, ok := d.car.(domain.CarrierTracker)
	if !ok {
		return domain.ShipmentSnapshot{}, domain.Unsupported(d.car.Account().Carrier, "tracking")
	}
	return tracker.TrackShipment(ctx, domain.ShipmentRef{TrackingNumber: number})
}

// Points returns offices and lockers of a city.
func (d *Desk) Points(ctx context.Context, city string, limit int) ([]domain.DeliveryPoint, error) {
	finder, ok := d.car.(domain.CarrierPoints)
	if !ok {
		return nil, domain.Unsupported(d.car.Account().Carrier, "handing out at offices")
	}
	return finder.Points(ctx, domain.PointQuery{City: city, Limit: limit})
}
