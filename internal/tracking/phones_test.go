package tracking_test

import (
	"context"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// handClock is a clock advanced by the test.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fleet is the services over a real store, at a time of the test's choosing.
type fleet struct {
	*replica
	store domain.Store
	clock *handClock
	ctx   context.Context
	t     *testing.T
}

func newFleet(t *testing.T, change func(*tracking.Deps)) *fleet {
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "orders.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f := &fleet{store: store, clock: &handClock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}, t: t}
	f.ctx = domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "test"})
	f.replica = f.open(change)
	return f
}

// replica is another process over the store, for these operations.
type replica struct {
	Orders   *orders.Service
	Couriers *tracking.Couriers
	Tracking *tracking.Service
}

func (f *fleet) open(change func(*tracking.Deps)) *replica {
	live, keys := cache.NewMemory(cache.MemoryOptions{}), idempotency.NewKeys(f.store, f.clock)
	d := tracking.Deps{
		Store: f.store, Live: live, Watchers: nobody{}, Clock: f.clock, Log: zap.NewNop(), Keys: keys,
		Orders: orders.New(orders.Deps{
			Store: f.store, Live: live, Clock: f.clock, Log: zap.NewNop(), Keys: keys, PhoneRegion: "RU",
		}),
		PhoneRegion: "RU", StaleAfter: time.Minute, KeepHistory: true, Plausible: domain.Plausibility{MaxSpeed: 100, MaxAccuracy: 1000},
		Arrival: tracking.Arrival{PickupRadius: 100, DropoffRadius: 75, Near: 500, SilentAfter: time.Hour},
	}
	if change != nil {
		change(&d)
	}
	s := tracking.New(d)
	return &replica{d.Orders, &tracking.Couriers{Service: s}, s}
}

// nobody watches.
type nobody struct{}

func (nobody) CourierMoved(domain.Fix, []domain.Carried) {}
func (nobody) Estimated(domain.Estimate)                 {}

func (f *fleet) courier(name string) *domain.Courier {
	f.t.Helper()
	c, err := f.Couriers.Create(f.ctx, domain.CourierEdit{Name: &name})
	require.NoError(f.t, err)
	return c
}

func (f *fleet) onboard(courierID string) *tracking.Onboarding {
	f.t.Helper()
	o, err := f.Couriers.Onboard(f.ctx, courierID)
	require.NoError(f.t, err)
	return o
}

func report(positions ...domain.Position) tracking.PhoneReport {
	return tracking.PhoneReport{Positions: positions}
}

func refused(t *testing.T, code domain.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, domain.CodeOf(err), "%v", err)
}

func TestIngestDropsWhatIsOfNoUse(t *testing.T) {
	f := newFleet(t, nil)
	c := f.courier("Ann")
	token := f.onboard(c.ID).Token
	minus, level, now := -1.0, 5700.0, f.clock.Now()
	got, err := f.Tracking.Ingest(f.ctx, token, tracking.PhoneReport{
		Positions: []domain.Position{
			{Lat: 55, Lon: 37, Speed: &minus, Battery: &level, Attributes: domain.Attributes{"a": "b"}},
			{Lat: 91, Lon: 37}, {Lat: math.NaN(), Lon: 37}, {Lat: 55, Lon: math.Inf(1)},
			{}, {Lat: 55, Lon: 37, RecordedAt: now.Add(-49 * time.Hour)}, {Lat: 55, Lon: 37, RecordedAt: now.Add(6 * time.Minute)},
			{Lat: 55, Lon: 37, RecordedAt: time.Unix(1<<40, 0)},
			{Lat: 55.0001, Lon: 37, RecordedAt: now.Add(-time.Minute)}, // out of order: history
			{Lat: 55.0001, Lon: 37, RecordedAt: now.Add(-time.Minute)}, // the same again
		},
		Unusable: map[domain.DropReason]int{domain.DropMalformed: 2, domain.DropPoorAccuracy: 1},
	})
	require.NoError(t, err)
	require.Equal(t, tracking.Received{Accepted: 2, Dropped: 11}, got)
	counts := f.Tracking.Counts()
	require.EqualValues(t, 13, counts.Received.Load())
	for reason, want := range map[domain.DropReason]int64{
		domain.DropOutOfRange: 3, domain.DropNullIsland: 1, domain.DropTooOld: 1, domain.DropFuture: 2,
		domain.DropDuplicate: 1, domain.DropMalformed: 2, domain.DropPoorAccuracy: 1,
	} {
		require.Equal(t, want, counts.Dropped(reason), reason)
	}
	at, err := f.Tracking.Position(f.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, domain.Position{Lat: 55, Lon: 37, RecordedAt: now, ReceivedAt: now, LedFrom: now, Attributes: domain.Attributes{"a": "b"}}, at.Position)

	_, err = f.Tracking.Ingest(f.ctx, token, tracking.PhoneReport{})
	require.NoError(t, err)
	require.EqualValues(t, 1, counts.SignsOfLife.Load())

	off := false
	_, err = f.Couriers.Edit(f.ctx, c.ID, domain.CourierEdit{OnDuty: &off}, 0)
	require.NoError(t, err)
	f.clock.pass(time.Minute)
	got, err = f.Tracking.Ingest(f.ctx, token, report(domain.Position{Lat: 55, Lon: 37}))
	require.NoError(t, err, "off duty is no reason to send it again")
	require.Equal(t, tracking.Received{Dropped: 1}, got)
	require.EqualValues(t, 1, counts.Dropped(domain.DropOffDuty))
}

// A revoked token is rejected at once where it was revoked, and within ten seconds
// elsewhere; the courier's other tokens stay valid.
func TestRevocation(t *testing.T) {
	f := newFleet(t, nil)
	other := f.open(nil)
	c := f.courier("Ann")
	first, second := f.onboard(c.ID), f.onboard(c.ID)
	try := func(u *replica, token string) error {
		_, err := u.Tracking.Ingest(f.ctx, token, tracking.PhoneReport{})
		return err
	}
	for _, token := range []string{first.Token, second.Token} {
		require.NoError(t, try(f.replica, token))
		require.NoError(t, try(other, token))
	}
	ids, err := f.Couriers.RevokePhones(f.ctx, c.ID, first.ID)
	require.NoError(t, err)
	require.Equal(t, []string{first.ID}, ids)
	refused(t, domain.CodeUnauthenticated, try(f.replica, first.Token))
	require.NoError(t, try(f.replica, second.Token))
	f.clock.pass(10 * time.Second)
	refused(t, domain.CodeUnauthenticated, try(other, first.Token))
	require.NoError(t, try(other, second.Token))
	for _, token := range []string{"", "nobody", first.ID, second.Token + " "} {
		refused(t, domain.CodeUnauthenticated, try(f.replica, token))
	}
	require.NoError(t, f.store.Close())
	require.NoError(t, try(other, second.Token), "believed for some seconds")
	f.clock.pass(10 * time.Second)
	refused(t, domain.CodeUnavailable, try(other, second.Token))
}

// carrying makes an order with a drop-off for the courier.
func (f *fleet) carrying(courierID string, to domain.Point) *domain.Order {
	f.t.Helper()
	o, err := f.Orders.Create(f.ctx, domain.Draft{Customer: domain.Customer{Name: "Ann"}, Dropoff: &domain.Place{Location: &to}})
	require.NoError(f.t, err)
	_, err = f.Orders.Assign(f.ctx, o.ID, orders.Assignment{CourierID: courierID}, 0)
	require.NoError(f.t, err)
	for _, status := range []domain.Status{domain.StatusPickedUp, domain.StatusOutForDelivery} {
		o, err = f.Orders.UpdateStatus(f.ctx, o.ID, orders.StatusChange{Status: status}, 0)
		require.NoError(f.t, err)
	}
	return o
}

// An arrival detected by the phone counts, if arrivals are automatic.
func TestPhonesNoticeArrivals(t *testing.T) {
	for _, automatic := range []bool{true, false} {
		f := newFleet(t, func(d *tracking.Deps) { d.Arrival.Automatic = automatic })
		ctx, stop := context.WithCancel(f.ctx)
		ended := make(chan struct{})
		go func() { defer close(ended); f.Tracking.Run(ctx) }()
		c := f.courier("Ann")
		token := f.onboard(c.ID).Token
		here, elsewhere := f.carrying(c.ID, domain.Point{Lat: 55, Lon: 37}), f.carrying(c.ID, domain.Point{Lat: 55.01, Lon: 37})
		f.clock.pass(time.Minute)
		accuracy := 40.0
		at := domain.Position{Lat: 55.0009, Lon: 37, Accuracy: &accuracy, RecordedAt: f.clock.Now().Add(-time.Second)} // 100 m
		arrive := func(p domain.Position) {
			_, err := f.Tracking.Ingest(f.ctx, token, tracking.PhoneReport{Arrivals: []domain.Position{p}})
			require.NoError(t, err)
		}
		old, far := at, at
		old.RecordedAt, far.Accuracy = f.clock.Now().Add(-50*time.Hour), nil
		arrive(old)
		arrive(far)
		arrive(domain.Position{Lat: 91})
		arrive(at)
		status := func(o *domain.Order) domain.Status {
			o, err := f.store.Order(f.ctx, o.ID)
			require.NoError(t, err)
			return o.Status
		}
		if automatic {
			require.Eventually(t, func() bool { return status(here) == domain.StatusAtDropoff }, 10*time.Second, 5*time.Millisecond)
			events, err := f.store.Events(f.ctx, here.ID, 0)
			require.NoError(t, err)
			last := events[len(events)-1]
			require.Equal(t, at.RecordedAt, last.OccurredAt)
			require.Equal(t, "fence", last.Source)
		}
		stop()
		<-ended
		if !automatic {
			require.Equal(t, domain.StatusOutForDelivery, status(here))
		}
		require.Equal(t, domain.StatusOutForDelivery, status(elsewhere))
	}
}

// Additional phone data is for dispatchers, not for customers.
func TestOrdersShowNoAttributes(t *testing.T) {
	f := newFleet(t, nil)
	c := f.courier("Ann")
	token := f.onboard(c.ID).Token
	o := f.carrying(c.ID, domain.Point{Lat: 55, Lon: 37})
	f.clock.pass(time.Minute)
	p := domain.Position{Lat: 55, Lon: 37, RecordedAt: f.clock.Now(), ReceivedAt: f.clock.Now(), Attributes: domain.Attributes{"ssid": "home"}}
	_, err := f.Tracking.Ingest(f.ctx, token, report(p))
	require.NoError(t, err)
	_, err = f.store.AppendFixes(f.ctx, []domain.Fix{{CourierID: c.ID, Position: p}}, nil)
	require.NoError(t, err)
	at, err := f.Tracking.Position(f.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, p.Attributes, at.Attributes)
	track, err := f.Tracking.Track(f.ctx, o.ID)
	require.NoError(t, err)
	require.NotNil(t, track.Position)
	require.Nil(t, track.Position.Attributes)
	require.Len(t, track.Trail, 1)
	require.Nil(t, track.Trail[0].Attributes)
	whole, err := f.Tracking.CourierTrack(f.ctx, c.ID, tracking.TrackRequest{})
	require.NoError(t, err)
	require.Equal(t, p.Attributes, whole.Trail[0].Attributes)
}
