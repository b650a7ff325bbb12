package usecase

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Assignment names the courier, or asks for the nearest one on duty that has room.
type Assignment struct {
	CourierID string `json:"courier_id,omitempty"`
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
func (u *Orders) Assign(ctx context.Context, id string, in Assignment, expected int64) (*domain.Order, error) {
	by, known, err := u.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Auto == (in.CourierID != "") {
		return nil, domain.Invalid("/courier_id", "required", "either courier_id or auto is required")
	}
	return once(ctx, u.core, "assign_courier:"+known.ID, in, func(rec *domain.Idempotency) (*domain.Order, error) {
		give := func(courierID string) (*domain.Order, error) {
			return u.change(ctx, known.ID, courierID, expected, rec, func(o *domain.Order) ([]domain.Event, error) {
				return o.Assign(courierID, by)
			})
		}
		if in.Auto {
			return u.assignNearest(ctx, known, give)
		}
		courierID, err := domain.ParseID("/courier_id", in.CourierID)
		if err != nil {
			return nil, err
		}
		if _, err := u.Store.Courier(ctx, courierID); err != nil {
			return nil, err
		}
		return give(courierID)
	})
}

// assignNearest tries the couriers around the pick-up, nearest first. That one has
// room is decided by the commit, so two orders never share the last place.
func (u *Orders) assignNearest(
	ctx context.Context, known *domain.Order, give func(courierID string) (*domain.Order, error),
) (*domain.Order, error) {
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
		fixes, err := u.Live.Nearest(ctx, *from, u.Clock.Now().Add(-u.StaleAfter), limit)
		if err != nil {
			return nil, err
		}
		all = len(fixes) < limit
		fixes = slices.DeleteFunc(fixes, func(f domain.Fix) bool { return tried[f.CourierID] })
		for _, fix := range fixes {
			tried[fix.CourierID] = true
		}
		if o, err := u.assignFirst(ctx, fixes, *from, give); o != nil || err != nil {
			return o, err
		}
	}
	return nil, domain.Errorf(domain.CodeNoCourierAvailable, "no courier on duty nearby has room")
}

// assignFirst gives the order to the first of the couriers that takes it; nil when
// none does.
func (u *Orders) assignFirst(
	ctx context.Context, fixes []domain.Fix, to domain.Point, give func(courierID string) (*domain.Order, error),
) (*domain.Order, error) {
	fixes, err := u.orderByRoad(ctx, fixes, to)
	if err != nil {
		return nil, err
	}
	for _, fix := range fixes {
		if free, err := u.free(ctx, fix.CourierID); err != nil {
			return nil, err
		} else if !free {
			continue
		}
		o, err := give(fix.CourierID)
		if code := domain.CodeOf(err); code != domain.CodeCourierBusy && code != domain.CodeCourierNotFound {
			return o, err
		}
	}
	return nil, nil
}

// onDuty returns the courier if it exists and is on duty, else nil.
func (c *core) onDuty(ctx context.Context, courierID string) (*domain.Courier, error) {
	courier, err := c.Store.Courier(ctx, courierID)
	if domain.CodeOf(err) == domain.CodeCourierNotFound || err == nil && !courier.OnDuty {
		return nil, nil
	}
	return courier, err
}

// free says whether the courier is on duty and has room.
func (u *Orders) free(ctx context.Context, courierID string) (bool, error) {
	courier, err := u.onDuty(ctx, courierID)
	return courier != nil && courier.ActiveOrders < courier.Capacity, err
}

// orderByRoad puts those of the nearest couriers that have room in the order of the
// time that they need by road, and the others after them.
func (u *Orders) orderByRoad(ctx context.Context, fixes []domain.Fix, to domain.Point) ([]domain.Fix, error) {
	if u.Router == nil {
		return fixes, nil
	}
	var near, rest []domain.Fix
	var places []domain.Point
	for i, fix := range fixes {
		if len(near) == byRoad {
			rest = fixes[i:]
			break
		}
		free, err := u.free(ctx, fix.CourierID)
		if err != nil {
			return nil, err
		}
		if free {
			near, places = append(near, fix), append(places, fix.Point())
		}
	}
	if len(near) > 1 {
		durations, err := u.Router.Durations(ctx, places, to)
		if err != nil {
			u.Log.Debug("couriers are compared by the straight line", zap.Error(errors.Join(err, errors.Unwrap(err))))
		}
		need := map[string]time.Duration{}
		for i, d := range durations {
			if d < 0 { // there is no way
				d = math.MaxInt64
			}
			need[near[i].CourierID] = d
		}
		slices.SortStableFunc(near, func(a, b domain.Fix) int { return cmp.Compare(need[a.CourierID], need[b.CourierID]) })
	}
	return append(near, rest...), nil
}
