package notify_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// clock is real time plus a shift, so that tests need not wait for later tries.
type clock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *clock) skip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}

// rig is the service over a real store, with orders that it hears of.
type rig struct {
	*notify.Service
	t      testing.TB
	store  *database.Store
	orders *orders.Service
	clock  *clock
	guard  *access.Guard
	ctx    context.Context // an administrator's
}

func newRig(t testing.TB, edit ...func(*notify.Deps)) *rig {
	t.Helper()
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	r := &rig{t: t, store: store, clock: &clock{}}
	keys := idempotency.NewKeys(store, r.clock)
	r.guard = access.NewGuard(store, r.clock, zap.NewNop(), access.GuardConfig{Keyless: true})
	audit := &access.Audit{Store: store, Clock: r.clock, Log: zap.NewNop(), Secret: []byte("secret")}
	d := notify.Deps{
		Store: store, Clock: r.clock, Log: zap.NewNop(), Keys: keys, Secret: []byte("a secret of this installation..."),
		Config: notify.Config{
			Tries: []time.Duration{5 * time.Second, 5 * time.Minute}, Timeout: 15 * time.Second, AtOnce: 8,
			DisableAfter: 120 * time.Hour, Keep: 720 * time.Hour, Poll: 5 * time.Millisecond, Lease: 10 * time.Second, Owner: "test",
		},
		Commit: r.guard.Commit, Audit: audit.Entry, Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		Allowed: func(context.Context, string) error { return nil },
	}
	d.Profile = func(string) domain.Profile { return domain.Profile{Name: "Corner Shop"} }
	d.Link = func(_ context.Context, o *domain.Order) (string, error) {
		return "https://track.example/t/" + o.Number, nil
	}
	d.Config.PublicURL, d.Config.MessageTries = "https://track.example", []time.Duration{time.Minute, time.Hour}
	for _, e := range edit {
		e(&d)
	}
	r.Service, err = notify.New(d)
	require.NoError(t, err)
	r.guard.OnChange = r.Load
	r.orders = orders.New(orders.Deps{Store: store, Live: cache.NewMemory(cache.MemoryOptions{}), Clock: r.clock, Log: zap.NewNop(), Keys: keys})
	r.orders.Notifier = r.Service
	r.ctx = as(t, domain.Caller{Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "boss"}})
	require.NoError(t, r.Start(t.Context(), func(ctx context.Context, id string, data map[string]any) error {
		_, err := r.orders.Update(ctx, id, "", nil, func(ch *domain.Change) error {
			ch.Add(ch.Order.Note(domain.EventNotified, r.orders.System("notify"), data))
			return nil
		})
		return err
	}, r.orders.SetContact))
	return r
}

// as is a context of the caller that lasts as long as the test.
func as(t testing.TB, c domain.Caller) context.Context { return domain.WithCaller(t.Context(), &c) }

// runs sends in the background until the test ends, or until stop is called.
func (r *rig) runs() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	r.t.Cleanup(stop)
	return stop
}

func (r *rig) order(merchant string) *domain.Order {
	r.t.Helper()
	o, err := r.orders.Create(r.ctx, domain.Draft{
		MerchantID: merchant, Customer: domain.Customer{Name: "Anna", Phone: "+79161234567", Email: "anna@example.com"},
		Dropoff: &domain.Place{Address: "Tverskaya 7"},
	})
	require.NoError(r.t, err)
	return o
}

func (r *rig) moves(id string, to ...domain.Status) {
	r.t.Helper()
	for _, s := range to {
		_, err := r.orders.UpdateStatus(r.ctx, id, orders.StatusChange{Status: s}, 0)
		require.NoError(r.t, err)
	}
}

func (r *rig) webhook(in notify.NewWebhook) *notify.IssuedWebhook {
	r.t.Helper()
	w, err := r.Create(r.ctx, in)
	require.NoError(r.t, err)
	return w
}

// awaits waits until what a function returns is as wanted.
func awaits[T any](t testing.TB, want T, get func() T) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assertT) { require.Equal(c, want, get()) }, 20*time.Second, 5*time.Millisecond)
}

// call is a request that a receiver got.
type call struct {
	header http.Header
	body   []byte
}

// receiver is a shop's server.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t testing.TB, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	rc := &receiver{answer: answer}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rc.mu.Lock()
		rc.calls = append(rc.calls, call{r.Header, body})
		answer := rc.answer
		rc.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.answer = answer
}

func (rc *receiver) got() []call {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]call{}, rc.calls...)
}

// types are the types of what it got so far.
func (rc *receiver) types() []string {
	out := []string{}
	for _, c := range rc.got() {
		out = append(out, typeOf(c.body))
	}
	return out
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
