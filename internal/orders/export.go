package orders

import (
	"context"
	"reflect"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/paging"
)

const (
	exportPage  = 200
	exportReads = 8 // concurrent reads of histories
)

// Exported is one row of an export: a courier, or an order with its whole history.
type Exported struct {
	Courier *domain.Courier
	Order   *domain.Order
	Events  []domain.Event
}

// Export passes every order of the filter to emit, newest first, with its history. A
// courier comes before its current and past orders; without a filter all couriers come
// first. Merchants export their own orders, as they see them and without couriers. It fails with forbidden, validation_failed or emit's error.
func (s *Service) Export(ctx context.Context, f domain.OrderFilter, emit func(Exported) error) error {
	caller, _, err := s.mayTransfer(ctx)
	if err != nil {
		return err
	}
	if f, err = s.checkFilter(f); err != nil {
		return err
	}
	if !caller.Narrow(&f) {
		return nil
	}
	x := &exporter{Service: s, view: caller.View(), emit: emit, exported: map[string]bool{}}
	if x.view == domain.ViewStaff && reflect.ValueOf(f).IsZero() {
		for c, err := range paging.All(ctx, domain.CourierFilter{}, x.Store.Couriers) {
			if err == nil {
				err = x.courier(c)
			}
			if err != nil {
				return err
			}
		}
	}
	for orders, err := range paging.Pages(ctx, f, exportPage, s.Store.Orders) {
		if err != nil {
			return err
		}
		if err := x.orders(ctx, orders); err != nil {
			return err
		}
	}
	return nil
}

type exporter struct {
	*Service
	view     domain.View
	emit     func(Exported) error
	exported map[string]bool // couriers
}

// courier emits a courier without the data derived from its orders and positions.
func (x *exporter) courier(c *domain.Courier) error {
	x.exported[c.ID] = true
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
		if id := o.CourierID; x.view == domain.ViewStaff && id != "" && !x.exported[id] {
			c, err := x.Store.Courier(ctx, id)
			if err != nil {
				return err
			}
			if err := x.courier(c); err != nil {
				return err
			}
		}
		if err := x.emit(Exported{Order: o.For(x.view), Events: domain.History(histories[i], x.view)}); err != nil {
			return err
		}
	}
	return nil
}

// histories reads each order's events up to the version that was read.
func (x *exporter) histories(ctx context.Context, orders []*domain.Order) ([][]domain.Event, error) {
	out := make([][]domain.Event, len(orders))
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(exportReads)
	for i, o := range orders {
		reads.Go(func() error {
			events, err := x.Store.Events(ctx, o.ID, 0)
			out[i] = slices.DeleteFunc(events, func(e domain.Event) bool { return e.Version > o.Version })
			return err
		})
	}
	return out, reads.Wait()
}
