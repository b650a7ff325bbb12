package push

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestSnapshotThenWhatHappens(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	s := w.watch(OrderTopic(o.ID))
	require.Equal(t, []string{"snapshot 1"}, drained(t, s))
	require.Empty(t, drained(t, s))
	w.announced(o.ID, moveTo(t, domain.StatusConfirmed))
	w.announced(o.ID, late)
	w.announced(o.ID, notice)
	w.announced(o.ID, edit)
	w.hub.Estimated(domain.Estimate{OrderID: o.ID, Method: domain.MethodLive})
	require.Equal(t, []string{"status 2", "note", "notification", "status 3", "eta"}, drained(t, s))
	require.Zero(t, w.db.reads, "announcements are enough")
}

func TestSnapshotShowsCourierAndPosition(t *testing.T) {
	w := newWorld(t, Config{})
	o, c := w.create(), w.courier()
	at := time.Now().Add(-time.Minute).UTC()
	w.moved(fixOf(c, at, 55))
	type shown struct {
		domain.Order
		Courier  *domain.Courier
		Position *domain.Position
	}
	snapshot := func() shown {
		frames, _ := w.watch(OrderTopic(o.ID)).Drain(nil)
		var got shown
		require.NoError(t, json.Unmarshal(decode(t, frames[0]).Data, &got))
		require.Equal(t, o.ID, got.ID)
		return got
	}
	got := snapshot()
	require.Nil(t, got.Courier)
	w.announced(o.ID, assign(t, c))
	got = snapshot()
	require.Equal(t, c, got.Courier.ID)
	require.Nil(t, got.Position, "not yet in custody")
	w.announced(o.ID, moveTo(t, domain.StatusPickedUp))
	require.Nil(t, snapshot().Position, "from before custody")
	w.moved(fixOf(c, time.Now().UTC(), 56))
	got = snapshot()
	require.Equal(t, 56.0, got.Position.Lat)
	require.Equal(t, domain.StatusPickedUp, got.Status)
	w.announced(o.ID, moveTo(t, domain.StatusDelivered))
	require.Nil(t, snapshot().Position, "delivered")
}

func TestResume(t *testing.T) {
	w := newWorld(t, Config{Queue: 4})
	o := w.create()
	w.announced(o.ID, moveTo(t, domain.StatusConfirmed)) // 2
	w.announced(o.ID, notice)
	w.announced(o.ID, late)
	for range 18 { // 3 to 20
		w.announced(o.ID, edit)
	}
	statuses := func(from, to int64) []string {
		out := []string{"snapshot 20"}
		for v := from; v <= to; v++ {
			out = append(out, fmt.Sprint("status ", v))
		}
		return out
	}
	require.Equal(t, statuses(3, 20), drained(t, w.watch(OrderTopic(o.ID), 2)), "more than the bound, by the reader's wish")
	require.Equal(t, statuses(20, 20), drained(t, w.watch(OrderTopic(o.ID), 19)))
	require.Equal(t, statuses(1, 20), drained(t, w.watch(OrderTopic(o.ID), 0)))
	require.Equal(t, statuses(1, 20), drained(t, w.watch(OrderTopic(o.ID), -7)))
	require.Equal(t, statuses(21, 20), drained(t, w.watch(OrderTopic(o.ID), 20)))
	s := w.watch(OrderTopic(o.ID), 1000)
	require.Equal(t, statuses(21, 20), drained(t, s), "a version that never was")
	w.announced(o.ID, edit)
	require.Equal(t, []string{"status 21"}, drained(t, s))
}

// A replica's copy may be older than the version the reader has seen elsewhere.
func TestResumeOverAnOldCopy(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	require.NoError(t, w.live.CacheOrder(t.Context(), o))
	for range 4 {
		w.change(o.ID, edit)
	}
	require.Equal(t, []string{"snapshot 5", "status 5"}, drained(t, w.watch(OrderTopic(o.ID), 4)))
	s := w.watch(OrderTopic(o.ID), 1)
	require.Equal(t, []string{"snapshot 1", "status 2", "status 3", "status 4", "status 5"}, drained(t, s))
	plain := w.watch(OrderTopic(o.ID)) // the room is ahead of its copy
	require.Equal(t, []string{"snapshot 1", "status 2", "status 3", "status 4", "status 5"}, drained(t, plain))
	w.announced(o.ID, edit)
	require.Equal(t, []string{"status 6"}, drained(t, s))
	require.Equal(t, []string{"status 6"}, drained(t, plain))
}

// The check replaces an outdated copy.
func TestCheckCorrectsAnOldCopy(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	require.NoError(t, w.live.CacheOrder(t.Context(), o))
	w.change(o.ID, edit)
	s := w.watch(OrderTopic(o.ID))
	require.Equal(t, []string{"snapshot 1"}, drained(t, s))
	w.hub.check(t.Context())
	w.settle()
	require.Equal(t, []string{"status 2"}, drained(t, s))
	reads := w.db.reads
	w.hub.check(t.Context())
	w.settle()
	require.Equal(t, reads, w.db.reads, "nothing new, nothing read")
}

func TestAnnouncementsOutOfOrder(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	s := w.watch(OrderTopic(o.ID))
	drained(t, s)
	o2, e2 := w.change(o.ID, edit)
	o3, e3 := w.change(o.ID, notice)
	o4, e4 := w.change(o.ID, edit)
	w.db.before = func(string) { w.hub.OrderChanged(domain.Announce(o3, e3)) } // entries being read may be announced meanwhile
	w.hub.OrderChanged(domain.Announce(o4, e4))
	w.settle()
	w.db.before = nil
	w.hub.OrderChanged(domain.Announce(o2, e2))
	w.hub.OrderChanged(domain.Announce(o4, e4))
	require.Equal(t, []string{"status 2", "notification", "status 3"}, drained(t, s))
}

func TestGapIsReadFromTheStore(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	s := w.watch(OrderTopic(o.ID))
	drained(t, s)
	w.change(o.ID, edit)
	w.change(o.ID, notice)
	w.announced(o.ID, edit)
	w.settle()
	require.Equal(t, []string{"status 2", "notification", "status 3"}, drained(t, s))
}

func TestWhatHappensWhileTheSnapshotIsRead(t *testing.T) {
	for _, since := range [][]int64{nil, {1}, {0}} {
		t.Run(fmt.Sprint(since), func(t *testing.T) {
			w := newWorld(t, Config{})
			id, c := w.carried()
			var steps int
			w.db.before = func(method string) {
				if steps++; steps > 4 || method == "Versions" {
					return
				}
				w.announced(id, edit)
				w.moved(fixOf(c, time.Now(), float64(steps)), id)
				w.hub.Estimated(domain.Estimate{OrderID: id})
			}
			s := w.watch(OrderTopic(id), since...)
			w.db.before = nil
			w.settle()
			got := drained(t, s)
			require.Contains(t, got[0], "snapshot")
			first, last := w.db.orders[id].Version, w.db.orders[id].Version
			require.Greater(t, last, int64(3))
			if since == nil {
				_, err := fmt.Sscanf(got[0], "snapshot %d", &first)
				require.NoError(t, err)
			} else {
				first = since[0]
			}
			want := first + 1
			for _, g := range got[1:] {
				var v int64
				if n, _ := fmt.Sscanf(g, "status %d", &v); n == 1 {
					require.Equal(t, want, v, "%v", got)
					want++
				}
			}
			require.Equal(t, last+1, want, "%v", got)
		})
	}
}

// A position that arrives while the snapshot is read is published. One reader reads the
// order, it changes, another reads it and starts the room's publishing there: the first
// one still gets the change.
func TestTwoJoinWhileTheOrderChanges(t *testing.T) {
	for name, since := range map[string][]int64{"from now": nil, "resumed": {2}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			o, c := w.create(), w.courier()
			w.change(o.ID, assign(t, c)) // 2; its snapshot reads the courier
			held := "Courier"
			if since != nil {
				held = "Events"
			}
			var second *Subscription
			var changed *domain.Order
			var events []domain.Event
			w.db.after = func(method string) {
				if method != held || second != nil {
					return
				}
				w.db.after = nil
				changed, events = w.change(o.ID, edit)
				second = w.watch(OrderTopic(o.ID))
			}
			first := w.watch(OrderTopic(o.ID), since...)
			w.hub.OrderChanged(domain.Announce(changed, events))
			require.Equal(t, []string{"snapshot 3"}, drained(t, second))
			require.Equal(t, []string{"snapshot 2", "status 3"}, drained(t, first))
		})
	}
}

func TestLastPositionIsNotLost(t *testing.T) {
	for _, others := range []bool{false, true} {
		w := newWorld(t, Config{})
		id, c := w.carried()
		if others {
			w.watch(OrderTopic(id))
		}
		done := false
		w.db.before = func(method string) {
			if method == "Events" && !done { // after the snapshot
				done = true
				w.moved(fixOf(c, time.Now(), 42), id)
			}
		}
		require.Equal(t, []string{"snapshot 3", "position 42"}, drained(t, w.watch(OrderTopic(id), 3)))
	}
}

func TestEnd(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	s := w.watch(OrderTopic(o.ID))
	w.announced(o.ID, moveTo(t, domain.StatusCancelled))
	w.announced(o.ID, notice)
	w.hub.Estimated(domain.Estimate{OrderID: o.ID})
	require.Equal(t, []string{"snapshot 1", "status 2", "end", ErrFinished.Error()}, drained(t, s))
	require.Equal(t, []string{ErrFinished.Error()}, drained(t, s))
	_, err := s.Drain(nil)
	require.Equal(t, ErrFinished, err)
	require.Nil(t, w.hub.orders.get(o.ID), "the room is forgotten")

	s = w.watch(OrderTopic(o.ID), 1)
	require.Equal(t, []string{"snapshot 2", "status 2", "end", ErrFinished.Error()}, drained(t, s))
	s = w.watch(OrderTopic(o.ID))
	require.Equal(t, []string{"snapshot 2", "end", ErrFinished.Error()}, drained(t, s))
	require.ErrorIs(t, s.Add(t.Context(), FleetTopic(), nil), ErrFinished)
}

// The cached copy is from before the end, the history is not.
func TestEndFoundOnResume(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	require.NoError(t, w.live.CacheOrder(t.Context(), o))
	w.change(o.ID, moveTo(t, domain.StatusCancelled))
	s := w.watch(OrderTopic(o.ID), 1)
	require.Equal(t, []string{"snapshot 1", "status 2", "end", ErrFinished.Error()}, drained(t, s))
}

func TestEndWhileTheSnapshotIsRead(t *testing.T) {
	for _, others := range []bool{false, true} {
		w := newWorld(t, Config{})
		id, _ := w.carried()
		if others {
			w.watch(OrderTopic(id))
		}
		done := false
		w.db.before = func(method string) {
			if method == "Courier" && !done {
				done = true
				w.announced(id, moveTo(t, domain.StatusDelivered))
			}
		}
		s := w.watch(OrderTopic(id))
		w.settle()
		require.Equal(t, []string{"snapshot 3", "status 4", "end", ErrFinished.Error()}, drained(t, s))
		require.Nil(t, w.hub.orders.get(id))
	}
}

func TestOneOfSeveralTopicsEnds(t *testing.T) {
	for name, begin := range map[string]func(*Subscription, *world){
		"several":   func(s *Subscription, w *world) { require.NoError(t, s.Add(t.Context(), FleetTopic(), nil)) },
		"kept open": func(s *Subscription, _ *world) { s.KeepOpen() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			o, other := w.create(), w.create()
			s := w.watch(OrderTopic(o.ID))
			begin(s, w)
			drained(t, s)
			w.announced(o.ID, moveTo(t, domain.StatusCancelled))
			require.Equal(t, []string{"status 2", "end"}, drained(t, s))
			require.NoError(t, s.Add(t.Context(), OrderTopic(other.ID), nil))
			w.announced(other.ID, moveTo(t, domain.StatusConfirmed))
			require.Equal(t, []string{"snapshot 1", "status 2"}, drained(t, s))
			require.NoError(t, s.Add(t.Context(), OrderTopic(o.ID), nil), "once more")
			require.Equal(t, []string{"snapshot 2", "end"}, drained(t, s))
		})
	}
}

func TestPositionsFlowInCustodyOnly(t *testing.T) {
	w := newWorld(t, Config{})
	o, c, other := w.create(), w.courier(), w.courier()
	s := w.watch(OrderTopic(o.ID))
	at := time.Now()
	step := func(courier string) {
		at = at.Add(time.Second)
		w.moved(fixOf(courier, at, 50), o.ID)
	}
	step(c)
	w.announced(o.ID, assign(t, other))
	step(other)
	w.announced(o.ID, assign(t, c))
	step(c)
	require.Equal(t, []string{"snapshot 1", "status 2", "status 3"}, drained(t, s))
	w.announced(o.ID, moveTo(t, domain.StatusPickedUp))
	step(other)
	require.Equal(t, []string{"status 4"}, drained(t, s), "somebody else's")
	step(c)
	require.Equal(t, []string{"position 50"}, drained(t, s))
	w.hub.CourierMoved(fixOf(c, at.Add(-time.Hour), 1), []domain.Carried{{OrderID: o.ID}})
	w.hub.CourierMoved(fixOf(c, at, 1), []domain.Carried{{OrderID: o.ID}})
	require.Empty(t, drained(t, s), "older than what was told")
	step(c)
	w.announced(o.ID, moveTo(t, domain.StatusDelivered))
	step(c)
	require.Equal(t, []string{"position 50", "status 5", "end", ErrFinished.Error()}, drained(t, s))
}

// Courier data comes from the history alone when it was read.
func TestPositionsAfterCatchingUp(t *testing.T) {
	w := newWorld(t, Config{})
	o, c, other := w.create(), w.courier(), w.courier()
	s := w.watch(OrderTopic(o.ID))
	w.change(o.ID, assign(t, other))
	w.change(o.ID, moveTo(t, domain.StatusConfirmed))
	w.change(o.ID, assign(t, c))
	w.change(o.ID, moveTo(t, domain.StatusPickedUp))
	w.hub.check(t.Context())
	w.settle()
	drained(t, s)
	w.moved(fixOf(other, time.Now(), 1), o.ID)
	w.moved(fixOf(c, time.Now(), 2), o.ID)
	require.Equal(t, []string{"position 2"}, drained(t, s))
}

func TestUnreadPositionsCoalesce(t *testing.T) {
	w := newWorld(t, Config{Queue: 3})
	id, c := w.carried()
	s := w.watch(OrderTopic(id))
	require.NoError(t, s.Add(t.Context(), CourierTopic(c), nil))
	drained(t, s)
	at := time.Now()
	for i := range 50 {
		w.moved(fixOf(c, at.Add(time.Duration(i)*time.Second), float64(i)), id)
		w.hub.Estimated(domain.Estimate{OrderID: id, MinutesRemaining: 50 - i})
	}
	w.announced(id, edit)
	w.moved(fixOf(c, at.Add(time.Hour), 60), id)
	require.Equal(t, []string{"position 60", "position 60", "eta", "status 4"}, drained(t, s))
	w.moved(fixOf(c, at.Add(2*time.Hour), 61), id)
	require.Equal(t, []string{"position 61", "position 61"}, drained(t, s))
}

func TestMissingThings(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.hub.Open(nil)
	defer s.Close()
	for topic, code := range map[Topic]domain.Code{
		OrderTopic(domain.NewID()):   domain.CodeOrderNotFound,
		CourierTopic(domain.NewID()): domain.CodeCourierNotFound,
		OrderTopic("x"):              domain.CodeValidationFailed,
	} {
		require.Equal(t, code, domain.CodeOf(s.Add(t.Context(), topic, nil)))
	}
	o := w.create()
	w.db.refuse(errAway)
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(s.Add(t.Context(), OrderTopic(o.ID), nil)))
	w.db.refuse(nil)
	require.Empty(t, drained(t, s))
	require.NoError(t, s.Add(t.Context(), OrderTopic(o.ID), nil), "nothing is left of the failures")
	require.NoError(t, s.Add(t.Context(), OrderTopic(o.ID), nil), "twice is once")
	require.Equal(t, []string{"snapshot 1"}, drained(t, s))
	s.Remove(OrderTopic(o.ID))
	s.Remove(OrderTopic(o.ID))
	w.announced(o.ID, edit)
	require.Empty(t, drained(t, s))
	require.Empty(t, w.hub.orders.all())
	require.Empty(t, w.hub.couriers.all())
}

func TestParseTopic(t *testing.T) {
	id := domain.NewID()
	for _, topic := range []Topic{OrderTopic(id), CourierTopic(id), FleetTopic()} {
		got, err := ParseTopic(topic.String())
		require.NoError(t, err)
		require.Equal(t, topic, got)
	}
	for _, s := range []string{"", "order", "order:", "order:x", "fleet:", "fleet:" + id, "parcel:" + id, id, "order:" + id + " "} {
		_, err := ParseTopic(s)
		require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), s)
	}
}

// A store outage delays frames and is logged once.
func TestOutageOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = w.hub.Run(ctx) }()
		o := w.create()
		s := w.watch(OrderTopic(o.ID))
		drained(t, s)
		w.db.refuse(errAway)
		w.change(o.ID, edit)
		w.announced(o.ID, edit) // there is a gap that can't be read
		time.Sleep(10 * checkEvery)
		require.Empty(t, drained(t, s))
		w.db.refuse(nil)
		time.Sleep(checkEvery)
		synctest.Wait()
		require.Equal(t, []string{"status 2", "status 3"}, drained(t, s))
		require.Equal(t, 2, w.logs.Len(), "its beginning and its end")
		w.change(o.ID, edit)
		time.Sleep(checkEvery)
		synctest.Wait()
		require.Equal(t, []string{"status 4"}, drained(t, s), "a change that was never announced")
		s.Close()
		w.hub.Close()
	})
}

// Whatever happens to the announcements, each reader gets each version once, in order.
func TestEveryVersionOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, Config{Queue: 1000})
		defer w.hub.Close()
		o := w.create()
		type announcement struct {
			order  *domain.Order
			events []domain.Event
		}
		type reader struct {
			sub  *Subscription
			next int64
		}
		var waiting []announcement
		var readers []*reader
		notices, version := 0, int64(1)
		take := func(r *reader, frames []Frame) {
			for _, f := range frames {
				switch f.Type {
				case TypeSnapshot:
				case TypeStatus:
					require.Equal(rt, r.next, f.Version)
					r.next++
				}
			}
		}
		read := func(r *reader) {
			frames, err := r.sub.Drain(nil)
			require.NoError(rt, err)
			take(r, frames)
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 8).Draw(rt, "step") {
			case 0, 1, 2: // a change
				fn := edit
				if rapid.Bool().Draw(rt, "note") {
					fn = notice
					notices++
				} else {
					version++
				}
				changed, events := w.change(o.ID, fn)
				if rapid.IntRange(0, 3).Draw(rt, "lost") > 0 {
					waiting = append(waiting, announcement{changed, events})
				}
				if rapid.Bool().Draw(rt, "cached") {
					_ = w.live.CacheOrder(t.Context(), changed)
				}
			case 3, 4, 5: // one of the announcements, possibly repeated later
				if len(waiting) > 0 {
					i := rapid.IntRange(0, len(waiting)-1).Draw(rt, "which")
					w.hub.OrderChanged(domain.Announce(waiting[i].order, waiting[i].events))
					if rapid.Bool().Draw(rt, "again") {
						waiting = append(waiting[:i], waiting[i+1:]...)
					}
				}
			case 6: // a reader subscribes, new or resuming
				s := w.hub.Open(nil)
				if rapid.Bool().Draw(rt, "resume") {
					since := rapid.Int64Range(0, version).Draw(rt, "since")
					require.NoError(rt, s.Add(t.Context(), OrderTopic(o.ID), &since))
					readers = append(readers, &reader{s, since + 1})
				} else {
					require.NoError(rt, s.Add(t.Context(), OrderTopic(o.ID), nil))
					first, err := s.Drain(nil)
					require.NoError(rt, err)
					require.NotEmpty(rt, first)
					require.Equal(rt, TypeSnapshot, first[0].Type)
					readers = append(readers, &reader{s, first[0].Version + 1})
					take(readers[len(readers)-1], first) // what was caught up with meanwhile, too
				}
			case 7:
				w.hub.check(t.Context())
			case 8:
				if len(readers) > 0 {
					i := rapid.IntRange(0, len(readers)-1).Draw(rt, "leaver")
					read(readers[i])
					readers[i].sub.Close()
					readers = append(readers[:i], readers[i+1:]...)
				}
			}
		}
		w.settle()
		w.hub.check(t.Context())
		w.settle()
		for _, r := range readers {
			read(r)
			require.Equal(rt, version+1, r.next, "all versions")
		}
	})
}
