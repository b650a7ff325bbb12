package usecase

import (
	"cmp"
	"context"
	"errors"
	"slices"

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
	by, err := u.by(ctx)
	if err != nil {
		return nil, err
	}
	if in.Auto == (in.CourierID != "") {
		return nil, domain.Invalid("/courier_id", "required", "either courier_id or auto is required")
	}
	known, err := u.order(ctx, id)
	if err != nil {
		return nil, err
	}
	op := "assign_courier:" + known.ID
	return once(ctx, u.core, op, in, func(rec *domain.Idempotency) (*domain.Order, error) {
		if in.Auto {
			return u.assignNearest(ctx, known, expected, by, rec)
		}
		courierID, err := domain.ParseID("/courier_id", in.CourierID)
		if err != nil {
			return nil, err
		}
		if _, err := u.Store.Courier(ctx, courierID); err != nil {
			return nil, err
		}
		return u.assign(ctx, known.ID, courierID, expected, by, rec)
	})
}

func (u *Orders) assign(
	ctx context.Context, id, courierID string, expected int64, by domain.By, rec *domain.Idempotency,
) (*domain.Order, error) {
	return u.update(ctx, id, courierID, func(ch *domain.Change) error {
		if err := checkVersion(ch.Order, expected); err != nil {
			return err
		}
		events, err := ch.Order.Assign(courierID, by)
		if err != nil {
			return err
		}
		ch.Add(events...)
		return record(ch, rec, nil)
	})
}

// assignNearest tries the couriers around the pick-up, nearest first. That one has
// room is decided by the commit, so two orders never share the last place.
func (u *Orders) assignNearest(
	ctx context.Context, known *domain.Order, expected int64, by domain.By, rec *domain.Idempotency,
) (*domain.Order, error) {
	if !known.Status.CanMove(domain.StatusAssigned) { // let the machine say what is wrong
		return u.assign(ctx, known.ID, "", expected, by, rec)
	}
	from := known.Dropoff.Location
	if known.Pickup != nil && known.Pickup.Location != nil {
		from = known.Pickup.Location
	}
	if from == nil {
		return nil, domain.Errorf(domain.CodeNoCourierAvailable, "the order has no location to find the nearest courier from")
	}
	tried := map[string]bool{}
	for limit := nearestTried; limit <= nearestMost; limit *= 10 {
		fixes, err := u.Live.Nearest(ctx, *from, by.Now.Add(-u.StaleAfter), limit)
		if err != nil {
			return nil, err
		}
		all := len(fixes) < limit
		fixes = slices.DeleteFunc(fixes, func(f domain.Fix) bool { return tried[f.CourierID] })
		for _, fix := range fixes {
			tried[fix.CourierID] = true
		}
		o, err := u.assignFirst(ctx, fixes, *from, func(courierID string) (*domain.Order, error) {
			return u.assign(ctx, known.ID, courierID, expected, by, rec)
		})
		if o != nil || err != nil {
			return o, err
		}
		if all {
			break
		}
	}
	return nil, domain.Errorf(domain.CodeNoCourierAvailable, "no courier on duty nearby has room")
}

// assignFirst assigns the order to the first of the couriers that takes it; nil when
// none does.
func (u *Orders) assignFirst(
	ctx context.Context, fixes []domain.Fix, to domain.Point, assign func(courierID string) (*domain.Order, error),
) (*domain.Order, error) {
	fixes, err := u.orderByRoad(ctx, fixes, to)
	if err != nil {
		return nil, err
	}
	for _, fix := range fixes {
		courier, err := u.free(ctx, fix.CourierID)
		if err != nil {
			return nil, err
		}
		if courier == nil {
			continue
		}
		o, err := assign(courier.ID)
		if code := domain.CodeOf(err); code == domain.CodeCourierBusy || code == domain.CodeCourierNotFound {
			continue
		}
		return o, err
	}
	return nil, nil
}

// free returns the courier if it is on duty and has room, else nil.
func (u *Orders) free(ctx context.Context, courierID string) (*domain.Courier, error) {
	courier, err := u.Store.Courier(ctx, courierID)
	switch {
	case domain.CodeOf(err) == domain.CodeCourierNotFound:
		return nil, nil
	case err != nil || (courier.OnDuty && courier.ActiveOrders < courier.Capacity):
		return courier, err
	}
	return nil, nil
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
			rest = append(rest, fixes[i:]...)
			break
		}
		courier, err := u.free(ctx, fix.CourierID)
		if err != nil {
			return nil, err
		}
		if courier != nil {
			near, places = append(near, fix), append(places, fix.Point())
		}
	}
	if len(near) < 2 {
		return append(near, rest...), nil
	}
	durations, err := u.Router.Durations(ctx, places, to)
	if err != nil {
		u.Log.Debug("couriers are compared by the straight line", zap.Error(errors.Join(err, errors.Unwrap(err))))
		return append(near, rest...), nil
	}
	order := make([]int, len(near))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if noWay := cmp.Compare(min(durations[b], 0), min(durations[a], 0)); noWay != 0 {
			return noWay // negative, no way, comes last
		}
		return cmp.Compare(durations[a], durations[b])
	})
	sorted := make([]domain.Fix, len(near))
	for i, from := range order {
		sorted[i] = near[from]
	}
	return append(sorted, rest...), nil
}
