package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	neturl "net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Two replicas that collide in every way keep all invariants and never deadlock.
func TestReplicasCollide(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	core, logs := observer.New(zap.InfoLevel)
	stores := []*Store{
		openPostgres(t, url, Options{Log: zap.New(core)}), openPostgres(t, url, Options{Log: zap.New(core)}),
	}
	var couriers []string
	for range 5 {
		name, capacity := "Courier", 6
		c, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &capacity}, "RU", time.Now())
		require.NoError(t, err)
		require.NoError(t, stores[0].CreateCourier(t.Context(), c, nil))
		couriers = append(couriers, c.ID)
	}
	var orders []string
	for i := range 40 {
		o, err := stores[0].CreateOrder(t.Context(), newChange(i))
		require.NoError(t, err)
		orders = append(orders, o.ID)
	}
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for range 40 {
				collide(t, stores[w%2], r, orders, couriers)
			}
		})
	}
	wg.Wait()
	require.Empty(t, logs.All(), "a group or a commit failed")

	loads := map[string]int{}
	for _, id := range orders {
		o, err := stores[0].Order(t.Context(), id)
		require.NoError(t, err)
		loads[o.CourierID]++
		events, err := stores[1].Events(t.Context(), id, 0)
		require.NoError(t, err)
		for i, e := range events {
			require.Equal(t, int64(i+1), e.Seq)
			require.Equal(t, int64(i+1), e.Version)
		}
		require.Equal(t, o.Version, int64(len(events)))
	}
	for _, id := range couriers {
		c, err := stores[0].Courier(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, loads[id], c.ActiveOrders)
		require.LessOrEqual(t, c.ActiveOrders, c.Capacity)
	}
	last := map[string]int64{}
	entries, err := stores[1].Pending(t.Context(), 1_000_000)
	require.NoError(t, err)
	for _, e := range entries {
		require.Equal(t, last[e.Event.OrderID]+1, e.Event.Version)
		last[e.Event.OrderID] = e.Event.Version
	}
}

// collide performs one operation that others perform concurrently.
func collide(t *testing.T, s *Store, r *rand.Rand, orders, couriers []string) {
	order, courier := orders[r.IntN(len(orders))], couriers[r.IntN(len(couriers))]
	var err error
	switch r.IntN(4) {
	case 0:
		ch := newChange(0)
		ch.Order.ExternalID = fmt.Sprint("same ", r.IntN(300))
		ch.Idempotency = &domain.Idempotency{Scope: "s", Key: fmt.Sprint(r.IntN(300)), Hash: "h", CreatedAt: time.Now()}
		_, err = s.CreateOrder(t.Context(), ch)
	case 1:
		_, err = s.UpdateOrder(t.Context(), order, func(ch *domain.Change) error {
			ch.InboundID = fmt.Sprint("report ", r.IntN(1000))
			return editNotes(fmt.Sprint(r.Uint64()))(ch)
		})
	case 2:
		_, err = s.UpdateOrder(t.Context(), order, assigning(order, courier).fn)
	default:
		_, err = s.UpdateOrder(t.Context(), order, func(ch *domain.Change) error {
			events, err := ch.Order.Move(domain.StatusConfirmed, nil, domain.By{Now: time.Now()})
			ch.Add(events...)
			return err
		})
	}
	switch domain.CodeOf(err) {
	case "", domain.CodeDuplicateExternalID, domain.CodeOf(domain.ErrRecorded), domain.CodeCourierBusy:
	default:
		t.Error(err)
	}
}

// If the server closes connections under load, callers at most get an error: acknowledged
// changes are stored once, rejected ones are not, and work continues.
func TestServerClosesConnections(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	app := "victim_" + domain.NewID()
	s := openPostgres(t, url+"&application_name="+neturl.QueryEscape(app), Options{})
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = admin.Close(context.Background()) }()

	type answer struct {
		ch  *domain.Change
		err error
	}
	stop := make(chan struct{})
	answers := make([][]answer, 16)
	var wg sync.WaitGroup
	for w := range answers {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				ch := newChange(i)
				_, err := s.CreateOrder(t.Context(), ch)
				answers[w] = append(answers[w], answer{ch, err})
				if err == nil {
					_, err = s.UpdateOrder(t.Context(), ch.Order.ID, editNotes("changed"))
					require.Contains(t, []domain.Code{"", domain.CodeUnavailable}, domain.CodeOf(err))
				}
			}
		})
	}
	killed := 0
	for range 30 {
		var n int
		require.NoError(t, admin.QueryRow(t.Context(),
			`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1`, app).Scan(&n))
		killed += n
		require.NoError(t, admin.QueryRow(t.Context(), `SELECT 1 FROM pg_sleep(0.05)`).Scan(&n))
	}
	close(stop)
	wg.Wait()
	require.Greater(t, killed, 30)
	good, bad := 0, 0
	for _, list := range answers {
		for _, a := range list {
			if a.err != nil {
				require.Equal(t, domain.CodeUnavailable, domain.CodeOf(a.err))
				bad++
				continue
			}
			good++
			o, err := s.Order(t.Context(), a.ch.Order.ID)
			require.NoError(t, err, "an answered order is gone")
			events, err := s.Events(t.Context(), o.ID, 0)
			require.NoError(t, err)
			require.Equal(t, o.Version, int64(len(events)))
			require.LessOrEqual(t, o.Version, int64(2), "a change ran twice")
		}
	}
	t.Logf("%d connections killed, %d creates answered, %d failed", killed, good, bad)
	require.Positive(t, good, "it works in between")
}

// A replica's commit wakes the relay of another.
func TestCommitsWakeOtherReplicas(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	writer, reader := openPostgres(t, url, Options{}), openPostgres(t, url, Options{})
	require.Eventually(t, func() bool { // until it listens
		_, err := writer.CreateOrder(t.Context(), newChange(1))
		require.NoError(t, err)
		select {
		case <-reader.Committed():
			return true
		default:
			return false
		}
	}, 10*time.Second, 20*time.Millisecond)
}

// Positions are partitioned by day, and old days are dropped as a whole.
func TestPositionsByDay(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	stores := []*Store{openPostgres(t, url, Options{}), openPostgres(t, url, Options{})}
	midnight := time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)
	courier := domain.NewID()
	at := func(offsets ...time.Duration) (fixes []domain.Fix) {
		for _, d := range offsets {
			fixes = append(fixes, domain.Fix{CourierID: courier, Position: domain.Position{RecordedAt: midnight.Add(d), ReceivedAt: midnight}})
		}
		return fixes
	}
	partitions := func() (n int) {
		require.NoError(t, stores[0].read.QueryRow(
			`SELECT count(*) FROM pg_inherits WHERE inhparent = 'courier_positions'::regclass`).Scan(&n))
		return n
	}
	added, err := stores[0].AppendFixes(t.Context(), at(-time.Microsecond, 0, time.Hour, 24*time.Hour), nil)
	require.NoError(t, err)
	require.Equal(t, 4, added)
	require.Equal(t, 3, partitions())

	zero := time.Unix(0, 0)
	require.NoError(t, stores[1].Purge(t.Context(), zero, zero, midnight.Add(30*time.Minute), zero))
	require.Equal(t, 2, partitions())
	trail, err := stores[0].Trail(t.Context(), courier, midnight.Add(-time.Hour), midnight.Add(48*time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, trail, 2)

	added, err = stores[0].AppendFixes(t.Context(), at(-time.Microsecond), nil) // the other store dropped its day
	require.NoError(t, err)
	require.Equal(t, 1, added)
	require.Equal(t, 3, partitions())
	require.Equal(t, int64(-86400_000_000), dayOf(-1), "days before 1970 begin at midnight too")
}
