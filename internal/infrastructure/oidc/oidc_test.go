package oidc

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/oidc/oidctest"
)

// clock is set by hand.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time       { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

type world struct {
	*testing.T
	clock  *clock
	issuer *oidctest.Issuer
	*Provider
}

const courierID = "0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"

func options(issuer *oidctest.Issuer, c domain.Clock) Options {
	return Options{
		Issuer: issuer.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Audience: []string{"other", oidctest.Audience},
		Scopes: []string{"openid"}, Algorithms: []string{"RS256", "ES256"}, Leeway: time.Minute, SessionFor: time.Hour,
		RoleClaim: "realm_access.roles", MerchantClaim: "https://shop.example/merchant", CourierClaim: "courier",
		Roles: []Mapping{{"boss", domain.RoleAdmin}, {"desk", domain.RoleDispatcher}, {"shop", domain.RoleMerchant}, {"rider", domain.RoleCourier}},
		Clock: c, Log: zap.NewNop(),
	}
}

func open(t *testing.T) *world {
	c := newClock()
	w := &world{T: t, clock: c, issuer: oidctest.New(t, c.Now)}
	w.Provider = New(options(w.issuer, c))
	t.Cleanup(w.Close)
	return w
}

func roles(names ...string) map[string]any { return map[string]any{"roles": names} }

func (w *world) code(token string) domain.Code {
	_, err := w.Verify(w.Context(), token)
	return domain.CodeOf(err)
}

func TestClaimsBecomeACaller(t *testing.T) {
	w := open(t)
	expires := w.clock.Now().Add(6 * time.Minute) // leeway included
	for name, c := range map[string]struct {
		claims oidctest.Claims
		want   domain.Caller
		code   domain.Code
	}{
		"an admin": {oidctest.Claims{"realm_access": roles("boss"), "name": "Olga"}, domain.Caller{
			Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "oidc:user-1"}, Name: "Olga", ExpiresAt: expires,
		}, ""},
		"the first mapping counts": {oidctest.Claims{"realm_access": roles("unknown", "desk", "boss")}, domain.Caller{
			Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "oidc:user-1"}, ExpiresAt: expires,
		}, ""},
		"a role that is one text": {oidctest.Claims{"realm_access": map[string]any{"roles": "openid desk"}}, domain.Caller{
			Actor: domain.Actor{Kind: domain.RoleDispatcher, ID: "oidc:user-1"}, ExpiresAt: expires,
		}, ""},
		"a merchant by a claim whose name has dots": {oidctest.Claims{"realm_access": roles("shop"), "https://shop.example/merchant": "m1"}, domain.Caller{
			Actor: domain.Actor{Kind: domain.RoleMerchant, ID: "oidc:user-1"}, MerchantID: "m1", ExpiresAt: expires,
		}, ""},
		"a courier": {oidctest.Claims{"realm_access": roles("rider"), "courier": []string{courierID}}, domain.Caller{
			Actor: domain.Actor{Kind: domain.RoleCourier, ID: courierID}, CourierID: courierID, ExpiresAt: expires,
		}, ""},
		"a merchant of none":     {oidctest.Claims{"realm_access": roles("shop")}, domain.Caller{}, domain.CodeForbidden},
		"a courier of none":      {oidctest.Claims{"realm_access": roles("rider"), "courier": "7"}, domain.Caller{}, domain.CodeForbidden},
		"an unknown role":        {oidctest.Claims{"realm_access": roles("admin")}, domain.Caller{}, domain.CodeForbidden},
		"a role elsewhere":       {oidctest.Claims{"roles": []string{"boss"}}, domain.Caller{}, domain.CodeForbidden},
		"roles of another shape": {oidctest.Claims{"realm_access": []any{map[string]any{"roles": "boss"}, 1, nil}}, domain.Caller{}, domain.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.Verify(t.Context(), w.issuer.Token(t, c.claims))
			require.Equal(t, c.code, domain.CodeOf(err))
			if err == nil {
				require.Equal(t, c.want, *got)
			}
		})
	}
}

func TestOnlyValidTokensOfTheIssuer(t *testing.T) {
	w := open(t)
	key, boss := oidctest.RSA(t), oidctest.Claims{"realm_access": roles("boss")}
	w.issuer.Add(t, "mine", key)
	require.Empty(t, w.code(w.issuer.Token(t, boss)))
	with := func(name string, v any) oidctest.Claims {
		return w.issuer.Claims(oidctest.Claims{"realm_access": roles("boss"), name: v})
	}
	header := map[string]any{"kid": "mine"}
	now := w.clock.Now()
	for name, token := range map[string]string{
		"another issuer":             oidctest.Sign(t, key, with("iss", "https://evil.example"), header),
		"an issuer with a slash":     oidctest.Sign(t, key, with("iss", w.issuer.URL+"/"), header),
		"no issuer":                  oidctest.Sign(t, key, with("iss", nil), header),
		"another audience":           oidctest.Sign(t, key, with("aud", "https://other.example"), header),
		"no audience":                oidctest.Sign(t, key, with("aud", nil), header),
		"audiences without ours":     oidctest.Sign(t, key, with("aud", []string{"a", "b"}), header),
		"expired":                    oidctest.Sign(t, key, with("exp", now.Add(-61*time.Second).Unix()), header),
		"never expiring":             oidctest.Sign(t, key, with("exp", nil), header),
		"not yet valid":              oidctest.Sign(t, key, with("nbf", now.Add(61*time.Second).Unix()), header),
		"issued in the future":       oidctest.Sign(t, key, with("iat", now.Add(time.Hour).Unix()), header),
		"nobody's":                   oidctest.Sign(t, key, with("sub", nil), header),
		"a long subject":             oidctest.Sign(t, key, with("sub", strings.Repeat("x", 256)), header),
		"another key":                oidctest.Sign(t, oidctest.RSA(t), with("x", 1), header),
		"another key's type":         oidctest.Sign(t, oidctest.EC(t), with("x", 1), header),
		"a key that is not known":    oidctest.Sign(t, key, with("x", 1), map[string]any{"kid": "unknown"}),
		"a logout token":             oidctest.Sign(t, key, with("x", 1), map[string]any{"kid": "mine", "typ": "logout+jwt"}),
		"a header that must matter":  oidctest.Sign(t, key, with("x", 1), map[string]any{"kid": "mine", "crit": []string{"x"}, "x": 1}),
		"no algorithm":               unsigned(t, with("x", 1), `{"alg":"none","kid":"mine"}`),
		"no algorithm, written none": unsigned(t, with("x", 1), `{"alg":"NoNe","kid":"mine"}`),
		"the public key as a secret": symmetric(t, with("x", 1), pemOf(t, key), "mine"),
		"a published secret":         symmetric(t, with("x", 1), []byte("secret"+strings.Repeat("\x00", 26)), "shared"),
		"an algorithm not permitted": signed(t, jose.PS256, key, with("x", 1)),
		"a huge one":                 oidctest.Sign(t, key, with("x", strings.Repeat("x", maxToken)), header),
	} {
		require.Equal(t, domain.CodeUnauthenticated, w.code(token), name)
	}
	for name, claims := range map[string]oidctest.Claims{ // clocks differ by a minute at most
		"just expired":   with("exp", now.Add(-59*time.Second).Unix()),
		"just not valid": with("nbf", now.Add(59*time.Second).Unix()),
		"two audiences":  with("aud", []string{"x", oidctest.Audience}),
	} {
		require.Empty(t, w.code(oidctest.Sign(t, key, claims, header)), name)
	}
	require.Empty(t, w.code(oidctest.Sign(t, key, with("x", 1), nil)), "a token that names no key")
	require.Empty(t, w.code(oidctest.Sign(t, key, with("x", 1), map[string]any{"kid": "mine", "typ": "at+jwt"})))
	require.Empty(t, w.code(oidctest.Sign(t, key, with("x", 1), map[string]any{
		"kid": "mine", "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert",
	})), "headers that name keys change nothing")
}

func TestARememberedTokenExpires(t *testing.T) {
	w := open(t)
	token := w.issuer.Token(t, oidctest.Claims{"realm_access": roles("boss"), "exp": w.clock.Now().Add(10 * time.Second).Unix()})
	require.Empty(t, w.code(token))
	w.clock.pass(time.Minute + 9*time.Second)
	require.Empty(t, w.code(token), "leeway")
	w.clock.pass(2 * time.Second)
	require.Equal(t, domain.CodeUnauthenticated, w.code(token))
}

func TestKeysRotate(t *testing.T) {
	w := open(t)
	boss := oidctest.Claims{"realm_access": roles("boss")}
	old := w.issuer.Token(t, boss)
	require.Empty(t, w.code(old))
	require.EqualValues(t, 1, w.issuer.Fetches.Load())
	w.issuer.Add(t, "second", oidctest.EC(t))
	w.issuer.Retire("first")
	fresh := w.issuer.Token(t, boss)
	require.Equal(t, domain.CodeUnauthenticated, w.code(fresh), "fetched a moment ago")
	w.clock.pass(pauseAfter)
	require.Empty(t, w.code(fresh), "an unknown kid fetches the keys")
	require.EqualValues(t, 2, w.issuer.Fetches.Load())
	w.clock.pass(rememberFor)
	require.Equal(t, domain.CodeUnauthenticated, w.code(old), "a key that is gone counts no more")

	for range 1000 { // unknown keys
		w.code(oidctest.Sign(t, oidctest.EC(t), w.issuer.Claims(boss), map[string]any{"kid": "x"}))
	}
	require.LessOrEqual(t, w.issuer.Fetches.Load(), int32(3), "one fetch in ten seconds")
}

func TestKeysAreRenewedInTheBackground(t *testing.T) {
	w := open(t)
	boss := oidctest.Claims{"realm_access": roles("boss")}
	require.Empty(t, w.code(w.issuer.Token(t, boss)))
	w.clock.pass(renewAfter + time.Second)
	require.Empty(t, w.code(w.issuer.Token(t, boss)))
	w.Close() // waits for the fetch
	require.EqualValues(t, 2, w.issuer.Fetches.Load())
}

func TestAProviderThatIsDown(t *testing.T) {
	w := open(t)
	boss := oidctest.Claims{"realm_access": roles("boss")}
	down := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) }
	w.issuer.Break(down)
	require.Equal(t, domain.CodeUnavailable, w.code(w.issuer.Token(t, boss)), "nothing is known: no answer is possible")
	require.Equal(t, domain.CodeUnauthenticated, w.code("a.b.c"))
	_, err := w.LoginURL(t.Context(), domain.Login{})
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	w.issuer.Break(nil)
	require.Equal(t, domain.CodeUnavailable, w.code(w.issuer.Token(t, boss)), "it was asked a moment ago")
	w.clock.pass(pauseDown)
	require.Empty(t, w.code(w.issuer.Token(t, boss)))

	w.issuer.Break(down)
	w.clock.pass(time.Hour)
	require.Empty(t, w.code(w.issuer.Token(t, boss)), "its keys are known")
	w.clock.pass(usableFor)
	require.Equal(t, domain.CodeUnavailable, w.code(w.issuer.Token(t, boss)), "but not for ever")
}

func TestAnswersOfAProviderThatAreNotUsed(t *testing.T) {
	for name, h := range map[string]func(i *oidctest.Issuer) http.HandlerFunc{
		"another issuer": func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`))
			}
		},
		"no JSON": func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		},
		"too much": func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("x", maxDocument) + `"}`))
			}
		},
		"no keys": func(i *oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL, "keys": []any{}})
			}
		},
		"a weak key": func(i *oidctest.Issuer) http.HandlerFunc {
			weak := map[string]string{"kty": "RSA", "kid": "first", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 127)))}
			return func(w http.ResponseWriter, _ *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL, "keys": []any{weak}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.issuer.Break(h(w.issuer))
			code := w.code(w.issuer.Token(t, oidctest.Claims{"realm_access": roles("boss")}))
			require.Contains(t, []domain.Code{domain.CodeUnavailable, domain.CodeUnauthenticated}, code)
		})
	}
}

func TestASlowProviderIsAskedOnce(t *testing.T) {
	w := open(t)
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	w.issuer.Break(func(rw http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		http.Error(rw, "too late", http.StatusGatewayTimeout)
	})
	token := w.issuer.Token(t, oidctest.Claims{"realm_access": roles("boss")})
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() { _ = w.code(token) })
	}
	<-arrived
	close(release)
	calls.Wait()
	require.Empty(t, arrived, "nobody else asked")
}

func TestSigningIn(t *testing.T) {
	w := open(t)
	login := domain.Login{State: "s", Nonce: "n", Verifier: strings.Repeat("v", 43), RedirectURL: "https://track.example/login/callback"}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	code := func(l domain.Login) string {
		t.Helper()
		page, err := w.LoginURL(t.Context(), l)
		require.NoError(t, err)
		answer, err := browser.Get(page)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		back, err := answer.Location()
		require.NoError(t, err)
		require.Equal(t, l.State, back.Query().Get("state"))
		return back.Query().Get("code")
	}
	w.issuer.SignIn(oidctest.Claims{"realm_access": roles("desk"), "name": "Ivan"})
	got, err := w.Redeem(t.Context(), login, code(login))
	require.NoError(t, err)
	require.Equal(t, domain.Caller{
		Actor: domain.Actor{Kind: domain.RoleDispatcher, ID: "oidc:user-1"}, Name: "Ivan", ExpiresAt: w.clock.Now().Add(time.Hour),
	}, *got)

	w.issuer.SignIn(oidctest.Claims{"access_roles": roles("desk")})
	got, err = w.Redeem(t.Context(), login, code(login))
	require.NoError(t, err, "the roles are in the access token only")
	require.Equal(t, domain.RoleDispatcher, got.Kind)

	w.issuer.SignIn(oidctest.Claims{"realm_access": roles("desk")})
	used := code(login)
	_, err = w.Redeem(t.Context(), login, used)
	require.NoError(t, err)
	other := func(change func(*domain.Login)) domain.Login { l := login; change(&l); return l }
	for name, c := range map[string]struct {
		user oidctest.Claims
		as   domain.Login
		code string
		want domain.Code
	}{
		"a code that was used":    {nil, login, used, domain.CodeUnauthenticated},
		"a code of nobody":        {nil, login, "x", domain.CodeUnauthenticated},
		"another verifier":        {nil, other(func(l *domain.Login) { l.Verifier = strings.Repeat("w", 43) }), "", domain.CodeUnauthenticated},
		"another nonce":           {nil, other(func(l *domain.Login) { l.Nonce = "m" }), "", domain.CodeUnauthenticated},
		"another address":         {nil, other(func(l *domain.Login) { l.RedirectURL = "https://evil.example" }), "", domain.CodeUnauthenticated},
		"a token for another":     {oidctest.Claims{"aud": "another"}, login, "", domain.CodeUnauthenticated},
		"a token by another":      {oidctest.Claims{"aud": []string{oidctest.ClientID, "x"}, "azp": "x"}, login, "", domain.CodeUnauthenticated},
		"somebody without a role": {oidctest.Claims{"realm_access": roles("guest")}, login, "", domain.CodeForbidden},
	} {
		w.issuer.SignIn(oidctest.Claims{"realm_access": roles("desk")})
		if c.user != nil {
			w.issuer.SignIn(c.user)
		}
		if c.code == "" {
			c.code = code(login)
		}
		_, err := w.Redeem(t.Context(), c.as, c.code)
		require.Equal(t, c.want, domain.CodeOf(err), name)
	}
	redeemable := code(login)
	w.issuer.Break(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) })
	_, err = w.Redeem(t.Context(), login, redeemable)
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
}

func unsigned(t *testing.T, claims oidctest.Claims, header string) string {
	body, err := json.Marshal(claims)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}

func symmetric(t *testing.T, claims oidctest.Claims, secret []byte, kid string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(map[string]any(claims)).Serialize()
	require.NoError(t, err)
	return token
}

func signed(t *testing.T, algorithm jose.SignatureAlgorithm, key crypto.Signer, claims oidctest.Claims) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "mine"))
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(map[string]any(claims)).Serialize()
	require.NoError(t, err)
	return token
}

func pemOf(t *testing.T, key crypto.Signer) []byte {
	der, err := x509.MarshalPKIXPublicKey(key.Public().(*rsa.PublicKey))
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
