package tracking

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

// deliver takes an order from the shop to the door, in 28 minutes.
func (w *world) deliver(t *testing.T, courierID string) {
	o := w.order(t, courierID, nil)
	for _, s := range []domain.Status{domain.StatusAtPickup, domain.StatusPickedUp, domain.StatusOutForDelivery, domain.StatusDelivered} {
		w.clock.add(7 * time.Minute)
		w.move(t, o.ID, s)
		w.drive(t, courierID, doorAt)
	}
	w.clock.add(7 * time.Minute)
}

// replica is another process on the same store.
func (w *world) replica(t *testing.T) *learner {
	deps := w.Tracking.Deps
	deps.Estimate.Book = eta.NewBook()
	l := &learner{Deps: &deps}
	l.restore(t.Context())
	return l
}

func TestDeliveriesAreLearnedOnceAndByEveryReplica(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	require.NotEqual(t, domain.MethodHistory, w.order(t, "", nil).ETA.Method, "nothing is known yet")
	first, early := w.Tracking.learner, w.replica(t)
	book := first.Estimate.Book
	for i := range 40 {
		w.deliver(t, c.ID)
		if i == 20 { // one replica learns all it can, then starts again from what it stored
			require.NoError(t, early.once(t.Context()))
			require.Equal(t, int64(21), early.Estimate.Book.Place())
			require.NoError(t, w.store.KeepBook(t.Context(), 21, early.Estimate.Book.Snapshot()))
		}
	}
	restarted := w.replica(t)
	require.Equal(t, int64(21), restarted.Estimate.Book.Place())
	for range 2 {
		for _, l := range []*learner{first, restarted, early} {
			require.NoError(t, l.once(t.Context()))
			require.Equal(t, int64(40), l.Estimate.Book.Place(), "each order once")
			require.Equal(t, book.Snapshot(), l.Estimate.Book.Snapshot())
		}
	}

	o := w.order(t, "", nil)
	require.Equal(t, domain.MethodHistory, o.ETA.Method)
	require.WithinDuration(t, o.CreatedAt.Add(28*time.Minute), o.ETA.ETA, 3*time.Minute)
	groups, err := w.store.EstimateReport(t.Context(), domain.ByAll, "", time.Time{}, w.clock.Now(), 10)
	require.NoError(t, err)
	require.Len(t, groups, 1)
	require.Equal(t, int64(40), groups[0].Orders)
}

func TestWhatCannotBeReadIsLearnedAgain(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	w.deliver(t, c.ID)
	require.NoError(t, w.Tracking.learner.once(t.Context()))
	require.NoError(t, w.store.KeepBook(t.Context(), 1, []byte("of another release")))
	again := w.replica(t)
	require.Zero(t, again.Estimate.Book.Place())
	require.NoError(t, again.once(t.Context()))
	require.Equal(t, w.Tracking.learner.Estimate.Book.Snapshot(), again.Estimate.Book.Snapshot())
}

// Where a merchant promises the 90th percentile, an order gets it when it is created, as learned from deliveries.
func TestThePromiseIsWhatNineOfTenKeep(t *testing.T) {
	w := newWorld(t)
	w.Orders.Profile = func(id string) (p domain.Profile) {
		if id == "prompt" {
			p.Promise = domain.PromiseP90
		}
		return p
	}
	c := w.courier(t)
	for range 40 {
		w.deliver(t, c.ID)
	}
	require.NoError(t, w.Tracking.learner.once(t.Context()))
	of := func(id string) func(*domain.Draft) { return func(d *domain.Draft) { d.MerchantID = id } }
	o := w.order(t, "", of("prompt"))
	require.Equal(t, domain.MethodHistory, o.ETA.Method)
	require.NotNil(t, o.PromisedAt)
	require.Zero(t, o.PromisedAt.Minute()%5)
	require.False(t, o.PromisedAt.Before(o.ETA.Latest))
	require.Less(t, o.PromisedAt.Sub(o.ETA.Latest), 5*time.Minute)
	require.Nil(t, w.order(t, "", of("other")).PromisedAt)

	agreed := w.clock.Now().Add(3 * time.Hour)
	kept := w.order(t, "", func(d *domain.Draft) { d.MerchantID, d.PromisedAt = "prompt", &agreed })
	require.True(t, agreed.Equal(*kept.PromisedAt), "a promise that the shop made stays")
}
