package usecase

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// How many couriers Near returns.
const (
	DefaultNear = 10
	MaxNear     = 100
)

// Nearby is a courier and how far away it is, in a straight line.
type Nearby struct {
	*domain.Courier
	DistanceM float64 `json:"distance_m"`
}

// Near returns the couriers on duty around a point that reported lately, nearest
// first; never nil. It fails with validation_failed.
func (u *Couriers) Near(ctx context.Context, at domain.Point, limit int) ([]Nearby, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, err
	}
	var f domain.Faults
	if !(at.Lat >= -90 && at.Lat <= 90) {
		f.Add("/lat", "out_of_range", "must be between -90 and 90 degrees")
	}
	if !(at.Lon >= -180 && at.Lon <= 180) {
		f.Add("/lon", "out_of_range", "must be between -180 and 180 degrees")
	}
	if limit < 1 || limit > MaxNear {
		f.Add("/limit", "out_of_range", "must be between 1 and %d", MaxNear)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	fixes, err := u.Live.Nearest(ctx, at, u.Clock.Now().Add(-u.StaleAfter), nearestTried)
	if err != nil {
		return nil, err
	}
	near := []Nearby{}
	for _, fix := range fixes {
		courier, err := u.Store.Courier(ctx, fix.CourierID)
		if domain.CodeOf(err) == domain.CodeCourierNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !courier.OnDuty {
			continue
		}
		copied := *courier
		copied.Position = &fix.Position
		near = append(near, Nearby{Courier: &copied, DistanceM: fix.Point().DistanceM(at)})
		if len(near) == limit {
			break
		}
	}
	return near, nil
}
