package orders

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Assignment names the courier, or asks for the nearest one on duty that has room.
type Assignment struct {
	CourierID string `json:"courier_id,omitempty" format:"uuid" example:"0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"`
	Auto      bool   `json:"auto,omitempty"`
}

const (
	// nearestTried is how many couriers around the pick-up are considered at first, and
	// nearestMost how many when all of them have their hands full.
	nearestTried = 100
	nearestMost  = 10_000
	// byRoad is how many of them, those with room that are nearest in a straight line,
	// are compared by the road.
	byRoad = 10
)

// Assign gives an order to a courier. It fails with courier_not_found,
// courier_busy, no_courier_available, illegal_transition or version_conflict.
func (s *Service) Assign(ctx context.Context, id string, in Assignment, expected int64) (*domain.Order, error) {
	by, known, err := s.Authorize(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Auto == (in.CourierID != "") {
		return nil, domain.Invalid("/courier_id", "required", "either courier_id or auto is required")
	}
	return idempotency.Once(ctx, s.Keys, "assign_courier:"+known.ID, in, func(rec *domain.Idempotency) (*domain.Order, error) {
		give := func(courierID string) (*domain.Order, error) {
			return s.Change(ctx, known.ID, courierID, expected, rec, func(o *domain.Order) ([]domain.Event, error) {
				return o.Assign(courierID, by)
			})
		}
		if in.Auto {
			return s.assignNearest(ctx, known, give)
		}
		courierID, err := domain.ParseID("/courier_id", in.CourierID)
		if err != nil {
			return nil, err
		}
		if _, err := s.Store.Courier(ctx, courierID); err != nil {
			return nil, err
		}
		return give(courierID)
	})
}

// assignNearest tries the couriers around the pick-up, nearest first. That one has
// room is decided by the commit, so two orders never share the last place.
func (s *Service) assignNearest(
	ctx context.Context, known *domain.Order, give func(courierID string) (*domain.Order, error),
) (*domain.Order, error) {
	// The copy may be old, and what is decided by it must hold for the order itself.
	known, err := s.Store.Order(ctx, known.ID)
	if err != nil {
		return nil, err
	}
	if !known.Status.CanMove(domain.StatusAssigned) { // let the machine say what is wrong
		return give("")
	}
	from := known.Dropoff.Location
	if known.Pickup != nil && known.Pickup.Location != nil {
		from = known.Pickup.Location
	}
	if from == nil {
		return nil, domain.Errorf(domain.CodeNoCourierAvailable, "the order has no location to find the nearest courier from")
	}
	tried := map[string]bool{}
	for limit, all := nearestTried, false; limit <= nearestMost && !all; limit *= 10 {
		fixes, err := s.Live.Nearest(ctx, *from, s.Clock.Now().Add(-s.StaleAfter), limit)
		if err != nil {
			return nil, err
		}
		all = len(fixes) < limit
		fixes = slices.DeleteFunc(fixes, func(f domain.Fix) bool { return tried[f.CourierID] })
		for _, fix := range fixes {
			tried[fix.CourierID] = true
		}
		if o, err := s.assignFirst(ctx, fixes, *from, give); o != nil || err != nil {
			return o, err
		}
	}
	return nil, domain.Errorf(domain.CodeNoCourierAvailable, "no courier on duty nearby has room")
}

// assignFirst gives the order to the first of the couriers that takes it; nil when
// none does.
func (s *Service) assignFirst(
	ctx context.Context, fixes []domain.Fix, to domain.Point, give func(courierID string) (*domain.Order, error),
) (*domain.Order, error) {
	couriers, err := s.Store.CouriersByID(ctx, domain.CourierIDs(fixes))
	if err != nil {
		return nil, err
	}
	free := slices.DeleteFunc(fixes, func(f domain.Fix) bool {
		c := couriers[f.CourierID]
		return c == nil || !c.OnDuty || c.ActiveOrders >= c.Capacity
	})
	for _, fix := range s.orderByRoad(ctx, free, to) {
		o, err := give(fix.CourierID)
		if code := domain.CodeOf(err); code != domain.CodeCourierBusy && code != domain.CodeCourierNotFound {
			return o, err
		}
	}
	return nil, nil
}

// orderByRoad puts the nearest of the couriers in the order of the time that they need
// by road, and the others after them.
func (s *Service) orderByRoad(ctx context.Context, fixes []domain.Fix, to domain.Point) []domain.Fix {
	near := fixes[:min(len(fixes), byRoad)]
	if s.Router == nil || len(near) < 2 {
		return fixes
	}
	places := make([]domain.Point, len(near))
	for i, fix := range near {
		places[i] = fix.Point()
	}
	durations, err := s.Router.Durations(ctx, places, to)
	if err != nil {
		s.Log.Debug("couriers are compared by the straight line", zap.Error(errors.Join(err, errors.Unwrap(err))))
	}
	need := map[string]time.Duration{}
	for i, d := range durations {
		if d < 0 { // there is no way
			d = math.MaxInt64
		}
		need[near[i].CourierID] = d
	}
	slices.SortStableFunc(near, func(a, b domain.Fix) int { return cmp.Compare(need[a.CourierID], need[b.CourierID]) })
	return fixes
}
