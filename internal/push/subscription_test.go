package push

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
)

func TestTooSlow(t *testing.T) {
	w := newWorld(t, Config{Queue: 5})
	o := w.create()
	slow, quick := w.watch(OrderTopic(o.ID)), w.watch(OrderTopic(o.ID))
	require.Equal(t, []string{"snapshot 1"}, drained(t, slow))
	for range 5 {
		w.announced(o.ID, edit)
		drained(t, quick)
	}
	require.Equal(t, []string{"status 2", "status 3", "status 4", "status 5", "status 6"}, drained(t, slow), "as many as fit")
	for range 6 {
		w.announced(o.ID, edit)
		drained(t, quick)
	}
	require.Equal(t, []string{ErrTooSlow.Error()}, drained(t, slow))
	require.Len(t, w.hub.orders.get(o.ID).members, 1, "it is out of the room")
	w.announced(o.ID, edit)
	require.Equal(t, []string{"status 13"}, drained(t, quick), "others do not notice")
	back := drained(t, w.watch(OrderTopic(o.ID), 6))
	require.Equal(t, []string{"snapshot 13", "status 7", "status 8"}, back[:3])
	require.Len(t, back, 8)
}

func TestTooSlowWhileTheSnapshotIsRead(t *testing.T) {
	w := newWorld(t, Config{Queue: 5})
	id, _ := w.carried()
	once := false
	w.db.before = func(method string) {
		if method == "Courier" && !once {
			once = true
			for range 20 {
				w.announced(id, edit)
			}
		}
	}
	s := w.hub.Open(nil)
	defer s.Close()
	_ = s.Add(t.Context(), OrderTopic(id), nil)
	_, err := s.Drain(nil)
	require.Equal(t, ErrTooSlow, err)
}

func TestServeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		o := w.create()
		s := w.watch(OrderTopic(o.ID))
		var got []string
		done := make(chan error, 1)
		read := func(frames []Frame) error {
			for _, f := range frames {
				got = append(got, name(t, f))
			}
			return nil
		}
		var pings int
		ping := func() error { pings++; return nil }
		go func() { done <- s.Serve(context.Background(), time.Minute, read, ping) }()
		synctest.Wait()
		require.Equal(t, []string{"snapshot 1"}, got)
		for range 3 {
			w.announced(o.ID, edit)
		}
		synctest.Wait()
		w.announced(o.ID, moveTo(t, domain.StatusCancelled))
		require.Equal(t, ErrFinished, <-done)
		require.Equal(t, []string{"snapshot 1", "status 2", "status 3", "status 4", "status 5", "end"}, got)

		s = w.hub.Open(nil)
		pings = 0
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, s.Serve(ctx, time.Minute, read, ping))
		require.Equal(t, 2, pings, "one a minute")
		go func() { done <- s.Serve(context.Background(), time.Minute, read, ping) }()
		synctest.Wait()
		s.Close()
		require.Equal(t, ErrClosed, <-done)
	})
}

func TestWakeAtTheEdge(t *testing.T) {
	w := newWorld(t, Config{Queue: 3})
	o := w.create()
	woken := 0
	var s *Subscription
	s = w.hub.Open(func() { woken++ })
	defer s.Close()
	require.NoError(t, s.Add(t.Context(), OrderTopic(o.ID), nil))
	require.Equal(t, 1, woken)
	w.announced(o.ID, edit)
	require.Equal(t, 1, woken, "it has not read yet")
	drained(t, s)
	require.Equal(t, 1, woken)
	w.announced(o.ID, edit)
	require.Equal(t, 2, woken)
	_, err := s.Drain(nil)
	require.NoError(t, err)
	for range 4 { // one too many
		w.announced(o.ID, edit)
	}
	require.Equal(t, 4, woken, "for the first and for the end")
	require.Equal(t, []string{ErrTooSlow.Error()}, drained(t, s))

	s = w.hub.Open(func() { woken++ })
	s.End(ErrRevoked)
	s.End(ErrGoingAway)
	require.Equal(t, 5, woken)
	require.Equal(t, []string{ErrRevoked.Error()}, drained(t, s), "the first reason stays")
	s.Close()
}

// Frames queued before the end are still read.
func TestEndKeepsWhatIsQueued(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.watch(OrderTopic(w.create().ID))
	s.End(ErrRevoked)
	require.Equal(t, []string{"snapshot 1", ErrRevoked.Error()}, drained(t, s))
	require.Empty(t, w.hub.orders.all())
}

// Wake may use the subscription, even end it, and never runs concurrently with itself.
func TestWakeMayReadAndClose(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	var running, frames atomic.Int32
	var s *Subscription
	ready := make(chan struct{})
	s = w.hub.Open(func() {
		<-ready
		if running.Add(1) > 1 {
			t.Error("two at a time")
		}
		got, _ := s.Drain(nil)
		if frames.Add(int32(len(got))) > 500 {
			s.Close()
		}
		running.Add(-1)
	})
	close(ready)
	require.NoError(t, s.Add(t.Context(), OrderTopic(o.ID), nil))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				w.hub.Estimated(domain.Estimate{OrderID: o.ID})
			}
		})
	}
	for range 600 {
		w.announced(o.ID, edit)
	}
	wg.Wait()
	require.Greater(t, frames.Load(), int32(500))
	require.Empty(t, w.hub.orders.all())
	require.Zero(t, w.hub.Watchers())
}

func TestClose(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	s := w.watch(OrderTopic(o.ID))
	require.Equal(t, 1, w.hub.Watchers())
	w.hub.Close()
	require.Equal(t, []string{"snapshot 1", ErrGoingAway.Error()}, drained(t, s))
	later := w.hub.Open(nil)
	require.Equal(t, []string{ErrGoingAway.Error()}, drained(t, later))
	require.Equal(t, ErrGoingAway, later.Add(t.Context(), OrderTopic(o.ID), nil))
	later.Close()
	s.Close()
	w.change(o.ID, edit)
	w.announced(o.ID, edit)
	w.hub.check(t.Context())
	require.Empty(t, w.hub.orders.all())
	require.Zero(t, w.hub.Watchers())
	w.hub.Close()
}

func TestShutdownTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		var gone atomic.Int32
		for range 100 {
			w.hub.Open(func() { gone.Add(1) })
		}
		done := make(chan struct{})
		start := time.Now()
		go func() {
			w.hub.Shutdown(t.Context(), 10*time.Second)
			close(done)
		}()
		time.Sleep(5 * time.Second)
		require.InDelta(t, 50, gone.Load(), 5)
		<-done
		require.Equal(t, int32(100), gone.Load())
		require.InDelta(t, 10, time.Since(start).Seconds(), 1)
	})
}

func TestOneEncodingForAll(t *testing.T) {
	w := newWorld(t, Config{})
	id, c := w.carried()
	a, b, all := w.watch(OrderTopic(id)), w.watch(OrderTopic(id)), w.watch(FleetTopic())
	drained(t, a)
	drained(t, b)
	drained(t, all)
	w.announced(id, edit)
	w.moved(fixOf(c, time.Now(), 1), id)
	fa, _ := a.Drain(nil)
	fb, _ := b.Drain(nil)
	fleet, _ := all.Drain(nil)
	require.Len(t, fa, 2)
	for i := range fa {
		require.Same(t, &fa[i].JSON[0], &fb[i].JSON[0])
	}
	require.Same(t, &fa[0].JSON[0], &fleet[0].JSON[0])
}

// An idle reader of its own order costs little besides its socket.
func TestIdleSubscriptionIsSmall(t *testing.T) {
	const n = 5000
	w := newWorld(t, Config{})
	ids := make([]string, n)
	for i := range ids {
		ids[i] = w.create().ID
	}
	subs := make([]*Subscription, n)
	buf := make([]Frame, 0, 4)
	var before, after runtime.MemStats
	goroutines := runtime.NumGoroutine()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range subs {
		subs[i] = w.hub.Open(func() {})
		require.NoError(t, subs[i].Add(t.Context(), OrderTopic(ids[i]), nil))
		_, _ = subs[i].Drain(buf[:0])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes for each", each)
	require.Less(t, each, 1200.0)
	require.Equal(t, goroutines, runtime.NumGoroutine())
	for _, s := range subs {
		s.Close()
	}
	require.Empty(t, w.hub.orders.all())
}

// Changes from many goroutines, concurrent or lost announcements, readers that come and
// go, over the real store: a reader that stays gets every version once, in order.
func TestStress(t *testing.T) {
	db, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "push.db"), database.Options{Log: zap.NewNop()})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	live := cache.NewMemory(cache.MemoryOptions{})
	hub := New(Config{Queue: 10_000}, db, live, wall{}, zap.NewNop())
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { _ = hub.Run(ctx) })
	defer background.Wait()
	defer cancel()
	defer hub.Close()

	const orders, changers, changes, readers = 3, 4, 60, 8
	ids := make([]string, orders)
	for i := range ids {
		o, ev := domain.NewOrder(domain.Draft{
			Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Lenina 1"},
		}, by())
		o, err := db.CreateOrder(ctx, &domain.Change{Order: o, Events: []domain.Event{ev}})
		require.NoError(t, err)
		ids[i] = o.ID
	}
	var wg sync.WaitGroup
	for c := range changers {
		wg.Go(func() {
			for i := range changes {
				var events []domain.Event
				o, err := db.UpdateOrder(ctx, ids[i%orders], func(ch *domain.Change) error {
					notes := fmt.Sprint(c, i)
					var err error
					events, err = ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", by())
					ch.Add(events...)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				_ = live.CacheOrder(ctx, o)
				if i%7 != 0 {
					hub.OrderChanged(domain.Announce(o, events))
				}
			}
		})
	}
	const last = 1 + changers*changes/orders
	for r := range readers {
		wg.Go(func() {
			id, seen := ids[r%orders], int64(0)
			for round := 0; seen < last; round++ {
				if err := follow(ctx, hub, id, &seen, last, round < 5); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// follow reads an order's statuses after seen until last; when hasty, it leaves early.
func follow(ctx context.Context, hub *Hub, id string, seen *int64, last int64, hasty bool) error {
	s := hub.Open(nil)
	defer s.Close()
	if err := s.Add(ctx, OrderTopic(id), seen); err != nil {
		return err
	}
	n, left := 0, errors.New("read enough")
	err := s.Serve(ctx, time.Hour, func(frames []Frame) error {
		for _, f := range frames {
			if (n == 0) != (f.Type == TypeSnapshot) {
				return fmt.Errorf("frame %d is a %s", n, f.Type)
			}
			if f.Type == TypeStatus {
				if f.Version != *seen+1 {
					return fmt.Errorf("version %d after %d", f.Version, *seen)
				}
				*seen = f.Version
			}
			if n++; *seen >= last || hasty && n >= 10 {
				return left
			}
		}
		return nil
	}, func() error { return nil })
	if errors.Is(err, left) {
		return nil
	}
	return err
}
