package dispatch

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// tourFor is how long a courier's stops stay in their order, orders that come or go apart;
	// after it the times may have made another order better.
	tourFor = time.Minute
	// routesEvery is how often other replicas' changes of routes are looked for.
	routesEvery = time.Second
	// toursMost bounds the tours kept in memory.
	toursMost = 20_000
)

// setRoute is an order of stops that somebody set.
type setRoute struct {
	RouteOrder
	Version int64 `json:"-"`
}

// tours remembers how couriers' stops are ordered, so that all who ask get the same answer. Its methods do no I/O.
type tours struct {
	mu      sync.Mutex
	set     map[string]setRoute // by courier
	planned map[string]plannedTour
	epoch   int64
}

// plannedTour is the order of stops that was planned for a courier's orders.
type plannedTour struct {
	of    string // the orders
	stops []StopRef
	until time.Time
}

func (t *tours) remember(courierID string, r setRoute) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set[courierID].Version <= r.Version {
		t.set[courierID] = r
	}
}

// plan returns the courier's tour from where he is. Without a place it has stops, but known is false.
func (t *tours) plan(s *Service, c *domain.Courier, orders []*domain.Order, at *domain.Position, now time.Time) (tour Tour, known bool) {
	t.mu.Lock()
	set, had := t.set[c.ID], t.planned[c.ID]
	t.mu.Unlock()
	orders = slices.SortedFunc(slices.Values(orders), func(a, b *domain.Order) int { return strings.Compare(a.ID, b.ID) })
	of := strconv.FormatInt(set.Version, 10)
	for _, o := range orders {
		of += " " + o.ID + strconv.FormatInt(o.Version, 36)
	}
	if !now.Before(had.until) {
		had = plannedTour{until: now.Add(tourFor)}
	}
	fresh, order := had.of == of, set.Stops
	if fresh {
		order = had.stops
	}
	travel := Travel(s.Learned.Drives(now))
	planned, known := s.courier(c, orders, at, order, had.stops, Problem{Now: now, Travel: travel})
	tour = Tour{Vehicle: c.Vehicle, At: planned.Position, Start: now, Travel: travel, Stops: planned.Tour}
	if !known {
		tour.Stops = s.stops(orders, now)
		tour = tour.arrange(order, had.stops)
	}
	if !fresh {
		had = plannedTour{of: of, stops: domain.Each(tour.Stops, refOf), until: had.until}
		t.mu.Lock()
		if len(t.planned) >= toursMost {
			clear(t.planned)
		}
		t.planned[c.ID] = had
		t.mu.Unlock()
	}
	return tour, known
}

// Tour plans a courier's stops; see domain.Tours.
func (s *Service) Tour(c *domain.Courier, orders []*domain.Order, at *domain.Position, now time.Time) []domain.TourStop {
	tour, known := s.tours.plan(s, c, orders, at, now)
	if !known {
		return nil
	}
	return tour.Stops
}

// watchRoutes reads the routes that were set at other replicas, until the context ends.
func (s *Service) watchRoutes(ctx context.Context) {
	background.Loop(ctx, nil, 0, func() time.Duration {
		if err := s.readRoutes(ctx); err != nil && ctx.Err() == nil {
			s.Log.Debug("routes not read", zap.Error(err))
		}
		return routesEvery
	})
}

func (s *Service) readRoutes(ctx context.Context) error {
	epoch, err := s.Store.AccessEpoch(ctx)
	if err != nil || epoch == s.tours.epoch {
		return err
	}
	all, err := documents(ctx, s.Store, documentRoute, func(r *setRoute, d domain.Document) { r.Version = d.Version })
	if err != nil {
		return err
	}
	for id, r := range all {
		s.tours.remember(id, *r)
	}
	s.tours.epoch = epoch
	return nil
}

// routeOrder reads the order that somebody set for a courier's stops.
func (s *Service) routeOrder(ctx context.Context, courierID string) (set setRoute, err error) {
	set.Version, err = s.document(ctx, documentRoute, courierID, &set)
	if err == nil && set.Version > 0 {
		s.tours.remember(courierID, set)
	}
	return set, err
}
