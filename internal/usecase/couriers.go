package usecase

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Couriers is what can be done with couriers.
type Couriers struct{ *core }

// Create makes a courier; the name is required. It fails with validation_failed or
// one of the idempotency codes.
func (u *Couriers) Create(ctx context.Context, in domain.CourierEdit) (*domain.Courier, error) {
	return once(ctx, u.core, "create_courier", in, func(rec *domain.Idempotency) (*domain.Courier, error) {
		c, err := domain.NewCourier(in, u.PhoneRegion, u.Clock.Now())
		if err != nil {
			return nil, err
		}
		if err := answer(rec, c); err != nil {
			return nil, err
		}
		return c, u.Store.CreateCourier(ctx, c, rec)
	})
}

// Get returns a courier with the newest position, or courier_not_found.
func (u *Couriers) Get(ctx context.Context, id string) (*domain.Courier, error) {
	c, err := u.known(ctx, id)
	if err != nil {
		return nil, err
	}
	return u.withPosition(ctx, c)
}

// List returns a page of couriers, newest first, and the token of the next one.
func (u *Couriers) List(ctx context.Context, f domain.CourierFilter, p PageRequest) ([]*domain.Courier, string, error) {
	var faults domain.Faults
	faults.Text("/q", f.Search, domain.MaxSearch)
	if err := faults.Err(); err != nil {
		return nil, "", err
	}
	list, next, err := page(ctx, p, "couriers", f, false, u.Store.Couriers)
	for i := range list {
		if list[i], err = u.withPosition(ctx, list[i]); err != nil {
			return nil, "", err
		}
	}
	return list, next, err
}

// Edit changes a courier, or fails with courier_not_found or validation_failed.
func (u *Couriers) Edit(ctx context.Context, id string, in domain.CourierEdit) (*domain.Courier, error) {
	c, err := u.known(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err = u.Store.UpdateCourier(ctx, c.ID, func(c *domain.Courier) error {
		return c.Edit(in, u.PhoneRegion, u.Clock.Now())
	})
	if err != nil {
		return nil, err
	}
	u.lane.courierChanged(c.ID)
	return u.withPosition(ctx, c)
}

// Orders returns a page of a courier's orders, active ones first.
func (u *Couriers) Orders(ctx context.Context, id string, p PageRequest) ([]*domain.Order, string, error) {
	c, err := u.known(ctx, id)
	if err != nil {
		return nil, "", err
	}
	return page(ctx, p, "courier_orders", domain.OrderFilter{CourierID: c.ID}, true, u.Store.Orders)
}

// known returns the stored courier.
func (c *core) known(ctx context.Context, id string) (*domain.Courier, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, err
	}
	id, err := domain.ParseID("/courier_id", id)
	if err != nil {
		return nil, err
	}
	return c.Store.Courier(ctx, id)
}

// withPosition returns a copy of the courier with its newest position.
func (c *core) withPosition(ctx context.Context, courier *domain.Courier) (*domain.Courier, error) {
	p, err := c.Live.Position(ctx, courier.ID)
	if err != nil {
		return nil, err
	}
	copied := *courier
	copied.Position = p
	return &copied, nil
}
