package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"

	"golang.org/x/oauth2"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
