package tracking

import (
	"context"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Onboarding is a new token of a courier's phone, which is shown this once.
type Onboarding struct {
	domain.PhoneToken
	Token string `json:"token"`
}

// Onboard makes a token with which a phone reports a courier's positions. Doing it
// again makes another one. It fails with courier_not_found.
func (s *Couriers) Onboard(ctx context.Context, courierID string) (*Onboarding, error) {
	courier, err := s.known(ctx, courierID)
	if err != nil {
		return nil, err
	}
	token := s.NewPhoneToken()
	o := &Onboarding{Token: token, PhoneToken: domain.PhoneToken{
		ID: domain.NewID(), CourierID: courier.ID, Hash: domain.HashToken(token), CreatedAt: domain.Timestamp(s.Clock.Now()),
	}}
	return o, s.Store.KeepToken(ctx, o.PhoneToken)
}

// Phones returns the tokens of a courier's phones, newest first, never nil; or
// courier_not_found.
func (s *Couriers) Phones(ctx context.Context, courierID string) ([]domain.PhoneToken, error) {
	courier, err := s.known(ctx, courierID)
	if err != nil {
		return nil, err
	}
	tokens, err := s.Store.Tokens(ctx, courier.ID)
	return append([]domain.PhoneToken{}, tokens...), err
}

// RevokePhones makes a token worthless, or all of a courier's when tokenID is empty,
// and returns the ids of those: at once on this replica, within seconds on others.
// It fails with courier_not_found, and not_found when there is no token of the id.
func (s *Couriers) RevokePhones(ctx context.Context, courierID, tokenID string) ([]string, error) {
	courier, err := s.known(ctx, courierID)
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
	s.phones.Store(new(phoneTokens)) // also when it is not known whether they were dropped
	if err == nil && len(ids) == 0 && tokenID != "" {
		err = domain.Errorf(domain.CodeNotFound, "the courier has no token %s", tokenID)
	}
	return ids, err
}

// tokenFresh is how long a token's owner is believed.
const tokenFresh = 5 * time.Second

// phoneTokens remembers whose the tokens are that were used lately, so that not every
// position costs a query. It is begun anew when it is old and with each revocation; an
// answer that was asked for before that is remembered where nobody looks any more.
type phoneTokens struct {
	began  time.Time
	owners sync.Map // couriers by the hash of the token
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
