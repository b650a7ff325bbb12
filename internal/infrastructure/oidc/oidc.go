// Package oidc authenticates callers with the tokens of an OpenID Connect provider.
//
// A token is believed if the provider signed it with one of its published keys and a permitted asymmetric algorithm, for
// this audience, and if it is valid now. Issuer, audience and times are checked before any key is looked up, and the keys
// are fetched at most every few seconds, so forged tokens cause no requests. Headers that name or carry keys (jku, jwk, x5u,
// x5c) are ignored.
//
// The provider may be down at the start: its keys are fetched in the background and again when the first token needs them.
// While it is down afterwards, known keys are used for a day.
package oidc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/maypok86/otter/v2"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Options configures the provider and what its tokens mean.
type Options struct {
	Issuer string // exactly as in the tokens' iss
	// ClientID and ClientSecret identify this installation when people sign in; the secret of a public client is empty.
	ClientID, ClientSecret string
	Scopes                 []string
	// Audience lists the accepted values of aud; default: the client id.
	Audience   []string
	Algorithms []string      // accepted signature algorithms
	Leeway     time.Duration // by how much clocks may differ
	// RoleClaim, MerchantClaim and CourierClaim name claims; dots separate the members of nested objects.
	RoleClaim, MerchantClaim, CourierClaim string
	// Roles maps values of the role claim to roles; the first that matches counts.
	Roles []Mapping
	// SessionFor is how long a page stays signed in.
	SessionFor time.Duration
	Client     *http.Client // nil means a new one
	Clock      domain.Clock
	Log        *zap.Logger
}

// Mapping gives a role to who has a value in the role claim.
type Mapping struct {
	Value string
	Role  domain.Role
}

const (
	maxToken    = 16 << 10 // bytes
	maxSubject  = 255      // characters, by the specification
	rememberFor = time.Minute
	rememberMax = 10_000 // tokens
)

// Provider implements domain.Issuer. It is safe for concurrent use.
type Provider struct {
	o          Options
	algorithms []jose.SignatureAlgorithm
	keys       source
	// verified remembers tokens for a short time, as checking a signature is expensive.
	verified *otter.Cache[[sha256.Size]byte, remembered]
}

type remembered struct {
	caller *domain.Caller
	until  time.Time
}

// New makes a provider; Refresh sends its first request.
func New(o Options) *Provider {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: fetchWithin}
	}
	if len(o.Audience) == 0 {
		o.Audience = []string{o.ClientID}
	}
	p := &Provider{o: o, keys: source{issuer: o.Issuer, client: o.Client, clock: o.Clock, outage: background.Outage{
		Log: o.Log, Lost: "the identity provider can't be asked for its keys; its tokens are accepted as far as their keys are known",
		Back: "the identity provider answers again",
	}}}
	for _, a := range o.Algorithms {
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(a))
	}
	p.verified = otter.Must(&otter.Options[[sha256.Size]byte, remembered]{MaximumSize: rememberMax})
	return p
}

// Refresh fetches what the provider publishes, in the background.
func (p *Provider) Refresh() { p.keys.start() }

// Close waits for requests to the provider and closes its connections.
func (p *Provider) Close() {
	p.keys.close()
	p.o.Client.CloseIdleConnections()
}

var (
	errToken  = domain.Errorf(domain.CodeUnauthenticated, "the token is not a valid one: it is of another issuer or audience, has expired or has a bad signature")
	errNoRole = domain.Errorf(domain.CodeForbidden, "the token is valid but gives no role here; its claims are mapped to roles by oidc.* of the configuration")
)

// Verify returns the caller of a bearer token; see domain.Issuer.
func (p *Provider) Verify(ctx context.Context, token string) (*domain.Caller, error) {
	if len(token) > maxToken {
		return nil, errToken
	}
	sum, now := sha256.Sum256([]byte(token)), p.o.Clock.Now()
	if known, ok := p.verified.GetIfPresent(sum); ok && now.Before(known.until) {
		return known.caller, nil
	}
	claims, expires, err := p.check(ctx, token, p.o.Audience)
	if err != nil {
		return nil, err
	}
	caller, err := p.caller(claims)
	if err != nil {
		return nil, err
	}
	caller.ExpiresAt = expires
	until := now.Add(rememberFor)
	if expires.Before(until) {
		until = expires
	}
	p.verified.Set(sum, remembered{caller, until})
	return caller, nil
}

// check returns the claims of a valid token and when it expires, leeway included.
func (p *Provider) check(ctx context.Context, token string, audience []string) (claims map[string]any, expires time.Time, err error) {
	t, err := jwt.ParseSigned(token, p.algorithms)
	if err != nil || len(t.Headers) != 1 {
		return nil, expires, errToken
	}
	typ, _ := t.Headers[0].ExtraHeaders[jose.HeaderType].(string)
	if !slices.Contains([]string{"", "jwt", "at+jwt", "application/at+jwt"}, strings.ToLower(typ)) {
		return nil, expires, errToken
	}
	var c jwt.Claims
	if t.UnsafeClaimsWithoutVerification(&c) != nil || c.Expiry == nil || c.Subject == "" || len(c.Subject) > maxSubject ||
		c.ValidateWithLeeway(jwt.Expected{Issuer: p.o.Issuer, AnyAudience: audience, Time: p.o.Clock.Now()}, p.o.Leeway) != nil {
		return nil, expires, errToken
	}
	known, err := p.keys.get(ctx)
	if err != nil {
		return nil, expires, err
	}
	keys := known.fitting(t.Headers[0])
	if len(keys) == 0 { // the provider may have new ones
		if known, err = p.keys.newer(ctx, known); err != nil {
			return nil, expires, err
		}
		keys = known.fitting(t.Headers[0])
	}
	for _, k := range keys {
		if t.Claims(k.Key, &claims) == nil {
			return claims, domain.Timestamp(c.Expiry.Time().Add(p.o.Leeway)), nil
		}
	}
	return nil, expires, errToken
}

// caller maps verified claims to a caller; forbidden if they give no role.
func (p *Provider) caller(claims map[string]any) (*domain.Caller, error) {
	values := texts(claim(claims, p.o.RoleClaim))
	at := slices.IndexFunc(p.o.Roles, func(m Mapping) bool { return slices.Contains(values, m.Value) })
	if at < 0 {
		return nil, errNoRole
	}
	subject, _ := claims["sub"].(string)
	name, _ := claims["name"].(string)
	c := &domain.Caller{Actor: domain.Actor{Kind: p.o.Roles[at].Role, ID: "oidc:" + subject}}
	if len(name) <= domain.MaxName {
		c.Name = name
	}
	switch c.Kind {
	case domain.RoleMerchant, domain.RolePartner:
		c.MerchantID = cmp.Or(texts(claim(claims, p.o.MerchantClaim))...)
		if c.MerchantID == "" || len(c.MerchantID) > domain.MaxKey {
			return nil, errNoRole
		}
	case domain.RoleCourier:
		id, err := domain.ParseID("", cmp.Or(texts(claim(claims, p.o.CourierClaim))...))
		if err != nil {
			return nil, errNoRole
		}
		c.CourierID, c.ID = id, id // the same person with every credential
	}
	return c, nil
}

// claim finds a claim by its name, which may itself have dots, or by its path.
func claim(claims map[string]any, path string) any {
	if v, ok := claims[path]; ok {
		return v
	}
	head, rest, nested := strings.Cut(path, ".")
	if inner, ok := claims[head].(map[string]any); ok && nested {
		return claim(inner, rest)
	}
	return nil
}

// texts returns the strings of a claim: of a list, or the words of one.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// LoginURL returns the provider's page where a sign-in begins; see domain.Issuer.
func (p *Provider) LoginURL(ctx context.Context, l domain.Login) (string, error) {
	flow, err := p.flow(ctx, l)
	if err != nil {
		return "", err
	}
	return flow.AuthCodeURL(l.State, oauth2.S256ChallengeOption(l.Verifier), oauth2.SetAuthURLParam("nonce", l.Nonce)), nil
}

// Redeem exchanges the code of a sign-in for its caller; see domain.Issuer.
func (p *Provider) Redeem(ctx context.Context, l domain.Login, code string) (*domain.Caller, error) {
	flow, err := p.flow(ctx, l)
	if err != nil {
		return nil, err
	}
	tokens, err := flow.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.o.Client), code, oauth2.VerifierOption(l.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < http.StatusInternalServerError {
		return nil, domain.Errorf(domain.CodeUnauthenticated, "the identity provider did not accept the sign-in; please begin again")
	}
	if err != nil {
		return nil, domain.Unavailable("the identity provider", err)
	}
	id, _ := tokens.Extra("id_token").(string)
	claims, _, err := p.check(ctx, id, []string{p.o.ClientID})
	if err != nil {
		return nil, err
	}
	nonce, _ := claims["nonce"].(string)
	party, _ := claims["azp"].(string)
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(l.Nonce)) != 1 || party != "" && party != p.o.ClientID {
		return nil, errToken
	}
	caller, err := p.caller(claims)
	if errors.Is(err, errNoRole) { // some providers put roles into the access token only
		also, _, bad := p.check(ctx, tokens.AccessToken, p.o.Audience)
		if bad == nil && also["sub"] == claims["sub"] {
			caller, err = p.caller(also)
		}
	}
	if err != nil {
		return nil, err
	}
	caller.ExpiresAt = p.o.Clock.Now().Add(p.o.SessionFor)
	return caller, nil
}

func (p *Provider) flow(ctx context.Context, l domain.Login) (*oauth2.Config, error) {
	known, err := p.keys.get(ctx)
	if err != nil {
		return nil, err
	}
	style := oauth2.AuthStyleInHeader
	if p.o.ClientSecret == "" || len(known.Methods) > 0 && !slices.Contains(known.Methods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret, RedirectURL: l.RedirectURL, Scopes: p.o.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: known.Login, TokenURL: known.Token, AuthStyle: style},
	}, nil
}
