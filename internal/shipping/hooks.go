package shipping

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Receive stores a carrier's webhook and does nothing else: carriers disable slow or failing receivers. It fails only with
// not_found, for an unknown URL or an unverified sender.
func (sv *Service) Receive(ctx context.Context, carrier, token string, header http.Header, query url.Values, body []byte) error {
	h := domain.HookMessage{
		ID: domain.NewID(), ReceivedAt: domain.Timestamp(sv.Clock.Now()), Header: kept(header), Query: query.Encode(), Body: body,
	}
	for account, want := range sv.HookTokens {
		if account.Carrier == carrier && want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(token)) == 1 {
			h.Account = account
		}
	}
	car, ok := sv.ByAccount[h.Account].(domain.CarrierWebhooks)
	if !ok {
		return domain.Errorf(domain.CodeNotFound, "nothing is here")
	}
	if err := car.VerifyHook(h); err != nil {
		sv.count(h.Account, "hook_forged")
		return domain.Errorf(domain.CodeNotFound, "nothing is here")
	}
	if err := sv.Store.KeepHook(ctx, h); err != nil {
		// A lost webhook only delays polling; the next poll gets the same.
		sv.Log.Warn("cannot store a carrier's webhook", zap.Stringer("carrier", h.Account), zap.Error(err))
		sv.count(h.Account, "hook_lost")
	}
	background.Wake(sv.webhooks)
	return nil
}

// kept are the headers stored with a webhook: those that may be the carrier's own.
func kept(header http.Header) map[string][]string {
	out := map[string][]string{}
	for name, values := range header {
		if !slices.Contains([]string{"Authorization", "Cookie"}, name) && len(out) < 50 {
			out[name] = values
		}
	}
	return out
}

const (
	webhooksAtOnce = 50
	webhooksTaken  = time.Minute
	// staleWebhook is the age at which a webhook is dropped.
	staleWebhook = 24 * time.Hour
)

// readWebhooks handles stored webhooks and returns how long to rest.
func (sv *Service) readWebhooks(ctx context.Context) time.Duration {
	now := sv.Clock.Now()
	messages, err := sv.Store.TakeHooks(ctx, now, domain.Timestamp(now.Add(webhooksTaken)), webhooksAtOnce)
	if err != nil {
		return 5 * time.Second
	}
	for _, m := range messages {
		if sv.handleWebhook(ctx, m) || now.Sub(m.ReceivedAt) > staleWebhook {
			if err := sv.Store.DropHook(ctx, m.ID); err != nil {
				sv.Log.Debug("cannot delete a handled webhook", zap.Error(err))
			}
		}
	}
	switch {
	case len(messages) == webhooksAtOnce:
		return 0
	case len(messages) > 0:
		return webhooksTaken + time.Second // some may need another try
	}
	return idleEvery
}

// handleWebhook processes one message and reports whether it is done.
func (sv *Service) handleWebhook(ctx context.Context, m domain.HookMessage) (done bool) {
	car, ok := sv.ByAccount[m.Account].(domain.CarrierWebhooks)
	if !ok {
		return true
	}
	hints, err := car.ParseHook(m)
	if err != nil {
		sv.Log.Warn("cannot parse a carrier's webhook", zap.Stringer("carrier", m.Account), zap.Error(err))
		sv.count(m.Account, "hook_unreadable")
		return true
	}
	for _, h := range hints {
		refs, err := car.Affected(ctx, h)
		if err != nil && domain.ClassOf(err) != domain.ClassRetryable {
			continue
		}
		n := 0
		if err == nil {
			err = sv.note(ctx, m.Account, h, refs)
		}
		if err == nil {
			n, err = sv.Store.HastenShipments(ctx, m.Account, refs, domain.Timestamp(sv.Clock.Now()))
		}
		if err != nil {
			return false
		}
		if n > 0 {
			background.Wake(sv.wake[m.Account])
		}
	}
	return true
}

// note applies data found only in webhooks: the courier who collects, photos, agreed windows. Everything else is left to polling.
func (sv *Service) note(ctx context.Context, account domain.CarrierAccount, h domain.CarrierHook, refs []domain.ShipmentRef) error {
	switch h.Event.Kind {
	case domain.CarrierCourier, domain.CarrierAgreement, domain.CarrierDocument:
	default:
		return nil
	}
	for _, ref := range refs {
		err := sv.learnOf(ctx, account, ref.TrackingNumber, func(*domain.Order) *domain.ShipmentSnapshot {
			return &domain.ShipmentSnapshot{Events: []domain.CarrierEvent{h.Event}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// learnOf applies what is told of an account's parcel to its order; it skips unknown parcels, and those without news.
func (sv *Service) learnOf(ctx context.Context, account domain.CarrierAccount, number string, news func(*domain.Order) *domain.ShipmentSnapshot) error {
	id, err := sv.Store.ShipmentOrder(ctx, number)
	if domain.CodeOf(err) == domain.CodeOrderNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	o, err := sv.Orders.Load(ctx, id)
	if err != nil {
		return err
	}
	snap := news(o)
	if snap == nil {
		return nil
	}
	_, err = sv.Orders.Change(ctx, id, o.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		s := o.Shipment
		if s == nil || (domain.CarrierAccount{Carrier: s.Carrier, Name: s.Account}) != account || s.TrackingNumber != number {
			return nil, nil
		}
		return o.LearnShipment(*snap, sv.Orders.System(account.Carrier)), nil
	})
	return err
}

// subscribe ensures webhook subscriptions with a carrier and returns when to do so again.
func (sv *Service) subscribe(ctx context.Context, account domain.CarrierAccount, hooks domain.CarrierWebhooks) time.Duration {
	kinds, err := hooks.EnsureHooks(ctx, sv.HookBase+"/hooks/"+account.Carrier+"/"+sv.HookTokens[account])
	if err != nil {
		sv.Log.Warn("cannot subscribe to a carrier's webhooks; shipments are still polled", zap.Stringer("carrier", account), zap.Error(err))
		sv.count(account, "subscribe_failed")
		return resubscribe / 12
	}
	sv.Log.Debug("subscribed to a carrier's webhooks", zap.Stringer("carrier", account), zap.Strings("kinds", kinds))
	return resubscribe
}

// journalEvery is how often a company's journal is read, and journalPause the pause after a failure.
const (
	journalEvery = 5 * time.Second
	journalPause = 30 * time.Second
)

// readJournal polls the shipments that an account's journal names, and returns when to read
// it again. The cursor is stored behind the polls' schedule: a crash only repeats some.
func (sv *Service) readJournal(ctx context.Context, account domain.CarrierAccount, from domain.CarrierJournal) time.Duration {
	cursor, err := sv.Store.CarrierCursor(ctx, account)
	if err != nil {
		return journalPause
	}
	refs, next, more, err := from.Journal(ctx, cursor)
	if err != nil {
		sv.count(account, "journal_"+string(domain.ClassOf(err)))
		return journalPause
	}
	n := 0
	if len(refs) > 0 {
		n, err = sv.Store.HastenShipments(ctx, account, refs, domain.Timestamp(sv.Clock.Now()))
	}
	if err == nil && next != cursor {
		err = sv.Store.KeepCarrierCursor(ctx, account, next)
	}
	if err != nil {
		sv.Log.Debug("cannot apply a carrier's journal", zap.Stringer("carrier", account), zap.Error(err))
		return journalPause
	}
	if n > 0 {
		background.Wake(sv.wake[account])
	}
	if more {
		return time.Millisecond
	}
	return journalEvery
}

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
