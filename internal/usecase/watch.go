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
	loop(ctx, nil, watchEvery, func() time.Duration {
		if err := l.watchOnce(ctx); err != nil && ctx.Err() == nil {
			l.Log.Debug("active orders were not looked at", zap.Error(err))
		}
		l.sweep(l.Clock.Now())
		return watchEvery
	})
}

func (l *lane) watchOnce(ctx context.Context) error {
	for orders, err := range pages(ctx, domain.OrderFilter{Active: new(true)}, domain.MaxPageSize, l.Store.Orders) {
		if err != nil {
			return err
		}
		for _, o := range orders {
			if err := l.lookAt(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
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
	by := l.system(sourceTimer)
	_, err := l.change(ctx, o.ID, o.CourierID, 0, nil, func(current *domain.Order) (out []domain.Event, err error) {
		if late && current.Active() && current.PromisedAt != nil && now.After(*current.PromisedAt) {
			out = current.NoteOnce(domain.EventOrderLate, by, map[string]any{"promised_at": current.PromisedAt})
		}
		if silent && current.Status.InCustody() && current.CourierID == o.CourierID {
			data := map[string]any{"courier_id": o.CourierID, "last_heard_at": since}
			out = append(out, current.NoteOnce(domain.EventCourierSilent, by, data)...)
		}
		return out, nil
	})
	return err
}
