// Package privacy erases and exports customers' data.
//
// An erasure is first remembered in the database, together with its audit entry, so that a crash only delays it. Then each
// order is anonymised by a change like any other, which renews its copies in caches and on watchers' screens and tells
// consumers, and the store erases what the order left elsewhere. Orders that are still active follow at their end.
//
// Run finishes what was remembered and erases what is older than its retention; of several replicas one does so at a time.
package privacy

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/paging"
)

const (
	source = "privacy"
	// batch is how many orders are erased between pauses.
	batch = 50
	// lookEvery is the interval of looking for remembered orders that have ended.
	lookEvery = 30 * time.Second
	// most is how many orders one pass of the retention handles.
	most = 20_000
)

// Deps are the dependencies of Service.
type Deps struct {
	Store  domain.Store
	Clock  domain.Clock
	Log    *zap.Logger
	Keys   *idempotency.Keys
	Orders *orders.Service
	// PhoneRegion is the country of phone numbers without a country code.
	PhoneRegion string
	// Entry makes an audit entry of the context's caller, and Mark a keyed hash.
	Entry func(ctx context.Context, action, object string, data map[string]string) (*domain.AuditEntry, error)
	Mark  func(personal string) string
	// KeepFor is how long customers' data is kept after the end of their order; zero for ever.
	KeepFor func() time.Duration
	// Every is the interval of retention passes.
	Every time.Duration
}

// Service erases and exports customers' data.
type Service struct {
	Deps
	waiting atomic.Bool   // orders are to be erased at their end
	wake    chan struct{} // one of them may have ended
}

// New returns the service, which learns of orders that end.
func New(d Deps) *Service {
	s := &Service{Deps: d, wake: make(chan struct{}, 1)}
	d.Orders.Announce(s)
	return s
}

// OrderChanged wakes Run when an order ends; see domain.Audience.
func (s *Service) OrderChanged(a domain.Announcement) {
	if e := a.Events[len(a.Events)-1]; s.waiting.Load() && e.Status.Terminal() {
		background.Wake(s.wake)
	}
}

// CourierChanged does nothing; see domain.Audience.
func (s *Service) CourierChanged(string) {}

// Erased is the result of an erasure.
type Erased struct {
	Orders   int `json:"orders" doc:"orders whose customer's data is erased"`
	AtTheEnd int `json:"at_their_end" doc:"orders that are still active; they follow when they end"`
}

// Phone returns the number in E.164, or validation_failed.
func (s *Service) Phone(phone string) (string, error) {
	var f domain.Faults
	if f.Phone("/phone", &phone, s.PhoneRegion); phone == "" {
		f.Add("/phone", "required", "is required")
	}
	return phone, f.Err()
}

// of returns the caller's orders for a customer.
func (s *Service) of(ctx context.Context, phone string) ([]*domain.Order, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	f := domain.OrderFilter{CustomerPhone: phone}
	if !caller.Narrow(&f) {
		return nil, nil
	}
	var out []*domain.Order
	for o, err := range paging.All(ctx, f, s.Store.Orders) {
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// Erase erases the data of the customer with this phone number from the caller's orders. Repeating it is harmless.
func (s *Service) Erase(ctx context.Context, phone string) (*Erased, error) {
	phone, err := s.Phone(phone)
	if err != nil {
		return nil, err
	}
	mark := s.Mark(phone)
	return idempotency.Once(ctx, s.Keys, "erase_customer", mark, func(rec *domain.Idempotency) (*Erased, error) {
		found, err := s.of(ctx, phone)
		if err != nil {
			return nil, err
		}
		out := &Erased{}
		var all, now []domain.Erasure
		for _, o := range found {
			all = append(all, domain.Erasure{OrderID: o.ID, Mark: mark})
			if o.Active() {
				out.AtTheEnd++
			} else {
				now = append(now, all[len(all)-1])
			}
		}
		out.Orders = len(now)
		audit, err := s.Entry(ctx, "customer.erased", "customer:"+mark, map[string]string{
			"orders": strconv.Itoa(out.Orders), "at_their_end": strconv.Itoa(out.AtTheEnd),
		})
		if err != nil {
			return nil, err
		}
		if err := idempotency.Answer(rec, out); err != nil {
			return nil, err
		}
		if err := s.Store.KeepErasures(ctx, all, audit, rec); err != nil {
			return nil, err
		}
		s.waiting.Store(s.waiting.Load() || out.AtTheEnd > 0)
		for part := range slices.Chunk(now, batch) {
			if err := s.finish(ctx, part, nil); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

// finish erases orders that have ended and everything about them.
func (s *Service) finish(ctx context.Context, list []domain.Erasure, audit *domain.AuditEntry) error {
	by := s.Orders.System(source)
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = e.OrderID
		_, err := s.Orders.Change(ctx, e.OrderID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) { return o.Erase(by), nil })
		if err != nil {
			return err
		}
	}
	return s.Store.EraseTraces(ctx, ids, audit)
}

// Export is everything that is held about a customer.
type Export struct {
	Phone      string     `json:"phone" example:"+79161234567"`
	ExportedAt time.Time  `json:"exported_at"`
	Orders     []Exported `json:"orders"`
}

// Exported is an order of the customer, with what is held about it.
type Exported struct {
	Order  *domain.Order  `json:"order"`
	Events []domain.Event `json:"events"`
	// Also lists what else is stored about the order, by table.
	Also map[string][]map[string]any `json:"also,omitempty"`
}

// Export returns everything that is held about the customer with this phone number in the caller's orders.
func (s *Service) Export(ctx context.Context, phone string) (*Export, error) {
	phone, err := s.Phone(phone)
	if err != nil {
		return nil, err
	}
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.of(ctx, phone)
	if err != nil {
		return nil, err
	}
	out := &Export{Phone: phone, ExportedAt: domain.Timestamp(s.Clock.Now()), Orders: []Exported{}}
	for _, o := range found {
		one := Exported{Order: o.For(caller.View())}
		events, err := s.Store.Events(ctx, o.ID, 0)
		if err != nil {
			return nil, err
		}
		one.Events = domain.History(events, caller.View())
		if one.Also, err = s.Store.Traces(ctx, o.ID); err != nil {
			return nil, err
		}
		out.Orders = append(out.Orders, one)
	}
	audit, err := s.Entry(ctx, "customer.exported", "customer:"+s.Mark(phone), map[string]string{"orders": strconv.Itoa(len(found))})
	if err != nil {
		return nil, err
	}
	return out, s.Store.ChangeAccess(ctx, domain.AccessChange{Audit: audit})
}

// Run works until the context ends.
func (s *Service) Run(ctx context.Context) {
	ctx = domain.WithActor(ctx, domain.Actor{Kind: domain.RoleSystem, ID: source})
	var next time.Time
	background.Loop(ctx, s.wake, lookEvery, func() time.Duration {
		err := s.Remembered(ctx)
		if now := s.Clock.Now(); err == nil && !now.Before(next) {
			next = now.Add(s.Every)
			err = s.Expire(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("cannot erase customers' data that is due; retrying", zap.Error(err))
		}
		return lookEvery
	})
}

// Remembered erases the remembered orders that have ended.
func (s *Service) Remembered(ctx context.Context) error {
	for {
		due, waiting, err := s.Store.DueErasures(ctx, batch)
		if err == nil {
			s.waiting.Store(waiting)
		}
		if err != nil || len(due) == 0 {
			return err
		}
		byMark := map[string][]domain.Erasure{}
		for _, e := range due {
			byMark[e.Mark] = append(byMark[e.Mark], e)
		}
		for mark, list := range byMark {
			if err := s.finishWith(ctx, mark, list); err != nil {
				return err
			}
		}
		if len(due) < batch {
			return nil
		}
	}
}

// finishWith is finish with its audit entry: of a customer, or of the retention.
func (s *Service) finishWith(ctx context.Context, mark string, list []domain.Erasure) error {
	action, object := "customer.erased", "customer:"+mark
	if mark == "" {
		action, object = "retention.erased", "orders"
	}
	audit, err := s.Entry(ctx, action, object, map[string]string{"orders": strconv.Itoa(len(list))})
	if err != nil {
		return err
	}
	return s.finish(ctx, list, audit)
}

// Expire erases the customers of orders that ended longer ago than their data is kept, in
// small batches spread over half the time until the next pass.
func (s *Service) Expire(ctx context.Context) error {
	keep := s.KeepFor()
	if keep <= 0 {
		return nil
	}
	ended := s.Clock.Now().Add(-keep)
	due, err := s.old(ctx, ended)
	if err != nil || len(due) == 0 {
		return err
	}
	if mine, err := s.Orders.TakeTurn(ctx, source+"_retention", s.Every/2); err != nil || !mine {
		return err
	}
	pause := min(time.Second, s.Every*batch/time.Duration(2*len(due)))
	for part := range slices.Chunk(due, batch) {
		if err := s.Store.KeepErasures(ctx, part, nil, nil); err != nil {
			return err
		}
		if err := s.finishWith(ctx, "", part); err != nil {
			return err
		}
		if len(part) == batch && !background.Sleep(ctx, pause) {
			return ctx.Err()
		}
	}
	return nil
}

// old returns orders that ended before a time and were not erased.
func (s *Service) old(ctx context.Context, ended time.Time) (out []domain.Erasure, err error) {
	var after domain.Cursor
	for len(out) < most {
		found, err := s.Store.OldOrders(ctx, ended, after, domain.MaxPageSize)
		if err != nil || len(found) == 0 {
			return out, err
		}
		for _, c := range found {
			after = c
			o, err := s.Store.Order(ctx, c.ID)
			if err != nil {
				return nil, err
			}
			if !o.EndedAt().After(ended) {
				out = append(out, domain.Erasure{OrderID: c.ID})
			}
		}
	}
	return out, nil
}
