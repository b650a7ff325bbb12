package dispatch

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// What to do with an order that no courier accepts.
const (
	NoTakerWiden  = "widen"  // offer it to everyone at once, then alert
	NoTakerAssign = "assign" // assign it to the planned courier
	NoTakerAlert  = "alert"  // raise the exception no_taker
)

// OfferConfig configures offers.
type OfferConfig struct {
	ExpiresIn time.Duration // of one offer
	Total     time.Duration // of all offers of an order, unless it is assigned by then
	AtOnce    int           // couriers asked at the same time
	OnNoTaker string
}

const (
	offersKept  = 48 * time.Hour // how long ended offers are kept
	offersMost  = 100            // maximum per batch and per courier
	offersWide  = 50             // couriers asked in a widened search
	offersShown = 20             // newest ones of a courier that his watchers see change
	offersIdle  = time.Minute
)

// OfferAsk requests offers to named couriers or to those the order is planned for.
type OfferAsk struct {
	CourierIDs []string `json:"courier_ids,omitempty" format:"uuid" minItems:"1" maxItems:"50" doc:"to all of them at once"`
	Auto       bool     `json:"auto,omitempty" example:"true" doc:"to the couriers it is planned for, one round after the other"`
	ExpiresInS int      `json:"expires_in_s,omitempty" minimum:"1" maximum:"86400" doc:"how long each offer is open; absent: as configured"`
}

// Check validates the request.
func (a OfferAsk) Check() error {
	var f domain.Faults
	f.Check("", &a)
	if a.Auto == (len(a.CourierIDs) > 0) {
		f.Add("/courier_ids", "required", "either courier_ids or auto is required")
	}
	f.Include("", Ask{CourierIDs: a.CourierIDs}.Check())
	return f.Err()
}

// Offered is an offer and the others made with it.
type Offered struct {
	domain.Offer
	Others []domain.Offer `json:"others,omitempty" doc:"offers of the same order that were made with it"`
}

// search returns the default parameters of automatic offers.
func (s *Service) search() *domain.Search {
	offers := s.tuning().Offers
	return &domain.Search{Until: domain.Timestamp(s.Clock.Now().Add(offers.Total)), For: int(offers.ExpiresIn.Seconds())}
}

// Offer offers an order to couriers. It fails with validation_failed, order_not_found,
// courier_not_found, no_courier_available and illegal_transition.
func (s *Service) Offer(ctx context.Context, orderID string, ask OfferAsk) (*Offered, error) {
	if err := ask.Check(); err != nil {
		return nil, err
	}
	by, o, err := s.Orders.Authorize(ctx, orderID)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, Ask{CourierIDs: ask.CourierIDs}, &facts{}); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.Keys, "offer:"+o.ID, ask, func(rec *domain.Idempotency) (*Offered, error) {
		search, couriers := s.search(), ask.CourierIDs
		if ask.ExpiresInS > 0 {
			search.For = ask.ExpiresInS
		}
		if ask.Auto {
			if couriers, err = s.chooseMany(ctx, o, nil, s.tuning().Offers.AtOnce); err != nil {
				return nil, err
			}
		} else {
			search.Until = time.Time{} // the named couriers only
		}
		var made *Offered
		err := s.offer(ctx, o.ID, couriers, search, func(offers []domain.Offer) error {
			made = &Offered{Offer: offers[0], Others: offers[1:]}
			return idempotency.Answer(rec, made)
		}, by, rec)
		return made, err
	})
}

// chooseMany returns the n best couriers for an order, excluding those in not.
func (s *Service) chooseMany(ctx context.Context, o *domain.Order, not []string, n int) (found []string, err error) {
	for len(found) < max(n, 1) {
		id, _, err := s.Choose(ctx, o, slices.Concat(not, found))
		if len(found) > 0 && domain.CodeOf(err) == domain.CodeNoCourierAvailable {
			break
		}
		if err != nil {
			return nil, err
		}
		found = append(found, id)
	}
	return found, nil
}

// offer makes offers to couriers. References are stored first: after a crash in between
// there may be references without an offer, but no offer without a reference.
func (s *Service) offer(
	ctx context.Context, orderID string, couriers []string, search *domain.Search, told func([]domain.Offer) error, by domain.By, rec *domain.Idempotency,
) error {
	by.Now = s.Clock.Now()
	expires := domain.Timestamp(by.Now.Add(time.Duration(search.For) * time.Second))
	var offers []domain.Offer
	var refs []domain.OfferRef
	var ids []string
	for _, c := range couriers {
		f := domain.Offer{ID: domain.NewID(), OrderID: orderID, CourierID: c, Status: domain.OfferOpen, ExpiresAt: expires}
		offers, ids = append(offers, f), append(ids, f.ID)
		refs = append(refs, domain.OfferRef{ID: f.ID, OrderID: orderID, CourierID: c, DueAt: expires})
	}
	if told != nil {
		if err := told(offers); err != nil {
			return err
		}
	}
	if err := s.Store.KeepOffers(ctx, refs); err != nil {
		return err
	}
	_, err := s.Orders.Update(ctx, orderID, "", rec, func(ch *domain.Change) error {
		events, err := ch.Order.Offer(offers, by)
		if ch.Order.Bookkeeping.Search = nil; !search.Until.IsZero() {
			ch.Order.Bookkeeping.Search = search
		}
		ch.Add(events...)
		return err
	})
	if err != nil && domain.CodeOf(err) != domain.CodeUnavailable { // if unavailable, the offers may have been made
		_ = s.Store.DropOffers(ctx, ids) // otherwise dropped when due
	}
	background.Wake(s.offered)
	return err
}

// CourierOffers returns a courier's open offers, newest first.
func (s *Service) CourierOffers(ctx context.Context, courierID string) ([]domain.Offer, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	out, err := s.offersOf(ctx, courier.ID, offersMost, s.Orders.Load)
	return slices.DeleteFunc(out, func(f domain.Offer) bool { return f.Status != domain.OfferOpen }), err
}

// offersOf returns the newest offers to a courier, whatever became of them.
func (s *Service) offersOf(
	ctx context.Context, courierID string, most int, load func(context.Context, string) (*domain.Order, error),
) ([]domain.Offer, error) {
	refs, err := s.Store.CourierOffers(ctx, courierID, most)
	out := []domain.Offer{}
	for _, r := range refs {
		o, err := load(ctx, r.OrderID)
		if err != nil {
			return nil, err
		}
		if f := o.OfferOf(r.ID, s.Clock.Now()); f != nil {
			out = append(out, *f)
		}
	}
	return out, err
}

// Accept assigns the order to the offer's courier: of several accepting couriers one gets
// it, the others get offer_gone. It also fails with offer_not_found and courier_busy.
func (s *Service) Accept(ctx context.Context, offerID string) (*domain.Offer, error) {
	return s.answer(ctx, offerID, "accept_offer", (*domain.Order).AcceptOffer)
}

// Decline records that the courier declined the offer, and the reason.
func (s *Service) Decline(ctx context.Context, offerID, reason string) (*domain.Offer, error) {
	var f domain.Faults
	if f.Text("/reason", reason, domain.MaxText); f.Err() != nil {
		return nil, f.Err()
	}
	out, err := s.answer(ctx, offerID, "decline_offer:"+reason, func(o *domain.Order, id string, by domain.By) ([]domain.Event, error) {
		return o.DeclineOffer(id, reason, by)
	})
	if err == nil {
		s.goOn(ctx, out.OrderID)
	}
	return out, err
}

func (s *Service) answer(
	ctx context.Context, offerID, op string, verb func(o *domain.Order, id string, by domain.By) ([]domain.Event, error),
) (*domain.Offer, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	offerID, err = domain.ParseID("/offer_id", offerID)
	if err != nil {
		return nil, err
	}
	none := domain.Errorf(domain.CodeOfferNotFound, "no offer has the id %s", offerID)
	orderID, err := s.Store.OfferOrder(ctx, offerID)
	if err != nil {
		return nil, err
	}
	if orderID == "" {
		return nil, none
	}
	known, err := s.Store.Order(ctx, orderID)
	if err != nil {
		return nil, err
	}
	f := known.OfferOf(offerID, s.Clock.Now())
	if f == nil || !caller.ReachesCourier(f.CourierID) {
		return nil, none
	}
	return idempotency.Once(ctx, s.Keys, op+":"+offerID, nil, func(rec *domain.Idempotency) (*domain.Offer, error) {
		var out *domain.Offer
		_, err := s.Orders.Update(ctx, orderID, f.CourierID, rec, func(ch *domain.Change) error {
			by := domain.By{Actor: caller.Actor, Source: domain.SourceAPI, Now: s.Clock.Now()}
			events, err := verb(ch.Order, offerID, by)
			if err != nil {
				return err
			}
			ch.Add(events...)
			out = ch.Order.OfferOf(offerID, by.Now)
			return idempotency.Answer(rec, out)
		})
		return out, err
	})
}

// watchOffers ends expired offers until the context ends. Every replica may run it.
func (s *Service) watchOffers(ctx context.Context) {
	background.Loop(ctx, s.offered, 0, func() time.Duration {
		if err := s.dueOffers(ctx); err != nil {
			if ctx.Err() == nil {
				s.Log.Warn("cannot end expired offers; retrying", zap.Error(err))
			}
			return time.Second
		}
		next, err := s.Store.NextOffer(ctx)
		if err != nil || next.IsZero() {
			return offersIdle
		}
		return min(max(next.Sub(s.Clock.Now()), time.Millisecond), offersIdle)
	})
}

func (s *Service) dueOffers(ctx context.Context) error {
	now := s.Clock.Now()
	refs, err := s.Store.DueOffers(ctx, now, offersMost)
	if err != nil {
		return err
	}
	ended := map[string]bool{}
	var kept, dropped []string
	for _, r := range refs {
		if !ended[r.OrderID] {
			if err := s.endOffers(ctx, r.OrderID); err != nil {
				return err
			}
			ended[r.OrderID] = true
		}
		o, err := s.Store.Order(ctx, r.OrderID)
		if err != nil && domain.CodeOf(err) != domain.CodeOrderNotFound {
			return err
		}
		if o == nil || o.OfferOf(r.ID, now) == nil || now.Sub(o.OfferOf(r.ID, now).ExpiresAt) >= offersKept {
			dropped = append(dropped, r.ID)
		} else {
			kept = append(kept, r.ID)
		}
	}
	if err := s.Store.PutOffOffers(ctx, kept, now.Add(offersKept)); err != nil {
		return err
	}
	return s.Store.DropOffers(ctx, dropped)
}

func (s *Service) endOffers(ctx context.Context, orderID string) error {
	by := s.Orders.System(source)
	_, err := s.Orders.Change(ctx, orderID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) { return o.EndOffers(by), nil })
	if err == nil {
		s.goOn(ctx, orderID)
	}
	if domain.CodeOf(err) == domain.CodeOrderNotFound {
		return nil
	}
	return err
}

// goOn makes the next offers of an order without open ones, or handles an order that no
// courier accepts. Failures are retried when the next offer is due.
func (s *Service) goOn(ctx context.Context, orderID string) {
	o, err := s.Store.Order(ctx, orderID)
	if err != nil || o.Bookkeeping.Search == nil {
		return
	}
	now, search := s.Clock.Now(), *o.Bookkeeping.Search
	var asked, unwilling []string
	for _, f := range o.Bookkeeping.Offers {
		if o.OfferOf(f.ID, now).Status == domain.OfferOpen {
			return
		}
		if asked = append(asked, f.CourierID); f.Status == domain.OfferDeclined {
			unwilling = append(unwilling, f.CourierID)
		}
	}
	by := s.Orders.System(source)
	if now.Before(search.Until) && !search.Wide {
		couriers, err := s.chooseMany(ctx, o, asked, s.tuning().Offers.AtOnce)
		if err == nil {
			err = s.offer(ctx, orderID, couriers, &search, nil, by, nil)
		}
		if err == nil {
			return
		}
	}
	if err := s.noTaker(ctx, o, search, unwilling, by); err != nil && ctx.Err() == nil {
		s.Log.Warn("cannot handle an order that no courier accepted", zap.String("order_id", orderID), zap.Error(err))
	}
}

func (s *Service) noTaker(ctx context.Context, o *domain.Order, search domain.Search, unwilling []string, by domain.By) error {
	if s.tuning().Offers.OnNoTaker == NoTakerWiden && !search.Wide {
		if couriers, err := s.chooseMany(ctx, o, unwilling, offersWide); err == nil {
			search.Wide, search.Until = true, domain.Timestamp(by.Now.Add(s.tuning().Offers.Total))
			return s.offer(ctx, o.ID, couriers, &search, nil, by, nil)
		}
	}
	if s.tuning().Offers.OnNoTaker == NoTakerAssign {
		if courierID, reason, err := s.Choose(ctx, o, unwilling); err == nil {
			by.Reason = reason
			_, err = s.Orders.Change(ctx, o.ID, courierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
				o.Bookkeeping.Search = nil
				return o.Assign(courierID, by)
			})
			return err
		}
	}
	_, err := s.Orders.Change(ctx, o.ID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		o.Bookkeeping.Search = nil
		return o.Edit(domain.Edit{Exception: &domain.ExceptionEdit{Code: "no_taker", Detail: "no courier took the offers"}}, "", by)
	})
	return err
}
