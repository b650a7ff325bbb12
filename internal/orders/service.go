// Package orders implements the operations on orders: create, edit, move, cancel, assign, notify, inbound reports, import
// and export. Its Update is the only way an order changes, also for the packages built on this one.
//
// Every method takes its actor from the context and fails with domain errors.
package orders

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Deps are the dependencies of the service.
type Deps struct {
	Store    domain.Store
	Live     domain.LiveStore
	Clock    domain.Clock
	Log      *zap.Logger
	Keys     *idempotency.Keys
	Estimate eta.Config
	// PhoneRegion is the country (ISO 3166-1 alpha-2) of phone numbers without a country code.
	PhoneRegion string
	// Watching reports whether anybody watches an order; nil if that is not known.
	Watching func(ctx context.Context, orderID string) bool
	// Profile returns what a merchant has set up; by default nothing.
	Profile func(merchantID string) domain.Profile
	// PIN returns the PIN of an order, which its customer tells the courier.
	PIN func(orderID string) string
	// PhotoForPIN reports whether a photo stands in for a PIN that could not be checked.
	PhotoForPIN bool
}

// Service implements the operations on orders.
type Service struct {
	Deps
	// The packages built on this one set these before requests are served; Chooser alone must be set.
	Parcels  domain.Parcels  // ends the shipments of cancelled orders
	Chooser  domain.Chooser  // picks couriers for orders assigned without naming one
	Notifier domain.Notifier // tells others of events
	Tours    domain.Tours    // orders the stops of couriers with several orders

	changes  changeCounts
	audience []domain.Audience
}

// New makes the service. Announcements go to the audience.
func New(d Deps, audience ...domain.Audience) *Service { return &Service{Deps: d, audience: audience} }

// Announce adds to the audience. It must not be called once requests are served.
func (s *Service) Announce(to domain.Audience) { s.audience = append(s.audience, to) }

// match adds the deliveries of a change's events.
func (s *Service) match(ch *domain.Change) {
	if s.Notifier != nil && len(ch.Events) > 0 {
		s.Notifier.Match(ch)
	}
}

// profile is what a merchant has set up.
func (s *Service) profile(merchantID string) (p domain.Profile) {
	if s.Profile != nil {
		p = s.Profile(merchantID)
	}
	return p
}

// System describes the product itself as the actor, through one of its parts, now.
func (s *Service) System(part string) domain.By {
	return domain.By{Actor: domain.Actor{Kind: domain.RoleSystem, ID: part}, Source: part, Now: s.Clock.Now()}
}

// by describes who acts, from the context, through the API.
func (s *Service) by(ctx context.Context) (domain.By, error) {
	actor, err := domain.ActorFrom(ctx)
	return domain.By{Actor: actor, Source: domain.SourceAPI, Now: s.Clock.Now(), ClockOff: domain.ClockOff(ctx)}, err
}

// Authorize returns the actor and the current order. It fails with order_not_found also for another caller's order.
func (s *Service) Authorize(ctx context.Context, id string) (by domain.By, o *domain.Order, err error) {
	if by, err = s.by(ctx); err == nil {
		_, o, err = s.Reach(ctx, id)
	}
	return by, o, err
}

// Reach returns the caller and one of its orders, unfiltered: the view decides what is visible. It fails with
// order_not_found, which takes equally long for another caller's order and for a missing one.
func (s *Service) Reach(ctx context.Context, id string) (*domain.Caller, *domain.Order, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, nil, err
	}
	o, err := s.Load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if !caller.Reaches(o) {
		if err := s.reassigned(ctx, caller, o); err != nil {
			return nil, nil, err
		}
		_, err := s.Store.Order(ctx, domain.NewID())
		if domain.CodeOf(err) == domain.CodeOrderNotFound {
			err = domain.Errorf(domain.CodeOrderNotFound, "no order has the id %s", o.ID)
		}
		return nil, nil, err
	}
	if caller.Expired(o, s.Clock.Now()) {
		return nil, nil, domain.Errorf(domain.CodeUnauthenticated, "the link has expired")
	}
	return caller, o, nil
}

// ReachCourier returns the caller and the id of a courier that it may see and act for. It fails with courier_not_found for
// another courier, after the same amount of work as for a missing one.
func (s *Service) ReachCourier(ctx context.Context, id string) (*domain.Caller, string, error) {
	caller, err := domain.CallerFrom(ctx)
	if err == nil {
		id, err = domain.ParseID("/courier_id", id)
	}
	if err != nil || caller.ReachesCourier(id) {
		return caller, id, err
	}
	_, err = s.Store.Courier(ctx, domain.NewID())
	if domain.CodeOf(err) == domain.CodeCourierNotFound {
		err = domain.Errorf(domain.CodeCourierNotFound, "no courier has the id %s", id)
	}
	return nil, "", err
}

// Courier returns a courier that the caller may see, as it is stored; or courier_not_found.
func (s *Service) Courier(ctx context.Context, id string) (*domain.Courier, error) {
	_, id, err := s.ReachCourier(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Store.Courier(ctx, id)
}

// reassigned returns order_reassigned to a courier whose order recently went to another.
func (s *Service) reassigned(ctx context.Context, caller *domain.Caller, o *domain.Order) error {
	if caller.Kind != domain.RoleCourier || o.CourierID == "" {
		return nil
	}
	history, err := s.Store.Events(ctx, o.ID, 0)
	if err != nil {
		return err
	}
	at := domain.TakenFrom(history, caller.CourierID)
	if at.IsZero() || s.Clock.Now().Sub(at) > domain.ReassignedFor {
		return nil
	}
	courier, err := s.Store.Courier(ctx, o.CourierID)
	if err != nil {
		return err
	}
	e := domain.Errorf(domain.CodeOrderReassigned, "the order went to another courier")
	e.Reassigned = &domain.Reassigned{To: courier.For(domain.ViewCustomer, domain.StatusAssigned).Name, At: at}
	return e
}

// Load returns an order from the cache or the store, without access checks.
func (s *Service) Load(ctx context.Context, id string) (*domain.Order, error) {
	id, err := domain.ParseID("/order_id", id)
	if err != nil {
		return nil, err
	}
	if o, err := s.Live.CachedOrder(ctx, id); err == nil && o != nil {
		return o, nil
	}
	changes := s.changes.of(id)
	before := changes.Load()
	o, err := s.Store.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	if changes.Load() == before { // otherwise it may be outdated
		s.cache(ctx, o)
	}
	return o, nil
}

// changeCounts counts committed changes by order; some orders share a counter.
type changeCounts [1024]atomic.Uint32

func (c *changeCounts) of(id string) *atomic.Uint32 {
	return &c[maphash.String(countsSeed, id)%uint64(len(c))]
}

var countsSeed = maphash.MakeSeed()

// cache stores an order in the cache; a failure costs readers a query.
func (s *Service) cache(ctx context.Context, o *domain.Order) {
	if err := s.Live.CacheOrder(context.WithoutCancel(ctx), o); err != nil {
		s.Log.Debug("order not cached", zap.String("order_id", o.ID), zap.Error(err))
	}
}

// TakeTurn reports whether this replica does the periodic work of that name now: it does,
// and no other replica until the time has passed.
func (s *Service) TakeTurn(ctx context.Context, work string, until time.Duration) (bool, error) {
	now := s.Clock.Now()
	return s.Store.TakeLease(ctx, work+"_turn", domain.NewID(), now, now.Add(until)) // a holder of its own could take the next turn too
}
