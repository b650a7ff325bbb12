package push

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type wall struct{}

func (wall) Now() time.Time { return time.Now() }

// journal is a store of orders, couriers and histories whose responses a test can delay or fail.
type journal struct {
	domain.Store

	mu       sync.Mutex
	orders   map[string]*domain.Order
	events   map[string][]domain.Event
	couriers map[string]*domain.Courier
	err      error
	reads    int                 // of histories
	before   func(method string) // runs before a response
	after    func(method string) // runs after the read, before the response is returned
}

func (j *journal) enter(method string) (func(), error) {
	if j.before != nil {
		j.before(method)
	}
	j.mu.Lock()
	return func() {
		after := j.after
		j.mu.Unlock()
		if after != nil {
			after(method)
		}
	}, j.err
}

func (j *journal) Order(_ context.Context, id string) (*domain.Order, error) {
	unlock, err := j.enter("Order")
	defer unlock()
	if o := j.orders[id]; o != nil || err != nil {
		return o, err
	}
	return nil, domain.Errorf(domain.CodeOrderNotFound, "no such order")
}

func (j *journal) Courier(_ context.Context, id string) (*domain.Courier, error) {
	unlock, err := j.enter("Courier")
	defer unlock()
	if c := j.couriers[id]; c != nil || err != nil {
		return c, err
	}
	return nil, domain.Errorf(domain.CodeCourierNotFound, "no such courier")
}

func (j *journal) Events(_ context.Context, id string, after int64) ([]domain.Event, error) {
	unlock, err := j.enter("Events")
	defer unlock()
	j.reads++
	all := j.events[id]
	return slices.Clone(all[min(int(after), len(all)):]), err
}

func (j *journal) Versions(_ context.Context, ids []string) (map[string]int64, error) {
	unlock, err := j.enter("Versions")
	defer unlock()
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, id := range ids {
		if o := j.orders[id]; o != nil {
			out[id] = o.Version
		}
	}
	return out, nil
}

func (j *journal) refuse(err error) {
	j.mu.Lock()
	j.err = err
	j.mu.Unlock()
}

// world is a hub over a journal and the in-process live store.
type world struct {
	t    testing.TB
	hub  *Hub
	db   *journal
	live *cache.Memory
	logs *observer.ObservedLogs
	// stops come before the orders of couriers that move.
	stops *int
}

func newWorld(t testing.TB, cfg Config) *world {
	core, logs := observer.New(zap.InfoLevel)
	w := &world{
		t: t, logs: logs, live: cache.NewMemory(cache.MemoryOptions{}),
		db: &journal{
			orders: map[string]*domain.Order{}, events: map[string][]domain.Event{},
			couriers: map[string]*domain.Courier{},
		},
	}
	cfg.Glimpse = func(ctx context.Context, o *domain.Order, v domain.View) (*domain.Position, error) {
		p, err := w.live.Position(ctx, o.CourierID)
		return w.hub.glimpse(o.State(), w.stops).Position(v, p, time.Now()), err
	}
	w.hub = New(cfg, w.db, w.live, wall{}, zap.New(core))
	t.Cleanup(w.hub.Close)
	return w
}

var clerk = domain.Actor{Kind: domain.RoleDispatcher, ID: "d"}

func by() domain.By { return domain.By{Actor: clerk, Source: domain.SourceAPI, Now: time.Now()} }

// create commits a new order.
func (w *world) create() *domain.Order {
	o, ev := domain.NewOrder(domain.Draft{
		Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Lenina 1"},
	}, by())
	w.commit(o, []domain.Event{ev})
	return o
}

func (w *world) commit(o *domain.Order, events []domain.Event) {
	_, err := o.Freeze()
	require.NoError(w.t, err)
	w.db.mu.Lock()
	w.db.orders[o.ID] = o
	w.db.events[o.ID] = append(w.db.events[o.ID], events...)
	w.db.mu.Unlock()
}

// change commits a change without announcing it.
func (w *world) change(id string, fn func(*domain.Order) []domain.Event) (*domain.Order, []domain.Event) {
	w.db.mu.Lock()
	old := w.db.orders[id]
	w.db.mu.Unlock()
	data, err := old.Freeze()
	require.NoError(w.t, err)
	o, err := domain.Thaw(data, old.Bookkeeping)
	require.NoError(w.t, err)
	events := fn(o)
	w.commit(o, events)
	return o, events
}

// announced commits a change, caches and announces it, as a use case does.
func (w *world) announced(id string, fn func(*domain.Order) []domain.Event) *domain.Order {
	o, events := w.change(id, fn)
	require.NoError(w.t, w.live.CacheOrder(context.Background(), o))
	w.hub.OrderChanged(domain.Announce(o, events))
	return o
}

func moveTo(t testing.TB, to domain.Status) func(*domain.Order) []domain.Event {
	return func(o *domain.Order) []domain.Event {
		events, err := o.Move(to, nil, by())
		require.NoError(t, err)
		return events
	}
}

func assign(t testing.TB, courier string) func(*domain.Order) []domain.Event {
	return func(o *domain.Order) []domain.Event {
		events, err := o.Assign(courier, by())
		require.NoError(t, err)
		return events
	}
}

// edit makes the n-th version that is not a status.
func edit(o *domain.Order) []domain.Event {
	notes := time.Now().String() + string(rune('a'+o.Version%26))
	events, err := o.Edit(domain.Edit{Notes: &notes}, "RU", by())
	if err != nil {
		panic(err)
	}
	return events
}

func notice(o *domain.Order) []domain.Event {
	return []domain.Event{o.Note(domain.EventNotified, by(), map[string]any{
		"notification_id": "n", "channel": "live", "text": "Hello", "template": "status",
	})}
}

func late(o *domain.Order) []domain.Event {
	return []domain.Event{o.Note(domain.EventReportLate, by(), nil)}
}

// courier commits a courier.
func (w *world) courier() string {
	name := "Ivan"
	c, err := domain.NewCourier(domain.CourierEdit{Name: &name}, "RU", time.Now())
	require.NoError(w.t, err)
	w.db.mu.Lock()
	w.db.couriers[c.ID] = c
	w.db.mu.Unlock()
	return c.ID
}

// carried is an order in the custody of a courier.
func (w *world) carried() (orderID, courierID string) {
	o, c := w.create(), w.courier()
	w.change(o.ID, assign(w.t, c))
	w.change(o.ID, moveTo(w.t, domain.StatusPickedUp))
	return o.ID, c
}

func fixOf(courier string, at time.Time, lat float64) domain.Fix {
	return domain.Fix{CourierID: courier, Position: domain.Position{Lat: lat, Lon: 37, RecordedAt: at, ReceivedAt: at}}
}

// moved stores and announces a position, as a use case does.
func (w *world) moved(fix domain.Fix, orders ...string) {
	newer, err := w.live.PutFixes(context.Background(), []domain.Fix{fix})
	require.NoError(w.t, err)
	if newer[0] {
		var carried []domain.Carried
		for _, id := range orders {
			carried = append(carried, domain.Carried{OrderID: id, Stops: w.stops})
		}
		w.hub.CourierMoved(fix, carried)
	}
}

func (w *world) watch(t Topic, since ...int64) *Subscription {
	w.t.Helper()
	s := w.hub.Open(nil)
	w.t.Cleanup(s.Close)
	var from *int64
	if len(since) > 0 {
		from = &since[0]
	}
	require.NoError(w.t, s.Add(context.Background(), t, from))
	return s
}

// settle waits until nothing is being read from the store.
func (w *world) settle() { w.hub.catchup.wg.Wait() }

// drained drains the subscription and names its frames: "snapshot 3", "status 4", "eta".
func drained(t testing.TB, s *Subscription) []string {
	t.Helper()
	frames, err := s.Drain(nil)
	out := []string{}
	for _, f := range frames {
		out = append(out, name(t, f))
	}
	if err != nil {
		out = append(out, err.Error())
	}
	return out
}

// message is a frame's JSON.
type message struct {
	Type    string          `json:"type"`
	OrderID string          `json:"order_id"`
	Version int64           `json:"version"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data"`
}

func decode(t testing.TB, f Frame) message {
	t.Helper()
	var m message
	require.NoError(t, json.Unmarshal(f.JSON, &m), string(f.JSON))
	require.Equal(t, f.Type, m.Type)
	require.Equal(t, f.Version, m.Version)
	require.False(t, m.At.IsZero())
	if f.Topic.Kind == KindOrder {
		require.Equal(t, f.Topic.ID, m.OrderID)
	}
	return m
}

func name(t testing.TB, f Frame) string {
	m := decode(t, f)
	switch f.Type {
	case TypeStatus:
		var e domain.Event
		require.NoError(t, json.Unmarshal(m.Data, &e))
		require.Equal(t, f.Version, e.Version)
		require.True(t, e.RecordedAt.Equal(m.At))
	case TypePosition:
		var fix domain.Fix
		require.NoError(t, json.Unmarshal(m.Data, &fix))
		return "position " + trim(fix.Lat)
	case TypePositions:
		var all FleetPositions
		require.NoError(t, json.Unmarshal(m.Data, &all))
		out := "positions"
		lats := []float64{}
		for _, fix := range all.Couriers {
			lats = append(lats, fix.Lat)
		}
		slices.Sort(lats)
		for _, lat := range lats {
			out += " " + trim(lat)
		}
		return out
	}
	if f.Version != 0 {
		return f.Type + " " + trim(float64(f.Version))
	}
	return f.Type
}

func trim(v float64) string {
	b, _ := json.Marshal(v)
	return string(b)
}

var errAway = domain.Unavailable("the database", errors.New("connection refused"))
