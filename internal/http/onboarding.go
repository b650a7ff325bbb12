package httpserver

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// onboarded is a new phone token, with the ways to set up an app with it.
type onboarded struct {
	ID        string     `json:"id" doc:"identifies the token, for revoking it"`
	Token     string     `json:"token" doc:"shown only once"`
	CreatedAt time.Time  `json:"created_at"`
	Apps      []phoneApp `json:"apps"`
}

// phone is an active token.
type phone struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

type phoneList struct {
	Tokens []phone `json:"tokens"`
}

type revoked struct {
	Revoked int `json:"revoked" doc:"number of tokens revoked"`
}

// ReachedAt is the address at which the caller reached the server.
type ReachedAt struct{ address string }

// Resolve derives it from the request.
func (r *ReachedAt) Resolve(hc huma.Context) []error {
	r.address = addressOf(hc.TLS() != nil, hc.Header("X-Forwarded-Proto"), hc.Host())
	return nil
}

// addressOf returns the address at which a request reached the server, such as https://track.example.
func addressOf(tls bool, forwardedProto, host string) string {
	if tls || strings.EqualFold(forwardedProto, "https") {
		return "https://" + host
	}
	return "http://" + host
}

// publicURL returns the server's configured address, else the one at which it was reached.
func (s *Server) publicURL(address string) string {
	return strings.TrimSuffix(cmp.Or(s.Config.PublicURL, address), "/")
}

type onboardIn struct {
	CourierPath
	Idempotent
	ReachedAt
}

type revokePhonesIn struct {
	CourierPath
	Idempotent
	Token string `query:"id" format:"uuid" doc:"the token to revoke; default: all of the courier's tokens"`
}

type revokePhoneIn struct {
	CourierPath
	Idempotent
	Token string `path:"token_id" format:"uuid" doc:"the token to revoke"`
}

// onboardingRoutes registers the setup of couriers' phones.
func (s *Server) onboardingRoutes() {
	revoke := func(ctx context.Context, key Idempotent, courier, token string) (*repeatable[revoked], error) {
		ids, again, err := once(ctx, key, func(ctx context.Context) ([]string, error) { return s.Couriers.RevokePhones(ctx, courier, token) })
		for _, id := range ids { // the courier's app on that phone is signed out too
			err = errors.Join(err, s.Sessions.EndOf(ctx, id))
		}
		return &repeatable[revoked]{again, revoked{len(ids)}}, err
	}
	handle(s, "onboardCourier", s.onboard)
	handle(s, "listPhones", s.listPhones)
	handle(s, "revokePhones", func(ctx context.Context, in *revokePhonesIn) (*repeatable[revoked], error) {
		return revoke(ctx, in.Idempotent, in.ID, in.Token)
	})
	handle(s, "revokePhone", func(ctx context.Context, in *revokePhoneIn) (*repeatable[revoked], error) {
		if _, err := domain.ParseID("/token_id", in.Token); err != nil {
			return nil, err
		}
		return revoke(ctx, in.Idempotent, in.ID, in.Token)
	})
}

func (s *Server) onboard(ctx context.Context, in *onboardIn) (*bodyOnly[onboarded], error) {
	o, _, err := once(ctx, in.Idempotent, func(ctx context.Context) (*tracking.Onboarding, error) { return s.Couriers.Onboard(ctx, in.ID) })
	if err != nil {
		return nil, err
	}
	code, err := s.Sessions.NewCode(ctx, o.CourierID, o.ID)
	if err != nil {
		return nil, err
	}
	apps, err := phoneApps(s.publicURL(in.address), o.Token, o.CourierID, code)
	return bodyOf(onboarded{ID: o.ID, Token: o.Token, CreatedAt: o.CreatedAt, Apps: apps}, err)
}

func (s *Server) listPhones(ctx context.Context, in *CourierPath) (*bodyOnly[phoneList], error) {
	tokens, err := s.Couriers.Phones(ctx, in.ID)
	out := phoneList{Tokens: make([]phone, len(tokens))}
	for i, t := range tokens {
		out.Tokens[i] = phone{ID: t.ID, CreatedAt: t.CreatedAt}
	}
	return bodyOf(out, err)
}
