package app

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"slices"
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

// company is an adapter and what starts its emulator.
type company struct {
	carrier.Company
	sandbox func(ctx context.Context) (base string, done <-chan struct{}, err error)
}

// companies are the delivery companies that there are adapters for: a line each.
var companies = []company{
	{cdek.Company, sandbox.Start},
}

// openCarriers sets up the accounts that are configured, with emulated companies where
// that is wanted.
func (a *App) openCarriers(ctx context.Context) error {
	c := a.cfg.Carriers
	m := newCarrierMetrics(a.metrics)
	a.carriers = shipping.Carriers{
		ByAccount: map[domain.CarrierAccount]domain.Carrier{}, HookTokens: map[domain.CarrierAccount]string{},
		Merchants: map[domain.CarrierAccount][]string{}, HookBase: strings.TrimSuffix(c.HookURL, "/"), Count: m.count,
	}
	open := newOpener(ctx, c, m.hooks(a.log))
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
	if c.Emulated() {
		a.carriers.HookBase = "http://" + reachable(a.HTTPAddr())
		a.log.Warn("delivery companies are emulated: what is booked with them goes nowhere")
	}
	return nil
}

// opener opens accounts; those of one company share its emulator.
type opener struct {
	carriers  config.Carriers
	hooks     carrier.Hooks
	life      context.Context //nolint:containedctx // that of the emulators
	end       context.CancelFunc
	emulators map[string]string // their addresses, by company
	stopped   []<-chan struct{}
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

// account opens one.
func (o *opener) account(set config.CarrierAccount) (domain.Carrier, error) {
	for _, company := range companies {
		if company.Code != set.Carrier {
			continue
		}
		acc := carrier.Account{
			Name: set.Name, ID: set.Account, Secret: set.Secret, BaseURL: cmp.Or(company.URLs[set.BaseURL], set.BaseURL), Freight: set.Freight,
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
	}
	return base, err
}

func companyCodes() string {
	var codes []string
	for _, company := range companies {
		codes = append(codes, company.Code)
	}
	return strings.Join(codes, ", ")
}

// hookToken makes what ends the address for an account's hints: the same after a
// restart and on every replica, and known to nobody without the account's secret.
func hookToken(set config.CarrierAccount) string {
	mac := hmac.New(sha256.New, []byte(set.Secret))
	mac.Write([]byte("hints of " + set.Carrier + " for " + set.Account))
	if set.Name != "" { // two of one contract are two
		mac.Write([]byte("/" + set.Name))
	}
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
		unknown: counter("unknown_codes_total", "Codes of a delivery company that are in none of our tables; the log has them.", "carrier"),
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
			m.unknown.WithLabelValues(code).Inc() // what companies send makes no series
		},
	}
}

// What the command line asks delivery companies with.
type (
	// Carrier is an account with a delivery company; Ability says what it can do.
	Carrier = domain.Carrier
	// CarrierQuoter is one that knows prices.
	CarrierQuoter = domain.CarrierQuoter
	// CarrierTracker is one that knows where parcels are.
	CarrierTracker = domain.CarrierTracker
	// CarrierPoints is one that has offices.
	CarrierPoints = domain.CarrierPoints
	// QuoteRequest asks for prices of Packages.
	QuoteRequest = domain.QuoteRequest
	// Package is a parcel's weight and measures.
	Package = domain.Package
	// ShipmentRef names a parcel.
	ShipmentRef = domain.ShipmentRef
	// PointQuery asks for offices.
	PointQuery = domain.PointQuery
)

// OpenCarrier opens the usual account with the delivery company of a code, without a
// server; end stops what was started for it.
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

// Ability returns one of the abilities of a carrier, or says that it has none.
func Ability[T any](car Carrier, what string) (T, error) {
	able, ok := car.(T)
	if !ok {
		return able, domain.Unsupported(car.Account().Carrier, what)
	}
	return able, nil
}
