package tracking

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// PhoneReport is a post from a phone app, in the domain's units.
type PhoneReport struct {
	// Positions are as reported by the device; a zero RecordedAt is now.
	Positions []domain.Position
	// Unusable counts unusable positions, by reason.
	Unusable map[domain.DropReason]int
	// Battery is in percent, for a report without a position.
	Battery *float64
	// Arrivals are the places and times at which the phone itself detected an arrival.
	Arrivals []domain.Position
}

// Ingest accepts a phone's post, authenticated by its token. Unusable data is dropped and counted, so that the phone does
// not send it again; an empty report is a heartbeat. It fails with unauthenticated for an unknown or revoked token, and with
// unavailable when a retry can help; nothing was stored then.
func (s *Service) Ingest(ctx context.Context, token string, r PhoneReport) (Received, error) {
	courierID, err := s.tokenOwner(ctx, token)
	if err != nil {
		return Received{}, err
	}
	now := s.Clock.Now()
	counts := &s.pipeline.counts
	usable := make([]domain.Position, 0, len(r.Positions))
	for _, p := range r.Positions {
		if p, ok := p.Clean(now); ok {
			p.LedFrom = p.RecordedAt
			usable = append(usable, p)
		}
	}
	if err := s.pipeline.arrivedBy(ctx, courierID, r.Arrivals, now); err != nil {
		return Received{}, err
	}
	var out Received
	if len(usable) > 0 {
		if out, err = s.pipeline.report(ctx, courierID, usable, nil, now); err != nil {
			return Received{}, err
		}
	}
	lost := len(r.Positions) - len(usable)
	counts.drop(domain.DropOutOfRange, int64(lost))
	for reason, n := range r.Unusable {
		counts.drop(reason, int64(n))
		lost += n
	}
	counts.Received.Add(int64(lost))
	out.Dropped += lost
	if len(usable) == 0 {
		return out, s.pipeline.heartbeat(ctx, courierID, r, out, now)
	}
	return out, nil
}

// Heartbeat records that a courier's phone is there but has no position, and why, unless a phone app reports them. It fails with
// courier_not_found or validation_failed.
func (s *Service) Heartbeat(ctx context.Context, courierID string, why domain.DropReason) (Received, error) {
	if own := domain.PhoneReasons(); !slices.Contains(own, why) {
		return Received{}, domain.Invalid("/without", "unknown_without", "must be one of %v", own)
	}
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return Received{}, err
	}
	now := s.Clock.Now()
	if leader, err := s.Live.Position(ctx, courier.ID); err == nil && leader.Leads(now) {
		return Received{}, nil
	}
	r := PhoneReport{Unusable: map[domain.DropReason]int{why: 1}}
	return Received{}, s.pipeline.heartbeat(ctx, courier.ID, r, Received{Dropped: 1}, now)
}

// heartbeat records contact with a phone that sent no usable position.
func (pl *pipeline) heartbeat(ctx context.Context, courierID string, r PhoneReport, got Received, now time.Time) error {
	c := domain.Contact{At: domain.Timestamp(now), Kind: domain.ContactHeartbeat, Battery: r.Battery}
	if got.Dropped > 0 {
		c.DroppedReason = domain.DropOutOfRange
		for reason := range r.Unusable {
			c.DroppedReason = reason
		}
	} else if len(r.Arrivals) == 0 {
		pl.counts.SignsOfLife.Add(1)
	}
	t, err := pl.courier(ctx, courierID, now)
	if err != nil {
		return err
	}
	defer t.mu.Unlock()
	pl.noteContact(ctx, t, courierID, c)
	return nil
}

// arrivedBy handles an arrival detected by the phone like one detected by fences: an order's courier has come to its drop-off.
func (pl *pipeline) arrivedBy(ctx context.Context, courierID string, arrivals []domain.Position, now time.Time) error {
	if len(arrivals) == 0 || !pl.Arrival.Automatic {
		return nil
	}
	t, err := pl.courier(ctx, courierID, now)
	if err != nil {
		return err
	}
	defer t.mu.Unlock()
	if !t.courier.OnDuty {
		return nil
	}
	for _, p := range arrivals {
		p, ok := p.Clean(now)
		if !ok || p.RecordedAt.After(now.Add(domain.FutureTolerance)) || p.RecordedAt.Before(now.Add(-domain.MaxPositionAge)) {
			continue
		}
		if !pl.arriveAt(t, domain.Fix{CourierID: courierID, Position: p}) {
			return domain.Unavailable("the queue of arrivals", nil)
		}
	}
	return nil
}

// arriveAt returns false when the arrival can't be recorded now; t is locked.
func (pl *pipeline) arriveAt(t *tracked, fix domain.Fix) bool {
	reach := pl.Arrival.DropoffRadius + min(domain.Or(fix.Accuracy, 0), pl.Arrival.DropoffRadius)
	for _, o := range t.orders {
		to, status := destination(o)
		if to != nil && status == domain.StatusAtDropoff && !before(o, fix) && to.DistanceM(fix.Point()) <= reach &&
			!pl.arrival.conclude(conclusion{orderID: o.ID, status: status, fix: fix}) {
			return false
		}
	}
	return true
}

// Onboarding is a new token for a courier's phone, shown only once.
type Onboarding struct {
	domain.PhoneToken
	Token string `json:"token"`
}

// Onboard makes a token with which a phone reports a courier's positions. Each call makes another one, but for those with
// the same idempotency key: secret_not_repeated. It also fails with courier_not_found.
func (s *Couriers) Onboard(ctx context.Context, courierID string) (*Onboarding, error) {
	courier, err := s.Service.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	return idempotency.Secret(ctx, s.Keys, "onboard", courier.ID, func(rec *domain.Idempotency) (*Onboarding, error) {
		token := s.NewPhoneToken()
		o := &Onboarding{Token: token, PhoneToken: domain.PhoneToken{
			ID: domain.NewID(), CourierID: courier.ID, Hash: domain.HashToken(token), CreatedAt: domain.Timestamp(s.Clock.Now()),
		}}
		return o, s.Store.KeepToken(ctx, o.PhoneToken, rec)
	})
}

// Phones returns the tokens of a courier's phones, newest first, never nil; or courier_not_found.
func (s *Couriers) Phones(ctx context.Context, courierID string) ([]domain.PhoneToken, error) {
	courier, err := s.Service.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	tokens, err := s.Store.Tokens(ctx, courier.ID)
	return append([]domain.PhoneToken{}, tokens...), err
}

// RevokePhones revokes a token, or all of a courier's when tokenID is empty, and returns the revoked ids: effective at once on
// this replica, within seconds on others. It fails with courier_not_found, and with not_found when the token does not exist.
func (s *Couriers) RevokePhones(ctx context.Context, courierID, tokenID string) ([]string, error) {
	courier, err := s.Service.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	if tokenID != "" {
		if tokenID, err = domain.ParseID("/id", tokenID); err != nil {
			return nil, err
		}
	}
	ids, err := idempotency.Once(ctx, s.Keys, "revoke_phones:"+courier.ID, tokenID, func(rec *domain.Idempotency) ([]string, error) {
		return s.Store.DropTokens(ctx, courier.ID, tokenID, rec)
	})
	s.phones.Store(new(phoneTokens)) // also when it is unknown whether they were deleted
	if err == nil && len(ids) == 0 && tokenID != "" {
		err = domain.Errorf(domain.CodeNotFound, "the courier has no token %s", tokenID)
	}
	return ids, err
}

// tokenFresh is how long a token's owner is cached.
const tokenFresh = 5 * time.Second

// phoneTokens caches the owners of recently used tokens, to save a query per position. It is replaced when it is old and
// with each revocation; a result queried before that goes to the discarded cache.
type phoneTokens struct {
	began  time.Time
	owners sync.Map // courier ids by token hash
}

// tokenOwner returns the courier whose phone has the token, or unauthenticated.
func (s *Service) tokenOwner(ctx context.Context, token string) (string, error) {
	hash, now, known := domain.HashToken(token), s.Clock.Now(), s.phones.Load()
	if now.Sub(known.began) >= tokenFresh {
		known = &phoneTokens{began: now}
		s.phones.Store(known)
	}
	if owner, ok := known.owners.Load(hash); ok {
		return owner.(string), nil
	}
	courierID, err := s.Store.TokenOwner(ctx, hash)
	if err != nil {
		return "", err
	}
	if courierID == "" {
		return "", domain.Errorf(domain.CodeUnauthenticated, "the token is unknown or was revoked; ask for a new one")
	}
	known.owners.Store(hash, courierID)
	return courierID, nil
}
