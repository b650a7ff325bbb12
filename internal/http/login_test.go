package httpserver

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/oidc"
	"github.com/order-tracking/order-tracking/internal/infrastructure/oidc/oidctest"
)

// withIssuer starts a server whose users sign in at a provider.
func withIssuer(t *testing.T) (*testServer, *oidctest.Issuer) {
	issuer := oidctest.New(t, time.Now)
	provider := oidc.New(oidc.Options{
		Issuer: issuer.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Scopes: []string{"openid"},
		Algorithms: []string{"RS256"}, Leeway: time.Minute, SessionFor: time.Hour, RoleClaim: "groups",
		Roles: []oidc.Mapping{{Value: "desk", Role: domain.RoleDispatcher}, {Value: "probe", Role: domain.RoleMonitor}},
		Clock: wallClock{}, Log: zap.NewNop(),
	})
	t.Cleanup(provider.Close)
	return openWith(t, testConfig(), access.GuardConfig{BootstrapKey: houseKey, Issuer: provider}), issuer
}

func (b *browser) noRedirects() *browser {
	client := *b.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{b.t, b.web, &client}
}

func TestPeopleSignInAtTheProvider(t *testing.T) {
	d, issuer := withIssuer(t)
	b := d.browser(t)
	issuer.SignIn(oidctest.Claims{"groups": []string{"desk"}, "name": "Olga"})
	resp, err := b.Get(b.web.URL + "/login/oidc?next=/parts%3Fa%3Db")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "/parts?a=b", resp.Request.URL.RequestURI(), "the browser ends where it wanted to be")
	code, _ := b.do("GET", "/orders", "", ours)
	require.Equal(t, http.StatusOK, code)
	code, _ = b.do("POST", "/couriers", `{"name":"Ivan"}`, others)
	require.Equal(t, http.StatusForbidden, code, "another site's page with our cookie")
	code, _ = b.do("DELETE", "/session", "", ours)
	require.Equal(t, http.StatusNoContent, code)
	code, _ = b.do("GET", "/orders", "", ours)
	require.Equal(t, http.StatusUnauthorized, code)
}

// begin begins a sign-in and returns the answer of the provider's page, not followed.
func (b *browser) begin(path string) *url.URL {
	b.t.Helper()
	code, h := b.do("GET", path, "", "none")
	require.Equal(b.t, http.StatusSeeOther, code)
	cookie := h.Get("Set-Cookie")
	for _, want := range []string{"__Host-login=", "Path=/", "Max-Age=600", "HttpOnly", "Secure", "SameSite=Lax"} {
		require.Contains(b.t, cookie, want)
	}
	require.Equal(b.t, "no-store", h.Get("Cache-Control"))
	resp, err := b.Get(h.Get("Location"))
	require.NoError(b.t, err)
	require.NoError(b.t, resp.Body.Close())
	back, err := resp.Location()
	require.NoError(b.t, err)
	return back
}

func TestSignInsThatFail(t *testing.T) {
	d, issuer := withIssuer(t)
	issuer.SignIn(oidctest.Claims{"groups": []string{"desk"}})
	b := d.browser(t).noRedirects()
	back := b.begin("/login/oidc")

	code, h := d.browser(t).noRedirects().do("GET", back.RequestURI(), "", others)
	require.Equal(t, http.StatusUnauthorized, code, "a browser that did not begin it")
	require.NotContains(t, h.Get("Set-Cookie"), sessionCookie)
	code, h = b.do("GET", "/login/callback?code=x&state=y", "", others)
	require.Equal(t, http.StatusUnauthorized, code, "another state")
	require.Contains(t, h.Get("Set-Cookie"), "__Host-login=;")
	code, _ = b.do("GET", back.RequestURI(), "", others)
	require.Equal(t, http.StatusUnauthorized, code, "a failure ends it")

	back = b.begin("/login/oidc")
	code, h = b.do("GET", back.RequestURI(), "", others)
	require.Equal(t, http.StatusSeeOther, code)
	require.Equal(t, "/", h.Get("Location"))
	require.Contains(t, strings.Join(h["Set-Cookie"], "\n"), "__Host-session=ot_ses_")
	code, _ = b.do("GET", back.RequestURI(), "", others)
	require.Equal(t, http.StatusUnauthorized, code, "it works once")

	back = b.begin("/login/oidc")
	code, _ = b.do("GET", "/login/callback?error=access_denied&state="+back.Query().Get("state"), "", others)
	require.Equal(t, http.StatusForbidden, code, "the person declined")

	for group, want := range map[string]int{"guests": http.StatusForbidden, "probe": http.StatusForbidden} {
		issuer.SignIn(oidctest.Claims{"groups": []string{group}})
		back = b.begin("/login/oidc")
		code, _ = b.do("GET", back.RequestURI(), "", others)
		require.Equal(t, want, code, group)
	}
	for _, next := range []string{"https://evil.example", "//evil.example", "/%5Cevil.example", "%2F%09/evil.example", "evil", "javascript:alert(1)", "/%0d%0aSet-Cookie:x"} {
		code, h = b.do("GET", "/login/oidc?next="+next, "", ours)
		require.Equal(t, http.StatusUnprocessableEntity, code, next)
		require.Empty(t, h.Get("Set-Cookie"))
	}
	issuer.Close()
	code, _ = d.browser(t).noRedirects().do("GET", "/login/oidc", "", ours)
	require.Equal(t, http.StatusSeeOther, code, "what is known about the provider is still good")
}

func TestSigningInNeedsAProviderAndHTTPS(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(houseKey))
	code, _ := d.browser(t).do("GET", "/login/oidc", "", ours)
	require.Equal(t, http.StatusNotFound, code)
	code, _ = d.browser(t).do("GET", "/login/callback?code=a&state=b&x=y", "", ours)
	require.Equal(t, http.StatusUnauthorized, code)

	d, _ = withIssuer(t)
	rec := httptest.NewRecorder()
	d.srv.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://track.example/login/oidc", nil))
	require.Equal(t, http.StatusConflict, rec.Code, "plain HTTP from elsewhere")
}
