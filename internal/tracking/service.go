// Package tracking handles positions: it ingests and filters them, keeps the live view and the history, watches fences,
// infers arrivals and publishes courier_location. It also implements the operations on couriers.
//
// Every method takes its actor from the context and fails with domain errors.
package tracking

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// Deps are the dependencies of the service.
type Deps struct {
	Store    domain.Store
	Live     domain.LiveStore
	Watchers domain.Watchers
	Clock    domain.Clock
	Log      *zap.Logger
	Keys     *idempotency.Keys
	Orders   *orders.Service
	Estimate eta.Config
	// PhoneRegion is the country (ISO 3166-1 alpha-2) of phone numbers without a country code.
	PhoneRegion string
	// StaleAfter is how old a position must be to be called stale.
	StaleAfter time.Duration
	// Bus takes courier_location; without one positions are not published.
	Bus       domain.Bus
	Plausible domain.Plausibility
	// KeepHistory is set when positions are stored beyond the newest.
	KeepHistory bool
	// Alone is set when there is no other replica, so that cached couriers stay current until they are changed here.
	Alone   bool
	Arrival Arrival
	// NewPhoneToken generates a phone's secret; the default is random text.
	NewPhoneToken func() string
}

// Service implements reports and reads of positions. It implements domain.Audience.
type Service struct {
	Deps
	pipeline *pipeline
	learner  *learner
	phones   atomic.Pointer[phoneTokens]
}

// New makes the service and subscribes it to order changes. Run must be running.
func New(d Deps) *Service {
	if d.NewPhoneToken == nil {
		d.NewPhoneToken = rand.Text // 130 bits
	}
	s := &Service{Deps: d}
	s.phones.Store(new(phoneTokens))
	s.pipeline = newPipeline(&s.Deps)
	s.learner = &learner{Deps: &s.Deps, wake: make(chan struct{}, 1)}
	d.Orders.Announce(s)
	return s
}

// Run stores and publishes positions, and records what they show about orders, until the context ends.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	p := s.pipeline
	for _, work := range []func(context.Context){p.history.run, p.feed.run, p.arrival.run, p.watch, p.reread, s.learner.run} {
		wg.Go(func() { work(ctx) })
	}
	wg.Wait()
}

// Counts returns the outcomes of reported positions since the start.
func (s *Service) Counts() *Counts { return &s.pipeline.counts }
