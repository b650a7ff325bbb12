package app

import (
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/oidc"
)

// issuer returns the configured identity provider, or none. The start does not wait for it.
func (a *App) issuer() domain.Issuer {
	c := a.cfg.OIDC
	if c.Issuer == "" {
		return nil
	}
	var roles []oidc.Mapping
	for _, m := range c.RoleMappings() {
		roles = append(roles, oidc.Mapping{Value: m[0], Role: domain.Role(m[1])})
	}
	p := oidc.New(oidc.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, Audience: c.Audience,
		Algorithms: c.Algorithms, Leeway: c.Leeway, RoleClaim: c.RoleClaim, MerchantClaim: c.MerchantClaim, CourierClaim: c.CourierClaim,
		Roles: roles, SessionFor: c.SessionFor, Clock: systemClock{}, Log: a.log,
	})
	a.closing(func() error { p.Close(); return nil })
	p.Refresh()
	return p
}
