package shipping

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// journalEvery is how often a company's journal is read, and journalPause the pause after a failure.
const (
	journalEvery = 5 * time.Second
	journalPause = 30 * time.Second
)

// readJournal polls the shipments that an account's journal names, and returns when to read
// it again. The cursor is stored behind the polls' schedule: a crash only repeats some.
func (sv *Service) readJournal(ctx context.Context, account domain.CarrierAccount, from domain.CarrierJournal) time.Duration {
	cursor, err := sv.Store.CarrierCursor(ctx, account)
	if err != nil {
		return journalPause
	}
	refs, next, more, err := from.Journal(ctx, cursor)
	if err != nil {
		sv.count(account, "journal_"+string(domain.ClassOf(err)))
		return journalPause
	}
	n := 0
	if len(refs) > 0 {
		n, err = sv.Store.HastenShipments(ctx, account, refs, domain.Timestamp(sv.Clock.Now()))
	}
	if err == nil && next != cursor {
		err = sv.Store.KeepCarrierCursor(ctx, account, next)
	}
	if err != nil {
		sv.Log.Debug("cannot apply a carrier's journal", zap.Stringer("carrier", account), zap.Error(err))
		return journalPause
	}
	if n > 0 {
		background.Wake(sv.wake[account])
	}
	if more {
		return time.Millisecond
	}
	return journalEvery
}

// Interval of reading the carriers' money registries, and the number of past days read.
const (
	handoverEvery = 6 * time.Hour
	handoverDays  = 4
)

// handovers applies the carrier's money registries to the orders and returns when to read them again.
func (sv *Service) handovers(ctx context.Context, account domain.CarrierAccount, from domain.CarrierCollector) time.Duration {
	for back := range handoverDays {
		list, err := from.Handovers(ctx, sv.Clock.Now().AddDate(0, 0, -back))
		if err != nil {
			sv.count(account, "handovers_"+string(domain.ClassOf(err)))
			return handoverEvery / 6
		}
		for _, h := range list {
			if err := sv.handedOn(ctx, account, h); err != nil {
				sv.Log.Warn("cannot record a carrier's payout", zap.Stringer("carrier", account),
					zap.String("tracking_number", h.TrackingNumber), zap.Error(err))
				return handoverEvery / 6
			}
		}
	}
	return handoverEvery
}

// handedOn records the payout for one shipment; unknown shipments are skipped.
func (sv *Service) handedOn(ctx context.Context, account domain.CarrierAccount, h domain.Handover) error {
	return sv.learnOf(ctx, account, h.TrackingNumber, func(o *domain.Order) *domain.ShipmentSnapshot {
		p := o.Payment
		if p != nil && p.Registry == h.Registry {
			return nil
		}
		if p != nil && p.Received != nil && h.Received != nil && p.Received.Currency != h.Received.Currency {
			h.Received = nil // the recipient paid in another currency than is handed on
		}
		return &domain.ShipmentSnapshot{Received: h.Received, Registry: h.Registry}
	})
}
