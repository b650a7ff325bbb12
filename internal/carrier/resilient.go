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

// Timeouts and thresholds of calls to a company.
const (
	attemptTime  = 15 * time.Second
	firstBackoff = 300 * time.Millisecond // before the second attempt, then doubling, jittered
	openAfter    = 5                      // consecutive failures that open the breaker
	openFor      = 30 * time.Second       // until the next probe
)

// Limits tune calls to a company; zero fields take the defaults.
type Limits struct {
	Attempts  int           // of a repeatable call; default 3
	PerSecond uint          // calls; default 10
	MaxWait   time.Duration // for the rate limiter or a Retry-After; default 5 s
}

// Hooks are callbacks for metrics and logs. Nil ones are skipped; they must not block.
type Hooks struct {
	// Call is called after every call, retries included; class is "" for a success.
	Call func(carrier, operation string, class domain.ErrorClass, took time.Duration)
	// Retry is called before every further attempt.
	Retry func(carrier, operation string)
	// Breaker is called on every state change of an operation's circuit breaker: closed,
	// open, half-open.
	Breaker func(carrier, operation, state string)
	// Limited is called for every call that the rate limiter rejected.
	Limited func(carrier string)
	// Unknown is called for every code missing from the adapter's tables.
	Unknown func(carrier, code string)
}

// errDown marks failures of the company rather than of the request.
var errDown = errors.New("no proper answer")

// Resilient runs an adapter's calls with a rate limit, timeouts, retries and circuit
// breakers. Each operation has its own breaker: broken label printing does not stop
// tracking.
type Resilient struct {
	carrier string
	limits  Limits
	hooks   Hooks

	mu       sync.Mutex
	breakers map[string]circuitbreaker.CircuitBreaker[[]byte]

	limiter ratelimiter.RateLimiter[[]byte]
	timeout timeout.Timeout[[]byte]
}

// NewResilient returns the resilient client of a company.
func NewResilient(carrier string, l Limits, h Hooks) *Resilient {
	l = Limits{Attempts: cmp.Or(l.Attempts, 3), PerSecond: cmp.Or(l.PerSecond, 10), MaxWait: cmp.Or(l.MaxWait, 5*time.Second)}
	r := &Resilient{
		carrier: carrier, limits: l, hooks: h, timeout: timeout.New[[]byte](attemptTime),
		breakers: map[string]circuitbreaker.CircuitBreaker[[]byte]{},
	}
	r.limiter = ratelimiter.NewBurstyBuilder[[]byte](l.PerSecond, time.Second).WithMaxWaitTime(l.MaxWait).Build()
	return r
}

// breaker returns the circuit breaker of an operation.
func (r *Resilient) breaker(operation string) circuitbreaker.CircuitBreaker[[]byte] {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.breakers[operation]
	if b == nil {
		b = circuitbreaker.NewBuilder[[]byte]().
			HandleIf(func(_ []byte, err error) bool {
				return errors.Is(err, errDown) || errors.Is(err, timeout.ErrExceeded)
			}).
			WithFailureThreshold(openAfter).WithSuccessThreshold(1).WithDelay(openFor).WithJitterFactor(0.1).
			OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
				if r.hooks.Breaker != nil {
					r.hooks.Breaker(r.carrier, operation, e.NewState.String())
				}
			}).Build()
		r.breakers[operation] = b
	}
	return b
}

// State returns the state of an operation's circuit breaker: closed, open or half-open.
func (r *Resilient) State(operation string) string { return r.breaker(operation).State().String() }

// Do runs one call. safe means that repeating it does no harm.
func (r *Resilient) Do(ctx context.Context, operation string, safe bool, fn func(context.Context) ([]byte, error)) ([]byte, error) {
	start, breaker := time.Now(), r.breaker(operation)
	body, err := failsafe.With[[]byte](r.retries(operation, safe), r.limiter, breaker, r.timeout).WithContext(ctx).
		GetWithExecution(func(exec failsafe.Execution[[]byte]) ([]byte, error) { return fn(exec.Context()) })
	if err != nil {
		err = r.failure(ctx, err, breaker)
	}
	if r.hooks.Call != nil {
		r.hooks.Call(r.carrier, operation, domain.ClassOf(err), time.Since(start))
	}
	return body, err
}

// retries repeats transient failures where a repeat is harmless.
func (r *Resilient) retries(operation string, safe bool) retrypolicy.RetryPolicy[[]byte] {
	return retrypolicy.NewBuilder[[]byte]().
		HandleIf(func(_ []byte, err error) bool {
			var e *domain.CarrierError
			if errors.As(err, &e) {
				return e.Class == domain.ClassRetryable && (safe || e.Unsent) && e.RetryAfter <= r.limits.MaxWait
			}
			return safe && errors.Is(err, timeout.ErrExceeded)
		}).
		WithMaxRetries(r.limits.Attempts-1).
		WithBackoff(firstBackoff, 16*firstBackoff).WithJitterFactor(0.3).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[[]byte]) time.Duration {
			var e *domain.CarrierError
			if errors.As(exec.LastError(), &e) && e.RetryAfter > 0 {
				return e.RetryAfter
			}
			return -1 // use the backoff
		}).
		OnRetry(func(failsafe.ExecutionEvent[[]byte]) {
			if r.hooks.Retry != nil {
				r.hooks.Retry(r.carrier, operation)
			}
		}).
		ReturnLastFailure().Build()
}

// failure converts an error of the policies to a CarrierError.
func (r *Resilient) failure(ctx context.Context, err error, breaker circuitbreaker.CircuitBreaker[[]byte]) error {
	var known *domain.CarrierError
	if errors.As(err, &known) {
		return err
	}
	e := &domain.CarrierError{Carrier: r.carrier, Class: domain.ClassRetryable, Cause: err}
	switch {
	case errors.Is(err, circuitbreaker.ErrOpen):
		e.Message, e.Unsent = "it does not answer; calls are suspended", true
		e.RetryAfter = max(breaker.RemainingDelay(), time.Second)
	case errors.Is(err, ratelimiter.ErrExceeded):
		if r.hooks.Limited != nil {
			r.hooks.Limited(r.carrier)
		}
		e.Message, e.Unsent = fmt.Sprintf("more than %d calls a second", r.limits.PerSecond), true
		e.RetryAfter = time.Second
	case errors.Is(err, timeout.ErrExceeded):
		e.Message = fmt.Sprintf("no answer within %s", attemptTime)
	default:
		e.Message, e.Cause = "the call was given up", cmp.Or(ctx.Err(), err)
	}
	return e
}
