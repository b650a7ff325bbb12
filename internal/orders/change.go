package orders

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// sourceEstimate is the source of notes that an estimate causes.
const sourceEstimate = "estimate"

// courierFacts returns the courier data for an estimate; unavailable data is omitted,
// since an estimate is never a reason to reject a change.
func (s *Service) courierFacts(ctx context.Context, courierID string) eta.Facts {
	f := eta.Facts{Now: s.Clock.Now()}
	if courierID == "" {
		return f
	}
	if courier, err := s.Store.Courier(ctx, courierID); err == nil {
		f.Vehicle = courier.Vehicle
	}
	if p, err := s.Live.Position(ctx, courierID); err == nil {
		f.Position = p
	}
	return f
}

// courierUnlessFinal returns the courier whose position an estimate needs when the order
// may take the status: none for a final status.
func courierUnlessFinal(o *domain.Order, to domain.Status) string {
	if to.Terminal() {
		return ""
	}
	return o.CourierID
}

// Expect computes the expected delivery time, as of now.
func (s *Service) Expect(ctx context.Context, o *domain.Order) (domain.Estimate, error) {
	f := s.courierFacts(ctx, o.CourierID)
	f.Order = o
	return s.Estimate.Estimate(f)
}

// estimateInto stores the estimate in the order, as of the version just made.
func (s *Service) estimateInto(o *domain.Order, f eta.Facts) {
	f.Order = o
	if e, err := s.Estimate.Estimate(f); err == nil {
		o.SetETA(&e)
	} else {
		o.SetETA(nil)
	}
}

// Update changes an order and announces the change: the only way an order changes.
// courierID is the current or new courier, for the estimate. rec, when set, is recorded
// with the order as its answer, unless it has another.
func (s *Service) Update(
	ctx context.Context, id, courierID string, rec *domain.Idempotency, fn func(*domain.Change) error,
) (*domain.Order, error) {
	facts := s.courierFacts(ctx, courierID)
	var events []domain.Event
	var deliveries []domain.Delivery
	o, err := s.Store.UpdateOrder(ctx, id, func(ch *domain.Change) error {
		before := ch.Order.Version
		if err := fn(ch); err != nil {
			return err
		}
		if ch.Order.Version != before {
			s.estimateInto(ch.Order, facts)
			ch.Add(ch.Order.NoteLate(ch.Order.ETA, s.System(sourceEstimate))...)
		}
		s.match(ch)
		events, deliveries = ch.Events, ch.Deliveries
		return idempotency.Record(ch, rec)
	})
	if err != nil {
		return nil, err
	}
	s.changes.of(o.ID).Add(1)
	s.cache(ctx, o)
	s.announce(o, events, deliveries)
	return o, nil
}

func (s *Service) announce(o *domain.Order, events []domain.Event, deliveries []domain.Delivery) {
	if len(events) == 0 {
		return
	}
	if len(deliveries) > 0 {
		s.notifier.Committed(deliveries)
	}
	announcement := domain.Announce(o, events)
	for _, a := range s.audience {
		a.OrderChanged(announcement)
	}
}

// Change is Update with a single method of the order, which must have the expected version.
func (s *Service) Change(
	ctx context.Context, id, courierID string, expected int64, rec *domain.Idempotency, verb func(*domain.Order) ([]domain.Event, error),
) (*domain.Order, error) {
	return s.Update(ctx, id, courierID, rec, func(ch *domain.Change) error {
		if err := CheckVersion(ch.Order, expected); err != nil {
			return err
		}
		events, err := verb(ch.Order)
		ch.Add(events...)
		return err
	})
}

// CheckVersion fails when the order's version is not the expected one; zero expects nothing.
func CheckVersion(o *domain.Order, expected int64) error {
	if expected != 0 && o.Version != expected {
		return domain.Errorf(domain.CodeVersionConflict, "the order has changed; it is at version %d now", o.Version)
	}
	return nil
}
