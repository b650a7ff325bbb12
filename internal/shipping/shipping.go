// Package shipping manages shipments with delivery companies: booking, tracking, cancelling, labels and webhooks.
package shipping

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// Deps are the dependencies of Service.
type Deps struct {
	Store  domain.Store
	Clock  domain.Clock
	Log    *zap.Logger
	Keys   *idempotency.Keys
	Orders *orders.Service
	// Watchers are shown where carriers' couriers are.
	Watchers domain.Watchers
	// Alone means that no other process books: what a killed one had begun is its successor's at once.
	Alone bool
	Carriers
}

// Service manages shipments with delivery companies. It implements domain.Parcels.
//
// Booking stores the request and returns; a worker per account (worker.go) carries it out. Polling at sensible intervals is
// the source of truth; webhooks only trigger an early poll.
type Service struct {
	Deps
	wake     map[domain.CarrierAccount]chan struct{} // wakes each account's worker
	webhooks chan struct{}                           // wakes the webhook handler
	hung     sync.Map                                // by account: until when prices are not waited for
}

// New returns the service, registered to end the shipments of cancelled orders. Run must run.
func New(d Deps) *Service {
	sv := &Service{Deps: d, wake: map[domain.CarrierAccount]chan struct{}{}, webhooks: make(chan struct{}, 1)}
	for account := range d.ByAccount {
		sv.wake[account] = make(chan struct{}, 1)
	}
	d.Orders.Parcels = sv
	return sv
}

// ShipmentDraft requests a shipment: to book one, or to track one by its number.
type ShipmentDraft struct {
	// Carrier may be omitted if there is only one.
	Carrier        string `json:"carrier,omitempty" maxLength:"128" doc:"the delivery company's code; optional if there is only one" example:"cdek"`
	Account        string `json:"account,omitempty" maxLength:"128" doc:"the contract with the company; default: the merchant's own, else the default one"`
	TrackingNumber string `json:"tracking_number,omitempty" maxLength:"128" doc:"of a parcel booked elsewhere, which is tracked; its company is detected if no carrier is named"`
	domain.Booking
}

// quoteWithin is how long a booking waits for prices, so that a hanging carrier does not block callers, and hungFor how long
// nobody waits after that was too short. Without prices a booking is accepted and the worker asks again.
const (
	quoteWithin = 100 * time.Millisecond
	hungFor     = 5 * time.Second
)

// Book gives an order a shipment. It returns before the carrier has decided. It fails with carrier_not_found,
// shipment_exists, order_finished, illegal_transition, or validation_failed if the carrier rejects it at once.
func (sv *Service) Book(ctx context.Context, id string, in ShipmentDraft) (*domain.Order, error) {
	by, known, err := sv.Orders.Authorize(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := sv.Check(in); err != nil {
		return nil, err
	}
	var ref domain.ShipmentRef
	var car domain.Carrier
	if in.Carrier == "" && in.TrackingNumber != "" {
		car, ref, err = sv.detect(in.TrackingNumber, in.Account, known.MerchantID)
	} else {
		ref.TrackingNumber = in.TrackingNumber
		car, err = sv.choose(in.Carrier, in.Account, known.MerchantID)
	}
	if err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, sv.Keys, "book_shipment:"+known.ID, in, func(rec *domain.Idempotency) (*domain.Order, error) {
		follow := in.TrackingNumber != ""
		tentative := *known
		if _, err := tentative.Book(domain.Shipment{}, follow, by); err != nil {
			return nil, err
		}
		s, job, err := sv.prepare(ctx, known, car, ref, in)
		if err != nil {
			return nil, err
		}
		o, err := sv.Orders.Update(ctx, known.ID, known.CourierID, rec, func(ch *domain.Change) error {
			events, err := ch.Order.Book(s, follow, by)
			ch.Add(events...)
			ch.Shipment = &job
			return err
		})
		if err == nil {
			background.Wake(sv.wake[car.Account()])
		}
		return o, err
	})
}

// Check validates a draft and returns all faults.
func (sv *Service) Check(in ShipmentDraft) error {
	var f domain.Faults
	f.Check("", &in)
	in.Rules(&f)
	return f.Err()
}

// prepare returns the shipment and its job. It asks the carrier for the price, which finds
// most faults while the caller still waits.
func (sv *Service) prepare(
	ctx context.Context, o *domain.Order, car domain.Carrier, ref domain.ShipmentRef, in ShipmentDraft,
) (domain.Shipment, domain.ShipmentJob, error) {
	now := domain.Timestamp(sv.Clock.Now())
	account := car.Account()
	s := domain.Shipment{
		Carrier: account.Carrier, Account: account.Name, Phase: domain.PhasePending, Reference: o.ClientRef(now), TrackingNumber: ref.TrackingNumber,
	}
	ref.ClientRef = s.Reference
	job := domain.ShipmentJob{OrderID: o.ID, Account: account, Due: now, Since: now, Ref: ref}
	if in.TrackingNumber != "" {
		_, err := domain.Ability[domain.CarrierTracker](car, "tracking")
		return s, job, failure(err)
	}
	shipper, err := domain.Ability[domain.CarrierShipper](car, "booking")
	if err == nil {
		err = shipper.CheckShipment(in.Request(o, s.Reference))
	}
	if err != nil {
		return s, job, failure(err)
	}
	booking := in.Booking
	job.Booking = &booking
	if p := booking.Of(o).Payment; p.Collects() {
		s.Payment = p
	}
	s.Tariff = booking.Tariff
	if until, hangs := sv.hung.Load(account); hangs && now.Before(until.(time.Time)) {
		return s, job, nil
	}
	limited, cancel := context.WithTimeout(ctx, quoteWithin)
	defer cancel()
	q, err := choose(limited, car, o, booking)
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		sv.hung.Store(account, now.Add(hungFor))
	}
	if e, ok := errors.AsType[*domain.CarrierError](err); ok && e.Refused {
		return s, job, failure(err)
	}
	if q.Tariff != "" {
		s.Tariff, booking.Tariff, s.Price, s.Expected = q.Tariff, q.Tariff, &q.Price, &q.Expected
	}
	return s, job, nil
}

// choose fetches the offer that matches a booking's wish.
func choose(ctx context.Context, car domain.Carrier, o *domain.Order, b domain.Booking) (domain.Quote, error) {
	quotes, err := offers(ctx, car, o, b)
	if err != nil {
		return domain.Quote{}, err
	}
	q, ok := domain.ChooseQuote(quotes, b.Tariff)
	if !ok {
		return q, &domain.CarrierError{Carrier: car.Account().Carrier, Class: domain.ClassValidation, Message: "no such tariff serves this way", Unsent: true, Refused: true}
	}
	return q, nil
}

// offers fetches prices for a booking, of an order if there is one.
func offers(ctx context.Context, car domain.Carrier, o *domain.Order, b domain.Booking) ([]domain.Quote, error) {
	quoter, err := domain.Ability[domain.CarrierQuoter](car, "quoting prices")
	if err != nil {
		return nil, err
	}
	if o != nil {
		b = b.Of(o)
	}
	if wish(b.Tariff) {
		b.Tariff = ""
	}
	return quoter.Quote(ctx, b)
}

// wish reports whether the tariff is still to be chosen.
func wish(tariff string) bool {
	return tariff == "" || tariff == domain.TariffCheapest || tariff == domain.TariffFastest
}

// Get returns an order's shipment, or shipment_not_found.
func (sv *Service) Get(ctx context.Context, id string) (*domain.Shipment, error) {
	o, err := sv.Orders.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.Shipment == nil {
		return nil, domain.Errorf(domain.CodeShipmentNotFound, "the order has no delivery company")
	}
	return o.Shipment, nil
}

// Quote returns a carrier's offers, for an order when one is named.
func (sv *Service) Quote(ctx context.Context, carrier, orderID string, b domain.Booking) ([]domain.Quote, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, err
	}
	if err := b.Validate(); err != nil {
		return nil, err
	}
	var o *domain.Order
	merchant := ""
	if orderID != "" {
		var err error
		if _, o, err = sv.Orders.Authorize(ctx, orderID); err != nil {
			return nil, err
		}
		merchant = o.MerchantID
	}
	car, err := sv.choose(carrier, "", merchant)
	if err != nil {
		return nil, err
	}
	quotes, err := offers(ctx, car, o, b)
	return quotes, failure(err)
}

// Points returns a page of a carrier's offices and lockers, and the next page's token.
func (sv *Service) Points(ctx context.Context, carrier string, q domain.PointQuery, p paging.Request) ([]domain.DeliveryPoint, string, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, "", err
	}
	var f domain.Faults
	f.Text("/city", q.City, domain.MaxName)
	f.Text("/code", q.Code, domain.MaxKey)
	if q.Near != nil && !q.Near.Valid() {
		f.Add("/lat", "out_of_range", "lat and lon must be degrees on the globe")
	}
	if q.Kind != "" && q.Kind != domain.PointOffice && q.Kind != domain.PointLocker {
		f.Add("/kind", "unknown_kind", "must be office or locker")
	}
	if q.City == "" && q.Near == nil && q.Code == "" {
		f.Add("/city", "required", "city, lat and lon, or code is required")
	}
	domain.Within(&f, "/weight_g", q.Fits.WeightG, 0, domain.MaxWeightG)
	for at, cm := range map[string]int{"/length_cm": q.Fits.LengthCm, "/width_cm": q.Fits.WidthCm, "/height_cm": q.Fits.HeightCm} {
		domain.Within(&f, at, cm, 0, domain.MaxPackageCm)
	}
	if err := f.Err(); err != nil {
		return nil, "", err
	}
	car, err := sv.choose(carrier, "", "")
	if err != nil {
		return nil, "", err
	}
	finder, err := domain.Ability[domain.CarrierPoints](car, "handing out at offices")
	if err != nil {
		return nil, "", failure(err)
	}
	return paging.Rows(ctx, p, "points:"+carrier, q, func(ctx context.Context) ([]domain.DeliveryPoint, error) {
		points, err := finder.Points(ctx, q)
		return points, failure(err)
	}, domain.DeliveryPoint.Key)
}
