//go:build unix

package shipping

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// benchClock is a manual clock.
type benchClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *benchClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *benchClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// pollsPerSecond of 10,000 parcels at the usual pace: seven in ten on the way, two near
// their delivery or waiting to be fetched, one in twenty out for delivery, one in twenty
// delivered.
func pollsPerSecond() float64 {
	p := domain.UsualPace
	return 7000/p.Transit.Seconds() + 2000/p.Near.Seconds() + 500/p.Delivering.Seconds() + 500/p.Ended.Seconds()
}

// BenchmarkPolls polls parcels on their way without news, as nearly all polls are, over
// SQLite and CDEK's emulator on a real socket, both of whose ends count. cpu-%/10k is the
// share of one core that following 10,000 parcels takes.
func BenchmarkPolls(b *testing.B) {
	const parcels = 160
	clock := &benchClock{now: time.Now()} // never behind the deadlines of calls
	ctx, end := context.WithCancel(domain.WithActor(b.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "bench"}))
	emulator := sandbox.New(sandbox.Options{Now: clock.Now})
	base, done, err := emulator.Listen(ctx)
	require.NoError(b, err)
	defer func() { end(); <-done }()
	store, err := database.OpenSQLite(ctx, filepath.Join(b.TempDir(), "bench.db"), database.Options{})
	require.NoError(b, err)
	defer func() { _ = store.Close() }()
	car := cdek.New(cdek.Config{BaseURL: base, Account: "a", Secret: "b", Limits: carrier.Limits{PerSecond: 100_000}})
	keys := idempotency.NewKeys(store, clock)
	verbs := orders.New(orders.Deps{
		Store: store, Live: cache.NewMemory(cache.MemoryOptions{}), Clock: clock, Log: zap.NewNop(), Keys: keys, Estimate: eta.Config{Default: time.Hour},
	})
	sv := New(Deps{Store: store, Clock: clock, Log: zap.NewNop(), Keys: keys, Orders: verbs, Carriers: Carriers{
		ByAccount: map[domain.CarrierAccount]domain.Carrier{car.Account(): car},
	}})
	for i := range parcels {
		_, err := car.CreateShipment(ctx, domain.ShipmentRequest{
			ClientRef: "B-" + strconv.Itoa(i), Tariff: "139", Recipient: domain.Customer{Name: "Anna"}, Items: []domain.Item{{Name: "Чай", Quantity: 1}},
			From: domain.Stop{City: "44", Place: domain.Place{Address: "ул. Складская, 1"}}, To: domain.Stop{City: "270", Place: domain.Place{Address: "ул. Ленина, 1"}},
		})
		require.NoError(b, err)
	}
	clock.pass(time.Minute)
	for _, p := range emulator.Booked() {
		for _, code := range []string{"RECEIVED_AT_SHIPMENT_WAREHOUSE", "TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY", "SENT_TO_RECIPIENT_CITY"} {
			require.True(b, emulator.Report(p.UUID, code, "", "Москва"))
			clock.pass(time.Second)
		}
		o, err := verbs.Create(ctx, domain.Draft{Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Main St 1"}})
		require.NoError(b, err)
		_, err = sv.Book(ctx, o.ID, ShipmentDraft{TrackingNumber: p.CdekNumber})
		require.NoError(b, err)
	}
	w := &worker{Service: sv, car: car, account: car.Account()}
	polls := func() int { return emulator.Calls("GET /v2/orders") + emulator.Calls("GET /v2/orders/{id}") }
	for round := 0; polls() < parcels; round++ { // the first polls learn everything
		require.Less(b, round, 100, "%d polls", polls())
		clock.pass(time.Minute)
		w.round(ctx)
	}
	before, used := polls(), processTime()
	b.ResetTimer()
	for n := 0; n < b.N; n = polls() - before {
		require.False(b, n == 0 && b.Elapsed() > time.Minute, "nothing is polled")
		clock.pass(3 * time.Hour) // all are due
		for range parcels / atOnce {
			w.round(ctx)
		}
	}
	b.StopTimer()
	each := (processTime() - used).Seconds() / float64(polls()-before)
	b.ReportMetric(each*1e6, "cpu-us/poll")
	b.ReportMetric(100*each*pollsPerSecond(), "cpu-%/10k")
}

// processTime is the CPU time that the process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(syscall.TimevalToNsec(u.Utime) + syscall.TimevalToNsec(u.Stime))
}
