package usecase

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	watchEvery  = 30 * time.Second
	sourceTimer = "timer"
)

// watch looks at all active orders again and again: which have missed their promise,
// and whose courier has fallen silent. Every replica may do it; each order is told once.
func (l *lane) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := l.watchOnce(ctx); err != nil && ctx.Err() == nil {
			l.Log.Debug("active orders were not looked at", zap.Error(err))
		}
		l.sweep(l.Clock.Now())
	}
}

func (l *lane) watchOnce(ctx context.Context) error {
	active := true
	page := domain.Page{Size: domain.MaxPageSize}
	for {
		orders, next, err := l.Store.Orders(ctx, domain.OrderFilter{Active: &active}, page)
		if err != nil {
			return err
		}
		for _, o := range orders {
			if err := l.lookAt(ctx, o); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		page.After = *next
	}
}

func (l *lane) lookAt(ctx context.Context, o *domain.Order) error {
	now := l.Clock.Now()
	late := o.PromisedAt != nil && now.After(*o.PromisedAt) && !o.Ledger.Told[string(domain.EventOrderLate)]
	silent := false
	var since time.Time
	if o.Status.InCustody() && o.CourierID != "" && !o.Ledger.Told[string(domain.EventCourierSilent)] {
		p, err := l.Live.Position(ctx, o.CourierID)
		if err != nil {
			return err
		}
		// Who has never reported can't fall silent. What was heard of the order itself
		// counts too: a report may tell of things long past.
		if p != nil {
			if since = o.UpdatedAt; p.RecordedAt.After(since) {
				since = p.RecordedAt
			}
			silent = now.Sub(since) > l.Arrival.SilentAfter
		}
	}
	if !late && !silent {
		return nil
	}
	by := domain.By{Actor: domain.Actor{Kind: domain.RoleSystem, ID: sourceTimer}, Source: sourceTimer, Now: now}
	_, err := l.update(ctx, o.ID, o.CourierID, func(ch *domain.Change) error {
		current := ch.Order
		if late && current.Active() && current.PromisedAt != nil && now.After(*current.PromisedAt) &&
			current.Once(string(domain.EventOrderLate)) {
			ch.Add(current.Note(domain.EventOrderLate, by, map[string]any{"promised_at": current.PromisedAt}))
		}
		if silent && current.Status.InCustody() && current.CourierID == o.CourierID && current.Once(string(domain.EventCourierSilent)) {
			ch.Add(current.Note(domain.EventCourierSilent, by, map[string]any{"courier_id": o.CourierID, "last_heard_at": since}))
		}
		return nil
	})
	return err
}
