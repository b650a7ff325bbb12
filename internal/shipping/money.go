package shipping

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
