package domaintest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// restored is the change of an imported order with a history of four entries.
func restored(t *testing.T, courier string) *domain.Change {
	t.Helper()
	o, ev := domain.NewOrder(draft(), by(start))
	events := []domain.Event{ev}
	assigned, err := o.Assign(courier, by(start.Add(time.Minute)))
	require.NoError(t, err)
	events = append(events, assigned...)
	events = append(events, o.Note(domain.EventNotified, by(start.Add(2*time.Minute)), map[string]any{"text": "hello"}))
	moved, err := o.Move(domain.StatusPickedUp, nil, by(start.Add(3*time.Minute)))
	require.NoError(t, err)
	ch, err := domain.Restored{Order: *o, Events: append(events, moved...)}.Restore("RU", by(start.Add(time.Hour)))
	require.NoError(t, err)
	return ch
}

var importTests = map[string]func(*testing.T, storeSuite){
	"keeps the whole history and publishes one event": func(t *testing.T, s storeSuite) {
		ch := restored(t, s.courier(t, 1).ID)
		o, err := s.CreateOrder(t.Context(), ch)
		require.NoError(t, err)
		s.untouched(t, o, 4)
		events, err := s.Events(t.Context(), o.ID, 0)
		require.NoError(t, err)
		requireEvents(t, ch.Events, events)
		pending, err := s.Pending(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, pending, 1)
		requireEvents(t, ch.Events[:1], []domain.Event{pending[0].Event})
		want, err := o.Freeze()
		require.NoError(t, err)
		require.Equal(t, string(want), string(pending[0].Order), "as it stands")

		moved, err := s.move(t.Context(), o.ID, domain.StatusDelivered)
		require.NoError(t, err)
		require.Equal(t, int64(4), moved.Version)
		pending, err = s.Pending(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, pending, 2, "what happens from now on is news")

		added, err := s.Republish(t.Context())
		require.NoError(t, err)
		require.Zero(t, added, "history is none")
	},
	"counts with its courier, room or not": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		for range 2 {
			_, err := s.CreateOrder(t.Context(), restored(t, c.ID))
			require.NoError(t, err)
		}
		require.Equal(t, 2, s.active(t, c.ID))
		_, err := s.CreateOrder(t.Context(), restored(t, domain.NewID()))
		requireCode(t, domain.CodeCourierNotFound, err)
	},
	"the same id twice": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 100)
		const orders, copies = 16, 4
		changes := make([]*domain.Change, orders)
		errs := make([]error, orders*copies)
		var wg sync.WaitGroup
		for i := range changes {
			changes[i] = restored(t, c.ID)
		}
		for i := range errs { // concurrently, so that they share a commit group
			again := *changes[i%orders]
			order := *again.Order
			again.Order, again.Events = &order, slices.Clone(again.Events)
			wg.Go(func() { _, errs[i] = s.CreateOrder(t.Context(), &again) })
		}
		wg.Wait()
		for i, ch := range changes {
			made := 0
			for at := i; at < len(errs); at += orders {
				if errs[at] == nil {
					made++
				} else {
					requireCode(t, domain.CodeDuplicateExternalID, errs[at])
				}
			}
			require.Equal(t, 1, made)
			s.untouched(t, ch.Order, 4)
		}
		require.Equal(t, orders, s.active(t, c.ID))
	},
	"an id that is there beside one that is not": func(t *testing.T, s storeSuite) {
		known := make([]*domain.Change, 16)
		for i := range known {
			known[i] = change(draft(), start)
			_, err := s.CreateOrder(t.Context(), known[i])
			require.NoError(t, err)
		}
		var wg sync.WaitGroup
		for _, ch := range known {
			wg.Go(func() {
				_, err := s.CreateOrder(t.Context(), ch)
				assert.Equal(t, domain.CodeDuplicateExternalID, domain.CodeOf(err))
			})
			wg.Go(func() {
				_, err := s.CreateOrder(t.Context(), change(draft(), start))
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		for _, ch := range known {
			s.untouched(t, ch.Order, 1)
		}
	},
}
