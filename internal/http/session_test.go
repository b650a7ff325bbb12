package httpserver

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// browser is a page's view of the server: over TLS, with cookies.
type browser struct {
	t   *testing.T
	web *httptest.Server
	*http.Client
}

func (d *testServer) browser(t *testing.T) *browser {
	web := httptest.NewTLSServer(d.srv)
	t.Cleanup(web.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := web.Client()
	client.Jar = jar
	return &browser{t, web, client}
}

// do sends a request as a page of a site and returns the status and the response headers.
func (b *browser) do(method, path, body, site string) (int, http.Header) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.web.URL+path, strings.NewReader(body))
	require.NoError(b.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Sec-Fetch-Site", site)
	resp, err := b.Do(req)
	require.NoError(b.t, err)
	require.NoError(b.t, resp.Body.Close())
	return resp.StatusCode, resp.Header
}

const ours, others = "same-origin", "cross-site"

func TestPagesSignInAndOut(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(houseKey))
	d.key = houseKey
	key := d.do("POST", "/keys", map[string]any{"name": "clerk", "role": "dispatcher"}).ok(201)
	for name, secret := range map[string]string{"key": key["key"].(string), "bootstrap": houseKey} {
		t.Run(name, func(t *testing.T) {
			b := d.browser(t)
			code, _ := b.do("GET", "/orders", "", ours)
			require.Equal(t, http.StatusUnauthorized, code)
			code, h := b.do("POST", "/session", `{"key":"`+secret+`"}`, ours)
			require.Equal(t, http.StatusNoContent, code)
			cookie := h.Get("Set-Cookie")
			for _, want := range []string{"__Host-session=ot_ses_", "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Expires="} {
				require.Contains(t, cookie, want)
			}
			require.NotContains(t, cookie, secret)
			code, _ = b.do("GET", "/me", "", ours)
			require.Equal(t, http.StatusOK, code)
			code, _ = b.do("POST", "/couriers", `{"name":"Ivan"}`, ours)
			require.Equal(t, http.StatusCreated, code)
			code, _ = b.do("POST", "/couriers", `{"name":"Ivan"}`, others)
			require.Equal(t, http.StatusForbidden, code, "another site's page with our cookie")
			code, _ = b.do("DELETE", "/session", "", others)
			require.Equal(t, http.StatusForbidden, code)
			code, h = b.do("DELETE", "/session", "", ours)
			require.Equal(t, http.StatusNoContent, code)
			require.Contains(t, h.Get("Set-Cookie"), "__Host-session=;")
			code, _ = b.do("GET", "/orders", "", ours)
			require.Equal(t, http.StatusUnauthorized, code)
		})
	}
}

func TestASessionEndsWithItsKey(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(houseKey))
	d.key = houseKey
	key := d.do("POST", "/keys", map[string]any{"name": "clerk", "role": "dispatcher"}).ok(201)
	b := d.browser(t)
	code, _ := b.do("POST", "/session", `{"key":"`+key["key"].(string)+`"}`, ours)
	require.Equal(t, http.StatusNoContent, code)
	d.do("DELETE", "/keys/"+key["id"].(string), nil).ok(204)
	code, h := b.do("GET", "/orders", "", ours)
	require.Equal(t, http.StatusUnauthorized, code)
	require.Contains(t, h.Get("Set-Cookie"), "__Host-session=;", "the browser forgets what is good for nothing")
}

func TestACouriersPhoneSignsInOnceWithItsCode(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(houseKey))
	d.key = houseKey
	courier := d.courier()
	made := d.do("POST", "/courier/"+courier+"/onboarding", nil).ok(201)
	link := made["apps"].([]any)[3].(map[string]any)["deep_link"].(string)
	_, code, found := strings.Cut(link, "/courier-app#code=")
	require.True(t, found, link)
	require.Contains(t, code, "ot_cod_")
	status, _ := d.browser(t).do("GET", "/courier/"+courier, "", ours)
	require.Equal(t, http.StatusUnauthorized, status)

	b := d.browser(t)
	status, _ = b.do("POST", "/session", `{"code":"`+code+`"}`, ours)
	require.Equal(t, http.StatusNoContent, status)
	status, _ = b.do("GET", "/courier/"+courier+"/orders", "", ours)
	require.Equal(t, http.StatusOK, status)
	status, _ = b.do("GET", "/couriers", "", ours)
	require.Equal(t, http.StatusForbidden, status)
	status, _ = d.browser(t).do("POST", "/session", `{"code":"`+code+`"}`, ours)
	require.Equal(t, http.StatusUnauthorized, status, "it works once")
	d.do("DELETE", "/courier/"+courier+"/onboarding/"+made["id"].(string), nil).ok(200)
	status, _ = b.do("GET", "/courier/"+courier+"/orders", "", ours)
	require.Equal(t, http.StatusUnauthorized, status, "the phone was revoked")
}

func TestWhatOpensNoSession(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(houseKey))
	d.key = houseKey
	monitor := d.do("POST", "/keys", map[string]any{"name": "m", "role": "monitor"}).ok(201)["key"].(string)
	for body, want := range map[string]int{
		`{}`: 422, `{"key":"a","code":"b"}`: 422, `{"key":"wrong"}`: 401, `{"code":"wrong"}`: 401, `{"code":"` + monitor + `"}`: 401,
		`{"key":"` + monitor + `"}`: 403, `[]`: 422, `{`: 400,
	} {
		code, h := d.browser(t).do("POST", "/session", body, ours)
		require.Equal(t, want, code, body)
		require.Empty(t, h.Get("Set-Cookie"), body)
	}
	req := httptest.NewRequestWithContext(t.Context(), "POST", "http://track.example/session", strings.NewReader(`{"key":"`+houseKey+`"}`))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	d.srv.ServeHTTP(rec, req)
	require.Equal(t, http.StatusConflict, rec.Code, "plain HTTP from elsewhere")
	require.Contains(t, rec.Body.String(), "https_required")
}
