package app

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	cdekbox "github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/carrier/easypost"
	easypostbox "github.com/order-tracking/order-tracking/internal/carrier/easypost/sandbox"
	"github.com/order-tracking/order-tracking/internal/carrier/yandex"
	yandexbox "github.com/order-tracking/order-tracking/internal/carrier/yandex/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/shipping"
)

// company is a carrier adapter and the function that starts its emulator.
type company struct {
	carrier.Company
	sandbox func(ctx context.Context) (base string, done <-chan struct{}, err error)
}

// companies lists the carriers with an adapter, one per line.
var companies = []company{
	{cdek.Company, cdekbox.Start},
	{easypost.Company, easypostbox.Start},
	{yandex.Company, yandexbox.Start},
}

// openCarriers opens the configured carrier accounts, with emulators where configured.
func (a *App) openCarriers(ctx context.Context) error {
	c := a.cfg.Carriers
	m := newCarrierMetrics(a.metrics)
	a.carriers = shipping.Carriers{
		ByAccount: map[domain.CarrierAccount]domain.Carrier{}, HookTokens: map[domain.CarrierAccount]string{},
		Merchants: map[domain.CarrierAccount][]string{}, HookBase: strings.TrimSuffix(c.HookURL, "/"), Count: m.count,
		Detect: carrier.DetectNumber,
		Chosen: func(merchantID string) []string { return a.gate.Documents.Profile(merchantID).CarrierAccounts },
	}
	open := newOpener(ctx, c, m.hooks(a.log))
	open.log = a.log
	a.closing(open.close)
	for _, set := range c.All() {
		car, err := open.account(set)
		if err != nil {
			return err
		}
		account := car.Account()
		a.carriers.ByAccount[account] = car
		a.carriers.Merchants[account] = set.Merchants
		a.carriers.HookTokens[account] = hookToken(set)
	}
	if len(open.emulators) > 0 {
		a.carriers.HookBase = cmp.Or(a.carriers.HookBase, "http://"+reachable(a.HTTPAddr()))
		a.log.Warn("delivery companies are emulated: shipments booked with them are not real")
	}
	return nil
}

// opener opens accounts; accounts of one carrier share its emulator.
type opener struct {
	carriers  config.Carriers
	hooks     carrier.Hooks
	life      context.Context //nolint:containedctx // the emulators' lifetime
	end       context.CancelFunc
	emulators map[string]string // addresses by carrier code
	stopped   []<-chan struct{}
	log       *zap.Logger // nil for none
}

func newOpener(ctx context.Context, c config.Carriers, h carrier.Hooks) *opener {
	o := &opener{carriers: c, hooks: h, emulators: map[string]string{}}
	o.life, o.end = context.WithCancel(context.WithoutCancel(ctx))
	return o
}

func (o *opener) close() error {
	o.end()
	for _, done := range o.stopped {
		<-done
	}
	return nil
}

// account opens one account.
func (o *opener) account(set config.CarrierAccount) (domain.Carrier, error) {
	for _, company := range companies {
		if company.Code != set.Carrier {
			continue
		}
		acc := carrier.Account{
			Name: set.Name, ID: set.Account, Secret: set.Secret, BaseURL: cmp.Or(company.URLs[set.BaseURL], set.BaseURL), Freight: set.Freight, Currency: set.Currency,
			Sender: domain.Customer{Name: set.SenderName, Phone: set.SenderPhone},
			From:   domain.Stop{City: set.FromCity, Point: set.FromPoint, Place: domain.Place{Address: set.FromAddress}},
			Limits: carrier.Limits{PerSecond: uint(set.PerSecond)}, Hooks: o.hooks, //nolint:gosec // checked by the configuration
		}
		if o.carriers.Sandbox || set.BaseURL == config.CarrierEmulator {
			base, err := o.emulator(company.Code, company.sandbox)
			if err != nil {
				return nil, err
			}
			acc.BaseURL, acc.ID, acc.Secret = base, "sandbox", "sandbox"
			if acc.From == (domain.Stop{}) {
				acc.From = domain.Stop{City: "Москва", Place: domain.Place{Address: "ул. Складская, 1"}}
			}
		}
		return company.Open(acc), nil
	}
	return nil, errors.New("there is no delivery company " + set.Carrier + "; there is " + companyCodes())
}

func (o *opener) emulator(code string, start func(context.Context) (string, <-chan struct{}, error)) (string, error) {
	if base, runs := o.emulators[code]; runs {
		return base, nil
	}
	base, done, err := start(o.life)
	if err == nil {
		o.emulators[code], o.stopped = base, append(o.stopped, done)
		if at, err := url.Parse(base); err == nil && o.log != nil {
			o.log.Info("a delivery company is emulated; its bad days are made at the control address",
				zap.String("carrier", code), zap.String("control", "http://"+at.Host+"/control"))
		}
	}
	return base, err
}

func companyCodes() string {
	return strings.Join(domain.Each(companies, func(c company) string { return c.Code }), ", ")
}

// hookToken derives the secret last segment of an account's webhook URL: stable across
// restarts and replicas, and not computable without the account's secret.
func hookToken(set config.CarrierAccount) string {
	mac := hmac.New(sha256.New, []byte(set.Secret))
	mac.Write([]byte("hints of " + set.Carrier + " for " + set.Account))
	if set.Name != "" { // several accounts of one contract differ
		mac.Write([]byte("/" + set.Name))
	}
	return hex.EncodeToString(mac.Sum(nil)[:20])
}

// reachable returns a local address of a listener, which may be bound to all addresses.
func reachable(listener string) string {
	host, port, err := net.SplitHostPort(listener)
	if ip := net.ParseIP(host); err != nil || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener
}

// carrierMetrics are the metrics of carriers.
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
		calls:   counter("calls_total", "Calls to a delivery company, by error class; class is empty for successful calls.", "carrier", "operation", "class"),
		retries: counter("retries_total", "Retries of calls to a delivery company.", "carrier", "operation"),
		limited: counter("limited_total", "Calls that were not sent because of the company's rate limit.", "carrier"),
		unknown: counter("unknown_codes_total", "Status codes of a delivery company that the adapter does not know; they are logged.", "carrier"),
		events:  counter("events_total", "Problems with webhooks and polls, by kind.", "carrier", "what"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordertracking_carrier_call_duration_seconds", Help: "Duration of calls to a delivery company, retries included.",
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
			m.open.WithLabelValues(code, operation) // exports 0 until it is suspended
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
			log.Warn("a delivery company sent an unknown code", zap.String("carrier", code), zap.String("code", unknown))
			m.unknown.WithLabelValues(code).Inc() // codes are no label, to bound the number of series
		},
	}
}

// Aliases for the command line.
type (
	// Carrier is an account with a delivery company; Ability returns its optional interfaces.
	Carrier = domain.Carrier
	// CarrierQuoter is a carrier that quotes prices.
	CarrierQuoter = domain.CarrierQuoter
	// CarrierTracker is a carrier that tracks parcels.
	CarrierTracker = domain.CarrierTracker
	// CarrierPoints is a carrier with pickup points.
	CarrierPoints = domain.CarrierPoints
	// QuoteRequest requests prices for Packages.
	QuoteRequest = domain.QuoteRequest
	// Package is a parcel's weight and dimensions.
	Package = domain.Package
	// ShipmentRef identifies a shipment.
	ShipmentRef = domain.ShipmentRef
	// PointQuery searches for pickup points.
	PointQuery = domain.PointQuery
)

// OpenCarrier opens the default account of the carrier with a code, without a server; end stops what was started for it.
func OpenCarrier(ctx context.Context, cfg *config.Config, code string) (car Carrier, end func() error, err error) {
	if !slices.ContainsFunc(companies, func(c company) bool { return c.Code == code }) {
		return nil, nil, errors.New("there is no delivery company " + code + "; there is " + companyCodes())
	}
	open := newOpener(ctx, cfg.Carriers, carrier.Hooks{})
	err = errors.New("carriers." + code + ".account is not set; try --sandbox-carriers")
	for _, set := range cfg.Carriers.All() {
		if set.Carrier == code {
			if car, err = open.account(set); err == nil {
				return car, open.close, nil
			}
			break
		}
	}
	return nil, nil, errors.Join(err, open.close())
}

// Ability returns an optional interface of a carrier; see domain.Ability.
func Ability[T any](car Carrier, what string) (T, error) { return domain.Ability[T](car, what) }
