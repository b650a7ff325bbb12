package carrier

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is a fake company.
type answers func(n int, r *http.Request) (*http.Response, error)

type company struct {
	answer answers
	mu     sync.Mutex
	asked  int
}

func (c *company) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	n := c.asked
	c.asked++
	c.mu.Unlock()
	return c.answer(n, r)
}

func reply(status int, body string, headers ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// onClient runs a test in a synctest bubble against a fake company.
func onClient(t *testing.T, l Limits, h Hooks, a answers, test func(t *testing.T, c *Client, co *company)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		co := &company{answer: a}
		c := NewClient("acme", "http://acme.test", &http.Client{Transport: co}, NewResilient("acme", l, h), func(n Node) *domain.CarrierError {
			return &domain.CarrierError{Code: n.Text("code"), Message: n.Text("message")}
		})
		test(t, c, co)
	})
}

func TestRetriesOnlyWhatCanDoNoHarm(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for name, tc := range map[string]struct {
		safe   bool
		answer answers
		asked  int
		class  domain.ErrorClass
	}{
		"a safe call after 500":     {true, func(int, *http.Request) (*http.Response, error) { return reply(500, "") }, 3, domain.ClassRetryable},
		"an unsafe call after 500":  {false, func(int, *http.Request) (*http.Response, error) { return reply(500, "") }, 1, domain.ClassRetryable},
		"an unsafe call after 429":  {false, func(int, *http.Request) (*http.Response, error) { return reply(429, "") }, 3, domain.ClassRetryable},
		"an unsafe call never sent": {false, func(int, *http.Request) (*http.Response, error) { return nil, dial }, 3, domain.ClassRetryable},
		"an unsafe call cut short":  {false, func(int, *http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 1, domain.ClassRetryable},
		"a safe call that is wrong": {true, func(int, *http.Request) (*http.Response, error) { return reply(400, `{"code":"bad"}`) }, 1, domain.ClassValidation},
		"a safe call for nothing":   {true, func(int, *http.Request) (*http.Response, error) { return reply(404, "") }, 1, domain.ClassNotFound},
		"a safe call that hangs": {true, func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 3, domain.ClassRetryable},
		"an unsafe call that hangs": {false, func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 1, domain.ClassRetryable},
		"a company that asks for day": {true, func(int, *http.Request) (*http.Response, error) { return reply(429, "", "Retry-After", "86400") }, 1, domain.ClassRetryable},
		"forbidden":                   {true, func(int, *http.Request) (*http.Response, error) { return reply(403, "") }, 1, domain.ClassPermanent},
		"there already":               {true, func(int, *http.Request) (*http.Response, error) { return reply(409, `{"code":"taken"}`) }, 1, domain.ClassConflict},
		"a gateway's conflict":        {false, func(int, *http.Request) (*http.Response, error) { return reply(409, "") }, 1, domain.ClassRetryable},
		"recovers": {true, func(n int, _ *http.Request) (*http.Response, error) {
			if n < 2 {
				return reply(503, "")
			}
			return reply(200, "{}")
		}, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			onClient(t, Limits{}, Hooks{}, tc.answer, func(t *testing.T, c *Client, co *company) {
				_, err := c.Do(t.Context(), Call{Op: "x", Method: "POST", Path: "/x", Body: Body{"a": 1}, Safe: tc.safe})
				require.Equal(t, tc.class, domain.ClassOf(err), "%v", err)
				require.Equal(t, tc.asked, co.asked)
			})
		})
	}
}

func TestWaitsAsLongAsItIsTold(t *testing.T) {
	onClient(t, Limits{}, Hooks{}, func(n int, _ *http.Request) (*http.Response, error) {
		if n == 0 {
			return reply(429, "", "Retry-After", "4")
		}
		return reply(200, "{}")
	}, func(t *testing.T, c *Client, _ *company) {
		start := time.Now()
		_, err := c.Do(t.Context(), Call{Op: "x", Method: "POST", Path: "/x"})
		require.NoError(t, err)
		require.InDelta(t, 4, time.Since(start).Seconds(), 1.3, "four seconds, jittered")
	})
}

// A company that is down for a day costs only delay: after consecutive failures it is
// probed now and then, and calls fail at once meanwhile.
func TestACompanyThatIsDownIsLeftAlone(t *testing.T) {
	var states []string
	up := false
	onClient(t, Limits{Attempts: 1}, Hooks{Breaker: func(_, _, s string) { states = append(states, s) }},
		func(int, *http.Request) (*http.Response, error) {
			if up {
				return reply(200, "{}")
			}
			return reply(502, "<html>")
		},
		func(t *testing.T, c *Client, co *company) {
			ask := func() error {
				_, err := c.Do(t.Context(), Get("x", "/x", nil))
				return err
			}
			for range 24 * 60 { // a call a minute
				require.Equal(t, domain.ClassRetryable, domain.ClassOf(ask()))
				<-time.After(time.Second)
				start := time.Now()
				err := ask()
				var e *domain.CarrierError
				if c.Resilient.State("x") == "open" && errors.As(err, &e) && e.Unsent {
					require.Less(t, time.Since(start), time.Second)
					require.Positive(t, e.RetryAfter)
				}
				<-time.After(59 * time.Second)
			}
			require.LessOrEqual(t, co.asked, 24*60+10)
			require.Equal(t, "open", c.Resilient.State("x"))
			up = true
			<-time.After(time.Minute)
			require.NoError(t, ask())
			require.Equal(t, "closed", c.Resilient.State("x"))
			require.Equal(t, "open", states[0])
		})
}

// Calls abandoned by the caller or rejected by the company do not open the breaker.
func TestOnlyTheCompanysFailuresCutItOff(t *testing.T) {
	onClient(t, Limits{}, Hooks{}, func(n int, r *http.Request) (*http.Response, error) {
		if n < 50 {
			return reply(400, "")
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	}, func(t *testing.T, c *Client, _ *company) {
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.Do(ctx, Call{Op: "x", Method: "GET", Path: "/x"})
			cancel()
			require.Error(t, err)
		}
		require.Equal(t, "closed", c.Resilient.State("x"))
	})
}

func TestCallsAreLimited(t *testing.T) {
	limited, called := 0, map[domain.ErrorClass]int{}
	var mu sync.Mutex
	hooks := Hooks{
		Limited: func(string) { mu.Lock(); limited++; mu.Unlock() },
		Call:    func(_, _ string, class domain.ErrorClass, _ time.Duration) { mu.Lock(); called[class]++; mu.Unlock() },
	}
	onClient(t, Limits{PerSecond: 10, MaxWait: time.Second}, hooks, func(int, *http.Request) (*http.Response, error) { return reply(200, "{}") },
		func(t *testing.T, c *Client, co *company) {
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() { _, _ = c.Do(t.Context(), Get("x", "/x", nil)) })
			}
			wg.Wait()
			require.InDelta(t, 20, co.asked, 1, "ten a second, those of one second's wait")
			require.Equal(t, 100-co.asked, limited)
			require.Equal(t, map[domain.ErrorClass]int{"": co.asked, domain.ClassRetryable: limited}, called)
		})
}

func TestErrorsKeepSecretsOut(t *testing.T) {
	onClient(t, Limits{Attempts: 1}, Hooks{}, func(int, *http.Request) (*http.Response, error) { return nil, errors.New("broken pipe") },
		func(t *testing.T, c *Client, _ *company) {
			_, err := c.Do(t.Context(), Call{Op: "x", Method: "GET", Path: "/x", Query: url.Values{"phone": {"+79990000000"}}, Body: url.Values{"client_secret": {"s3cret"}}})
			var e *domain.CarrierError
			require.True(t, errors.As(err, &e))
			require.NotContains(t, err.Error()+e.Cause.Error(), "7999")
			require.NotContains(t, err.Error()+e.Cause.Error(), "s3cret")
		})
}

func TestTheAnswerThatIsNotJSON(t *testing.T) {
	onClient(t, Limits{Attempts: 1}, Hooks{}, func(int, *http.Request) (*http.Response, error) { return reply(200, "<html>") },
		func(t *testing.T, c *Client, _ *company) {
			_, err := c.JSON(t.Context(), Get("x", "/x", nil))
			require.Equal(t, domain.ClassRetryable, domain.ClassOf(err))
		})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		var failing error
		tokens := &Tokens{Fetch: func(context.Context) (string, time.Duration, error) {
			<-time.After(2 * time.Second)
			fetches++
			return strings.Repeat("t", fetches), 10 * time.Minute, failing
		}}
		get := func(ctx context.Context) string {
			token, err := tokens.Get(ctx)
			require.NoError(t, err)
			return token
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := tokens.Get(impatient)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, "t", get(t.Context()), "the fetch went on for the next who asked")
		require.Equal(t, 1, fetches)

		<-time.After(9*time.Minute + time.Second)
		start := time.Now()
		require.Equal(t, "t", get(t.Context()))
		require.Zero(t, time.Since(start), "nobody waits for an early renewal")
		<-time.After(3 * time.Second)
		require.Equal(t, "tt", get(t.Context()))

		failing = errors.New("down")
		<-time.After(9*time.Minute + time.Second)
		require.Equal(t, "tt", get(t.Context()), "a failed renewal costs nothing while the token lives")
		<-time.After(time.Minute)
		_, err = tokens.Get(t.Context())
		require.ErrorIs(t, err, failing)
		failing = nil
		fresh := get(t.Context())
		tokens.Refused(Bearer("another"))
		require.Equal(t, fresh, get(t.Context()))
		tokens.Refused(Bearer(fresh))
		require.NotEqual(t, fresh, get(t.Context()))
	})
}
