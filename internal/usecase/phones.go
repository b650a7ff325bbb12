package usecase

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Onboarding is a new token of a courier's phone, which is shown this once.
type Onboarding struct {
	domain.PhoneToken
	Token string `json:"token"`
}

// Onboard makes a token with which a phone reports a courier's positions. Doing it
// again makes another one. It fails with courier_not_found.
func (u *Couriers) Onboard(ctx context.Context, courierID string) (*Onboarding, error) {
	courier, err := u.known(ctx, courierID)
	if err != nil {
		return nil, err
	}
	token := rand.Text() // 130 bits
	o := &Onboarding{Token: token, PhoneToken: domain.PhoneToken{
		ID: domain.NewID(), CourierID: courier.ID, Hash: domain.HashToken(token), CreatedAt: domain.Timestamp(u.Clock.Now()),
	}}
	if err := u.Store.KeepToken(ctx, o.PhoneToken); err != nil {
		return nil, err
	}
	return o, nil
}

// Phones returns the tokens of a courier's phones, newest first, never nil; or
// courier_not_found.
func (u *Couriers) Phones(ctx context.Context, courierID string) ([]domain.PhoneToken, error) {
	courier, err := u.known(ctx, courierID)
	if err != nil {
		return nil, err
	}
	tokens, err := u.Store.Tokens(ctx, courier.ID)
	return append([]domain.PhoneToken{}, tokens...), err
}

// RevokePhones makes a token worthless, or all of a courier's when tokenID is empty,
// and returns how many those were: at once on this replica, within seconds on others.
// It fails with courier_not_found, and not_found when there is no token of the id.
func (u *Couriers) RevokePhones(ctx context.Context, courierID, tokenID string) (int, error) {
	courier, err := u.known(ctx, courierID)
	if err != nil {
		return 0, err
	}
	if tokenID != "" {
		if tokenID, err = domain.ParseID("/id", tokenID); err != nil {
			return 0, err
		}
	}
	n, err := u.Store.DropTokens(ctx, courier.ID, tokenID)
	u.phones.forget(courier.ID) // also when it is not known whether they were dropped
	if err == nil && n == 0 && tokenID != "" {
		err = domain.Errorf(domain.CodeNotFound, "the courier has no token %s", tokenID)
	}
	return n, err
}

// How long a token's owner is believed, and how many owners are remembered.
const (
	tokenFresh = 5 * time.Second
	tokensKept = 100_000
)

// phoneTokens remembers whose the tokens are that were used lately, so that not every
// position costs a query.
type phoneTokens struct {
	mu     sync.Mutex
	owners map[[32]byte]tokenOwner
	// forgotten grows with each revocation: an answer that was asked for before one is
	// not remembered after it.
	forgotten int64
}

type tokenOwner struct {
	courierID string
	read      time.Time
}

func newPhoneTokens() *phoneTokens { return &phoneTokens{owners: map[[32]byte]tokenOwner{}} }

func (p *phoneTokens) forget(courierID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgotten++
	for hash, owner := range p.owners {
		if owner.courierID == courierID {
			delete(p.owners, hash)
		}
	}
}

func (p *phoneTokens) get(hash [32]byte, now time.Time) (courierID string, forgotten int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if owner, ok := p.owners[hash]; ok && now.Sub(owner.read) < tokenFresh {
		return owner.courierID, p.forgotten
	}
	return "", p.forgotten
}

func (p *phoneTokens) put(hash [32]byte, owner tokenOwner, forgotten int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forgotten != forgotten {
		return
	}
	if len(p.owners) >= tokensKept {
		clear(p.owners)
	}
	p.owners[hash] = owner
}

// tokenOwner returns the courier whose phone has the token, or unauthenticated.
func (c *core) tokenOwner(ctx context.Context, token string) (string, error) {
	hash, now := domain.HashToken(token), c.Clock.Now()
	courierID, forgotten := c.phones.get(hash, now)
	if courierID != "" {
		return courierID, nil
	}
	courierID, err := c.Store.TokenOwner(ctx, hash)
	if err != nil {
		return "", err
	}
	if courierID == "" {
		return "", domain.Errorf(domain.CodeUnauthenticated, "the token is unknown or was revoked; ask for a new one")
	}
	c.phones.put(hash, tokenOwner{courierID, now}, forgotten)
	return courierID, nil
}
