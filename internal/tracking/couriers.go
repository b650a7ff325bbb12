package tracking

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// Couriers implements the operations on couriers.
type Couriers struct{ *Service }

// Create makes a courier; the name is required. It fails with validation_failed or one of the idempotency codes.
func (s *Couriers) Create(ctx context.Context, in domain.CourierEdit) (*domain.Courier, error) {
	return idempotency.Once(ctx, s.Keys, "create_courier", in, func(rec *domain.Idempotency) (*domain.Courier, error) {
		c, err := domain.NewCourier(in, s.PhoneRegion, s.Clock.Now())
		if err != nil {
			return nil, err
		}
		if err := idempotency.Answer(rec, c); err != nil {
			return nil, err
		}
		return c, s.Store.CreateCourier(ctx, c, rec)
	})
}

// Get returns a courier with its newest position, or courier_not_found.
func (s *Couriers) Get(ctx context.Context, id string) (*domain.Courier, error) {
	c, err := s.Service.Orders.Courier(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.located(ctx, c)
}

// List returns a page of couriers, newest first, and the token of the next one.
func (s *Couriers) List(ctx context.Context, f domain.CourierFilter, p paging.Request) ([]*domain.Courier, string, error) {
	var faults domain.Faults
	faults.Text("/q", f.Search, domain.MaxSearch)
	if err := faults.Err(); err != nil {
		return nil, "", err
	}
	list, next, err := paging.Page(ctx, p, "couriers", f, false, s.Store.Couriers)
	if err != nil {
		return nil, "", err
	}
	list, err = s.withPositions(ctx, list...)
	return list, next, err
}

// Edit changes a courier, which must be at the expected version unless that is zero, or fails with courier_not_found,
// version_conflict, validation_failed, or forbidden for a courier who changes more than on_duty and on_break.
func (s *Couriers) Edit(ctx context.Context, id string, in domain.CourierEdit, expected int64) (*domain.Courier, error) {
	caller, id, err := s.Service.Orders.ReachCourier(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Courier(ctx, id); err != nil {
		return nil, err
	}
	if !caller.Staff() && !in.OnDutyOnly() {
		return nil, domain.Errorf(domain.CodeForbidden, "couriers change on_duty and on_break only")
	}
	asked := struct {
		domain.CourierEdit
		Clear    []string `json:"clear,omitempty"`
		Expected int64    `json:"expected,omitempty"`
	}{in, in.Clear, expected}
	c, err := idempotency.Once(ctx, s.Keys, "edit_courier:"+id, asked, func(rec *domain.Idempotency) (*domain.Courier, error) {
		return s.Store.UpdateCourier(ctx, id, rec, func(c *domain.Courier) error {
			return c.Edit(in, s.PhoneRegion, expected, caller, s.Clock.Now())
		})
	})
	if err != nil {
		return nil, err
	}
	s.CourierChanged(c.ID)
	return s.located(ctx, c)
}

// Orders returns a page of a courier's orders, active ones first.
func (s *Couriers) Orders(ctx context.Context, id string, p paging.Request) ([]*domain.Order, string, error) {
	c, err := s.Service.Orders.Courier(ctx, id)
	if err != nil {
		return nil, "", err
	}
	return paging.Page(ctx, p, "courier_orders", domain.OrderFilter{CourierID: c.ID}, true, s.Store.Orders)
}

// located returns a copy of the courier with its newest position.
func (s *Service) located(ctx context.Context, courier *domain.Courier) (*domain.Courier, error) {
	copied, err := s.withPositions(ctx, courier)
	if err != nil {
		return nil, err
	}
	return copied[0], nil
}

// withPositions returns copies of the couriers with their newest positions.
func (s *Service) withPositions(ctx context.Context, couriers ...*domain.Courier) ([]*domain.Courier, error) {
	ids := domain.Each(couriers, func(c *domain.Courier) string { return c.ID })
	positions, err := s.Live.Positions(ctx, ids)
	if err != nil {
		return nil, err
	}
	contacts, err := s.Live.Contacts(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]*domain.Courier, len(couriers))
	for i, c := range couriers {
		copied := *c
		copied.Position, copied.LastContact = positions[c.ID], contacts[c.ID]
		out[i] = &copied
	}
	return out, nil
}

// CheckEdit checks the input of Edit or, for a new courier, Create.
func (s *Couriers) CheckEdit(in domain.CourierEdit, isNew bool) error {
	if !isNew && in.Name == nil {
		in.Name = new("-")
	}
	_, err := domain.NewCourier(in, s.PhoneRegion, s.Clock.Now())
	return err
}

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
