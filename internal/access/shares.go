package access

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Shares are links that show one order to anyone who has them. Tokens are derived from the link's id and the installation's
// secret, so every message about an order contains the same link.
//
// The caller has already checked access to the order.
type Shares struct {
	Store    domain.AccessStore
	Clock    domain.Clock
	Requests *idempotency.Keys
	Guard    *Guard
	// Secret derives the tokens.
	Secret []byte
}

// NewShare is a request for a link.
type NewShare struct {
	// ExpiresAt is when the link expires; default: one day after the order ends.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Share is a link without its token.
type Share struct {
	ID         string     `json:"id" format:"uuid"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
}

// IssuedShare is a link with its token.
type IssuedShare struct {
	ID        string     `json:"id" format:"uuid"`
	Token     string     `json:"token" example:"ot_shr_k3Jb…"`
	URL       string     `json:"url" doc:"the customer's page" example:"https://track.example/t/ot_shr_k3Jb…"` // set by the transport
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// MaxShares is the maximum number of links per order.
const MaxShares = 100

// Check validates the input of Create.
func (s *Shares) Check(in NewShare) error {
	var f domain.Faults
	expires(&f, in.ExpiresAt, s.Clock.Now())
	return f.Err()
}

// Create creates a link to the order.
func (s *Shares) Create(ctx context.Context, o *domain.Order, in NewShare) (*IssuedShare, error) {
	if err := s.Check(in); err != nil {
		return nil, err
	}
	return idempotency.Secret(ctx, s.Requests, "share:"+o.ID, in, func(rec *domain.Idempotency) (*IssuedShare, error) {
		there, err := s.List(ctx, o)
		if err == nil && len(there) >= MaxShares {
			err = domain.Invalid("", "too_many", "an order has at most %d links at once", MaxShares)
		}
		if err != nil {
			return nil, err
		}
		return s.keep(ctx, o, in, "", rec)
	})
}

// forMessages is the name of an order's link in messages to its customer.
const forMessages = "messages"

// ForMessages returns the token of the link that messages about the order show: the same one in all of them.
func (s *Shares) ForMessages(ctx context.Context, o *domain.Order) (string, error) {
	found, _, err := s.Store.Credentials(ctx, domain.CredentialLink, o.ID, domain.Page{Size: domain.MaxPageSize})
	if err != nil {
		return "", err
	}
	for i := range found {
		if c := &found[i]; c.Name == forMessages && c.Live(s.Clock.Now()) {
			return linkSecret(s.Secret, c.ID)
		}
	}
	made, err := s.keep(ctx, o, NewShare{}, forMessages, nil)
	if err != nil {
		return "", err
	}
	return made.Token, nil
}

func (s *Shares) keep(ctx context.Context, o *domain.Order, in NewShare, name string, rec *domain.Idempotency) (*IssuedShare, error) {
	out := &IssuedShare{ID: domain.NewID(), ExpiresAt: utc(in.ExpiresAt)}
	var err error
	if out.Token, err = linkSecret(s.Secret, out.ID); err != nil {
		return nil, err
	}
	return out, s.Guard.Commit(ctx, domain.AccessChange{Idempotency: rec, Keep: &domain.Credential{
		ID: out.ID, Kind: domain.CredentialLink, Hash: domain.HashToken(out.Token), Prefix: out.Token[:prefixLength], Name: name,
		Role: domain.RoleCustomer, OrderID: o.ID, CreatedAt: domain.Timestamp(s.Clock.Now()), ExpiresAt: out.ExpiresAt,
	}})
}

// List returns the order's valid links, newest first.
func (s *Shares) List(ctx context.Context, o *domain.Order) ([]Share, error) {
	found, _, err := s.Store.Credentials(ctx, domain.CredentialLink, o.ID, domain.Page{Size: domain.MaxPageSize})
	out := []Share{}
	for _, c := range found {
		if c.Live(s.Clock.Now()) && !c.Caller().Expired(o, s.Clock.Now()) {
			out = append(out, Share{c.ID, c.CreatedAt, c.ExpiresAt, c.LastUsedAt})
		}
	}
	return out, err
}

// Revoke revokes a link of the order and ends its streams; not_found if the order has no such link.
func (s *Shares) Revoke(ctx context.Context, o *domain.Order, id string) error {
	id, err := domain.ParseID("/share_id", id)
	if err != nil {
		return err
	}
	return idempotency.Do(ctx, s.Requests, "revoke_share:"+o.ID, id, func(rec *domain.Idempotency) error {
		c, err := s.Store.Credential(ctx, id)
		if err == nil && (c == nil || c.Kind != domain.CredentialLink || c.OrderID != o.ID) {
			err = domain.Errorf(domain.CodeNotFound, "the order has no link %s", id)
		}
		if err != nil {
			return err
		}
		return s.Guard.Commit(ctx, domain.AccessChange{Drop: id, Idempotency: rec})
	})
}
