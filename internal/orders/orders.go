package orders

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// MaxBatch is the maximum number of orders in one CreateMany.
const MaxBatch = 100

// Create makes an order. It fails with validation_failed, duplicate_external_id or
// one of the idempotency codes.
func (s *Service) Create(ctx context.Context, d domain.Draft) (*domain.Order, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	by := domain.By{Actor: caller.Actor, Source: domain.SourceAPI, Now: s.Clock.Now()}
	if err := caller.Own(&d); err != nil {
		return nil, err
	}
	valid, err := d.Normalize(s.PhoneRegion)
	if err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.Keys, "create_order", d, func(rec *domain.Idempotency) (*domain.Order, error) {
		if valid.ProofRequired == nil {
			valid.ProofRequired = s.profile(valid.MerchantID).ProofRequired
		}
		s.promise(&valid, by)
		o, ev := domain.NewOrder(valid, by)
		s.estimateInto(o, courierFacts{now: by.Now})
		ch := &domain.Change{Order: o, Events: []domain.Event{ev}}
		s.match(ch)
		if err := idempotency.Record(ch, rec); err != nil {
			return nil, err
		}
		o, err := s.Store.CreateOrder(ctx, ch)
		if err != nil {
			return nil, err
		}
		s.announce(o, ch.Events, ch.Deliveries) // no older copy exists: it is cached on first read
		return o, nil
	})
}

// promise fills in promised_at where the merchant promises the end of the 80 % window, which
// nine of ten orders keep, rounded up to five minutes.
func (s *Service) promise(d *domain.Draft, by domain.By) {
	if d.PromisedAt != nil || s.profile(d.MerchantID).Promise != domain.PromiseP90 {
		return
	}
	o, _ := domain.NewOrder(*d, by)
	if e, err := s.estimate(o, courierFacts{now: by.Now}); err == nil {
		const step = 5 * time.Minute
		d.PromisedAt = new(e.Latest.Add(step - 1).Truncate(step))
	}
}

// Created is the result of one draft of a batch.
type Created struct {
	Order *domain.Order
	Err   error
}

// CreateMany creates the orders of a batch independently: a failure does not stop the
// others, and of several with the same external id the first is created. An idempotency
// key covers the batch draft by draft.
func (s *Service) CreateMany(ctx context.Context, drafts []domain.Draft) ([]Created, error) {
	if len(drafts) == 0 || len(drafts) > MaxBatch {
		return nil, domain.Invalid("/orders", "out_of_range", "must have 1 to %d entries", MaxBatch)
	}
	key := idempotency.KeyOf(ctx)
	out := make([]Created, len(drafts))
	chains := map[string][]int{} // drafts with the same external id run in sequence
	for i, d := range drafts {
		name := strconv.Itoa(i)
		if d.ExternalID != "" {
			name = d.MerchantID + "\x00" + d.ExternalID
		}
		chains[name] = append(chains[name], i)
	}
	var wg sync.WaitGroup
	for _, chain := range chains {
		wg.Go(func() {
			for _, i := range chain {
				one := ctx
				if key != "" {
					one = idempotency.With(ctx, &idempotency.Request{Key: idempotency.Hash("batch", []any{key, i})})
				}
				out[i].Order, out[i].Err = s.Create(one, drafts[i])
			}
		})
	}
	wg.Wait()
	return out, nil
}

// Get returns an order as the caller may see it, or order_not_found.
func (s *Service) Get(ctx context.Context, id string) (*domain.Order, error) {
	caller, o, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	shown := o.For(caller.View())
	if caller.Kind == domain.RoleCustomer && o.NeedsPIN() && o.Active() { // shown is a copy of the customer's own
		shown.PIN = s.PIN(o.ID)
	}
	return shown, nil
}

// List returns a page of the caller's orders, newest first, and the token of the next one.
func (s *Service) List(ctx context.Context, f domain.OrderFilter, p paging.Request) ([]*domain.Order, string, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, "", err
	}
	if f, err = s.checkFilter(f); err != nil {
		return nil, "", err
	}
	read := s.Store.Orders
	if !caller.Narrow(&f) {
		read = noOrders
	}
	found, next, err := paging.Page(ctx, p, "orders", f, false, read)
	for i, o := range found {
		found[i] = o.For(caller.View())
	}
	return found, next, err
}

// Counts counts the caller's orders by the groups of the board.
func (s *Service) Counts(ctx context.Context, f domain.OrderFilter) (out domain.OrderCounts, err error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return out, err
	}
	if f, err = s.checkFilter(f); err != nil || !caller.Narrow(&f) {
		return out, err
	}
	f.Now = s.Clock.Now()
	return s.Store.CountOrders(ctx, f)
}

// noOrders is the empty list of a caller without access to the requested orders.
func noOrders(context.Context, domain.OrderFilter, domain.Page) ([]*domain.Order, *domain.Cursor, error) {
	return nil, nil, nil
}

// checkFilter validates a filter, normalizes its phone number to E.164 and sets the time that the filter late needs.
func (s *Service) checkFilter(f domain.OrderFilter) (domain.OrderFilter, error) {
	var faults domain.Faults
	for _, s := range f.Statuses {
		faults.Status("/status", s)
	}
	f.Statuses = slices.Compact(slices.Sorted(slices.Values(f.Statuses))) // page tokens are bound to the set
	if f.CourierID != "" {
		faults.ID("/courier_id", &f.CourierID)
	}
	phone, ok := domain.NormalizePhone(f.CustomerPhone, s.PhoneRegion)
	if !ok {
		faults.Add("/customer_phone", "invalid_phone", "must be a phone number with its country code")
	}
	f.CustomerPhone = phone
	faults.Text("/merchant_id", f.MerchantID, domain.MaxKey)
	faults.Text("/external_id", f.ExternalID, domain.MaxKey)
	faults.Text("/q", f.Search, domain.MaxSearch)
	faults.Text("/exception", f.Exception, domain.MaxKey)
	if f.Late != nil {
		f.Now = s.Clock.Now()
	}
	return f, faults.Err()
}

// StatusChange requests a transition of an order.
type StatusChange struct {
	Status     domain.Status `json:"status" example:"confirmed"`
	Reason     string        `json:"reason,omitempty" maxLength:"2000"`
	OccurredAt *time.Time    `json:"occurred_at,omitempty" doc:"when it happened; default now; at most 5 minutes in the future"`
	Location   *domain.Point `json:"location,omitempty"`
	Proof      *domain.Proof `json:"proof,omitempty"`
	Received   *domain.Money `json:"received,omitempty" doc:"with delivered: the money that was collected, payment.received of the order then"`
}

// by adds the time, reason and place of the change to the actor.
func (s StatusChange) by(by domain.By) domain.By {
	by.Reason, by.Location = s.Reason, s.Location
	by.OccurredAt = domain.Or(s.OccurredAt, by.OccurredAt)
	return by
}

// UpdateStatus takes an order one step along the table; expected, when not zero, is the
// version known to the caller. It fails with illegal_transition, cancel_after_pickup,
// version_conflict, validation_failed, proof_required, pin_locked or order_not_found. A proof
// that comes with it is stored in the same commit.
func (s *Service) UpdateStatus(ctx context.Context, id string, in StatusChange, expected int64) (*domain.Order, error) {
	return Once(ctx, s, id, "update_status", in, nil, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		if err := by.Actor.Kind.MayMove(known.Status, in.Status); err != nil {
			return nil, err
		}
		proof, err := s.prepare(ctx, known, in.Proof, "/proof")
		if err != nil {
			return nil, err
		}
		drop := false
		if in.Status == domain.StatusCancelled && s.Parcels != nil {
			if drop, err = s.Parcels.Release(ctx, known.ID, expected); err != nil {
				return nil, err
			}
		}
		if drop { // which was released on the expected version
			expected = 0
		}
		o, err := s.Update(ctx, known.ID, courierUnlessFinal(known, in.Status), rec, func(ch *domain.Change) error {
			if err := CheckVersion(ch.Order, expected); err != nil {
				return err
			}
			if drop && ch.Order.Status.CanMove(in.Status) {
				ch.Order.DropShipment()
			}
			if err := proof.addTo(ch, in.by(by)); err != nil {
				return err
			}
			received, err := ch.Order.Collect(in.Status, in.Received, in.by(by))
			if err != nil {
				return err
			}
			events, err := ch.Order.Move(in.Status, proof.proof, in.by(by))
			ch.Add(append(received, events...)...)
			return err
		})
		return o, s.explainConflict(ctx, known.ID, expected, err)
	})
}

// Cancel cancels an order before its goods are handed over, its shipment first; otherwise
// it fails with cancel_after_pickup, or with unavailable while the carrier has not
// confirmed (the order is cancelled once it does). A cancelled order stays cancelled.
func (s *Service) Cancel(ctx context.Context, id, reason string, expected int64) (*domain.Order, error) {
	return s.UpdateStatus(ctx, id, StatusChange{Status: domain.StatusCancelled, Reason: reason}, expected)
}

// Edit changes an order's details; order_finished when it can't change any more.
func (s *Service) Edit(ctx context.Context, id string, in domain.Edit, expected int64) (*domain.Order, error) {
	return Once(ctx, s, id, "edit_order", []any{in, in.Clear}, nil, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		return s.Change(ctx, known.ID, known.CourierID, expected, rec, func(o *domain.Order) ([]domain.Event, error) {
			return o.Edit(in, s.PhoneRegion, by)
		})
	})
}

// Events returns the history of an order, oldest first and complete, as far as the caller may see it.
func (s *Service) Events(ctx context.Context, id string) ([]domain.Event, error) {
	caller, o, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := s.Store.Events(ctx, o.ID, 0)
	if caller.Kind == domain.RoleCourier {
		events = slices.DeleteFunc(events, func(e domain.Event) bool { return !e.ForCourier(caller.CourierID) })
	}
	return domain.History(events, caller.View()), err
}

// DeliveryTime returns the expected delivery time, computed now, or the actual one;
// order_finished for an order that ended otherwise.
func (s *Service) DeliveryTime(ctx context.Context, id string) (domain.Estimate, error) {
	caller, o, err := s.Reach(ctx, id)
	if err != nil {
		return domain.Estimate{}, err
	}
	e, err := s.Expect(ctx, o)
	if err != nil || caller.View() != domain.ViewCustomer {
		return e, err
	}
	place, err := s.Glimpse(ctx, o, domain.ViewCustomer)
	return e.For(domain.ViewCustomer, place != nil), err
}

// Glimpse returns the position of an order's courier as far as the view shows it; nil when
// it is hidden.
func (s *Service) Glimpse(ctx context.Context, o *domain.Order, v domain.View) (*domain.Position, error) {
	if !o.Status.ShowsPlace() {
		return nil, nil
	}
	p, err := s.whereabouts(ctx, o)
	if p == nil {
		return nil, err
	}
	g := o.Glimpse(s.ShowCourier(o.MerchantID))
	if v == domain.ViewCustomer && g.Rule.CountsStops() {
		g.Stops = s.StopsBefore(ctx, o)
	}
	return g.Position(v, p, s.Clock.Now()), nil
}

// whereabouts returns the newest position of the order's courier, or else of the carrier's; nil while there is none.
func (s *Service) whereabouts(ctx context.Context, o *domain.Order) (*domain.Position, error) {
	if o.CourierID != "" {
		return s.Live.Position(ctx, o.CourierID)
	}
	if o.Performer() == nil {
		return nil, nil
	}
	job, err := s.Store.ShipmentJob(ctx, o.ID)
	if job == nil {
		return nil, err
	}
	return job.Performer, err
}

// Trail returns the positions of an order's courier that the view shows.
func (s *Service) Trail(o *domain.Order, v domain.View, trail []domain.Position, history []domain.Event) []domain.Position {
	return o.Glimpse(s.ShowCourier(o.MerchantID)).Trail(v, trail, history)
}

// ShowCourier returns a merchant's rule for showing the courier to customers, with the estimates that some need.
func (s *Service) ShowCourier(merchantID string) domain.ShowCourier {
	return s.profile(merchantID).ShowCourier.By(func(from, to domain.Point) time.Duration { return s.Estimate.Drive(from, to, s.Clock.Now()) })
}

// The Check methods report every fault of an input and change nothing. A transport calls them when a request is malformed,
// to report both kinds of errors at once; a well-formed request needs no separate check.

// CheckDraft checks the input of Create.
func (s *Service) CheckDraft(d domain.Draft) error {
	_, err := d.Normalize(s.PhoneRegion)
	return err
}

// CheckStatus checks the input of UpdateStatus.
func (s *Service) CheckStatus(in StatusChange) error {
	by := in.by(domain.By{Now: s.Clock.Now()})
	_, err := new(domain.Order).Collect(in.Status, in.Received, by)
	if err == nil {
		_, err = new(domain.Order).Move(in.Status, in.Proof, by)
	}
	return onlyInvalid(err)
}

// CheckEdit checks the input of Edit.
func (s *Service) CheckEdit(in domain.Edit) error {
	_, err := new(domain.Order).Edit(in, s.PhoneRegion, domain.By{Now: s.Clock.Now()})
	return onlyInvalid(err)
}

// onlyInvalid drops errors that depend on the order.
func onlyInvalid(err error) error {
	if domain.CodeOf(err) != domain.CodeValidationFailed {
		return nil
	}
	return err
}
