package orders

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// sourceEstimate is the source of notes that an estimate causes.
const sourceEstimate = "estimate"

// courierFacts is the courier data for estimates.
type courierFacts struct {
	courier  *domain.Courier // nil: none, or unknown
	position *domain.Position
	orders   []*domain.Order // that the courier has
	now      time.Time
}

// courierFacts returns the courier data for an estimate; unavailable data is omitted,
// since an estimate is never a reason to reject a change.
func (s *Service) courierFacts(ctx context.Context, courierID string) courierFacts {
	f := courierFacts{now: s.Clock.Now()}
	if courierID == "" {
		return f
	}
	if courier, err := s.Store.Courier(ctx, courierID); err == nil {
		f.courier = courier
	}
	if p, err := s.Live.Position(ctx, courierID); err == nil {
		f.position = p
	}
	if f.courier != nil && f.courier.ActiveOrders > 0 && s.Tours != nil {
		if all, err := s.Store.OrdersInHand(ctx, []string{courierID}); err == nil {
			f.orders = all[courierID]
		}
	}
	return f
}

// estimate returns the expected delivery time of the order. It does no I/O.
func (s *Service) estimate(o *domain.Order, f courierFacts) (domain.Estimate, error) {
	tour := s.Tour(f.courier, f.with(o), f.position, f.now)
	return s.ExpectOnTour(o, f.courier, f.position, tour, f.now)
}

// with returns the courier's orders, this one as it is now.
func (f courierFacts) with(o *domain.Order) []*domain.Order {
	if f.courier == nil || o.CourierID != f.courier.ID {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(f.orders), func(other *domain.Order) bool { return other.ID == o.ID })
	return append(others, o)
}

// StopsBefore returns how many stops the order's courier has before its drop-off; nil if that is not known.
func (s *Service) StopsBefore(ctx context.Context, o *domain.Order) *int {
	f := s.courierFacts(ctx, o.CourierID)
	orders := f.with(o)
	if len(orders) == 0 {
		return nil
	}
	return Stops(o.ID, orders, s.Tour(f.courier, orders, f.position, f.now))
}

// Stops counts the stops before an order's drop-off on the tour of a courier with these orders; nil if that is not known.
func Stops(orderID string, orders []*domain.Order, tour []domain.TourStop) *int {
	n := len(domain.StopsBefore(tour, orderID))
	if n == 0 && len(orders) > 1 && (len(tour) == 0 || tour[0].OrderID != orderID) {
		return nil
	}
	return &n
}

// Tour returns the planned stops of a courier who has these orders; none for a single
// order, whose way is known without a plan. It does no I/O.
func (s *Service) Tour(c *domain.Courier, orders []*domain.Order, at *domain.Position, now time.Time) []domain.TourStop {
	if s.Tours == nil || len(orders) < 2 {
		return nil
	}
	return s.Tours.Tour(c, orders, at, now)
}

// ExpectOnTour computes the expected delivery time of an order on its courier's tour. It does no I/O.
func (s *Service) ExpectOnTour(
	o *domain.Order, c *domain.Courier, at *domain.Position, tour []domain.TourStop, now time.Time,
) (domain.Estimate, error) {
	f := eta.Facts{Order: o, Position: at, Now: now, Before: domain.StopsBefore(tour, o.ID)}
	if c != nil {
		f.Vehicle = c.Vehicle
	}
	return s.Estimate.Estimate(f)
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
	return s.estimate(o, s.courierFacts(ctx, o.CourierID))
}

// estimateInto stores the estimate in the order, as of the version just made.
func (s *Service) estimateInto(o *domain.Order, f courierFacts) {
	if e, err := s.estimate(o, f); err == nil {
		o.SetETA(&e)
	} else {
		o.SetETA(nil)
	}
}

// Update changes an order and announces the change: the only way an order changes. courierID is the current or new courier,
// for the estimate. rec, when set, is recorded with the order as its answer, unless it has another.
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
		s.Notifier.Committed(deliveries)
	}
	announcement := domain.Announce(o, events)
	for _, a := range s.audience {
		a.OrderChanged(announcement)
	}
}

// Once runs a change of an order that the caller asks for, once per idempotency key. fault is what is wrong with its input.
func Once[T any](
	ctx context.Context, s *Service, id, op string, in any, fault error, do func(by domain.By, known *domain.Order, rec *domain.Idempotency) (T, error),
) (out T, err error) {
	by, known, err := s.Authorize(ctx, id)
	if err := cmp.Or(err, fault); err != nil {
		return out, err
	}
	return idempotency.Once(ctx, s.Keys, op+":"+known.ID, in, func(rec *domain.Idempotency) (T, error) { return do(by, known, rec) })
}

// Change is Update with a single method of the order, which must have the expected version.
func (s *Service) Change(
	ctx context.Context, id, courierID string, expected int64, rec *domain.Idempotency, verb func(*domain.Order) ([]domain.Event, error),
) (*domain.Order, error) {
	o, err := s.Update(ctx, id, courierID, rec, func(ch *domain.Change) error {
		if err := CheckVersion(ch.Order, expected); err != nil {
			return err
		}
		events, err := verb(ch.Order)
		ch.Add(events...)
		return err
	})
	return o, s.explainConflict(ctx, id, expected, err)
}

// explainConflict adds to a version_conflict who changed what since the expected version.
func (s *Service) explainConflict(ctx context.Context, id string, expected int64, err error) error {
	caller, callerErr := domain.CallerFrom(ctx)
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || callerErr != nil || e.Code != domain.CodeVersionConflict || e.Conflict == nil {
		return err
	}
	history, readErr := s.Store.Events(ctx, id, 0)
	if readErr != nil {
		return err
	}
	explained := *e
	explained.Conflict = domain.ConflictSince(history, expected, e.Conflict.CurrentVersion, caller.View())
	return &explained
}

// CheckVersion fails when the order's version is not the expected one; zero expects nothing.
func CheckVersion(o *domain.Order, expected int64) error {
	if expected != 0 && o.Version != expected {
		err := domain.Errorf(domain.CodeVersionConflict, "the order has changed; it is at version %d now", o.Version)
		err.Conflict = &domain.Conflict{CurrentVersion: o.Version}
		return err
	}
	return nil
}

// Assignment names a courier, or requests the one planned to arrive first.
type Assignment struct {
	CourierID string `json:"courier_id,omitempty" format:"uuid" example:"0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"`
	Auto      bool   `json:"auto,omitempty"`
}

// Assign gives an order to a courier. It fails with courier_not_found,
// courier_busy, no_courier_available, illegal_transition or version_conflict.
func (s *Service) Assign(ctx context.Context, id string, in Assignment, expected int64) (*domain.Order, error) {
	var fault error
	if in.Auto == (in.CourierID != "") {
		fault = domain.Invalid("/courier_id", "required", "either courier_id or auto is required")
	}
	return Once(ctx, s, id, "assign_courier", in, fault, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		give := func(courierID, reason string) (*domain.Order, error) {
			by.Reason = reason
			return s.Change(ctx, known.ID, courierID, expected, rec, func(o *domain.Order) ([]domain.Event, error) {
				return o.Assign(courierID, by)
			})
		}
		if in.Auto {
			return s.assignChosen(ctx, known, give)
		}
		courierID, err := domain.ParseID("/courier_id", in.CourierID)
		if err != nil {
			return nil, err
		}
		if _, err := s.Store.Courier(ctx, courierID); err != nil {
			return nil, err
		}
		return give(courierID, "")
	})
}

// mostChosen is the maximum number of couriers tried in turn when the chosen ones get busy in the meantime.
const mostChosen = 20

// assignChosen tries the couriers picked by the chooser. The commit checks their capacity,
// so two orders never share the last place.
func (s *Service) assignChosen(ctx context.Context, known *domain.Order, give func(courierID, reason string) (*domain.Order, error)) (*domain.Order, error) {
	// The cached copy may be old; decisions based on it are checked on the order itself.
	known, err := s.Store.Order(ctx, known.ID)
	if err != nil {
		return nil, err
	}
	if !known.Status.CanMove(domain.StatusAssigned) { // let the status machine report the error
		return give("", "")
	}
	var tried []string
	for {
		courierID, reason, err := s.Chooser.Choose(ctx, known, tried)
		if err != nil {
			return nil, err
		}
		o, err := give(courierID, reason)
		if code := domain.CodeOf(err); code != domain.CodeCourierBusy && code != domain.CodeCourierNotFound || len(tried) == mostChosen {
			return o, err
		}
		tried = append(tried, courierID)
	}
}
