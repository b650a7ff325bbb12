package shipping

import (
	"context"
	"crypto/subtle"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Receive takes what a carrier posted. All that it does is store it: carriers switch
// off who is slow or says no. It fails only with not_found, for who does not know the
// address.
func (sv *Service) Receive(ctx context.Context, carrier, token string, body []byte) error {
	want := sv.HookTokens[carrier]
	if _, known := sv.ByCode[carrier]; !known || want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(token)) != 1 {
		return domain.Errorf(domain.CodeNotFound, "nothing is here")
	}
	h := domain.HookMessage{ID: domain.NewID(), Carrier: carrier, ReceivedAt: domain.Timestamp(sv.Clock.Now()), Body: body}
	if err := sv.Store.KeepHook(ctx, h); err != nil {
		// A hint that is lost delays a look; the next one tells all the same.
		sv.Log.Warn("a carrier's hint was not stored", zap.String("carrier", carrier), zap.Error(err))
		sv.count(carrier, "hook_lost")
	}
	background.Wake(sv.mail)
	return nil
}

const (
	mailAtOnce = 50
	mailTaken  = time.Minute
	// staleMail is how old a hint may be to be of any use.
	staleMail = 24 * time.Hour
)

// readMail works on the hints that have come and returns how long to rest.
func (sv *Service) readMail(ctx context.Context) time.Duration {
	now := sv.Clock.Now()
	mail, err := sv.Store.TakeHooks(ctx, now, domain.Timestamp(now.Add(mailTaken)), mailAtOnce)
	if err != nil {
		return 5 * time.Second
	}
	for _, m := range mail {
		if sv.heed(ctx, m) || now.Sub(m.ReceivedAt) > staleMail {
			if err := sv.Store.DropHook(ctx, m.ID); err != nil {
				sv.Log.Debug("a hint was not dropped", zap.Error(err))
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
func (sv *Service) heed(ctx context.Context, m domain.HookMessage) (done bool) {
	car, ok := sv.ByCode[m.Carrier].(domain.CarrierWebhooks)
	if !ok {
		return true
	}
	hints, err := car.ParseHook(m.Body)
	if err != nil {
		sv.Log.Warn("a carrier's hint can't be read", zap.String("carrier", m.Carrier), zap.Error(err))
		sv.count(m.Carrier, "hook_unreadable")
		return true
	}
	for _, h := range hints {
		refs, err := car.Affected(ctx, h)
		if err != nil && domain.ClassOf(err) != domain.ClassRetryable {
			continue
		}
		n := 0
		if err == nil {
			err = sv.note(ctx, m.Carrier, h, refs)
		}
		if err == nil {
			n, err = sv.Store.HastenShipments(ctx, m.Carrier, refs, domain.Timestamp(sv.Clock.Now()))
		}
		if err != nil {
			return false
		}
		if n > 0 {
			background.Wake(sv.wake[m.Carrier])
		}
	}
	return true
}

// note keeps what only hints tell: who comes to collect, pictures, agreed windows.
// What a look tells better is left to it.
func (sv *Service) note(ctx context.Context, carrier string, h domain.CarrierHook, refs []domain.ShipmentRef) error {
	switch h.Event.Kind {
	case domain.CarrierCourier, domain.CarrierAgreement, domain.CarrierDocument:
	default:
		return nil
	}
	for _, ref := range refs {
		id, err := sv.Store.ShipmentOrder(ctx, ref.TrackingNumber)
		if domain.CodeOf(err) == domain.CodeOrderNotFound {
			continue
		}
		if err != nil {
			return err
		}
		o, err := sv.Orders.Load(ctx, id)
		if err != nil {
			return err
		}
		_, err = sv.Orders.Change(ctx, id, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
			if s := o.Shipment; s == nil || s.Carrier != carrier || s.TrackingNumber != ref.TrackingNumber {
				return nil, nil
			}
			return o.LearnShipment(domain.ShipmentSnapshot{Events: []domain.CarrierEvent{h.Event}}, sv.Orders.System(carrier)), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// subscribe makes sure that a carrier sends hints, and returns when to do so again.
func (sv *Service) subscribe(ctx context.Context, carrier string, hooks domain.CarrierWebhooks) time.Duration {
	kinds, err := hooks.EnsureHooks(ctx, sv.HookBase+"/hooks/"+carrier+"/"+sv.HookTokens[carrier])
	if err != nil {
		sv.Log.Warn("a carrier does not send hints; shipments are looked at all the same", zap.String("carrier", carrier), zap.Error(err))
		sv.count(carrier, "subscribe_failed")
		return resubscribe / 12
	}
	sv.Log.Debug("a carrier sends hints", zap.String("carrier", carrier), zap.Strings("kinds", kinds))
	return resubscribe
}

// LabelWithin is how long a caller waits for a paper to be printed.
const labelWithin = 10 * time.Second

// Label returns a printed paper of an order's shipment as PDF. It is printed when it is
// first asked for, and kept. It fails with shipment_not_found, and with unavailable
// while the carrier prints.
func (sv *Service) Label(ctx context.Context, id string, kind domain.LabelKind) ([]byte, error) {
	if kind != domain.LabelBarcode && kind != domain.LabelWaybill {
		return nil, domain.Invalid("/kind", "unknown_kind", "must be barcode or waybill")
	}
	s, err := sv.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.LabelURL == "" {
		return nil, domain.Errorf(domain.CodeShipmentNotFound, "there is nothing to print: the shipment is %s", s.Phase)
	}
	if pdf, err := sv.Store.Label(ctx, s.Reference, kind); err != nil || pdf != nil {
		return pdf, err
	}
	car, err := sv.carrier(s.Carrier)
	if err != nil {
		return nil, err
	}
	printer, err := ability[domain.CarrierLabeler](car, "printing")
	if err != nil {
		return nil, failure(err)
	}
	job, err := sv.Store.ShipmentJob(ctx, id)
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
	return pdf, sv.Store.KeepLabel(ctx, s.Reference, kind, pdf)
}

// printed has a paper printed and waits for it; nil when that takes too long.
func printed(ctx context.Context, printer domain.CarrierLabeler, ref domain.ShipmentRef, kind domain.LabelKind) ([]byte, error) {
	job, err := printer.RequestLabel(ctx, ref, kind)
	for wait := 250 * time.Millisecond; err == nil; wait = min(2*wait, 2*time.Second) {
		if !background.Sleep(ctx, wait) {
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
