package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// OIDC configures the OpenID Connect provider whose tokens are accepted.
type OIDC struct {
	Issuer       string   `koanf:"issuer"`
	ClientID     string   `koanf:"client_id"`
	ClientSecret string   `koanf:"client_secret" secret:"all"`
	Scopes       []string `koanf:"scopes"`
	Audience     []string `koanf:"audience"`
	RoleClaim    string   `koanf:"role_claim"`
	// Roles maps values of the role claim to roles, as value=role.
	Roles         []string      `koanf:"roles"`
	MerchantClaim string        `koanf:"merchant_claim"`
	CourierClaim  string        `koanf:"courier_claim"`
	Algorithms    []string      `koanf:"algorithms"`
	Leeway        time.Duration `koanf:"leeway" min:"0s" max:"10m"`
	SessionFor    time.Duration `koanf:"session_for" min:"1m" max:"12h"`
}

// tokenRoles are the roles that a token may give.
var tokenRoles = []string{"admin", "dispatcher", "merchant", "courier", "partner", "monitor"}

// signatures are the algorithms that need no shared secret.
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// RoleMappings returns the values of the role claim and their roles, in order.
func (o OIDC) RoleMappings() [][2]string {
	var out [][2]string
	for _, text := range o.Roles {
		if i := strings.LastIndexByte(text, '='); i > 0 {
			out = append(out, [2]string{text[:i], text[i+1:]})
		}
	}
	return out
}

// oidcRules are those of the provider. Nothing is checked without one.
func (c *Config) oidcRules() []rule {
	o := c.OIDC
	if o.Issuer == "" {
		return nil
	}
	return []rule{
		{"oidc.issuer", checkIssuer(o.Issuer)},
		{"oidc.client_id", needs(o.Issuer, o.ClientID+strings.Join(o.Audience, ""), "oidc.client_id or oidc.audience")},
		{"oidc.role_claim", plainText(o.RoleClaim, 255)},
		{"oidc.merchant_claim", plainText(o.MerchantClaim, 255)},
		{"oidc.courier_claim", plainText(o.CourierClaim, 255)},
		{"oidc.roles", checkRoles(o)},
		{"oidc.scopes", contains(o.Scopes, "openid")},
		{"oidc.algorithms", checkAlgorithms(o.Algorithms)},
	}
}

func checkIssuer(issuer string) error {
	u, ok := webAddress(issuer)
	if err := checkBase(issuer); err != nil {
		return err
	}
	if ok && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return fmt.Errorf("must be an https:// address, as keys that come unencrypted could be anybody's, and is %q", issuer)
	}
	return nil
}

func checkRoles(o OIDC) error {
	mapped := o.RoleMappings()
	if len(mapped) == 0 || len(mapped) != len(o.Roles) {
		return fmt.Errorf("must say which values of the claim %s give which roles, such as ot-admins=admin,ot-desk=dispatcher", o.RoleClaim)
	}
	for _, m := range mapped {
		if err := oneOf(m[1], tokenRoles...); err != nil {
			return fmt.Errorf("has %q, whose role %w", m[0]+"="+m[1], err)
		}
	}
	return nil
}

func checkAlgorithms(algorithms []string) error {
	if len(algorithms) == 0 {
		return errors.New("must name at least one algorithm")
	}
	for _, a := range algorithms {
		if err := oneOf(a, signatures...); err != nil {
			return err
		}
	}
	return nil
}

func contains(list []string, want string) error {
	if slices.Contains(list, want) {
		return nil
	}
	return fmt.Errorf("must contain %s", want)
}
