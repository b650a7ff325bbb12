package tests

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/order-tracking/order-tracking/internal/infrastructure/oidc/oidctest"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// trusting is the configuration of a server that trusts the provider.
func trusting(issuer *oidctest.Issuer) []string {
	return []string{
		"--set=oidc.issuer=" + issuer.URL, "--set=oidc.audience=" + oidctest.Audience, "--set=oidc.role_claim=groups", "--set=oidc.leeway=0s",
		"--set=oidc.roles=boss=admin,desk=dispatcher,shop=merchant,rider=courier,probe=monitor",
	}
}

// TestTokensOfAProvider opens every door with a provider's tokens.
func TestTokensOfAProvider(t *testing.T) {
	issuer := oidctest.New(t, time.Now)
	s := start(t, trusting(issuer)...)
	w := &town{server: s}
	token := func(group string, more oidctest.Claims) string {
		claims := oidctest.Claims{"groups": []string{group}}
		for k, v := range more {
			claims[k] = v
		}
		return issuer.Token(t, claims)
	}
	code, _ := w.ask(t, "", http.MethodGet, "/orders", nil)
	require.Equal(t, http.StatusUnauthorized, code, "with a provider, local calls need a credential too")
	boss := token("boss", nil)
	mine := str(w.made(t, boss, "/order", object{"merchant_id": "m1", "customer": object{"name": "Anna"}, "dropoff": object{"address": "Main St 1"}}), "id")
	theirs := str(w.made(t, boss, "/order", object{"merchant_id": "m2", "customer": object{"name": "Ivan"}, "dropoff": object{"address": "Main St 2"}}), "id")
	shop := token("shop", oidctest.Claims{"merchant_id": "m1"})
	for name, c := range map[string]struct {
		token, path string
		want        int
	}{
		"an admin's keys":      {boss, "/keys", http.StatusOK},
		"a dispatcher's keys":  {token("desk", nil), "/keys", http.StatusForbidden},
		"a merchant's own":     {shop, "/order/" + mine, http.StatusOK},
		"not a merchant's own": {shop, "/order/" + theirs, http.StatusNotFound},
		"a monitor":            {token("probe", nil), "/metrics", http.StatusOK},
		"a monitor's order":    {token("probe", nil), "/order/" + mine, http.StatusForbidden},
		"no role":              {token("guest", nil), "/me", http.StatusForbidden},
		"another's token":      {oidctest.Sign(t, oidctest.RSA(t), issuer.Claims(oidctest.Claims{"groups": "boss"}), map[string]any{"kid": "first"}), "/me", http.StatusUnauthorized},
	} {
		code, body := w.ask(t, c.token, http.MethodGet, c.path, nil)
		require.Equal(t, c.want, code, "%s: %v", name, body)
	}

	orders := pb.NewOrderServiceClient(s.conn)
	with := func(token string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	}
	_, err := orders.GetOrder(with(shop), &pb.GetOrderRequest{OrderId: mine})
	require.NoError(t, err)
	_, err = orders.GetOrder(with(shop), &pb.GetOrderRequest{OrderId: theirs})
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = orders.GetOrder(with(shop+"x"), &pb.GetOrderRequest{OrderId: mine})
	require.Equal(t, codes.Unauthenticated, status.Code(err))

	code, _ = w.ask(t, boss, http.MethodPost, "/keys", object{"name": "a key", "role": "dispatcher"})
	require.Equal(t, http.StatusCreated, code)
}

// TestStreamsEndWithTheirToken: a stream is open as long as the token that opened it is
// good.
func TestStreamsEndWithTheirToken(t *testing.T) {
	issuer := oidctest.New(t, time.Now)
	s := start(t, trusting(issuer)...)
	w := &town{server: s}
	order := str(w.made(t, issuer.Token(t, oidctest.Claims{"groups": "boss"}), "/order", object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "Main St 1"}}), "id")
	brief := issuer.Token(t, oidctest.Claims{"groups": "desk", "exp": time.Now().Add(3 * time.Second).Unix()})

	ticket := str(w.made(t, brief, "/ws/ticket", object{}), "ticket")
	out := &stream{frames: make(chan object, 100), end: make(chan uint16, 1), contract: s.contract(t), address: "/order/{order_id}/ws"}
	conn, _, err := gws.NewClient(wsEvents{out: out}, &gws.ClientOption{Addr: "ws://" + s.http + "/order/" + order + "/ws?ticket=" + ticket})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.NetConn().Close() })
	go conn.ReadLoop()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.http+"/order/"+order+"/stream", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+brief)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	events := &stream{frames: make(chan object, 100), end: make(chan uint16, 1), contract: s.contract(t), address: "/order/{order_id}/stream"}
	go readSSE(resp.Body, events)

	watch, err := pb.NewOrderServiceClient(s.conn).WatchOrder(
		metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+brief), &pb.WatchOrderRequest{OrderId: order})
	require.NoError(t, err)
	for err == nil {
		_, err = watch.Recv()
	}
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.EqualValues(t, 4002, <-out.end)
	<-events.end
	code, _ := w.ask(t, brief, http.MethodGet, "/me", nil)
	require.Equal(t, http.StatusUnauthorized, code)
}

// TestAProviderThatIsDownDoesNotHoldUpTheStart: keys work meanwhile, and tokens as soon as
// it answers.
func TestAProviderThatIsDownDoesNotHoldUpTheStart(t *testing.T) {
	issuer := oidctest.New(t, time.Now)
	issuer.Break(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) })
	s := &server{dir: t.TempDir(), args: trusting(issuer), key: adminKey}
	t.Cleanup(func() { s.down(t) })
	s.up(t)
	w := &town{server: s}
	code, _ := w.ask(t, adminKey, http.MethodGet, "/me", nil)
	require.Equal(t, http.StatusOK, code)
	boss := issuer.Token(t, oidctest.Claims{"groups": "boss"})
	code, body := w.ask(t, boss, http.MethodGet, "/me", nil)
	require.Equal(t, http.StatusServiceUnavailable, code, "%v", body)
	issuer.Break(nil)
	eventually(t, "the token is accepted", func() bool {
		code, _ := w.ask(t, boss, http.MethodGet, "/me", nil)
		return code == http.StatusOK
	})
}

// TestSigningInAtAProvider uses the pages' flow as a browser does, over plain HTTP on this
// machine.
func TestSigningInAtAProvider(t *testing.T) {
	issuer := oidctest.New(t, time.Now)
	issuer.SignIn(oidctest.Claims{"groups": "desk"})
	s := start(t, append(trusting(issuer), "--set=oidc.client_id="+oidctest.ClientID, "--set=oidc.client_secret="+oidctest.ClientSecret)...)
	cookies := map[string]string{}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(address string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		for name, value := range cookies {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		for _, c := range resp.Cookies() {
			cookies[c.Name] = c.Value
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	begun := get("http://" + s.http + "/login/oidc")
	require.Equal(t, http.StatusSeeOther, begun.StatusCode)
	back := get(begun.Header.Get("Location")).Header.Get("Location")
	require.True(t, strings.HasPrefix(back, "http://"+s.http+"/login/callback?"), back)
	require.Equal(t, http.StatusSeeOther, get(back).StatusCode)
	var me object
	require.NoError(t, json.NewDecoder(get("http://"+s.http+"/me").Body).Decode(&me))
	require.Equal(t, "dispatcher", me["role"])
}
