package tracking

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// How many couriers Near returns.
const (
	DefaultNear = 10
	MaxNear     = 100

	// nearTried is how many couriers around the point are searched for those on duty.
	nearTried = 100
)

// Nearby is a courier and its straight-line distance.
type Nearby struct {
	*domain.Courier
	DistanceM float64 `json:"distance_m"`
}

// MarshalJSON encodes the courier's fields and the distance.
func (n Nearby) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(n.Courier)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(b[:len(b)-1], `,"distance_m":%v}`, n.DistanceM), nil
}

// Near returns the couriers on duty around a point that reported recently, nearest first;
// never nil. It fails with validation_failed.
func (s *Couriers) Near(ctx context.Context, at domain.Point, limit int) ([]Nearby, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, err
	}
	var f domain.Faults
	f.Point("", &at)
	domain.Within(&f, "/limit", limit, 1, MaxNear)
	if err := f.Err(); err != nil {
		return nil, err
	}
	fixes, err := s.Live.Nearest(ctx, at, s.Clock.Now().Add(-s.StaleAfter), nearTried)
	if err != nil {
		return nil, err
	}
	couriers, err := s.Store.CouriersByID(ctx, domain.CourierIDs(fixes))
	if err != nil {
		return nil, err
	}
	near := []Nearby{}
	for _, fix := range fixes {
		courier := couriers[fix.CourierID]
		if courier == nil || !courier.OnDuty {
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
