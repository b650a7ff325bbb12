package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is what a test's server got.
type seen struct {
	Method, URL, Body string
	Header            http.Header
}

// script is a server that answers the n-th request with the n-th handler, the last
// one for ever.
type script struct {
	mu       sync.Mutex
	requests []seen
}

func (s *script) got() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func serve(t *testing.T, steps []http.HandlerFunc, opts ...Option) (*Client, *script) {
	t.Helper()
	s := new(script)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		n := min(len(s.requests), len(steps)-1)
		s.requests = append(s.requests, seen{r.Method, r.URL.String(), string(body), r.Header.Clone()})
		s.mu.Unlock()
		if err == nil {
			steps[n](w, r)
		}
	}))
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); srv.CloseClientConnections(); srv.Close() })
	opts = append([]Option{
		WithHTTPClient(&http.Client{Transport: transport}), WithPauses(time.Microsecond, time.Millisecond), WithKey("secret"),
	}, opts...)
	c, err := New(srv.URL, opts...)
	require.NoError(t, err)
	return c, s
}

func cut(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

func answer(status int, header map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const unavailable = `{"status":503,"code":"unavailable","detail":"the database is unavailable"}`

func TestPostKeepsItsKeyOverRepetitions(t *testing.T) {
	c, s := serve(t, []http.HandlerFunc{
		cut, answer(503, nil, unavailable), answer(502, nil, "<html>"), answer(429, nil, `{}`),
		answer(409, nil, `{"code":"idempotency_in_progress"}`), answer(201, nil, `{"id":"1","status":"created","version":1}`),
	})
	o, err := c.CreateOrder(t.Context(), Draft{Customer: Customer{Name: "A"}})
	require.NoError(t, err)
	require.Equal(t, StatusCreated, o.Status)
	got := s.got()
	require.Len(t, got, 6)
	for _, r := range got {
		require.NotEmpty(t, r.Header.Get("Idempotency-Key"))
		require.Equal(t, got[0].Header.Get("Idempotency-Key"), r.Header.Get("Idempotency-Key"))
		require.Equal(t, `{"customer":{"name":"A"}}`, r.Body)
		require.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	}
	_, err = c.CreateOrder(t.Context(), Draft{})
	require.NoError(t, err)
	require.NotEqual(t, got[0].Header.Get("Idempotency-Key"), s.got()[6].Header.Get("Idempotency-Key"))
	_, err = c.CreateOrder(t.Context(), Draft{}, IdempotencyKey("mine"), RequestID("r-1"))
	require.NoError(t, err)
	require.Equal(t, "mine", s.got()[7].Header.Get("Idempotency-Key"))
	require.Equal(t, "r-1", s.got()[7].Header.Get("X-Request-Id"))
}

func TestReplyCutShortIsRepeated(t *testing.T) {
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"id":`)
	}
	c, s := serve(t, []http.HandlerFunc{short, answer(200, nil, `{"id":"1"}`)})
	o, err := c.Order(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, "1", o.ID)
	require.Len(t, s.got(), 2)
}

func TestWhatIsNotRepeated(t *testing.T) {
	for name, tc := range map[string]struct {
		step http.HandlerFunc
		opts []CallOption
	}{
		"a refusal":             {answer(409, nil, `{"code":"illegal_transition"}`), nil},
		"a fault of the server": {answer(500, nil, `{"code":"internal"}`), nil},
		"a version":             {answer(412, nil, `{"code":"version_conflict"}`), []CallOption{IfMatch(3)}},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := serve(t, []http.HandlerFunc{tc.step})
			_, err := c.UpdateStatus(t.Context(), "1", StatusChange{Status: StatusPickedUp}, tc.opts...)
			require.Error(t, err)
			require.Len(t, s.got(), 1)
		})
	}
}

func TestIfMatchIsRepeatedWithItsKey(t *testing.T) {
	c, s := serve(t, []http.HandlerFunc{answer(429, nil, `{}`), cut, answer(200, nil, `{}`)})
	_, err := c.EditOrder(t.Context(), "1", Edit{Notes: Ptr("x")}, IfMatch(3))
	require.NoError(t, err)
	require.Len(t, s.got(), 3)
	require.Equal(t, `"v3"`, s.got()[2].Header.Get("If-Match"))
	require.Equal(t, s.got()[0].Header.Get("Idempotency-Key"), s.got()[2].Header.Get("Idempotency-Key"))
}

func TestRetryAfterIsHonoured(t *testing.T) {
	later := answer(503, map[string]string{"Retry-After": "1"}, unavailable)
	c, s := serve(t, []http.HandlerFunc{later, answer(200, nil, `{}`)})
	start := time.Now()
	_, err := c.Order(t.Context(), "1")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), time.Second)
	require.Len(t, s.got(), 2)

	c, s = serve(t, []http.HandlerFunc{later}, WithRetryFor(900*time.Millisecond))
	_, err = c.Order(t.Context(), "1")
	var p *Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, time.Second, p.RetryAfter)
	require.Len(t, s.got(), 1, "the next try would begin too late")
}

func TestContextEndsTheWaiting(t *testing.T) {
	c, _ := serve(t, []http.HandlerFunc{answer(503, map[string]string{"Retry-After": "60"}, unavailable)}, WithRetryFor(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Order(ctx, "1")
	require.Equal(t, CodeUnavailable, CodeOf(err), "the refusal says more than the context")
}

func TestRetryForBoundsTheTries(t *testing.T) {
	c, s := serve(t, []http.HandlerFunc{cut}, WithRetryFor(0))
	_, err := c.Order(t.Context(), "1")
	require.Error(t, err)
	require.Empty(t, CodeOf(err))
	require.Len(t, s.got(), 1)
}

func TestProblem(t *testing.T) {
	body := `{"type":"about:blank","title":"Conflict","status":409,"detail":"no","code":"illegal_transition",` +
		`"request_id":"r1","allowed_transitions":["delivered"],"errors":[{"pointer":"/a","code":"b","detail":"c"}]}`
	c, _ := serve(t, []http.HandlerFunc{answer(409, nil, body), answer(404, map[string]string{"X-Request-Id": "r2"}, "not here")})
	_, err := c.Order(t.Context(), "1")
	require.Equal(t, &Problem{
		Type: "about:blank", Title: "Conflict", Status: 409, Detail: "no", Code: CodeIllegalTransition, RequestID: "r1",
		AllowedTransitions: []Status{StatusDelivered}, Errors: []Fault{{"/a", "b", "c"}},
	}, err)
	require.EqualError(t, err, "illegal_transition: no; /a c")
	_, err = c.Order(t.Context(), "1")
	require.Equal(t, &Problem{Title: "Not Found", Status: 404, Detail: "not here", RequestID: "r2"}, err)
	require.EqualError(t, err, "not here")
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "-1": 0, "soon": 0, "99999999999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		require.Equal(t, want, parseRetryAfter(in, now), in)
	}
}

func TestPausesGrowAndStayBounded(t *testing.T) {
	b := backoff{100 * time.Millisecond, time.Second}
	for try := range 200 {
		full := time.Second
		if try < 4 {
			full = 100 * time.Millisecond << try
		}
		for range 20 {
			d := b.wait(try)
			require.GreaterOrEqual(t, d, full/2)
			require.LessOrEqual(t, d, full)
		}
	}
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	for _, base := range []string{"", "ftp://x", "http://", "http://a b"} {
		_, err := New(base)
		require.Error(t, err, base)
	}
	c, err := New("localhost:8080/")
	require.NoError(t, err)
	require.Equal(t, "http://localhost:8080/x", c.url("/x", nil))
}

func TestEditWritesNullForWhatIsCleared(t *testing.T) {
	b, err := json.Marshal(Edit{Notes: Ptr("n"), Clear: []string{"pickup", "promised_at"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"notes":"n","pickup":null,"promised_at":null}`, string(b))
}
