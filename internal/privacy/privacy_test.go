package privacy

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

type house struct {
	*testing.T
	*Service
	clock *clock
	store *database.Store
	keep  time.Duration
}

func newHouse(t *testing.T) *house {
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h := &house{T: t, clock: &clock{time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}, store: store}
	keys := idempotency.NewKeys(store, h.clock)
	verbs := orders.New(orders.Deps{Store: store, Live: cache.NewMemory(cache.MemoryOptions{}), Clock: h.clock, Log: zap.NewNop(), Keys: keys})
	audit := &access.Audit{Store: store, Clock: h.clock, Log: zap.NewNop(), Secret: []byte("s")}
	h.Service = New(Deps{
		Store: store, Clock: h.clock, Log: zap.NewNop(), Keys: keys, Orders: verbs, Entry: audit.Entry, Mark: audit.Mark,
		KeepFor: func() time.Duration { return h.keep }, Every: time.Hour,
	})
	return h
}

func (h *house) admin() context.Context {
	return domain.WithActor(h.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "root"})
}

func (h *house) order(phone string) string {
	o, err := h.Orders.Create(h.admin(), domain.Draft{
		Customer: domain.Customer{Name: "Anna", Phone: phone}, Dropoff: &domain.Place{Address: "Here 1"},
	})
	require.NoError(h, err)
	return o.ID
}

func (h *house) cancel(id string) {
	_, err := h.Orders.Cancel(h.admin(), id, "no", 0)
	require.NoError(h, err)
}

func (h *house) erased(id string) bool {
	o, err := h.store.Order(h.Context(), id)
	require.NoError(h, err)
	require.Equal(h, o.Erased(), o.Customer.Name == domain.Erased)
	return o.Erased()
}

func (h *house) audited() (out []string) {
	list, err := h.store.AuditAfter(h.Context(), 0, 100)
	require.NoError(h, err)
	for _, e := range list {
		out = append(out, e.Action+" "+e.Data["orders"])
	}
	return out
}

func TestCustomersDataIsErasedWhenItsTimeIsOver(t *testing.T) {
	h := newHouse(t)
	var early []string
	for i := range 2*batch + 1 {
		early = append(early, h.order("+791655500"+strconv.Itoa(10+i%80)))
		h.cancel(early[i])
	}
	long := h.order("+79165551234") // made then, ends later
	active := h.order("+79165551235")
	h.clock.now = h.clock.now.Add(24 * time.Hour)
	h.cancel(long)
	ctx := domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleSystem, ID: source})
	h.clock.now = h.clock.now.Add(30 * 24 * time.Hour)
	require.NoError(t, h.Expire(ctx))
	require.False(t, h.erased(early[0]), "for ever")
	h.keep = 30*24*time.Hour + time.Minute
	require.NoError(t, h.Expire(ctx))
	for _, id := range early {
		require.True(t, h.erased(id))
	}
	require.False(t, h.erased(long), "its time counts from its end")
	require.False(t, h.erased(active))
	require.Equal(t, []string{"retention.erased 50", "retention.erased 50", "retention.erased 1"}, h.audited())

	h.clock.now = h.clock.now.Add(2 * time.Minute)
	require.NoError(t, h.Expire(ctx))
	require.False(t, h.erased(long), "another replica has the turn")
	h.clock.now = h.clock.now.Add(time.Hour)
	require.NoError(t, h.Expire(ctx))
	require.True(t, h.erased(long))
	require.NoError(t, h.Expire(ctx))
	require.Len(t, h.audited(), 4, "nothing was left")
}

// A process that ends between two steps leaves the rest to the next one.
func TestAnErasureThatWasCutIsFinished(t *testing.T) {
	h := newHouse(t)
	one, two, other := h.order("+79165551234"), h.order("+79165551234"), h.order("+79165559999")
	h.cancel(one)
	h.cancel(other)
	mark := h.Mark("+79165551234")
	require.NoError(t, h.store.KeepErasures(t.Context(), []domain.Erasure{{OrderID: one, Mark: mark}, {OrderID: two, Mark: mark}}, nil, nil))
	_, err := h.Orders.Change(h.admin(), one, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		return o.Erase(h.Orders.System(source)), nil
	})
	require.NoError(t, err)
	ctx := domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleSystem, ID: source})
	require.NoError(t, h.Remembered(ctx))
	events, err := h.store.Events(t.Context(), one, 0)
	require.NoError(t, err)
	for _, e := range events {
		require.Empty(t, e.Reason)
	}
	require.False(t, h.erased(two))
	h.cancel(two)
	require.NoError(t, h.Remembered(ctx))
	require.True(t, h.erased(two))
	require.False(t, h.erased(other))
	require.Equal(t, []string{"customer.erased 1", "customer.erased 1"}, h.audited())
	require.NoError(t, h.Remembered(ctx))
	require.Len(t, h.audited(), 2)
}

// What is told of an erased order later brings nothing personal back.
func TestNothingPersonalComesBack(t *testing.T) {
	h := newHouse(t)
	id := h.order("+79165551234")
	h.cancel(id)
	_, err := h.Erase(h.admin(), "+7 916 555-12-34")
	require.NoError(t, err)
	by := h.Orders.System("carrier")
	by.Reason, by.Location = "PLANTED", &domain.Point{Lat: 55, Lon: 37}
	o, err := h.Orders.Change(h.admin(), id, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		o.Notes = "PLANTED"
		return []domain.Event{o.Note(domain.EventReportLate, by, map[string]any{"text": "PLANTED", "code": "5"})}, nil
	})
	require.NoError(t, err)
	require.Empty(t, o.Notes)
	events, err := h.store.Events(t.Context(), id, 0)
	require.NoError(t, err)
	last := events[len(events)-1]
	require.Empty(t, last.Reason)
	require.Nil(t, last.Location)
	require.Equal(t, map[string]any{"code": "5"}, last.Data)
}
