package access

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// clock is set manually.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.at = c.at.Add(d)
	c.mu.Unlock()
}

// house is an installation with its own database.
type house struct {
	*testing.T
	store domain.Store
	clock *clock
	keys  *Keys
	audit *Audit
	guard *Guard
}

const bootstrapKey = "bootstrap-key-of-thirty-two-characters"

func newHouse(t *testing.T) *house {
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h := &house{T: t, store: store, clock: newClock()}
	h.audit = &Audit{Store: store, Clock: h.clock, Log: zap.NewNop(), Secret: []byte("s")}
	h.keys = &Keys{Store: store, Clock: h.clock, Audit: h.audit, Requests: idempotency.NewKeys(store, h.clock)}
	h.guard = h.replica()
	h.keys.Guard = h.guard
	return h
}

// replica is another process over the same database.
func (h *house) replica() *Guard {
	return NewGuard(h.store, h.clock, zap.NewNop(), GuardConfig{BootstrapKey: bootstrapKey})
}

func (h *house) admin() context.Context {
	return WithRemote(domain.WithActor(h.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "root"}), "192.0.2.7")
}

func (h *house) key(in NewKey) *IssuedKey {
	h.Helper()
	if in.Name == "" {
		in.Name = "a key"
	}
	k, err := h.keys.Create(h.admin(), in)
	require.NoError(h, err)
	return k
}

func (h *house) code(g *Guard, credential string) domain.Code {
	_, err := g.Authorize(h.Context(), Request{Credential: credential})
	return domain.CodeOf(err)
}

func TestSecretsHaveTheirForm(t *testing.T) {
	seen := map[string]bool{}
	for role, kind := range kindOf {
		s := newSecret(kind)
		require.Regexp(t, `^ot_`+kind+`_[0-9A-Za-z]{36}$`, s, role)
		require.True(t, wellFormed(s))
		require.False(t, seen[s])
		seen[s] = true
	}
	require.True(t, wellFormed(NewPhoneToken()))
	a, err := linkSecret([]byte("key"), "link")
	require.NoError(t, err)
	b, err := linkSecret([]byte("key"), "link")
	require.NoError(t, err)
	require.Equal(t, a, b, "a message can show it again")
	require.True(t, wellFormed(a))
	for _, other := range [][2]string{{"key", "other"}, {"other", "link"}} {
		c, err := linkSecret([]byte(other[0]), other[1])
		require.NoError(t, err)
		require.NotEqual(t, a, c)
	}
}

func TestKeysOpenUntilTheyAreRevokedOrExpire(t *testing.T) {
	h := newHouse(t)
	expires := h.clock.Now().Add(time.Hour)
	k := h.key(NewKey{Role: domain.RoleMerchant, MerchantID: "m1", ExpiresAt: &expires})
	require.True(t, strings.HasPrefix(k.Key, k.Prefix), "the prefix tells keys apart")
	caller, err := h.guard.Authorize(t.Context(), Request{Credential: k.Key})
	require.NoError(t, err)
	require.Equal(t, domain.Caller{
		Actor: domain.Actor{Kind: domain.RoleMerchant, ID: k.ID}, Name: "a key", MerchantID: "m1", Credential: k.ID, ExpiresAt: expires,
	}, *caller)
	h.clock.pass(time.Hour)
	require.Equal(t, domain.CodeUnauthenticated, h.code(h.guard, k.Key), "expired")

	k = h.key(NewKey{Role: domain.RoleDispatcher})
	require.NoError(t, h.guard.Check(t.Context()))
	require.Empty(t, h.code(h.guard, k.Key))
	require.NoError(t, h.keys.Revoke(h.admin(), k.ID))
	require.NoError(t, h.guard.Check(t.Context()))
	require.Equal(t, domain.CodeUnauthenticated, h.code(h.guard, k.Key), "revoked")
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(h.keys.Revoke(h.admin(), k.ID)))
	require.Empty(t, h.code(h.guard, bootstrapKey), "the first key stays")
	require.Equal(t, domain.CodeUnauthenticated, h.code(h.guard, bootstrapKey+"x"))
	require.Equal(t, domain.CodeUnauthenticated, h.code(h.guard, ""))
}

func overlap(seconds int) Rotation { return Rotation{OverlapSeconds: &seconds} }

func TestARotatedKeyAndItsSuccessorAreGoodUntilTheOverlapEnds(t *testing.T) {
	h := newHouse(t)
	old := h.key(NewKey{Role: domain.RolePartner, MerchantID: "m1"})
	next, err := h.keys.Rotate(h.admin(), old.ID, overlap(3600))
	require.NoError(t, err)
	require.NotEqual(t, old.Key, next.Key)
	require.Empty(t, h.code(h.guard, old.Key))
	require.Empty(t, h.code(h.guard, next.Key))
	h.clock.pass(time.Hour)
	require.Equal(t, domain.CodeUnauthenticated, h.code(h.guard, old.Key))
	require.Empty(t, h.code(h.guard, next.Key))
	_, err = h.keys.Rotate(h.admin(), old.ID, overlap(3600))
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err), "it has expired")
	_, err = h.keys.Rotate(h.admin(), next.ID, overlap(-1))
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err))
}

// A credential revoked on one replica is forgotten by the others within freshFor, even if
// they cannot query the database.
func TestRevokedElsewhere(t *testing.T) {
	h := newHouse(t)
	other := h.replica()
	k := h.key(NewKey{Role: domain.RoleDispatcher})
	require.NoError(t, other.Check(t.Context()))
	require.Empty(t, h.code(other, k.Key))
	require.NoError(t, h.keys.Revoke(h.admin(), k.ID))
	require.Empty(t, h.code(other, k.Key), "it has not asked yet")
	h.clock.pass(freshFor)
	require.Equal(t, domain.CodeUnauthenticated, h.code(other, k.Key), "what it knows is too old to go by")
}

func TestASecretIsNotShownAgain(t *testing.T) {
	h := newHouse(t)
	ctx := idempotency.With(h.admin(), &idempotency.Request{Key: "once"})
	in := NewKey{Name: "a", Role: domain.RoleMonitor}
	k, err := h.keys.Create(ctx, in)
	require.NoError(t, err)
	_, err = h.keys.Create(ctx, in)
	require.Equal(t, domain.CodeSecretNotRepeated, domain.CodeOf(err))
	stored, err := h.store.Recorded(t.Context(), "admin:root", "once")
	require.NoError(t, err)
	require.NotContains(t, string(stored.Result), k.Key[len(k.Prefix):])
	list, _, err := h.keys.List(h.admin(), paging.Request{})
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestStreamsEndWithWhatOpenedThem(t *testing.T) {
	h := newHouse(t)
	other := h.replica()
	revoked, kept := h.key(NewKey{Role: domain.RoleDispatcher}), h.key(NewKey{Role: domain.RoleDispatcher})
	in := h.clock.Now().Add(10 * time.Second)
	expiring := h.key(NewKey{Role: domain.RoleDispatcher, ExpiresAt: &in})
	ended := map[string]int{}
	open := func(name, credential string) (forget func()) {
		c, err := other.Authorize(t.Context(), Request{Credential: credential})
		require.NoError(t, err)
		return other.Hold(c, func() { ended[name]++ })
	}
	open("revoked", revoked.Key)
	open("kept", kept.Key)
	open("expiring", expiring.Key)
	open("bootstrap", bootstrapKey)
	open("left", revoked.Key)()
	check := func(want map[string]int) {
		t.Helper()
		require.NoError(t, other.Check(t.Context()))
		require.Equal(t, want, ended)
	}
	check(map[string]int{})
	require.NoError(t, h.keys.Revoke(h.admin(), revoked.ID))
	check(map[string]int{"revoked": 1})
	check(map[string]int{"revoked": 1})
	h.clock.pass(10 * time.Second)
	check(map[string]int{"revoked": 1, "expiring": 1})

	// Authorized just before it was revoked, its stream registered just after the revocation was noticed.
	c, err := other.Authorize(t.Context(), Request{Credential: kept.Key})
	require.NoError(t, err)
	require.NoError(t, h.keys.Revoke(h.admin(), kept.ID))
	check(map[string]int{"revoked": 1, "expiring": 1, "kept": 1})
	other.Hold(c, func() { ended["late"]++ })
	check(map[string]int{"revoked": 1, "expiring": 1, "kept": 1, "late": 1})
}

func TestLastUseIsWrittenOnceAMinute(t *testing.T) {
	h := newHouse(t)
	k := h.key(NewKey{Role: domain.RoleMonitor})
	used := func() *time.Time {
		t.Helper()
		require.NoError(t, h.guard.Check(t.Context()))
		c, err := h.store.Credential(t.Context(), k.ID)
		require.NoError(t, err)
		return c.LastUsedAt
	}
	require.Nil(t, used())
	require.NoError(t, h.guard.Check(t.Context()))
	first := h.clock.Now()
	require.Empty(t, h.code(h.guard, k.Key))
	require.Equal(t, &first, used())
	h.clock.pass(30 * time.Second)
	require.Empty(t, h.code(h.guard, k.Key))
	require.Equal(t, &first, used(), "within the minute")
	h.clock.pass(30 * time.Second)
	require.NoError(t, h.guard.Check(t.Context()))
	require.Empty(t, h.code(h.guard, k.Key))
	last := h.clock.Now()
	require.Equal(t, &last, used())
}

func TestKeysThatMakeNoSenseAreRefused(t *testing.T) {
	h := newHouse(t)
	past := h.clock.Now()
	for name, in := range map[string]NewKey{
		"no name":              {Role: domain.RoleAdmin},
		"no role":              {Name: "a"},
		"customer":             {Name: "a", Role: domain.RoleCustomer},
		"system":               {Name: "a", Role: domain.RoleSystem},
		"merchant of nothing":  {Name: "a", Role: domain.RoleMerchant},
		"partner of nothing":   {Name: "a", Role: domain.RolePartner},
		"courier of nothing":   {Name: "a", Role: domain.RoleCourier},
		"bad courier":          {Name: "a", Role: domain.RoleCourier, CourierID: "x"},
		"admin of a merchant":  {Name: "a", Role: domain.RoleAdmin, MerchantID: "m"},
		"merchant and courier": {Name: "a", Role: domain.RoleMerchant, MerchantID: "m", CourierID: domain.NewID()},
		"expired":              {Name: "a", Role: domain.RoleAdmin, ExpiresAt: &past},
		"long name":            {Name: strings.Repeat("a", domain.MaxName+1), Role: domain.RoleAdmin},
	} {
		_, err := h.keys.Create(h.admin(), in)
		require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), name)
	}
	_, err := h.keys.Create(h.admin(), NewKey{Name: "a", Role: domain.RoleCourier, CourierID: domain.NewID()})
	require.Equal(t, domain.CodeCourierNotFound, domain.CodeOf(err))
}

func TestAnyAdmin(t *testing.T) {
	h := newHouse(t)
	has := func() bool {
		ok, err := h.keys.AnyAdmin(t.Context())
		require.NoError(t, err)
		return ok
	}
	h.key(NewKey{Role: domain.RoleDispatcher})
	require.False(t, has())
	in := h.clock.Now().Add(time.Hour)
	h.key(NewKey{Role: domain.RoleAdmin, ExpiresAt: &in})
	require.True(t, has())
	h.clock.pass(time.Hour)
	require.False(t, has())
}

func TestWithoutKeysOnlyLocalCallsComeIn(t *testing.T) {
	h := newHouse(t)
	g := NewGuard(h.store, h.clock, zap.NewNop(), GuardConfig{Keyless: true})
	local := Request{Host: "127.0.0.1:8080", Local: true}
	k := h.key(NewKey{Role: domain.RoleMonitor})
	for name, tc := range map[string]struct {
		change func(*Request)
		want   domain.Code
	}{
		"local":              {func(*Request) {}, ""},
		"localhost":          {func(r *Request) { r.Host = "LOCALHOST" }, ""},
		"IPv6":               {func(r *Request) { r.Host = "[::1]:8080" }, ""},
		"local page":         {func(r *Request) { r.Origin = "http://localhost:3000" }, ""},
		"rebound name":       {func(r *Request) { r.Host = "evil.example:8080" }, domain.CodeForbidden},
		"prefix of a name":   {func(r *Request) { r.Host = "localhost.evil.example" }, domain.CodeForbidden},
		"no host":            {func(r *Request) { r.Host = "" }, domain.CodeForbidden},
		"foreign page":       {func(r *Request) { r.Origin = "https://evil.example" }, domain.CodeForbidden},
		"sandboxed page":     {func(r *Request) { r.Origin = "null" }, domain.CodeForbidden},
		"not local":          {func(r *Request) { r.Local = false }, domain.CodeForbidden},
		"a bad credential":   {func(r *Request) { r.Credential = "anything" }, domain.CodeUnauthenticated},
		"an unknown key":     {func(r *Request) { r.Credential = newSecret("adm") }, domain.CodeUnauthenticated},
		"a key from far off": {func(r *Request) { *r = Request{Credential: k.Key, Host: "x.example"} }, ""},
	} {
		r := local
		tc.change(&r)
		_, err := g.Authorize(t.Context(), r)
		require.Equal(t, tc.want, domain.CodeOf(err), name)
	}
	c, err := g.Authorize(t.Context(), Request{Credential: k.Key, Host: "127.0.0.1", Local: true})
	require.NoError(t, err)
	require.Equal(t, domain.RoleMonitor, c.Kind, "authenticated by what it shows, not by where it is")
}

func TestForwardedCallsAreNotLocal(t *testing.T) {
	none := func(string) string { return "" }
	require.False(t, Forwarded("HTTP/1.1", none))
	require.False(t, Forwarded("HTTP/2.0", none))
	require.True(t, Forwarded("HTTP/1.0", none))
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"} {
		require.True(t, Forwarded("HTTP/1.1", func(asked string) string {
			if asked == name {
				return "x"
			}
			return ""
		}), name)
	}
}

func TestTheAuditShowsWhoDidWhatAndWasNotChanged(t *testing.T) {
	h := newHouse(t)
	a, b := h.key(NewKey{Role: domain.RoleMerchant, MerchantID: "m1"}), h.key(NewKey{Role: domain.RoleAdmin})
	_, err := h.keys.Rotate(h.admin(), a.ID, overlap(0))
	require.NoError(t, err)
	require.NoError(t, h.audit.Seal(t.Context()))
	require.NoError(t, h.keys.Revoke(h.admin(), b.ID))
	list, _, err := h.audit.List(h.admin(), domain.AuditFilter{}, paging.Request{})
	require.NoError(t, err)
	require.Len(t, list, 4)
	require.Equal(t, []string{"key.revoked", "key.rotated", "key.created", "key.created"},
		[]string{list[0].Action, list[1].Action, list[2].Action, list[3].Action})
	require.Equal(t, "root", list[0].Actor.ID)
	require.Equal(t, "key:"+b.ID, list[0].Object)
	require.NotEmpty(t, list[0].Remote)
	require.NotContains(t, list[0].Remote, "192.0.2.7")
	v, err := h.audit.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(4), v.Entries)
	require.Equal(t, int64(1), v.Seals)
	require.Equal(t, int64(1), v.Unsealed)
	require.NoError(t, h.audit.Seal(t.Context()))
	for name, store := range map[string]domain.AccessStore{
		"an entry that says something else": altered{h.store, func(e []domain.AuditEntry) []domain.AuditEntry {
			for i := range e {
				if e[i].Position == 2 {
					e[i].Object = "key:other"
				}
			}
			return e
		}},
		"an entry that is gone": altered{h.store, func(e []domain.AuditEntry) []domain.AuditEntry {
			var out []domain.AuditEntry
			for _, x := range e {
				if x.Position != 3 {
					out = append(out, x)
				}
			}
			return out
		}},
	} {
		forged := *h.audit
		forged.Store = store
		_, err := forged.Verify(t.Context())
		require.Error(t, err, name)
	}
}

// altered is a store whose audit log was tampered with.
type altered struct {
	domain.AccessStore
	change func([]domain.AuditEntry) []domain.AuditEntry
}

func (a altered) AuditAfter(ctx context.Context, after int64, limit int) ([]domain.AuditEntry, error) {
	e, err := a.AccessStore.AuditAfter(ctx, after, limit)
	return a.change(e), err
}

func TestPermissions(t *testing.T) {
	require.Equal(t, []string{"metrics"}, Permissions(domain.RoleMonitor))
	require.Contains(t, Permissions(domain.RoleCustomer), "trackOrder")
	require.NotContains(t, Permissions(domain.RoleCustomer), "listOrders")
	require.Empty(t, Permissions("root"))
	require.Equal(t, domain.CodeForbidden, domain.CodeOf(Permit(&domain.Caller{Actor: domain.Actor{Kind: domain.RoleAdmin}}, OperationOf("nobody thought of it"))))
	_, known := OperationOfRPC("Nothing")
	require.False(t, known)
	for _, o := range Table() {
		require.True(t, o.ID != "" || o.RPC != "")
		if !o.Open {
			require.True(t, o.Allows(domain.RoleAdmin), "%s: administrators may do everything", o.ID)
			require.False(t, o.Allows(domain.RoleSystem), "nobody comes in as the product itself")
		}
	}
	caller, op := &domain.Caller{Actor: domain.Actor{Kind: domain.RoleCourier}}, OperationOf("getOrder")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if Permit(caller, op) != nil {
			panic("forbidden")
		}
	}))
}
