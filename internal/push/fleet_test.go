package push

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestCourierTopic(t *testing.T) {
	w := newWorld(t, Config{})
	c, other := w.courier(), w.courier()
	at := time.Now().Add(-time.Hour)
	w.moved(fixOf(c, at, 1))
	s := w.watch(CourierTopic(c))
	frames, err := s.Drain(nil)
	require.NoError(t, err)
	var shown struct {
		Courier  domain.Courier
		Position domain.Position
	}
	require.NoError(t, json.Unmarshal(decode(t, frames[0]).Data, &shown))
	require.Equal(t, c, shown.Courier.ID)
	require.Equal(t, 1.0, shown.Position.Lat)
	w.moved(fixOf(other, at.Add(time.Second), 3))
	w.moved(fixOf(c, at.Add(time.Second), 2))
	frames, err = s.Drain(nil)
	require.NoError(t, err)
	require.Len(t, frames, 1)
	m := decode(t, frames[0])
	var fix domain.Fix
	require.NoError(t, json.Unmarshal(m.Data, &fix))
	require.Equal(t, c, fix.CourierID)
	require.Equal(t, 2.0, fix.Lat)
	require.Empty(t, m.OrderID)
	require.True(t, m.At.Equal(fix.ReceivedAt))
}

func TestFleet(t *testing.T) {
	w := newWorld(t, Config{})
	a, b := w.courier(), w.courier()
	at := time.Now()
	w.moved(fixOf(a, at, 1))
	s := w.watch(FleetTopic())
	frames, err := s.Drain(nil)
	require.NoError(t, err)
	var all FleetPositions
	require.NoError(t, json.Unmarshal(decode(t, frames[0]).Data, &all))
	require.Len(t, all.Couriers, 1)
	require.Equal(t, a, all.Couriers[0].CourierID)

	turn := w.hub.fleet.turn
	turn()
	require.Empty(t, drained(t, s), "nothing moved")
	w.moved(fixOf(a, at.Add(1*time.Second), 2))
	w.moved(fixOf(a, at.Add(2*time.Second), 3))
	w.hub.CourierMoved(fixOf(a, at.Add(1*time.Second), 2), nil)
	require.Empty(t, drained(t, s), "not before the tick")
	turn()
	require.Equal(t, []string{"positions 3"}, drained(t, s))
	turn()
	require.Empty(t, drained(t, s))
	// A slow reader gets the newest position of each courier that moved, and no others.
	w.moved(fixOf(a, at.Add(3*time.Second), 4))
	turn()
	w.moved(fixOf(b, at.Add(3*time.Second), 10))
	turn()
	w.moved(fixOf(b, at.Add(4*time.Second), 11))
	turn()
	require.Equal(t, []string{"positions 4 11"}, drained(t, s))
	w.moved(fixOf(b, at.Add(5*time.Second), 12))
	turn()
	require.Equal(t, []string{"positions 12"}, drained(t, s))
	s.Close()
	w.moved(fixOf(b, at.Add(6*time.Second), 13))
	require.Nil(t, w.hub.fleet.moves, "nobody watches, nothing is kept")
	require.False(t, w.hub.fleet.watched())
}

func TestFleetHearsOfOrders(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.watch(FleetTopic())
	drained(t, s)
	o := w.create()
	w.hub.OrderChanged(domain.Announce(o, w.db.events[o.ID]))
	w.announced(o.ID, notice)
	w.hub.Estimated(domain.Estimate{OrderID: o.ID})
	require.Equal(t, []string{"status 1"}, drained(t, s), "statuses, nothing else")
	o2, e2 := w.change(o.ID, edit)
	o3, e3 := w.change(o.ID, moveTo(t, domain.StatusCancelled))
	w.hub.OrderChanged(domain.Announce(o3, e3))
	w.settle()
	w.hub.OrderChanged(domain.Announce(o2, e2))
	w.hub.OrderChanged(domain.Announce(o3, e3))
	require.Equal(t, []string{"status 2", "status 3"}, drained(t, s), "each once, in order")
}

func TestFleetAndOneOrderTogether(t *testing.T) {
	w := newWorld(t, Config{})
	o := w.create()
	s := w.watch(FleetTopic())
	require.NoError(t, s.Add(t.Context(), OrderTopic(o.ID), nil))
	drained(t, s)
	w.announced(o.ID, edit)
	require.Equal(t, []string{"status 2"}, drained(t, s), "not twice")
	s.Remove(OrderTopic(o.ID))
	w.announced(o.ID, edit)
	require.Equal(t, []string{"status 3"}, drained(t, s))
	s.Remove(FleetTopic())
	w.announced(o.ID, edit)
	require.Empty(t, drained(t, s))
}

// An order is read while the fleet's watchers receive its change.
func TestFleetAndReaderThatJoins(t *testing.T) {
	w := newWorld(t, Config{})
	id, c := w.carried()
	all := w.watch(FleetTopic())
	drained(t, all)
	done := false
	w.db.before = func(method string) {
		if method == "Courier" && !done {
			done = true
			w.announced(id, edit)
		}
	}
	s := w.watch(OrderTopic(id))
	require.Equal(t, []string{"snapshot 3", "status 4"}, drained(t, s))
	require.Equal(t, []string{"status 4"}, drained(t, all))
	w.moved(fixOf(c, time.Now(), 7), id)
	require.Equal(t, []string{"position 7"}, drained(t, s))
}

func TestFleetFindsWhatWasNotAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{FleetTick: 200 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = w.hub.Run(ctx) }()
		s := w.watch(FleetTopic())
		drained(t, s)
		o := w.create()
		w.hub.OrderChanged(domain.Announce(o, w.db.events[o.ID]))
		w.change(o.ID, edit)
		c := w.courier()
		w.moved(fixOf(c, time.Now(), 1))
		time.Sleep(250 * time.Millisecond)
		require.Equal(t, []string{"status 1", "positions 1"}, drained(t, s))
		time.Sleep(checkEvery)
		synctest.Wait()
		require.Equal(t, []string{"status 2"}, drained(t, s))
		time.Sleep(2 * fleetHold)
		require.Empty(t, w.hub.orders.all(), "its place is not kept for ever")
		s.Close()
		w.hub.Close()
	})
}

// Without the live store the map starts with the positions in the database.
func TestFleetWithoutTheLiveStore(t *testing.T) {
	w := newWorld(t, Config{})
	w.hub.live = brokenLive{w.live}
	w.hub.store = &lastKnown{journal: w.db, fixes: []domain.Fix{fixOf(w.courier(), time.Now(), 5)}}
	frames, err := w.watch(FleetTopic()).Drain(nil)
	require.NoError(t, err)
	var all FleetPositions
	require.NoError(t, json.Unmarshal(decode(t, frames[0]).Data, &all))
	require.Equal(t, 5.0, all.Couriers[0].Lat)
	id, _ := w.carried()
	require.Equal(t, []string{"snapshot 3"}, drained(t, w.watch(OrderTopic(id))), "an order without its position")
}

type brokenLive struct{ domain.LiveStore }

func (brokenLive) Fixes(context.Context, time.Time) ([]domain.Fix, error) { return nil, errAway }
func (brokenLive) Position(context.Context, string) (*domain.Position, error) {
	return nil, errAway
}
func (brokenLive) CachedOrder(context.Context, string) (*domain.Order, error) { return nil, errAway }

type lastKnown struct {
	*journal
	fixes []domain.Fix
}

func (l *lastKnown) LatestFixes(context.Context, time.Time) ([]domain.Fix, error) {
	return l.fixes, nil
}
