package push

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
)

// ether connects the replicas of a test. Messages arrive at once, or not at all.
type ether struct {
	mu    sync.Mutex
	ends  []*etherEnd
	lose  func() bool
	count int
}

type etherEnd struct {
	ether   *ether
	mu      sync.Mutex
	watched map[string]int
	fn      func(string, []byte)
}

func (e *ether) end() *etherEnd {
	end := &etherEnd{ether: e, watched: map[string]int{}}
	e.ends = append(e.ends, end)
	return end
}

func (e *ether) sent() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

func (e *etherEnd) Publish(topic string, message []byte) {
	e.ether.mu.Lock()
	e.ether.count++
	lost := e.ether.lose != nil && e.ether.lose()
	e.ether.mu.Unlock()
	if lost {
		return
	}
	for _, other := range e.ether.ends {
		other.mu.Lock()
		fn := other.fn
		if other.watched[topic] == 0 {
			fn = nil
		}
		other.mu.Unlock()
		if fn != nil {
			fn(topic, message)
		}
	}
}

func (e *etherEnd) Watch(topic string) {
	e.mu.Lock()
	e.watched[topic]++
	e.mu.Unlock()
}

func (e *etherEnd) Unwatch(topic string) {
	e.mu.Lock()
	if e.watched[topic]--; e.watched[topic] == 0 {
		delete(e.watched, topic)
	}
	e.mu.Unlock()
}

func (e *etherEnd) Watched(_ context.Context, topic string) bool {
	return slices.ContainsFunc(e.ether.ends, func(end *etherEnd) bool {
		end.mu.Lock()
		defer end.mu.Unlock()
		return end.watched[topic] > 0
	})
}

func (e *etherEnd) Receive(ctx context.Context, fn func(string, []byte)) error {
	e.mu.Lock()
	e.fn = fn
	e.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// replicas are two hubs over one journal, each with its own live store.
func replicas(t testing.TB, e *ether) (here, there *world) {
	here = newWorld(t, Config{})
	here.hub.Close()
	there = &world{t: t, db: here.db, logs: here.logs}
	for _, w := range []*world{here, there} {
		w.live = cache.NewMemory(cache.MemoryOptions{})
		end := e.end()
		w.hub = New(Config{Wakeups: end}, w.db, w.live, wall{}, zap.NewNop())
		end.fn = w.hub.peers.receive
		t.Cleanup(w.hub.Close)
	}
	return here, there
}

// A note entry announced by another replica carries the order's state: a reader who
// subscribes right afterwards sees the courier move.
func TestPositionsAfterANoteFromElsewhere(t *testing.T) {
	here, there := replicas(t, &ether{})
	id, c := here.carried()
	there.watch(FleetTopic())
	here.announced(id, notice) // the fleet's watchers there have the order's room opened
	s := there.watch(OrderTopic(id))
	require.Equal(t, []string{"snapshot 3"}, drained(t, s))
	there.moved(fixOf(c, time.Now(), 56), id)
	require.Equal(t, []string{"position 56"}, drained(t, s))
}

func TestReplicasHearEachOther(t *testing.T) {
	e := &ether{}
	here, there := replicas(t, e)
	id, c := here.carried()
	require.False(t, here.hub.Watching(t.Context(), id))
	far := there.watch(OrderTopic(id))
	require.True(t, here.hub.Watching(t.Context(), id))
	require.True(t, there.hub.Watching(t.Context(), id))
	near := here.watch(OrderTopic(id))
	courier, fleet := there.watch(CourierTopic(c)), there.watch(FleetTopic())
	for _, s := range []*Subscription{near, far, courier, fleet} {
		drained(t, s)
	}
	here.announced(id, edit)
	here.announced(id, notice)
	here.moved(fixOf(c, time.Now(), 42), id)
	here.hub.Estimated(domain.Estimate{OrderID: id})
	want := []string{"status 4", "notification", "position 42", "eta"}
	require.Equal(t, want, drained(t, near))
	require.Equal(t, want, drained(t, far))
	require.Equal(t, []string{"position 42"}, drained(t, courier))
	require.Equal(t, []string{"status 4"}, drained(t, fleet))
	here.hub.turn()
	there.hub.turn()
	require.Equal(t, []string{"positions 42"}, drained(t, fleet))
	require.Zero(t, here.db.reads, "nobody had to read")

	require.Equal(t, map[string]int{
		OrderTopic(id).String(): 1, CourierTopic(c).String(): 1, "fleet": 1,
	}, e.ends[1].watched, "what is watched, and nothing else")
	there.announced(id, moveTo(t, domain.StatusDelivered))
	end := []string{"status 5", "end", ErrFinished.Error()}
	require.Equal(t, end, drained(t, near))
	require.Equal(t, end, drained(t, far))
	courier.Close()
	fleet.Close()
	require.Empty(t, e.ends[0].watched)
	require.Empty(t, e.ends[1].watched)
}

func TestReplicasFleetInManyMessages(t *testing.T) {
	e := &ether{}
	here, there := replicas(t, e)
	s := there.watch(FleetTopic())
	drained(t, s)
	for range maxMoves*2 + 1 {
		here.moved(fixOf(domain.NewID(), time.Now(), 1))
	}
	before := e.count
	here.hub.turn()
	require.Equal(t, 3, e.count-before)
	there.hub.turn()
	require.Len(t, there.hub.fleet.moves, maxMoves*2+1)
	here.hub.turn()
	require.Equal(t, 3, e.count-before, "nothing moved, nothing sent")
}

// A burst of changes is published at once first and then in batches.
func TestReplicasGatherWhatTheFleetHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{}
		here, there := replicas(t, e)
		first, second := here.create(), here.create()
		s := there.watch(FleetTopic())
		drained(t, s)
		here.announced(first.ID, edit)
		require.Equal(t, []string{"status 2"}, drained(t, s))
		sent := e.sent()
		for range 3 {
			here.announced(second.ID, edit)
			here.announced(first.ID, edit)
		}
		require.Equal(t, 6, e.sent()-sent, "to those who watch the orders")
		require.Empty(t, drained(t, s))
		time.Sleep(fleetPause)
		synctest.Wait()
		require.Equal(t, 7, e.sent()-sent)
		require.Equal(t, []string{"status 2", "status 3", "status 3", "status 4", "status 4", "status 5"}, drained(t, s))
		time.Sleep(fleetPause) // idle: the next change is published at once
		synctest.Wait()
		require.Equal(t, 7, e.sent()-sent)
		here.announced(first.ID, edit)
		require.Equal(t, []string{"status 6"}, drained(t, s))
		time.Sleep(2 * fleetPause)
		s.Close()
		here.hub.Close()
		there.hub.Close()
	})
}

// With every message lost, a status still arrives within a second.
func TestReplicasWithoutMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{lose: func() bool { return true }}
		here, there := replicas(t, e)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = there.hub.Run(ctx) })
		o := here.create()
		s := there.watch(OrderTopic(o.ID))
		drained(t, s)
		for v := range 5 {
			here.announced(o.ID, edit)
			time.Sleep(checkEvery)
			synctest.Wait()
			require.Equal(t, []string{"status " + trim(float64(v+2))}, drained(t, s))
		}
		cancel()
		wg.Wait()
		s.Close()
		here.hub.Close()
		there.hub.Close()
	})
}

func TestStrangeMessagesAreIgnored(t *testing.T) {
	here, _ := replicas(t, &ether{})
	o := here.create()
	s := here.watch(OrderTopic(o.ID))
	drained(t, s)
	other := domain.NewID()
	for _, m := range []string{"", "short", other, other + "{", other + "[]", other + `{"events":[{"seq":-5}]}`, other + `{"fixes":[{}]}`} {
		here.hub.peers.receive(OrderTopic(o.ID).String(), []byte(m))
	}
	here.hub.peers.receive("nonsense", []byte(other+"{}"))
	require.Empty(t, drained(t, s))
}
