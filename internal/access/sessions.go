package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// sessionFor is the lifetime of a page's session, courierFor of a courier's.
	sessionFor = 12 * time.Hour
	courierFor = 30 * 24 * time.Hour
	// CodeFor is how long a sign-in code is valid.
	CodeFor = 15 * time.Minute
)

// Sessions keep pages signed in: a key or a one-time code is exchanged for a secret in a
// cookie. A session ends with the key or the phone that opened it.
type Sessions struct {
	Store domain.Store
	Clock domain.Clock
	Guard *Guard
}

// SignIn opens a session with a key or a code.
type SignIn struct {
	Key  string `json:"key,omitempty" minLength:"1" maxLength:"4096" example:"ot_dsp_…"`
	Code string `json:"code,omitempty" minLength:"1" maxLength:"64" doc:"from a courier's onboarding; works once"`
}

// Check validates the input of Open.
func (in SignIn) Check() error {
	if (in.Key == "") == (in.Code == "") {
		return domain.Invalid("", "required", "key or code is required, and not both")
	}
	return nil
}

// Session is a cookie's secret and its expiry.
type Session struct {
	Secret    string
	ExpiresAt time.Time
}

// Open opens a session; unauthenticated if the key or code is invalid, forbidden for
// monitor keys and customer links, which pages do not use.
func (s *Sessions) Open(ctx context.Context, in SignIn) (*Session, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	if in.Code != "" {
		return s.byCode(ctx, in.Code)
	}
	caller, err := s.Guard.identify(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	return s.For(ctx, caller)
}

// For opens a session for a caller who was authenticated in another way.
func (s *Sessions) For(ctx context.Context, caller *domain.Caller) (*Session, error) {
	switch caller.Kind {
	case domain.RoleMonitor, domain.RoleCustomer:
		return nil, domain.Errorf(domain.CodeForbidden, "this key opens no pages")
	}
	parent := cmp.Or(caller.Credential, caller.ID) // a provider's user has no credential here
	if caller == s.Guard.first {
		parent = s.Guard.BootstrapParent()
	}
	until := s.Clock.Now().Add(sessionFor)
	if !caller.ExpiresAt.IsZero() && caller.ExpiresAt.Before(until) {
		until = caller.ExpiresAt
	}
	return s.keep(ctx, domain.Credential{
		ParentID: parent, Name: caller.Name, Role: caller.Kind, MerchantID: caller.MerchantID, CourierID: caller.CourierID,
	}, until)
}

// HasProvider reports whether people can sign in at an identity provider.
func (s *Sessions) HasProvider() bool { return s.Guard.issuer != nil }

// BeginLogin begins a sign-in at the identity provider and returns its page; not_found if none is configured.
func (s *Sessions) BeginLogin(ctx context.Context, redirectURL string) (l domain.Login, page string, err error) {
	if !s.HasProvider() {
		return l, "", domain.Errorf(domain.CodeNotFound, "there is no identity provider to sign in at; see oidc.issuer of the configuration")
	}
	l = domain.Login{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), RedirectURL: redirectURL}
	page, err = s.Guard.issuer.LoginURL(ctx, l)
	return l, page, err
}

// FinishLogin opens a session for who signed in at the identity provider.
func (s *Sessions) FinishLogin(ctx context.Context, l domain.Login, code string) (*Session, error) {
	if s.Guard.issuer == nil {
		return nil, errInvalid
	}
	caller, err := s.Guard.issuer.Redeem(ctx, l, code)
	if err != nil {
		return nil, err
	}
	return s.For(ctx, caller)
}

func (s *Sessions) keep(ctx context.Context, c domain.Credential, until time.Time) (*Session, error) {
	until = domain.Timestamp(until)
	c.Kind, c.CreatedAt, c.ExpiresAt = domain.CredentialSession, domain.Timestamp(s.Clock.Now()), &until
	issued := issue(c, kindSession)
	return &Session{issued.Key, until}, s.Store.ChangeAccess(ctx, domain.AccessChange{Keep: &issued.Credential})
}

// NewCode makes a one-time sign-in code for a courier's own phone. The session ends when the phone token with the id is revoked.
func (s *Sessions) NewCode(ctx context.Context, courierID, phoneID string) (string, error) {
	until := domain.Timestamp(s.Clock.Now().Add(CodeFor))
	issued := issue(domain.Credential{
		Kind: domain.CredentialCode, ParentID: phoneID, Role: domain.RoleCourier, CourierID: courierID,
		CreatedAt: domain.Timestamp(s.Clock.Now()), ExpiresAt: &until,
	}, kindCode)
	return issued.Key, s.Store.ChangeAccess(ctx, domain.AccessChange{Keep: &issued.Credential})
}

func (s *Sessions) byCode(ctx context.Context, code string) (*Session, error) {
	if !wellFormed(code) {
		return nil, errInvalid
	}
	c, err := s.Store.TakeCode(ctx, domain.HashToken(code))
	if err != nil {
		return nil, err
	}
	if c == nil || !c.Live(s.Clock.Now()) {
		return nil, errInvalid
	}
	courier, err := s.Store.Courier(ctx, c.CourierID)
	if err != nil {
		return nil, err
	}
	return s.keep(ctx, domain.Credential{
		ParentID: c.ParentID, Name: courier.Name, Role: domain.RoleCourier, CourierID: c.CourierID,
	}, s.Clock.Now().Add(courierFor))
}

// Close ends the session with the secret; an unknown session is not an error.
func (s *Sessions) Close(ctx context.Context, secret string) error {
	if !wellFormed(secret) {
		return nil
	}
	c, err := s.Store.CredentialByHash(ctx, domain.HashToken(secret))
	if err != nil || c == nil || c.Kind != domain.CredentialSession {
		return err
	}
	return s.EndOf(ctx, c.ID)
}

// EndOf ends the session with that id, and those opened with the credential of that id.
func (s *Sessions) EndOf(ctx context.Context, parentID string) error {
	err := s.Guard.Commit(ctx, domain.AccessChange{Drop: parentID})
	if domain.CodeOf(err) == domain.CodeNotFound {
		return nil
	}
	return err
}

// Tickets let pages open streams without exposing a key.
type Tickets struct {
	Store domain.Tickets
	Clock domain.Clock
}

// IssuedTicket is a new ticket; it is shown only once.
type IssuedTicket struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Issue makes a ticket with which the caller can open one stream, on any replica, within domain.TicketTTL.
func (t *Tickets) Issue(ctx context.Context) (*IssuedTicket, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	issued := &IssuedTicket{Ticket: rand.Text(), ExpiresAt: domain.Timestamp(t.Clock.Now()).Add(domain.TicketTTL)} // 130 bits
	return issued, t.Store.KeepTicket(ctx, domain.Ticket{Hash: domain.HashToken(issued.Ticket), Caller: *caller, ExpiresAt: issued.ExpiresAt})
}

// Redeem returns the caller the ticket was issued to. A ticket that was already used or has expired is unauthenticated.
func (t *Tickets) Redeem(ctx context.Context, ticket string) (*domain.Caller, error) {
	kept, err := t.Store.TakeTicket(ctx, domain.HashToken(ticket))
	if err != nil {
		return nil, err
	}
	if kept == nil || t.Clock.Now().After(kept.ExpiresAt) {
		return nil, domain.Errorf(domain.CodeUnauthenticated, "the ticket is unknown, used or expired; ask for a new one")
	}
	return &kept.Caller, nil
}
