// Package usecase holds the verbs of the product: what each door offers, once.
// Every method takes its Actor from the context and returns domain errors.
package usecase

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

// Deps is what the use cases work with.
type Deps struct {
	Store    domain.Store
	Live     domain.LiveStore
	Audience domain.Audience
	Clock    domain.Clock
	Log      *zap.Logger
	Estimate eta.Config
	// PhoneRegion is the country (ISO 3166-1 alpha-2) of phone numbers without a country code.
	PhoneRegion string
	// StaleAfter is how old a position must be to be called stale.
	StaleAfter time.Duration
	// Bus takes courier_location; without one positions are not published.
	Bus       domain.Bus
	Plausible domain.Plausibility
	// KeepHistory is whether positions are kept beyond the newest.
	KeepHistory bool
	// Alone says that there is no other replica, so that what was read of couriers stays
	// true until it is changed here.
	Alone   bool
	Arrival Arrival
	// Router says how long couriers take by road; without one, and while it is away, the
	// straight line decides.
	Router   domain.Router
	Shipping Shipping
}

// UseCases is every use case over the same parts.
type UseCases struct {
	Orders   *Orders
	Couriers *Couriers
	Tracking *Tracking
	Inbound  *Inbound
	// Shipments is parcels at delivery companies.
	Shipments *Shipments
	Access    *Access
	lane      *lane
}

// New builds the use cases.
func New(d Deps) *UseCases {
	c := &core{Deps: d}
	c.phones.Store(new(phoneTokens))
	c.lane = newLane(c)
	c.shipments = newShipments(c)
	return &UseCases{
		Orders: &Orders{c}, Couriers: &Couriers{c}, Tracking: &Tracking{c}, Inbound: &Inbound{c},
		Shipments: c.shipments, Access: &Access{c}, lane: c.lane,
	}
}

// Run does the work behind the telemetry lane until the context ends: it keeps and
// publishes positions, and concludes from them what happened to orders. It also books
// and watches shipments.
func (u *UseCases) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, work := range []func(context.Context){u.lane.history.run, u.lane.feed.run, u.lane.arrival.run, u.lane.watch, u.Shipments.Run} {
		wg.Go(func() { work(ctx) })
	}
	wg.Wait()
	u.lane.background.Wait()
}

// Positions counts what became of reported positions since the start.
func (u *UseCases) Positions() *Counts { return &u.lane.counts }

// core is what the use cases share: the one way to change an order.
type core struct {
	Deps
	running   sync.Map // idempotency keys that have a request running in this process
	lane      *lane
	shipments *Shipments
	phones    atomic.Pointer[phoneTokens]
}

// system is the product itself acting, through one of its parts.
func (c *core) system(part string) domain.By {
	return domain.By{Actor: domain.Actor{Kind: domain.RoleSystem, ID: part}, Source: part, Now: c.Clock.Now()}
}

// by says who acts, from the context, through the API.
func (c *core) by(ctx context.Context) (domain.By, error) {
	actor, err := domain.ActorFrom(ctx)
	return domain.By{Actor: actor, Source: domain.SourceAPI, Now: c.Clock.Now()}, err
}

// open says who acts, and on which order.
func (c *core) open(ctx context.Context, id string) (by domain.By, o *domain.Order, err error) {
	if by, err = c.by(ctx); err == nil {
		o, err = c.order(ctx, id)
	}
	return by, o, err
}

// seen is an order that somebody looks at.
func (c *core) seen(ctx context.Context, id string) (*domain.Order, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, err
	}
	return c.order(ctx, id)
}

// order returns an order from the cache or the store.
func (c *core) order(ctx context.Context, id string) (*domain.Order, error) {
	id, err := domain.ParseID("/order_id", id)
	if err != nil {
		return nil, err
	}
	if o, err := c.Live.CachedOrder(ctx, id); err == nil && o != nil {
		return o, nil
	}
	o, err := c.Store.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	c.cache(ctx, o)
	return o, nil
}

// cache keeps an order for readers; a cache that fails costs them a query.
func (c *core) cache(ctx context.Context, o *domain.Order) {
	if err := c.Live.CacheOrder(context.WithoutCancel(ctx), o); err != nil {
		c.Log.Debug("order not cached", zap.String("order_id", o.ID), zap.Error(err))
	}
}

// courierFacts returns what an estimate needs to know of a courier; what can't be
// had is left out, an estimate is never a reason to refuse.
func (c *core) courierFacts(ctx context.Context, courierID string) eta.Facts {
	f := eta.Facts{Now: c.Clock.Now()}
	if courierID == "" {
		return f
	}
	if courier, err := c.Store.Courier(ctx, courierID); err == nil {
		f.Vehicle = courier.Vehicle
	}
	if p, err := c.Live.Position(ctx, courierID); err == nil {
		f.Position = p
	}
	return f
}

// expect computes when the order is expected, from now on.
func (c *core) expect(ctx context.Context, o *domain.Order) (domain.Estimate, error) {
	f := c.courierFacts(ctx, o.CourierID)
	f.Order = o
	return c.Estimate.Estimate(f)
}

// estimateInto keeps in the order what is expected as of the version just made.
func (c *core) estimateInto(o *domain.Order, f eta.Facts) {
	f.Order = o
	if e, err := c.Estimate.Estimate(f); err == nil {
		o.SetETA(&e)
	} else {
		o.SetETA(nil)
	}
}

// update changes an order and tells everyone: the one way that an order changes.
// courierID is who has or gets the order, for the estimate. rec, when there is one, is
// recorded with the order as its answer, unless it has another.
func (c *core) update(
	ctx context.Context, id, courierID string, rec *domain.Idempotency, fn func(*domain.Change) error,
) (*domain.Order, error) {
	facts := c.courierFacts(ctx, courierID)
	var events []domain.Event
	o, err := c.Store.UpdateOrder(ctx, id, func(ch *domain.Change) error {
		before := ch.Order.Version
		if err := fn(ch); err != nil {
			return err
		}
		if ch.Order.Version != before {
			c.estimateInto(ch.Order, facts)
		}
		events = ch.Events
		return record(ch, rec)
	})
	if err != nil {
		return nil, err
	}
	c.cache(ctx, o)
	c.tell(o, events)
	return o, nil
}

func (c *core) tell(o *domain.Order, events []domain.Event) {
	c.lane.orderChanged(o, events)
	if len(events) > 0 {
		c.Audience.OrderChanged(o, events)
	}
}

// change is update by one verb of the order, which must have the expected version.
func (c *core) change(
	ctx context.Context, id, courierID string, expected int64, rec *domain.Idempotency, verb func(*domain.Order) ([]domain.Event, error),
) (*domain.Order, error) {
	return c.update(ctx, id, courierID, rec, func(ch *domain.Change) error {
		if err := checkVersion(ch.Order, expected); err != nil {
			return err
		}
		events, err := verb(ch.Order)
		ch.Add(events...)
		return err
	})
}

// checkVersion refuses a change made for another version than the order has; zero
// expects nothing.
func checkVersion(o *domain.Order, expected int64) error {
	if expected != 0 && o.Version != expected {
		return domain.Errorf(domain.CodeVersionConflict, "the order has moved on to version %d", o.Version)
	}
	return nil
}

// loop does something again and again until the context ends: after the pause, later after
// what it says, or when woken.
func loop(ctx context.Context, wake <-chan struct{}, pause time.Duration, do func() time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-t.C:
		}
		t.Reset(do())
	}
}

// sleep waits, and says false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
