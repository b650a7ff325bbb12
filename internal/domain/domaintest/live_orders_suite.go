package domaintest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// liveOrder makes an order at a version, with a history of seq entries.
func liveOrder(t require.TestingT, id string, version, seq int64) *domain.Order {
	at := liveTime()
	o := &domain.Order{
		ID: id, Number: "ABC-DEF-GHJ", Status: domain.StatusCreated, Version: version, CreatedAt: at, UpdatedAt: at,
		Customer: domain.Customer{Name: "Анна"}, Dropoff: domain.Place{Address: "Lenina 1"},
		Bookkeeping: domain.Bookkeeping{Seq: seq, Reported: map[string]time.Time{"wms": at}, CustodyAt: &at},
	}
	_, err := o.Freeze()
	require.NoError(t, err)
	return o
}

func liveOrders(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	ctx, id := t.Context(), domain.NewID()
	o, err := s.CachedOrder(ctx, id)
	require.NoError(t, err)
	require.Nil(t, o)
	keep := func(version, seq, wantVersion, wantSeq int64) {
		t.Helper()
		in := liveOrder(t, id, version, seq)
		require.NoError(t, s.CacheOrder(ctx, in))
		o, err := s.CachedOrder(ctx, id)
		require.NoError(t, err)
		require.NotNil(t, o)
		require.Equal(t, wantVersion, o.Version)
		require.Equal(t, wantSeq, o.Bookkeeping.Seq)
		if version == wantVersion && seq == wantSeq {
			require.Equal(t, in.Bookkeeping, o.Bookkeeping, "the bookkeeping too")
			want, _ := in.Freeze()
			got, err := o.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		}
	}
	keep(3, 3, 3, 3)
	keep(2, 2, 3, 3) // older
	keep(3, 4, 3, 4) // one more note entry
	keep(3, 3, 3, 4) // one note entry less
	keep(10, 12, 10, 12)
	keep(9, 13, 10, 12)
}

func liveOrdersRace(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	id := domain.NewID()
	orders := make([]*domain.Order, 40)
	for i := range orders {
		orders[i] = liveOrder(t, id, int64(i+1), int64(i+1))
	}
	rand.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
	var wg sync.WaitGroup
	errs := make([]error, len(orders))
	for i, o := range orders {
		wg.Go(func() { errs[i] = s.CacheOrder(context.Background(), o) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	o, err := s.CachedOrder(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, int64(len(orders)), o.Version)
}

func liveForget(t *testing.T, _ LiveOptions, s domain.LiveStore) {
	ctx := t.Context()
	require.NoError(t, s.ForgetOlder(ctx, nil))
	older, same, newer, none := domain.NewID(), domain.NewID(), domain.NewID(), domain.NewID()
	for _, id := range []string{older, same, newer} {
		require.NoError(t, s.CacheOrder(ctx, liveOrder(t, id, 10, 10)))
	}
	require.NoError(t, s.ForgetOlder(ctx, map[string]int64{older: 11, same: 10, newer: 9, none: 100}))
	for id, kept := range map[string]bool{older: false, same: true, newer: true, none: false} {
		o, err := s.CachedOrder(ctx, id)
		require.NoError(t, err)
		require.Equal(t, kept, o != nil)
	}
	require.NoError(t, s.CacheOrder(ctx, liveOrder(t, older, 11, 11)))
	o, err := s.CachedOrder(ctx, older)
	require.NoError(t, err)
	require.Equal(t, int64(11), o.Version)
}

func liveConcurrent(t *testing.T, o LiveOptions, s domain.LiveStore) {
	const writers, couriers, steps = 4, 25, 40
	start := liveTime()
	var wg sync.WaitGroup
	errs := make(chan error, writers*2)
	for w := range writers {
		wg.Go(func() { // all write all couriers; device time alone decides which is newest
			rng := rand.New(rand.NewPCG(uint64(w), 7)) //nolint:gosec // the same walk every time
			for step := range steps {
				batch := make([]domain.Fix, couriers)
				for c := range batch {
					at := start.Add(time.Duration(step*writers+w) * time.Millisecond)
					batch[c] = fixAt(fmt.Sprint("courier-", c), at, 55+rng.Float64(), 37+rng.Float64())
				}
				if _, err := s.PutFixes(context.Background(), batch); err != nil {
					errs <- err
					return
				}
			}
		})
		wg.Go(func() {
			for range steps {
				near, err := s.Nearest(context.Background(), domain.Point{Lat: 55.5, Lon: 37.5}, time.Time{}, 5)
				if err == nil && len(near) > 5 {
					err = fmt.Errorf("%d of 5", len(near))
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	all := map[string]domain.Fix{}
	fixes, err := s.Fixes(t.Context(), time.Time{})
	require.NoError(t, err)
	for _, f := range fixes {
		require.Equal(t, start.Add((steps*writers-1)*time.Millisecond), f.RecordedAt, "the newest won")
		all[f.CourierID] = f
	}
	require.Len(t, all, couriers)
	checkNearest(t, o, s, all, domain.Point{Lat: 55.5, Lon: 37.5}, couriers)
}
