package carrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// How a company is called.
const (
	attemptTime  = 15 * time.Second
	firstBackoff = 300 * time.Millisecond // before the second attempt, then doubling, jittered
	openAfter    = 5                      // this many failures in a row cut the company off
	openFor      = 30 * time.Second       // until one call probes it again
)

// Limits tune how a company is called; zero fields take the defaults.
type Limits struct {
	Attempts  int           // of a call that can be repeated; 3
	PerSecond uint          // calls; 10
	MaxWait   time.Duration // for one's turn, and for a company that names its own delay; 5 s
}

// Hooks are told what happens, for metrics and logs. Absent ones are skipped; they
// must not block.
type Hooks struct {
	// Call is told of every call once it ended, retries included; class is "" for a success.
	Call func(carrier, operation string, class domain.ErrorClass, took time.Duration)
	// Retry is told of every further attempt.
	Retry func(carrier, operation string)
	// Breaker is told of every change of an operation's circuit breaker: closed, open, half-open.
	Breaker func(carrier, operation, state string)
	// Limited is told of every call that got no turn in time.
	Limited func(carrier string)
	// Unknown is told of every code that is in none of the adapter's tables.
	Unknown func(carrier, code string)
}

// errDown marks failures that say that the company, not the request, is at fault.
var errDown = errors.New("no proper answer")

// Guard stands between an adapter and its company. Each operation has a circuit breaker
// of its own: a printer that is broken keeps nobody from looking at parcels.
type Guard struct {
	carrier string
	limits  Limits
	hooks   Hooks

	mu       sync.Mutex
	breakers map[string]circuitbreaker.CircuitBreaker[[]byte]

	limiter ratelimiter.RateLimiter[[]byte]
	timeout timeout.Timeout[[]byte]
}

// NewGuard returns the guard of a company.
func NewGuard(carrier string, l Limits, h Hooks) *Guard {
	l = Limits{Attempts: cmp.Or(l.Attempts, 3), PerSecond: cmp.Or(l.PerSecond, 10), MaxWait: cmp.Or(l.MaxWait, 5*time.Second)}
	g := &Guard{
		carrier: carrier, limits: l, hooks: h, timeout: timeout.New[[]byte](attemptTime),
		breakers: map[string]circuitbreaker.CircuitBreaker[[]byte]{},
	}
	g.limiter = ratelimiter.NewBurstyBuilder[[]byte](l.PerSecond, time.Second).WithMaxWaitTime(l.MaxWait).Build()
	return g
}

// breaker returns the circuit breaker of an operation.
func (g *Guard) breaker(operation string) circuitbreaker.CircuitBreaker[[]byte] {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.breakers[operation]
	if b == nil {
		b = circuitbreaker.NewBuilder[[]byte]().
			HandleIf(func(_ []byte, err error) bool {
				return errors.Is(err, errDown) || errors.Is(err, timeout.ErrExceeded)
			}).
			WithFailureThreshold(openAfter).WithSuccessThreshold(1).WithDelay(openFor).WithJitterFactor(0.1).
			OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
				if g.hooks.Breaker != nil {
					g.hooks.Breaker(g.carrier, operation, e.NewState.String())
				}
			}).Build()
		g.breakers[operation] = b
	}
	return b
}

// State returns the state of an operation's circuit breaker: closed, open or half-open.
func (g *Guard) State(operation string) string { return g.breaker(operation).State().String() }

// Do runs one call. safe says that repeating it does no harm.
func (g *Guard) Do(ctx context.Context, operation string, safe bool, fn func(context.Context) ([]byte, error)) ([]byte, error) {
	start, breaker := time.Now(), g.breaker(operation)
	body, err := failsafe.With[[]byte](g.retries(operation, safe), g.limiter, breaker, g.timeout).WithContext(ctx).
		GetWithExecution(func(exec failsafe.Execution[[]byte]) ([]byte, error) { return fn(exec.Context()) })
	if err != nil {
		err = g.failure(ctx, err, breaker)
	}
	if g.hooks.Call != nil {
		g.hooks.Call(g.carrier, operation, domain.ClassOf(err), time.Since(start))
	}
	return body, err
}

// retries repeats failures that pass by themselves, where a repeat is harmless.
func (g *Guard) retries(operation string, safe bool) retrypolicy.RetryPolicy[[]byte] {
	return retrypolicy.NewBuilder[[]byte]().
		HandleIf(func(_ []byte, err error) bool {
			var e *domain.CarrierError
			if errors.As(err, &e) {
				return e.Class == domain.ClassRetryable && (safe || e.Unsent) && e.RetryAfter <= g.limits.MaxWait
			}
			return safe && errors.Is(err, timeout.ErrExceeded)
		}).
		WithMaxRetries(g.limits.Attempts-1).
		WithBackoff(firstBackoff, 16*firstBackoff).WithJitterFactor(0.3).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[[]byte]) time.Duration {
			var e *domain.CarrierError
			if errors.As(exec.LastError(), &e) && e.RetryAfter > 0 {
				return e.RetryAfter
			}
			return -1 // the backoff
		}).
		OnRetry(func(failsafe.ExecutionEvent[[]byte]) {
			if g.hooks.Retry != nil {
				g.hooks.Retry(g.carrier, operation)
			}
		}).
		ReturnLastFailure().Build()
}

// failure says what an error of the policies means.
func (g *Guard) failure(ctx context.Context, err error, breaker circuitbreaker.CircuitBreaker[[]byte]) error {
	var known *domain.CarrierError
	if errors.As(err, &known) {
		return err
	}
	e := &domain.CarrierError{Carrier: g.carrier, Class: domain.ClassRetryable, Cause: err}
	switch {
	case errors.Is(err, circuitbreaker.ErrOpen):
		e.Message, e.Unsent = "it does not answer; calls are suspended", true
		e.RetryAfter = max(breaker.RemainingDelay(), time.Second)
	case errors.Is(err, ratelimiter.ErrExceeded):
		if g.hooks.Limited != nil {
			g.hooks.Limited(g.carrier)
		}
		e.Message, e.Unsent = fmt.Sprintf("more than %d calls a second", g.limits.PerSecond), true
		e.RetryAfter = time.Second
	case errors.Is(err, timeout.ErrExceeded):
		e.Message = fmt.Sprintf("no answer within %s", attemptTime)
	default:
		e.Message, e.Cause = "the call was given up", cmp.Or(ctx.Err(), err)
	}
	return e
}
