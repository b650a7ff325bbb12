// Package access authenticates and authorizes callers: keys and other credentials, the permission table, streams that end
// with their credential, and the audit log. It is independent of the protocol: each transport fills in a Request.
package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Services are all of access control together.
type Services struct {
	Guard     *Guard
	Keys      *Keys
	Audit     *Audit
	Tickets   *Tickets
	Shares    *Shares
	Sessions  *Sessions
	Documents *Documents
}

// Request describes a caller to be authenticated.
type Request struct {
	// Credential is a key, token or session; "" if there is none.
	Credential string
	Host       string // the Host or :authority of the request
	Origin     string // header of a browser's request
	// Local reports whether the call came from this machine and not through a proxy.
	Local bool
}

const (
	// checkEvery is the interval at which a replica polls for revocations; freshFor is how
	// long cached credentials may be used after a successful poll.
	checkEvery = 400 * time.Millisecond
	freshFor   = 900 * time.Millisecond
	// countEvery is the number of polls between two counts of the replicas.
	countEvery = 25
	// usedEvery is how often the last use of a credential is stored.
	usedEvery = time.Minute
	// maxKnown bounds the cache of credentials; beyond it they are read again.
	maxKnown = 100_000
)

// Guard is the authenticator. It caches recently used credentials; revocations on any replica take effect within a second,
// even while Redis is down, and while the database is down cached credentials are used no longer than that.
type Guard struct {
	store domain.AccessStore
	clock domain.Clock
	log   *zap.Logger
	// issuer verifies credentials in JWT form; nil rejects them.
	issuer    domain.Issuer
	bootstrap [sha256.Size]byte
	hasKey    bool // a bootstrap key is configured
	keyless   bool
	// first is the caller behind the bootstrap key, local the caller without a credential.
	first, local *domain.Caller

	// OnChange is called by Check after a revocation or a change of a document; it must be set before Check is called.
	OnChange func(context.Context) error

	mu    sync.RWMutex
	known map[[sha256.Size]byte]*known
	epoch int64
	gen   atomic.Uint64 // incremented whenever the cache is dropped
	// confirmed is when the epoch was last read, in clock nanoseconds.
	confirmed atomic.Int64
	streams   streams

	callers, addresses *Limiter
	quotas             domain.Quotas
}

// known is a cached credential.
type known struct {
	caller *domain.Caller
	used   atomic.Int64 // last use, in nanoseconds; 0 once stored
	wrote  atomic.Int64
}

// GuardConfig configures the authenticator.
type GuardConfig struct {
	// BootstrapKey is the first administrator's key; empty if there is none.
	BootstrapKey string
	// Keyless authorizes local calls without a credential.
	Keyless bool
	// Issuer is the identity provider; nil for none.
	Issuer domain.Issuer
	// PerCaller limits the calls of each key, session and link, PerAddress the failed calls
	// from an address. Local calls without a key are not limited.
	PerCaller, PerAddress Limit
	// Quotas shares the limits between replicas; nil for a single process.
	Quotas domain.Quotas
}

// NewGuard returns an authenticator over the store.
func NewGuard(store domain.AccessStore, clock domain.Clock, log *zap.Logger, c GuardConfig) *Guard {
	g := &Guard{
		store: store, clock: clock, log: log, issuer: c.Issuer,
		bootstrap: sha256.Sum256([]byte(c.BootstrapKey)), hasKey: c.BootstrapKey != "", keyless: c.Keyless,
		first:   &domain.Caller{Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "bootstrap"}, Name: "bootstrap"},
		local:   &domain.Caller{Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "local"}, Name: "local"},
		known:   map[[sha256.Size]byte]*known{},
		callers: NewLimiter(clock, c.PerCaller, "caller ", c.Quotas), addresses: NewLimiter(clock, c.PerAddress, "address ", c.Quotas),
		quotas: c.Quotas,
	}
	g.streams.open = map[*stream]struct{}{}
	return g
}

// Protected reports whether every call needs a credential.
func (g *Guard) Protected() bool { return !g.keyless }

// BootstrapParent names the bootstrap key as the parent of its sessions, so that changing the key ends them.
func (g *Guard) BootstrapParent() string { return "bootstrap-" + hex.EncodeToString(g.bootstrap[:8]) }

var (
	errNone    = domain.Errorf(domain.CodeUnauthenticated, "a valid key is required: Authorization: Bearer <key>")
	errInvalid = domain.Errorf(domain.CodeUnauthenticated, "the credential is not a valid one: it is unknown, was revoked or has expired")
	errRemote  = domain.Errorf(domain.CodeForbidden,
		"without an admin key only local calls to a loopback name are let in; set BOOTSTRAP_ADMIN_KEY")
	errOrigin = domain.Errorf(domain.CodeForbidden, "calls from other web sites are refused")
)

// Authorize returns the caller, or unauthenticated or forbidden. The caller is shared and must not be modified. An invalid
// credential is always unauthenticated, even for local calls to an installation without keys.
func (g *Guard) Authorize(ctx context.Context, r Request) (*domain.Caller, error) {
	if r.Credential != "" {
		return g.identify(ctx, r.Credential)
	}
	switch {
	case !g.keyless:
		return nil, errNone
	case !r.Local || !LoopbackHost(r.Host):
		return nil, errRemote
	case r.Origin != "" && !loopbackOrigin(r.Origin):
		return nil, errOrigin
	}
	return g.local, nil
}

// identify returns the credential's caller. A malformed credential or wrong checksum costs no look-up.
func (g *Guard) identify(ctx context.Context, credential string) (*domain.Caller, error) {
	sum := sha256.Sum256(append(make([]byte, 0, 128), credential...)) // on the stack
	if g.hasKey && subtle.ConstantTimeCompare(sum[:], g.bootstrap[:]) == 1 {
		return g.first, nil
	}
	if !wellFormed(credential) {
		if g.issuer != nil && strings.Count(credential, ".") == 2 {
			return g.issuer.Verify(ctx, credential)
		}
		return nil, errInvalid
	}
	k, err := g.find(ctx, sum)
	if err != nil {
		return nil, err
	}
	now := g.clock.Now()
	if !k.caller.ExpiresAt.IsZero() && !now.Before(k.caller.ExpiresAt) {
		return nil, errInvalid
	}
	k.used.Store(now.UnixNano())
	return k.caller, nil
}

// find returns the credential with the hash, from the cache while that is known to be current.
func (g *Guard) find(ctx context.Context, sum [sha256.Size]byte) (*known, error) {
	fresh := g.clock.Now().UnixNano()-g.confirmed.Load() < int64(freshFor)
	if fresh {
		g.mu.RLock()
		k := g.known[sum]
		g.mu.RUnlock()
		if k != nil {
			return k, nil
		}
	}
	gen := g.gen.Load()
	c, err := g.store.CredentialByHash(ctx, sum)
	if err != nil {
		return nil, err
	}
	if c == nil || c.Kind == domain.CredentialCode || !g.parentLives(c) {
		return nil, errInvalid
	}
	k := &known{caller: c.Caller()}
	if c.LastUsedAt != nil {
		k.wrote.Store(c.LastUsedAt.UnixNano())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gen.Load() == gen {
		if len(g.known) >= maxKnown {
			g.forget()
		}
		if same := g.known[sum]; same != nil {
			k = same
		}
		g.known[sum] = k
	}
	return k, nil
}

// parentLives reports whether a session of the bootstrap key belongs to the current key, and
// one of an identity provider to an installation that has one.
func (g *Guard) parentLives(c *domain.Credential) bool {
	if strings.HasPrefix(c.ParentID, "oidc:") {
		return g.issuer != nil
	}
	return !strings.HasPrefix(c.ParentID, "bootstrap-") || g.hasKey && c.ParentID == g.BootstrapParent()
}

// forget drops the cache; mu is held.
func (g *Guard) forget() {
	g.gen.Add(1)
	clear(g.known)
}

// Run polls for revocations and stores last uses until the context ends.
func (g *Guard) Run(ctx context.Context) {
	round, outage := 0, background.Outage{
		Log: g.log, Lost: "cannot poll for revoked keys; every key is read from the database until polling works",
	}
	background.Loop(ctx, nil, 0, func() time.Duration {
		if round%countEvery == 0 {
			g.countReplicas(ctx)
		}
		round++
		if err := g.Check(ctx); ctx.Err() == nil {
			outage.Note(err)
		}
		return checkEvery
	})
	g.writeUses(context.WithoutCancel(ctx), 0)
}

// countReplicas asks how many replicas share the limits. While the answer is unavailable the last one stands.
func (g *Guard) countReplicas(ctx context.Context) {
	if g.quotas == nil {
		return
	}
	n, err := g.quotas.Replicas(ctx)
	for _, l := range []*Limiter{g.callers, g.addresses} {
		if err == nil && l != nil {
			l.replicas.Store(int64(max(1, n)))
		}
	}
}

// Commit commits an access change; it is in effect in this process on return, in others within a second.
func (g *Guard) Commit(ctx context.Context, c domain.AccessChange) error {
	err := g.store.ChangeAccess(ctx, c)
	if err == nil && c.TakesAway() {
		_ = g.Check(context.WithoutCancel(ctx)) // Run tries again
	}
	return err
}

// Check polls once for revocations and ends the streams of callers who lost access.
func (g *Guard) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	asked := g.clock.Now()
	g.streams.expire(asked)
	epoch, err := g.store.AccessEpoch(ctx)
	if err != nil {
		return err
	}
	g.mu.Lock()
	changed := epoch != g.epoch
	if g.epoch = epoch; changed {
		g.forget()
	}
	g.mu.Unlock()
	err = g.streams.check(ctx, g.store, changed)
	if err == nil && changed && g.OnChange != nil {
		err = g.OnChange(ctx)
	}
	if err != nil {
		g.mu.Lock()
		g.epoch = 0 // force another check
		g.mu.Unlock()
		return err
	}
	g.streams.expire(asked) // check updated the expiry times
	g.confirmed.Store(asked.UnixNano())
	g.writeUses(ctx, usedEvery)
	return nil
}

// writeUses stores the last uses of credentials that were not stored within every.
func (g *Guard) writeUses(ctx context.Context, every time.Duration) {
	uses := map[string]time.Time{}
	g.mu.RLock()
	for _, k := range g.known {
		used, wrote := k.used.Load(), k.wrote.Load()
		if used != 0 && used > wrote && used-wrote >= int64(every) {
			uses[k.caller.Credential] = domain.Timestamp(time.Unix(0, used))
			k.wrote.Store(used)
		}
	}
	g.mu.RUnlock()
	if len(uses) == 0 {
		return
	}
	if err := g.store.CredentialsUsed(ctx, uses); err != nil && ctx.Err() == nil {
		g.log.Debug("cannot store the last use of keys", zap.Error(err))
	}
}

// LoopbackHost reports whether a host, with or without a port, is a name of this machine that no DNS server can redirect.
func LoopbackHost(host string) bool {
	if port, ok := strings.CutPrefix(host, "127.0.0.1:"); ok && len(port) <= 5 && strings.Trim(port, "0123456789") == "" {
		return true // fast path for the common case
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && LoopbackHost(u.Host)
}

// Count counts a call of an authenticated caller; limited is false if there is no limit.
func (g *Guard) Count(c *domain.Caller) (q Quota, limited bool, err error) {
	if g.callers == nil || c == g.local {
		return q, false, nil
	}
	who := c.Credential
	if who == "" {
		who = c.ID
	}
	q, err = g.callers.Take(who)
	return q, true, err
}

// Failed counts a failed call from an address and returns the error to answer: err, or
// rate_limited after too many. Valid calls from that address are not limited.
func (g *Guard) Failed(address string, err error) error {
	if g.addresses == nil || domain.CodeOf(err) != domain.CodeUnauthenticated {
		return err
	}
	if _, many := g.addresses.Take(address); many != nil {
		return many
	}
	return err
}

// Forwarded reports whether a request came through a proxy, according to its headers; such
// a call is not local, wherever the proxy runs.
func Forwarded(proto string, header func(string) string) bool {
	return proto == "HTTP/1.0" || cmp.Or(header("Forwarded"), header("X-Forwarded-For"), header("X-Forwarded-Host"),
		header("X-Forwarded-Proto"), header("X-Real-Ip"), header("Via")) != ""
}
