package tracking

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	watchEvery  = 30 * time.Second
	sourceTimer = "timer"
)

// watch looks periodically for broken promises and silent couriers. Every replica may do it; each order gets one note entry.
func (pl *pipeline) watch(ctx context.Context) {
	background.Loop(ctx, nil, watchEvery, func() time.Duration {
		if err := pl.watchOnce(ctx); err != nil && ctx.Err() == nil {
			pl.Log.Debug("active orders not checked", zap.Error(err))
		}
		pl.sweep(pl.Clock.Now())
		return watchEvery
	})
}

func (pl *pipeline) watchOnce(ctx context.Context) error {
	return errors.Join(pl.watchPromises(ctx), pl.watchCouriers(ctx))
}

// watchPromises notes which orders are late. It reads only those that became so.
func (pl *pipeline) watchPromises(ctx context.Context) error {
	now := pl.Clock.Now()
	for {
		late, err := pl.Store.LateOrders(ctx, now, domain.MaxPageSize)
		if err != nil {
			return err
		}
		for _, id := range late {
			_, err := pl.Orders.Change(ctx, id, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
				return o.NoteLate(nil, pl.Orders.System(sourceTimer)), nil
			})
			if err != nil {
				return err
			}
		}
		if len(late) < domain.MaxPageSize {
			return nil
		}
	}
}

// watchCouriers notes which couriers are silent. It reads the orders of those only.
func (pl *pipeline) watchCouriers(ctx context.Context) error {
	busy, err := pl.Store.BusyCouriers(ctx)
	if err != nil {
		return err
	}
	for ids := range slices.Chunk(busy, domain.MaxPageSize) {
		heard, err := pl.silent(ctx, ids)
		if err != nil {
			return err
		}
		carried, err := pl.Store.OrdersInHand(ctx, slices.Collect(maps.Keys(heard)))
		if err != nil {
			return err
		}
		for courier, orders := range carried {
			for _, o := range orders {
				if err := pl.noteSilence(ctx, o, heard[courier]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// silent returns which couriers' phones fell silent, and when they were last heard,
// heartbeats included. A courier who never reported can't fall silent.
func (pl *pipeline) silent(ctx context.Context, ids []string) (map[string]time.Time, error) {
	positions, err := pl.Live.Positions(ctx, ids)
	if err != nil {
		return nil, err
	}
	contacts, err := pl.Live.Contacts(ctx, ids)
	if err != nil {
		return nil, err
	}
	before := pl.Clock.Now().Add(-pl.Arrival.SilentAfter)
	out := map[string]time.Time{}
	for _, id := range ids {
		var at time.Time
		if p := positions[id]; p != nil {
			at = p.ReceivedAt
		}
		if c := contacts[id]; c != nil && c.At.After(at) {
			at = c.At
		}
		if !at.IsZero() && at.Before(before) {
			out[id] = at
		}
	}
	return out, nil
}

// noteSilence adds the note, once for each silence, to an order in the courier's custody. Events of the order count as contact.
func (pl *pipeline) noteSilence(ctx context.Context, o *domain.Order, heard time.Time) error {
	since := domain.Later(o.UpdatedAt, heard)
	told := o.Bookkeeping.SilentSince
	if !o.Status.InCustody() || pl.Clock.Now().Sub(since) <= pl.Arrival.SilentAfter || told != nil && !since.After(*told) {
		return nil
	}
	_, err := pl.Orders.Change(ctx, o.ID, "", 0, nil, func(current *domain.Order) ([]domain.Event, error) {
		if !current.Status.InCustody() || current.CourierID != o.CourierID {
			return nil, nil
		}
		return current.NoteSilence(since, pl.Orders.System(sourceTimer)), nil
	})
	return err
}
