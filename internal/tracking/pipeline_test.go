package tracking

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// watchers records what it receives.
type watchers struct {
	mu     sync.Mutex
	moves  []domain.Fix
	orders [][]string
	etas   []domain.Estimate
}

func (a *watchers) CourierMoved(f domain.Fix, carried []domain.Carried) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var orders []string
	for _, o := range carried {
		orders = append(orders, o.OrderID)
	}
	a.moves, a.orders = append(a.moves, f), append(a.orders, orders)
}

func (a *watchers) Estimated(e domain.Estimate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.etas = append(a.etas, e)
}

// bus accepts messages, or fails.
type bus struct {
	got []domain.Message
	err error
}

func (b *bus) Publish(_ context.Context, m []domain.Message) error {
	if b.err == nil {
		b.got = append(b.got, m...)
	}
	return b.err
}

type world struct {
	Orders   *orders.Service
	Couriers *Couriers
	Tracking *Service
	ctx      context.Context
	clock    *clock
	heard    *watchers
	bus      *bus
	store    domain.Store
}

func newWorld(t *testing.T) *world {
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "orders.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	w := &world{
		clock: &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}, heard: &watchers{}, bus: &bus{}, store: store,
		ctx: domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "test"}),
	}
	live, keys := cache.NewMemory(cache.MemoryOptions{}), idempotency.NewKeys(store, w.clock)
	estimate := eta.Config{Speeds: map[domain.Vehicle]float64{domain.VehicleMotorbike: 5}, Detour: 1.4, FreshFor: time.Hour, Default: time.Hour, Book: eta.NewBook()}
	w.Orders = orders.New(orders.Deps{Store: store, Live: live, Clock: w.clock, Log: zap.NewNop(), Keys: keys, Estimate: estimate})
	w.Tracking = New(Deps{
		Store: store, Live: live, Watchers: w.heard, Clock: w.clock, Log: zap.NewNop(), Bus: w.bus, Keys: keys, Orders: w.Orders, Estimate: estimate,
		Plausible: domain.Plausibility{MaxSpeed: 100, MaxAccuracy: 1000}, KeepHistory: true, StaleAfter: time.Minute,
		Arrival: Arrival{Automatic: true, PickupRadius: 100, DropoffRadius: 75, Dwell: 30 * time.Second, Near: 500, SilentAfter: 10 * time.Minute},
	})
	w.Couriers = &Couriers{w.Tracking}
	return w
}

var (
	shopAt = domain.Point{Lat: 55.75, Lon: 37.60}
	doorAt = domain.Point{Lat: 55.76, Lon: 37.60}
)

// north is a point that many metres north of another.
func north(p domain.Point, metres float64) domain.Point {
	return domain.Point{Lat: p.Lat + metres/111_195, Lon: p.Lon}
}

func (w *world) courier(t *testing.T) *domain.Courier {
	name := "Boris"
	c, err := w.Couriers.Create(w.ctx, domain.CourierEdit{Name: &name})
	require.NoError(t, err)
	return c
}

func (w *world) order(t *testing.T, courierID string, change func(*domain.Draft)) *domain.Order {
	d := domain.Draft{Customer: domain.Customer{Name: "Anna"}, Pickup: &domain.Place{Location: &shopAt}, Dropoff: &domain.Place{Location: &doorAt}}
	if change != nil {
		change(&d)
	}
	o, err := w.Orders.Create(w.ctx, d)
	require.NoError(t, err)
	if courierID != "" {
		o, err = w.Orders.Assign(w.ctx, o.ID, orders.Assignment{CourierID: courierID}, 0)
		require.NoError(t, err)
	}
	return o
}

func (w *world) move(t *testing.T, id string, to domain.Status) {
	_, err := w.Orders.UpdateStatus(w.ctx, id, orders.StatusChange{Status: to}, 0)
	require.NoError(t, err)
}

// drive reports the courier's current position, with the device's own time, and waits for
// everything that follows from it.
func (w *world) drive(t *testing.T, courierID string, to domain.Point) Received {
	at := w.clock.Now().Add(-time.Millisecond)
	got, err := w.Tracking.Report(w.ctx, courierID, []domain.Position{{Lat: to.Lat, Lon: to.Lon, RecordedAt: at}}, true)
	require.NoError(t, err)
	for len(w.Tracking.pipeline.arrival.queue) > 0 {
		require.NoError(t, w.Tracking.pipeline.arrival.write(w.ctx, <-w.Tracking.pipeline.arrival.queue))
	}
	return got
}

func (w *world) types(t *testing.T, id string) (types []domain.EventType) {
	events, err := w.Orders.Events(w.ctx, id)
	require.NoError(t, err)
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

func (w *world) status(t *testing.T, id string) domain.Status {
	o, err := w.store.Order(w.ctx, id)
	require.NoError(t, err)
	return o.Status
}

func TestCourierArrives(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	w.drive(t, c.ID, north(shopAt, -900))
	for range 4 { // at the shop for a minute
		w.clock.add(20 * time.Second)
		w.drive(t, c.ID, north(shopAt, 10))
	}
	require.Equal(t, domain.StatusAtPickup, w.status(t, o.ID))
	w.move(t, o.ID, domain.StatusPickedUp)
	w.clock.add(time.Minute)
	w.drive(t, c.ID, north(doorAt, -400))
	require.Contains(t, w.types(t, o.ID), domain.EventCourierNear)
	for range 4 {
		w.clock.add(20 * time.Second)
		w.drive(t, c.ID, north(doorAt, 5))
	}
	require.Equal(t, domain.StatusAtDropoff, w.status(t, o.ID))
	require.Equal(t, []domain.EventType{
		domain.EventCreated, domain.EventStatusChanged, domain.EventStatusChanged, domain.EventStatusChanged,
		domain.EventCourierNear, domain.EventStatusChanged,
	}, w.types(t, o.ID), "each once")
	require.NotEmpty(t, w.heard.etas, "who waits is told when to expect it")
	require.Empty(t, w.heard.orders[0], "before custody nobody is shown the courier")
	require.Equal(t, []string{o.ID}, w.heard.orders[len(w.heard.orders)-1])
}

func TestArrivalIsSeenAgainWhenItCouldNotBeWrittenDown(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	for range arrivalQueue {
		w.Tracking.pipeline.arrival.queue <- conclusion{orderID: domain.NewID()}
	}
	report := func() {
		w.clock.add(20 * time.Second)
		at := w.clock.Now().Add(-time.Millisecond)
		_, err := w.Tracking.Report(w.ctx, c.ID, []domain.Position{{Lat: shopAt.Lat, Lon: shopAt.Lon, RecordedAt: at}}, true)
		require.NoError(t, err)
	}
	for range 3 {
		report()
	}
	for len(w.Tracking.pipeline.arrival.queue) > 0 {
		<-w.Tracking.pipeline.arrival.queue
	}
	for range 4 {
		w.clock.add(20 * time.Second)
		w.drive(t, c.ID, shopAt)
	}
	require.Equal(t, domain.StatusAtPickup, w.status(t, o.ID))
}

func TestAnotherCourierOfTheOrder(t *testing.T) {
	w := newWorld(t)
	first, second := w.courier(t), w.courier(t)
	o := w.order(t, first.ID, nil)
	w.drive(t, first.ID, north(shopAt, 900))
	_, err := w.Orders.Assign(w.ctx, o.ID, orders.Assignment{CourierID: second.ID}, 0)
	require.NoError(t, err)
	for range 4 {
		w.clock.add(20 * time.Second)
		w.drive(t, first.ID, shopAt)
	}
	require.Equal(t, domain.StatusAssigned, w.status(t, o.ID), "the one who had it before arrives for himself")
}

func TestLateAndSilent(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, func(d *domain.Draft) {
		promise := w.clock.Now().Add(5 * time.Minute)
		d.PromisedAt = &promise
	})
	w.move(t, o.ID, domain.StatusPickedUp)
	w.drive(t, c.ID, shopAt)
	require.NoError(t, w.Tracking.pipeline.watchOnce(w.ctx))
	require.NotContains(t, w.types(t, o.ID), domain.EventOrderLate)
	w.clock.add(6 * time.Minute)
	for range 2 {
		require.NoError(t, w.Tracking.pipeline.watchOnce(w.ctx))
	}
	w.clock.add(5 * time.Minute)
	for range 2 {
		require.NoError(t, w.Tracking.pipeline.watchOnce(w.ctx))
	}
	require.Equal(t, []domain.EventType{
		domain.EventCreated, domain.EventStatusChanged, domain.EventStatusChanged, domain.EventOrderLate, domain.EventCourierSilent,
	}, w.types(t, o.ID), "each told once")
}

// Each silence is noted once; a heartbeat ends one too.
func TestSilentAgain(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	w.move(t, o.ID, domain.StatusPickedUp)
	w.drive(t, c.ID, shopAt)
	silences := func() (n int) {
		for range 2 {
			require.NoError(t, w.Tracking.pipeline.watchOnce(w.ctx))
		}
		for _, e := range w.types(t, o.ID) {
			if e == domain.EventCourierSilent {
				n++
			}
		}
		return n
	}
	w.clock.add(11 * time.Minute)
	require.Equal(t, 1, silences())
	w.drive(t, c.ID, north(shopAt, 10))
	w.clock.add(9 * time.Minute)
	require.Equal(t, 1, silences())
	token, err := w.Couriers.Onboard(w.ctx, c.ID)
	require.NoError(t, err)
	_, err = w.Tracking.Ingest(w.ctx, token.Token, PhoneReport{Battery: new(12.0)})
	require.NoError(t, err)
	w.clock.add(9 * time.Minute)
	require.Equal(t, 1, silences(), "heard of by a heartbeat")
	got, err := w.Couriers.Get(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, domain.ContactHeartbeat, got.LastContact.Kind)
	require.Equal(t, 12.0, *got.LastContact.Battery)
	w.clock.add(2 * time.Minute)
	require.Equal(t, 2, silences())
}

// After a failed attempt the courier comes again: near and at_dropoff are noted again,
// once it has been away.
func TestComesAgainAfterAFailedAttempt(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	w.move(t, o.ID, domain.StatusPickedUp)
	visit := func() {
		w.clock.add(5 * time.Minute)
		w.drive(t, c.ID, north(doorAt, -2000))
		for range 4 {
			w.clock.add(20 * time.Second)
			w.drive(t, c.ID, north(doorAt, 5))
		}
	}
	visit()
	require.Equal(t, domain.StatusAtDropoff, w.status(t, o.ID))
	w.move(t, o.ID, domain.StatusDeliveryFailed)
	for range 4 {
		w.clock.add(20 * time.Second)
		w.drive(t, c.ID, north(doorAt, 5))
	}
	require.Equal(t, domain.StatusDeliveryFailed, w.status(t, o.ID), "he is still there, he has not come again")
	w.move(t, o.ID, domain.StatusOutForDelivery)
	visit()
	require.Equal(t, domain.StatusAtDropoff, w.status(t, o.ID))
	near := 0
	for _, e := range w.types(t, o.ID) {
		if e == domain.EventCourierNear {
			near++
		}
	}
	require.Equal(t, 2, near)
}

// Positions recorded before the goods were handed over are ignored for the order.
func TestStoredPositionsFromBeforeCustody(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	var stored []domain.Position
	for i := range 10 {
		stored = append(stored, domain.Position{Lat: doorAt.Lat, Lon: doorAt.Lon, RecordedAt: w.clock.Now().Add(time.Duration(i) * time.Minute)})
	}
	w.clock.add(10 * time.Minute)
	w.move(t, o.ID, domain.StatusPickedUp)
	w.clock.add(time.Second)
	_, err := w.Tracking.Report(w.ctx, c.ID, stored, false)
	require.NoError(t, err)
	require.Empty(t, w.Tracking.pipeline.arrival.queue)
	require.Equal(t, domain.StatusPickedUp, w.status(t, o.ID))
}

// A clock that is ahead is reported and does not freeze the courier.
func TestClockAhead(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	report := func(ahead time.Duration, metres float64) {
		p := north(shopAt, metres)
		_, err := w.Tracking.Report(w.ctx, c.ID, []domain.Position{
			{Lat: shopAt.Lat, Lon: shopAt.Lon, RecordedAt: w.clock.Now().Add(ahead - 5*time.Second)},
			{Lat: p.Lat, Lon: p.Lon, RecordedAt: w.clock.Now().Add(ahead)},
		}, false)
		require.NoError(t, err)
	}
	report(4*time.Minute, 50)
	got, err := w.Tracking.Position(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, north(shopAt, 50), got.Point())
	require.Equal(t, w.clock.Now(), got.RecordedAt)
	courier, err := w.Couriers.Get(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, 240.0, courier.LastContact.ClockOffS)
	w.clock.add(10 * time.Second)
	report(0, 90) // the clock was corrected
	got, err = w.Tracking.Position(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, north(shopAt, 90), got.Point(), "it is not from before the one of the fast clock")
}

func TestWhatAPhoneCallsMockedMovesNoFence(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	token, err := w.Couriers.Onboard(w.ctx, c.ID)
	require.NoError(t, err)
	for range 6 {
		w.clock.add(20 * time.Second)
		p := domain.Position{Lat: shopAt.Lat, Lon: shopAt.Lon, RecordedAt: w.clock.Now()}
		p.Attributes.Add("mock", true)
		_, err := w.Tracking.Ingest(w.ctx, token.Token, PhoneReport{Positions: []domain.Position{p}})
		require.NoError(t, err)
	}
	require.Empty(t, w.Tracking.pipeline.arrival.queue)
	require.Equal(t, domain.StatusAssigned, w.status(t, o.ID))
	got, err := w.Couriers.Get(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, true, got.Position.Attributes["mock"], "dispatchers see it")
}

// A whole day of positions sent after an outage is stored; a repeat is dropped.
func TestAnOfflineDayAndTheSameAgain(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	day := func() (out []domain.Position) {
		for i := range 8640 {
			p := north(shopAt, float64(i))
			out = append(out, domain.Position{Lat: p.Lat, Lon: p.Lon, RecordedAt: time.Date(2026, 5, 3, 12, 0, 10*i, 0, time.UTC)})
		}
		return out
	}
	got, err := w.Tracking.Report(w.ctx, c.ID, day(), false)
	require.NoError(t, err)
	require.Equal(t, Received{Accepted: 8640}, got)
	got, err = w.Tracking.Report(w.ctx, c.ID, day(), false)
	require.NoError(t, err)
	require.Equal(t, Received{Dropped: 8640}, got, "those still on their way to the database")
	require.NoError(t, w.Tracking.pipeline.history.flush(w.ctx))
	got, err = w.Tracking.Report(w.ctx, c.ID, day(), false)
	require.NoError(t, err)
	require.Equal(t, Received{Dropped: 8640}, got)
}

// Data read before a change of this replica does not overwrite it.
func TestRereadingDoesNotUndoWhatWasChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.Tracking.Alone = false
	c := w.courier(t)
	w.drive(t, c.ID, shopAt)
	pl := w.Tracking.pipeline
	tracked := pl.couriers[c.ID]
	w.clock.add(time.Second)
	w.drive(t, c.ID, north(shopAt, 10))
	require.Contains(t, pl.old, c.ID, "it is to be read again")

	o := w.order(t, c.ID, nil) // another replica's assignment looks the same to the store
	tracked.changed.Store(false)
	pl.rereadSome(w.ctx, []string{c.ID}, couriersKnown{c.ID: tracked})
	require.Len(t, tracked.orders, 1, "seen without its next position")

	store := pl.Store
	pl.Store = meanwhile{store, func() { tracked.changed.Store(true) }}
	_, err := w.Orders.Cancel(w.ctx, o.ID, "", 0)
	require.NoError(t, err)
	tracked.changed.Store(false)
	pl.rereadSome(w.ctx, []string{c.ID}, couriersKnown{c.ID: tracked})
	require.Len(t, tracked.orders, 1, "the answer is not believed")
	w.clock.add(time.Second)
	w.drive(t, c.ID, north(shopAt, 20))
	require.Empty(t, tracked.orders, "it was read again")
}

type couriersKnown = map[string]*tracked

// meanwhile is a store that runs a function during a read.
type meanwhile struct {
	domain.Store
	happens func()
}

func (m meanwhile) CouriersByID(ctx context.Context, ids []string) (map[string]*domain.Courier, error) {
	defer m.happens()
	return m.Store.CouriersByID(ctx, ids)
}

func TestHistoryIsKeptInBatches(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	now := w.clock.Now()
	var batch []domain.Position
	for i := range 10 {
		batch = append(batch, domain.Position{Lat: 55.75, Lon: 37.6, RecordedAt: now.Add(time.Duration(i-60) * time.Second)})
	}
	got, err := w.Tracking.Report(w.ctx, c.ID, append(batch, batch[3]), false)
	require.NoError(t, err)
	require.Equal(t, Received{Accepted: 10, Dropped: 1}, got)
	require.NoError(t, w.Tracking.pipeline.history.flush(w.ctx))
	trail, err := w.store.Trail(w.ctx, c.ID, now.Add(-time.Hour), now, 100)
	require.NoError(t, err)
	require.Len(t, trail, 10)

	// Another process reports the same again: the store knows them.
	other := newPipeline(&w.Tracking.Deps)
	_, err = other.report(w.ctx, c.ID, batch[:5], nil, now)
	require.NoError(t, err)
	require.NoError(t, other.history.flush(w.ctx))
	for _, counts := range []*Counts{&w.Tracking.pipeline.counts, &other.counts} {
		dropped := int64(0)
		for _, r := range domain.DropReasons() {
			dropped += counts.Dropped(r)
		}
		require.Equal(t, counts.Received.Load(), counts.Stored.Load()+dropped, "the counters add up")
	}
	require.EqualValues(t, 5, other.counts.Dropped(domain.DropDuplicate))
}

func TestOffDuty(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	require.Equal(t, Received{Accepted: 1}, w.drive(t, c.ID, shopAt))
	off := false
	_, err := w.Couriers.Edit(w.ctx, c.ID, domain.CourierEdit{OnDuty: &off}, 0)
	require.NoError(t, err)
	w.clock.add(time.Minute)
	require.Equal(t, Received{Dropped: 1}, w.drive(t, c.ID, doorAt), "where somebody is off duty is nobody's business")
	require.EqualValues(t, 1, w.Tracking.Counts().Dropped(domain.DropOffDuty))
	p, err := w.Tracking.Position(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, shopAt, p.Point())
}

func TestPositionsAreRefusedWhenTooManyWait(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	w.Tracking.pipeline.history.waiting = make([]domain.Fix, historyLimit)
	_, err := w.Tracking.Report(w.ctx, c.ID, []domain.Position{{Lat: 1, Lon: 1}}, true)
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err), "so that the sender keeps it")
}

func TestPositionsArePublished(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	w.move(t, o.ID, domain.StatusPickedUp)
	w.drive(t, c.ID, shopAt)
	w.Tracking.pipeline.feed.flush(w.ctx)
	require.Len(t, w.bus.got, 1)
	m := w.bus.got[0]
	require.Equal(t, domain.TopicCourierLocation, m.Topic)
	require.Equal(t, c.ID, m.Key)
	require.Contains(t, string(m.Value), `"order_ids":["`+o.ID+`"]`)
	require.Contains(t, m.Headers, domain.Header{Key: "ce_type", Value: "ordertracking.courier.location"})

	for range 3 {
		w.clock.add(time.Minute)
		w.drive(t, c.ID, north(shopAt, 50))
	}
	w.Tracking.pipeline.feed.flush(w.ctx)
	require.Len(t, w.bus.got, 2, "the newest of each courier")
	require.Contains(t, string(w.bus.got[1].Value), w.clock.Now().Format(time.RFC3339))

	w.bus.err = errors.New("away")
	w.clock.add(time.Minute)
	w.drive(t, c.ID, north(shopAt, 100))
	w.Tracking.pipeline.feed.flush(w.ctx)
	require.EqualValues(t, 1, w.Tracking.Counts().Unpublished.Load(), "telemetry that nobody took is counted, not kept")
}
