package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const booking = `{"type":1,"number":"A","tariff_code":139,"recipient":{"name":"A"},"from_location":{"address":"x"},"to_location":{"address":"y"},
	"packages":[{"number":"1","weight":"1000","items":[{"name":"g"}]}]}`

// caller calls the server as the API's description specifies.
type caller struct {
	t     *testing.T
	http  *http.Client
	base  string
	token string
}

func (c *caller) do(method, path, body string) (int, map[string]any, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, resp.Body.Close()) }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	var v map[string]any
	_ = json.Unmarshal(raw, &v) // arrays and documents are checked in raw form
	return resp.StatusCode, v, string(raw)
}

func (c *caller) enter(in string) {
	c.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"a"}, "client_secret": {"b"}}.Encode()
	target := c.base + "/oauth/token"
	var body io.Reader = strings.NewReader(form)
	if in == "query" {
		target, body = target+"?"+form, nil
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, target, body)
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(req)
	require.NoError(c.t, err)
	var v struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	require.NoError(c.t, json.NewDecoder(resp.Body).Decode(&v))
	require.NoError(c.t, resp.Body.Close())
	require.Equal(c.t, 3599, v.Expires)
	c.token = v.Token
}

func dig(v any, path ...any) any {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[at]
		case int:
			list, _ := v.([]any)
			if at >= len(list) {
				return nil
			}
			v = list[at]
		}
	}
	return v
}

// The wire format over a real socket: tokens by form and by query, a booking that is
// processed after its answer, both styles of statuses.
func TestOverLoopback(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := New(Options{Account: "a", Secret: "b", NewestFirst: true, Colons: true, Decide: 10 * time.Millisecond})
	base, done, err := s.Listen(ctx)
	require.NoError(t, err)
	defer func() { cancel(); <-done }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := &caller{t: t, http: &http.Client{Transport: transport}, base: base}
	status, v, _ := c.do("GET", "/orders/x", "")
	require.Equal(t, 500, status, "without a token it fails as the original does")
	require.Equal(t, "Internal Server Error", v["error"])
	c.enter("query")
	c.enter("form")
	status, v, _ = c.do("POST", "/orders", booking)
	require.Equal(t, 202, status)
	id, _ := dig(v, "entity", "uuid").(string)
	require.NotEmpty(t, id)
	require.Equal(t, "ACCEPTED", dig(v, "requests", 0, "state"))
	require.Eventually(t, func() bool {
		_, v, _ := c.do("GET", "/orders/"+id, "")
		return dig(v, "requests", 0, "state") == "SUCCESSFUL"
	}, 20*time.Second, 5*time.Millisecond)
	_, v, _ = c.do("GET", "/orders?im_number=A", "")
	require.Equal(t, "CREATED", dig(v, "entity", "statuses", 0, "code"))
	require.Contains(t, dig(v, "entity", "statuses", 0, "date_time"), "+00:00")
	s.Fail(Fault{Kind: Hang, Path: "/orders"})
	impatient, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	req, err := http.NewRequestWithContext(impatient, http.MethodGet, base+"/orders/"+id, nil)
	require.NoError(t, err)
	_, err = c.http.Do(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// inBubble runs a test in a synctest bubble.
func inBubble(t *testing.T, o Options, test func(t *testing.T, s *Server, c *caller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(o)
		c := &caller{t: t, http: s.Client(), base: "http://cdek.test/v2"}
		c.enter("form")
		test(t, s, c)
	})
}

func pass(d time.Duration) { <-time.After(d) }

func TestNumbersAreUniqueAndRulesKept(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, s *Server, c *caller) {
		_, v, _ := c.do("POST", "/orders", booking)
		first := dig(v, "entity", "uuid").(string)
		_, v, _ = c.do("GET", "/orders/"+first, "")
		require.Nil(t, dig(v, "entity", "cdek_number"), "there is no number while it is ACCEPTED")
		status, v, _ := c.do("DELETE", "/orders/"+first, "")
		require.Equal(t, 400, status)
		require.Equal(t, "v2_similar_request_still_processed", dig(v, "errors", 0, "code"))
		pass(time.Second)
		_, v, _ = c.do("POST", "/orders", booking)
		second := dig(v, "entity", "uuid").(string)
		pass(time.Second)
		_, v, _ = c.do("GET", "/orders/"+second, "")
		require.Equal(t, "INVALID", dig(v, "requests", 0, "state"), "the name is taken")
		_, v, _ = c.do("GET", "/orders?im_number=A", "")
		require.Equal(t, first, dig(v, "entity", "uuid"))
		for body, want := range map[string]string{
			`{}`: "v2_field_is_empty",
			strings.Replace(booking, `"to_location"`, `"delivery_point":"MSK5","to_location"`, 1): "v2_delivery_address_multivalued",
			strings.Replace(booking, `"items":[{"name":"g"}]`, `"items":[]`, 1):                   "v2_field_is_empty",
			strings.Replace(booking, `{"address":"x"}`, `{}`, 1):                                  "v2_field_is_empty",
		} {
			status, v, _ := c.do("POST", "/orders", body)
			require.Equal(t, 400, status, body)
			require.Equal(t, want, dig(v, "requests", 0, "errors", 0, "code"), body)
		}
		require.True(t, s.Report(first, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва"))
		status, v, _ = c.do("DELETE", "/orders/"+first, "")
		require.Equal(t, 400, status)
		require.Equal(t, "error_validate_order_delete_status", dig(v, "errors", 0, "code"))
		status, _, _ = c.do("POST", "/orders/"+first+"/refusal", "")
		require.Equal(t, 202, status)
		pass(time.Second)
		_, v, _ = c.do("GET", "/orders/"+first, "")
		require.Equal(t, "return_order", dig(v, "related_entities", 0, "type"))
		require.False(t, s.Report("x", "", "", "") || s.Retract("x", "") || s.Retract(first, "x") || s.Problem("x", "1"))
	})
}

func TestFaults(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, s *Server, c *caller) {
		for kind, want := range map[emulator.FaultKind]int{TooMany: 429, Spring: 500, Page: 502, TokenExpired: 401} {
			s.Fail(Fault{Kind: kind, Path: "/calculator", Times: 2})
			for range 2 {
				status, _, _ := c.do("POST", "/calculator/tarifflist", "{}")
				require.Equal(t, want, status)
			}
		}
		status, v, _ := c.do("POST", "/calculator/tarifflist", "{}")
		require.Equal(t, 400, status, "they are used up")
		require.Contains(t, []any{"v2_sender_location_not_recognized"}, dig(v, "errors", 0, "code"))
		require.Equal(t, 8, s.Refused())
		s.Fail(Fault{Kind: Lost, Method: "POST", Path: "/orders"})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/orders", strings.NewReader(booking))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+c.token)
		_, err = c.http.Do(req) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Len(t, s.Booked(), 1, "it worked all the same")
		s.ExpireTokens()
		status, _, _ = c.do("GET", "/orders/x", "")
		require.Equal(t, 401, status)
	})
}

// Webhooks are tried twelve times without an answer and stopped after a rejection.
func TestWebhooksAreTriedAndSwitchedOff(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		err    error
		tries  int
	}{
		"nobody answers":   {0, errors.New("timeout"), 12},
		"somebody says no": {404, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var heard [][]byte
			inBubble(t, Options{Deliver: func(_ context.Context, _ string, body []byte) (int, error) {
				heard = append(heard, bytes.Clone(body))
				return tt.status, tt.err
			}}, func(t *testing.T, s *Server, c *caller) {
				hook := `{"type":"ORDER_STATUS","url":"https://shop.example/h"}`
				c.do("POST", "/webhooks", hook)
				c.do("POST", "/webhooks", hook)
				status, _, _ := c.do("POST", "/webhooks", hook)
				require.Equal(t, 400, status, "two of a type at most")
				c.do("POST", "/orders", booking)
				for range 100 {
					pass(time.Minute)
					s.Tick(t.Context())
				}
				require.Len(t, heard, 2*tt.tries)
				c.enter("form") // the token has ended meanwhile
				_, _, list := c.do("GET", "/webhooks", "")
				require.JSONEq(t, "[]", list)
			})
		})
	}
}
