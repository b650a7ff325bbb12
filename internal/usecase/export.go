package usecase

import (
	"context"
	"reflect"
	"slices"
	"sync"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	exportPage  = 200
	exportReads = 8 // histories read at once
)

// Exported is one row of an export: a courier, or an order with its whole history.
type Exported struct {
	Courier *domain.Courier
	Order   *domain.Order
	Events  []domain.Event
}

// Export passes every order of the filter to emit, newest first, with its history. A
// courier comes before the orders that it has or had; without a filter all couriers
// come, first of all. It fails with forbidden, validation_failed or emit's error.
func (u *Orders) Export(ctx context.Context, f domain.OrderFilter, emit func(Exported) error) error {
	if _, err := u.staff(ctx); err != nil {
		return err
	}
	f, err := u.checkFilter(f)
	if err != nil {
		return err
	}
	x := &exporter{Orders: u, emit: emit, told: map[string]bool{}}
	if reflect.ValueOf(f).IsZero() {
		if err := x.allCouriers(ctx); err != nil {
			return err
		}
	}
	page := domain.Page{Size: exportPage}
	for {
		orders, next, err := u.Store.Orders(ctx, f, page)
		if err != nil {
			return err
		}
		if err := x.orders(ctx, orders); err != nil || next == nil {
			return err
		}
		page.After = *next
	}
}

type exporter struct {
	*Orders
	emit func(Exported) error
	told map[string]bool // couriers
}

func (x *exporter) allCouriers(ctx context.Context) error {
	page := domain.Page{Size: domain.MaxPageSize}
	for {
		couriers, next, err := x.Store.Couriers(ctx, domain.CourierFilter{}, page)
		if err != nil {
			return err
		}
		for _, c := range couriers {
			if err := x.courier(c); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		page.After = *next
	}
}

// courier passes a courier on without what follows from its orders and positions.
func (x *exporter) courier(c *domain.Courier) error {
	x.told[c.ID] = true
	shown := *c
	shown.ActiveOrders, shown.Position = 0, nil
	return x.emit(Exported{Courier: &shown})
}

func (x *exporter) orders(ctx context.Context, orders []*domain.Order) error {
	histories, err := x.histories(ctx, orders)
	if err != nil {
		return err
	}
	for i, o := range orders {
		if id := o.CourierID; id != "" && !x.told[id] {
			c, err := x.Store.Courier(ctx, id)
			if err != nil {
				return err
			}
			if err := x.courier(c); err != nil {
				return err
			}
		}
		if err := x.emit(Exported{Order: o, Events: histories[i]}); err != nil {
			return err
		}
	}
	return nil
}

// histories reads the events of each order up to the version that was read.
func (x *exporter) histories(ctx context.Context, orders []*domain.Order) ([][]domain.Event, error) {
	out, errs := make([][]domain.Event, len(orders)), make([]error, len(orders))
	slots := make(chan struct{}, exportReads)
	var wg sync.WaitGroup
	for i, o := range orders {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			events, err := x.Store.Events(ctx, o.ID, 0)
			newer := slices.IndexFunc(events, func(e domain.Event) bool { return e.Version > o.Version })
			if newer >= 0 {
				events = events[:newer]
			}
			out[i], errs[i] = events, err
		})
	}
	wg.Wait()
	return out, firstError(errs...)
}
