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

// feedOf watches all orders, or a merchant's, from a cursor.
func (w *world) feedOf(merchant *string, cursor string) (*Subscription, []Frame) {
	s := w.hub.Open(nil)
	w.t.Cleanup(s.Close)
	if merchant != nil {
		s.Own(*merchant)
	}
	require.NoError(w.t, s.AddOrders(context.Background(), cursor))
	frames, err := s.Drain(nil)
	require.NoError(w.t, err)
	require.Equal(w.t, TypeSnapshot, frames[0].Type)
	return s, frames
}

func cursorOf(t *testing.T, f Frame) string {
	var data struct{ Cursor, ID string }
	require.NoError(t, json.Unmarshal(decode(t, f).Data, &data))
	return data.Cursor + data.ID
}

// owned commits an order of a merchant.
func (w *world) owned(merchant string) *domain.Order {
	o, ev := domain.NewOrder(domain.Draft{
		MerchantID: merchant, Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Lenina 1"},
	}, by())
	w.commit(o, []domain.Event{ev})
	w.hub.OrderChanged(domain.Announce(o, []domain.Event{ev}))
	return o
}

// All entries of the orders that a reader may see, and a resume after each of them.
func TestFeed(t *testing.T) {
	w := newWorld(t, Config{})
	soma, none := "soma", ""
	all, first := w.feedOf(nil, "")
	hers, _ := w.feedOf(&soma, "")
	nobodys, _ := w.feedOf(&none, "")
	a, b := w.owned("soma"), w.owned("pizza")
	w.announced(a.ID, edit)
	w.announced(b.ID, edit)
	w.announced(a.ID, late)
	w.announced(a.ID, notice)
	frames, err := all.Drain(nil)
	require.NoError(t, err)
	require.Len(t, frames, 5, "two creations, two edits, a note; no notification")
	require.Equal(t, []string{"status 1", "status 2", "note"}, drained(t, hers))
	require.Empty(t, drained(t, nobodys))
	for i, f := range append(first, frames...) {
		_, again := w.feedOf(nil, cursorOf(t, f))
		require.Equal(t, frames[i:], again[1:], "resumed after %d", i)
		require.Equal(t, cursorOf(t, frames[4]), cursorOf(t, again[0]))
	}
	_, again := w.feedOf(&soma, cursorOf(t, frames[0]))
	require.Len(t, again, 3)
	_, again = w.feedOf(nil, domain.NewID())
	require.Equal(t, TypeReset, again[1].Type, "an unknown cursor")
	require.Len(t, again, 2)
}

// Whoever comes back within seconds has missed nothing; later there is a reset.
func TestFeedIsKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = w.hub.Run(ctx) }()
		o := w.create()
		for away, lost := range map[time.Duration]bool{feedHold - 2*time.Second: false, feedHold + 2*time.Second: true} {
			s, frames := w.feedOf(nil, "")
			cursor := cursorOf(t, frames[0])
			s.Close()
			w.announced(o.ID, edit)
			time.Sleep(away) // synctest's clock
			s, frames = w.feedOf(nil, cursor)
			s.Close()
			require.Len(t, frames, 2)
			require.Equal(t, lost, frames[1].Type == TypeReset, "after %s", away)
		}
		stop()
		<-done
	})
}

// A subscription of the fleet and of all orders gets each status once.
func TestFeedAndFleetTogether(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.watch(FleetTopic())
	require.NoError(t, s.AddOrders(t.Context(), ""))
	drained(t, s)
	w.owned("soma")
	require.Equal(t, []string{"status 1"}, drained(t, s))
	s.Remove(OrdersTopic())
	w.owned("soma")
	require.Equal(t, []string{"status 1"}, drained(t, s))
}
