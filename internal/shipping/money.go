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
	id, err := sv.Store.ShipmentOrder(ctx, h.TrackingNumber)
	if domain.CodeOf(err) == domain.CodeOrderNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	o, err := sv.Orders.Load(ctx, id)
	if err != nil || o.Payment != nil && o.Payment.Registry == h.Registry {
		return err
	}
	if p := o.Payment; p != nil && p.Received != nil && h.Received != nil && p.Received.Currency != h.Received.Currency {
		h.Received = nil // the recipient paid in another currency than is handed on
	}
	_, err = sv.Orders.Change(ctx, id, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		s := o.Shipment
		if s == nil || (domain.CarrierAccount{Carrier: s.Carrier, Name: s.Account}) != account || s.TrackingNumber != h.TrackingNumber {
			return nil, nil
		}
		return o.LearnShipment(domain.ShipmentSnapshot{Received: h.Received, Registry: h.Registry}, sv.Orders.System(account.Carrier)), nil
	})
	return err
}
