package access

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Limit is a rate limit: Rate calls a second on average and up to Burst at once. A zero
// rate means no limit.
type Limit struct {
	Rate  float64
	Burst int
}

// Limiter counts each caller's calls in this process (GCRA: one timestamp per caller).
type Limiter struct {
	limit Limit
	every time.Duration // between calls at the rate
	clock domain.Clock
	seed  maphash.Seed
	parts [16]struct {
		sync.Mutex
		next map[string]time.Time // when the full burst is available again
		kept int                  // map size at which stale entries are removed
	}
}

// NewLimiter returns a limiter, or nil, which never limits, if there is no limit.
func NewLimiter(clock domain.Clock, l Limit) *Limiter {
	if l.Rate <= 0 || l.Burst < 1 {
		return nil
	}
	out := &Limiter{limit: l, every: time.Duration(float64(time.Second) / l.Rate), clock: clock, seed: maphash.MakeSeed()}
	for i := range out.parts {
		out.parts[i].next, out.parts[i].kept = map[string]time.Time{}, 1000
	}
	return out
}

// Quota is a caller's remaining quota.
type Quota struct {
	Limit     Limit
	Remaining int
	// Reset is when the full burst is available again, Retry when the next call is allowed
	// if it is not now.
	Reset, Retry time.Duration
}

// Take counts a call and returns the remaining quota; rate_limited if none was left.
func (l *Limiter) Take(who string) (Quota, error) {
	now := l.clock.Now()
	part := &l.parts[maphash.String(l.seed, who)%uint64(len(l.parts))]
	part.Lock()
	defer part.Unlock()
	at, known := part.next[who]
	if at.Before(now) {
		at = now
	}
	q := Quota{Limit: l.limit}
	full := time.Duration(l.limit.Burst) * l.every
	next := at.Add(l.every)
	if early := next.Add(-full).Sub(now); early > 0 {
		q.Reset, q.Retry = at.Sub(now), early
		e := domain.Errorf(domain.CodeRateLimited, "too many calls; %v a second are possible, and %d at once", l.limit.Rate, l.limit.Burst)
		e.RetryAfter = early
		return q, e
	}
	if !known && len(part.next) >= part.kept {
		for k, t := range part.next {
			if !t.After(now) {
				delete(part.next, k)
			}
		}
		part.kept = max(1000, 2*len(part.next))
	}
	part.next[who] = next
	q.Reset = next.Sub(now)
	q.Remaining = int((full - q.Reset) / l.every)
	return q, nil
}
