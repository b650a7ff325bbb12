package tracking

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/paging"
)

const (
	watchEvery  = 30 * time.Second
	sourceTimer = "timer"
)

// watch checks all active orders periodically for missed promises and silent couriers.
// Every replica may do it; each order gets one note entry.
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
	for orders, err := range paging.Pages(ctx, domain.OrderFilter{Active: new(true)}, domain.MaxPageSize, pl.Store.Orders) {
		if err != nil {
			return err
		}
		for _, o := range orders {
			if err := pl.lookAt(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (pl *pipeline) lookAt(ctx context.Context, o *domain.Order) error {
	now := pl.Clock.Now()
	late := o.PromisedAt != nil && now.After(*o.PromisedAt) && !o.Bookkeeping.SentOnce[string(domain.EventOrderLate)]
	silent := false
	var since time.Time
	if o.Status.InCustody() && o.CourierID != "" {
		heard, err := pl.lastHeard(ctx, o.CourierID)
		if err != nil {
			return err
		}
		// A courier who never reported can't fall silent. Events of the order count as contact.
		if !heard.IsZero() {
			if since = o.UpdatedAt; heard.After(since) {
				since = heard
			}
			told := o.Bookkeeping.SilentSince
			silent = now.Sub(since) > pl.Arrival.SilentAfter && (told == nil || since.After(*told))
		}
	}
	if !late && !silent {
		return nil
	}
	by := pl.Orders.System(sourceTimer)
	_, err := pl.Orders.Change(ctx, o.ID, "", 0, nil, func(current *domain.Order) (out []domain.Event, err error) {
		if late && current.Active() && current.PromisedAt != nil && now.After(*current.PromisedAt) {
			out = current.NoteOnce(domain.EventOrderLate, by, map[string]any{"promised_at": current.PromisedAt})
		}
		if silent && current.Status.InCustody() && current.CourierID == o.CourierID {
			out = append(out, current.NoteSilence(since, by)...)
		}
		return out, nil
	})
	return err
}

// lastHeard returns the last contact with the courier's phone, heartbeats included; zero
// when there was none.
func (pl *pipeline) lastHeard(ctx context.Context, courierID string) (at time.Time, err error) {
	p, err := pl.Live.Position(ctx, courierID)
	if err != nil {
		return at, err
	}
	if p != nil {
		at = p.ReceivedAt
	}
	contacts, err := pl.Live.Contacts(ctx, []string{courierID})
	if c := contacts[courierID]; c != nil && c.At.After(at) {
		at = c.At
	}
	return at, err
}
