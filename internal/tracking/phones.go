package tracking

import (
	"context"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

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
