package access

import (
	"context"
	"hash/maphash"
	"maps"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Limit is a rate limit: Rate calls a second on average and up to Burst at once. A zero rate means no limit.
type Limit struct {
	Rate  float64
	Burst int
}

// Limiter counts each caller's calls (GCRA: one timestamp per caller), in this process or, with shared quotas, for all
// replicas together. While those are unavailable each replica grants its share.
type Limiter struct {
	limit  Limit
	every  time.Duration // between calls at the rate
	clock  domain.Clock
	shared domain.Quotas // nil for none
	name   string        // of its quotas
	// replicas is how many there were when the shared quotas were last available.
	replicas atomic.Int64
	seed     maphash.Seed
	parts    [16]limiterPart
}

type limiterPart struct {
	sync.Mutex
	next   map[string]time.Time // when the full burst is available again
	leases map[string]lease
	kept   int // map size at which stale entries are removed
}

// lease is what this process has taken from a shared quota, so that not every call asks.
type lease struct {
	left  int       // calls not made yet
	until time.Time // when they are void, or the next may be asked for if there are none
	full  time.Time // when the quota is full again
}

const (
	// leaseShare is the share of a burst that a process takes at once.
	leaseShare = 50
	leaseFor   = time.Second
)

// NewLimiter returns a limiter, or nil, which never limits, if there is no limit. The name
// keeps its shared quotas apart from others'; shared may be nil.
func NewLimiter(clock domain.Clock, l Limit, name string, shared domain.Quotas) *Limiter {
	if l.Rate <= 0 || l.Burst < 1 {
		return nil
	}
	out := &Limiter{
		limit: l, every: time.Duration(float64(time.Second) / l.Rate), clock: clock, shared: shared, name: name, seed: maphash.MakeSeed(),
	}
	out.replicas.Store(1)
	for i := range out.parts {
		out.parts[i].next, out.parts[i].leases, out.parts[i].kept = map[string]time.Time{}, map[string]lease{}, 1000
	}
	return out
}

// Quota is a caller's remaining quota.
type Quota struct {
	Limit     Limit
	Remaining int
	// Reset is when the full burst is available again, Retry when the next call is allowed if it is not now.
	Reset, Retry time.Duration
}

// Fields returns the RateLimit-Policy and RateLimit header fields (draft-ietf-httpapi-ratelimit-headers, revision 11).
func (q Quota) Fields() (policy, left string) {
	window := int(float64(q.Limit.Burst) / q.Limit.Rate)
	return `"default";q=` + strconv.Itoa(q.Limit.Burst) + ";w=" + strconv.Itoa(max(1, window)),
		`"default";r=` + strconv.Itoa(q.Remaining) + ";t=" + strconv.Itoa(int(math.Ceil(q.Reset.Seconds())))
}

// full is the time in which a whole burst comes back.
func (l *Limiter) full() time.Duration { return time.Duration(l.limit.Burst) * l.every }

// Take counts a call and returns the remaining quota; rate_limited if none was left.
func (l *Limiter) Take(who string) (Quota, error) {
	now := l.clock.Now()
	part := &l.parts[maphash.String(l.seed, who)%uint64(len(l.parts))]
	if l.shared != nil {
		if q, ok, err := l.takeShared(part, who, now); ok {
			return q, err
		}
	}
	part.Lock()
	defer part.Unlock()
	at := part.next[who]
	if at.Before(now) {
		at = now
	}
	next := at.Add(l.every * time.Duration(l.replicas.Load()))
	if early := next.Add(-l.full()).Sub(now); early > 0 {
		return l.refuse(at.Sub(now), early)
	}
	part.sweep(now)
	part.next[who] = next
	return l.quota(next.Sub(now), 0), nil
}

// takeShared counts a call in the shared quotas; ok is false while they are unavailable.
func (l *Limiter) takeShared(part *limiterPart, who string, now time.Time) (q Quota, ok bool, err error) {
	part.Lock()
	held := part.leases[who]
	if now.Before(held.until) {
		defer part.Unlock()
		if held.left == 0 {
			q, err = l.refuse(held.full.Sub(now), held.until.Sub(now))
			return q, true, err
		}
		held.left--
		if part.leases[who] = held; held.left == 0 {
			delete(part.leases, who)
		}
		return l.quota(held.full.Sub(now), held.left), true, nil
	}
	part.Unlock()
	got, reset, err := l.shared.TakeQuota(context.Background(), l.name+who, l.every, l.full(), max(1, l.limit.Burst/leaseShare))
	if err != nil {
		return q, false, nil
	}
	part.Lock()
	defer part.Unlock()
	part.sweep(now)
	if got == 0 {
		retry := max(reset+l.every-l.full(), time.Millisecond)
		part.leases[who] = lease{until: now.Add(retry), full: now.Add(reset)}
		q, err = l.refuse(reset, retry)
		return q, true, err
	}
	left := got - 1
	if held = part.leases[who]; now.Before(held.until) { // another call took some meanwhile
		left += held.left
	}
	if left > 0 {
		part.leases[who] = lease{left: left, until: now.Add(leaseFor), full: now.Add(reset)}
	}
	return l.quota(reset, left), true, nil
}

// quota describes what is left when a quota is full again after reset, beside calls that were taken and not made.
func (l *Limiter) quota(reset time.Duration, left int) Quota {
	reset = max(0, reset)
	return Quota{Limit: l.limit, Remaining: max(0, int((l.full()-reset)/l.every)) + left, Reset: reset}
}

func (l *Limiter) refuse(reset, retry time.Duration) (Quota, error) {
	e := domain.Errorf(domain.CodeRateLimited, "too many calls; %v a second are possible, and %d at once", l.limit.Rate, l.limit.Burst)
	e.RetryAfter = retry
	return Quota{Limit: l.limit, Reset: reset, Retry: retry}, e
}

// sweep removes what says no more than its absence once there is a lot; the part is locked.
func (p *limiterPart) sweep(now time.Time) {
	if len(p.next)+len(p.leases) < p.kept {
		return
	}
	maps.DeleteFunc(p.next, func(_ string, t time.Time) bool { return !t.After(now) })
	maps.DeleteFunc(p.leases, func(_ string, held lease) bool { return !held.until.After(now) })
	p.kept = max(1000, 2*(len(p.next)+len(p.leases)))
}
