package usecase

import (
	"context"
	"crypto/subtle"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Receive takes what a carrier posted. All that it does is store it: carriers switch
// off who is slow or says no. It fails only with not_found, for who does not know the
// address.
func (u *Shipments) Receive(ctx context.Context, carrier, token string, body []byte) error {
	want := u.Shipping.HookTokens[carrier]
	if _, known := u.Shipping.Carriers[carrier]; !known || want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(token)) != 1 {
		return domain.Errorf(domain.CodeNotFound, "nothing is here")
	}
	h := domain.HookMessage{ID: domain.NewID(), Carrier: carrier, ReceivedAt: domain.Timestamp(u.Clock.Now()), Body: body}
	if err := u.Store.KeepHook(ctx, h); err != nil {
		// A hint that is lost delays a look; the next one tells all the same.
		u.Log.Warn("a carrier's hint was not stored", zap.String("carrier", carrier), zap.Error(err))
		u.count(carrier, "hook_lost")
	}
	nudge(u.mail)
	return nil
}

const (
	mailAtOnce = 50
	mailTaken  = time.Minute
	// staleMail is how old a hint may be to be of any use.
	staleMail = 24 * time.Hour
)

// readMail works on the hints that have come and returns how long to rest.
func (u *Shipments) readMail(ctx context.Context) time.Duration {
	now := u.Clock.Now()
	mail, err := u.Store.TakeHooks(ctx, now, domain.Timestamp(now.Add(mailTaken)), mailAtOnce)
	if err != nil {
		return 5 * time.Second
	}
	for _, m := range mail {
		if u.heed(ctx, m) || now.Sub(m.ReceivedAt) > staleMail {
			if err := u.Store.DropHook(ctx, m.ID); err != nil {
				u.Log.Debug("a hint was not dropped", zap.Error(err))
			}
		}
	}
	switch {
	case len(mail) == mailAtOnce:
		return 0
	case len(mail) > 0:
		return mailTaken + time.Second // some may have to be tried again
	}
	return idleEvery
}

// heed works on one message and says whether it is done with.
func (u *Shipments) heed(ctx context.Context, m domain.HookMessage) (done bool) {
	car, ok := u.Shipping.Carriers[m.Carrier].(domain.CarrierWebhooks)
	if !ok {
		return true
	}
	hints, err := car.ParseHook(m.Body)
	if err != nil {
		u.Log.Warn("a carrier's hint can't be read", zap.String("carrier", m.Carrier), zap.Error(err))
		u.count(m.Carrier, "hook_unreadable")
		return true
	}
	for _, h := range hints {
		refs, err := car.Affected(ctx, h)
		if err != nil && domain.ClassOf(err) != domain.ClassRetryable {
			continue
		}
		n := 0
		if err == nil {
			err = u.note(ctx, m.Carrier, h, refs)
		}
		if err == nil {
			n, err = u.Store.HastenShipments(ctx, m.Carrier, refs, domain.Timestamp(u.Clock.Now()))
		}
		if err != nil {
			return false
		}
		if n > 0 {
			nudge(u.wake[m.Carrier])
		}
	}
	return true
}

// note keeps what only hints tell: who comes to collect, pictures, agreed windows.
// What a look tells better is left to it.
func (u *Shipments) note(ctx context.Context, carrier string, h domain.CarrierHook, refs []domain.ShipmentRef) error {
	switch h.Event.Kind {
	case domain.CarrierCourier, domain.CarrierAgreement, domain.CarrierDocument:
	default:
		return nil
	}
	for _, ref := range refs {
		id, err := u.Store.ShipmentOrder(ctx, ref.TrackingNumber)
		if domain.CodeOf(err) == domain.CodeOrderNotFound {
			continue
		}
		if err != nil {
			return err
		}
		o, err := u.order(ctx, id)
		if err != nil {
			return err
		}
		_, err = u.change(ctx, id, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
			if s := o.Shipment; s == nil || s.Carrier != carrier || s.TrackingNumber != ref.TrackingNumber {
				return nil, nil
			}
			return o.LearnShipment(domain.ShipmentSnapshot{Events: []domain.CarrierEvent{h.Event}}, u.system(carrier)), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// subscribe makes sure that a carrier sends hints, and returns when to do so again.
func (u *Shipments) subscribe(ctx context.Context, carrier string, hooks domain.CarrierWebhooks) time.Duration {
	kinds, err := hooks.EnsureHooks(ctx, u.Shipping.HookBase+"/hooks/"+carrier+"/"+u.Shipping.HookTokens[carrier])
	if err != nil {
		u.Log.Warn("a carrier does not send hints; shipments are looked at all the same", zap.String("carrier", carrier), zap.Error(err))
		u.count(carrier, "subscribe_failed")
		return resubscribe / 12
	}
	u.Log.Debug("a carrier sends hints", zap.String("carrier", carrier), zap.Strings("kinds", kinds))
	return resubscribe
}

// LabelWithin is how long a caller waits for a paper to be printed.
const labelWithin = 10 * time.Second

// Label returns a printed paper of an order's shipment as PDF. It is printed when it is
// first asked for, and kept. It fails with shipment_not_found, and with unavailable
// while the carrier prints.
func (u *Shipments) Label(ctx context.Context, id string, kind domain.LabelKind) ([]byte, error) {
	if kind != domain.LabelBarcode && kind != domain.LabelWaybill {
		return nil, domain.Invalid("/kind", "unknown_kind", "must be barcode or waybill")
	}
	s, err := u.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.LabelURL == "" {
		return nil, domain.Errorf(domain.CodeShipmentNotFound, "there is nothing to print: the shipment is %s", s.Phase)
	}
	if pdf, err := u.Store.Label(ctx, s.Reference, kind); err != nil || pdf != nil {
		return pdf, err
	}
	car, err := u.carrier(s.Carrier)
	if err != nil {
		return nil, err
	}
	printer, err := ability[domain.CarrierLabeler](car, "printing")
	if err != nil {
		return nil, failure(err)
	}
	job, err := u.Store.ShipmentJob(ctx, id)
	if err != nil || job == nil {
		return nil, domain.Errorf(domain.CodeShipmentNotFound, "there is nothing to print")
	}
	ctx, cancel := context.WithTimeout(ctx, labelWithin)
	defer cancel()
	pdf, err := printed(ctx, printer, job.Ref, kind)
	if err != nil {
		return nil, failure(err)
	}
	if pdf == nil {
		return nil, &domain.Error{Code: domain.CodeUnavailable, Message: s.Carrier + " is still printing", RetryAfter: 5 * time.Second}
	}
	return pdf, u.Store.KeepLabel(ctx, s.Reference, kind, pdf)
}

// printed has a paper printed and waits for it; nil when that takes too long.
func printed(ctx context.Context, printer domain.CarrierLabeler, ref domain.ShipmentRef, kind domain.LabelKind) ([]byte, error) {
	job, err := printer.RequestLabel(ctx, ref, kind)
	for wait := 250 * time.Millisecond; err == nil; wait = min(2*wait, 2*time.Second) {
		if !sleep(ctx, wait) {
			return nil, nil
		}
		pdf, fetchErr := printer.FetchLabel(ctx, job)
		if fetchErr != nil || pdf != nil {
			return pdf, fetchErr
		}
	}
	return nil, err
}

// formatMoney writes an amount for people.
func formatMoney(m domain.Money) string {
	return strconv.FormatFloat(float64(m.Amount)/100, 'f', 2, 64) + " " + m.Currency
}
