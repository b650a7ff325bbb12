package domaintest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var keepingTests = map[string]func(*testing.T, storeSuite){
	"everything is there after a restart": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 3)
		ch := change(draft(), start)
		ch.Idempotency = key("s", "k")
		_, err := s.CreateOrder(t.Context(), ch)
		require.NoError(t, err)
		_, err = s.AppendFixes(t.Context(), []domain.Fix{fix(c.ID, start)}, nil)
		require.NoError(t, err)
		o, err := s.assign(t.Context(), ch.Order.ID, c.ID)
		require.NoError(t, err)
		before := s.pending(t)

		s.Store = s.backend.Reopen(t, s.Store)
		s.untouched(t, o, 2)
		require.Equal(t, before, s.pending(t))
		require.Equal(t, 1, s.active(t, c.ID))
		rec, err := s.Recorded(t.Context(), "s", "k")
		require.NoError(t, err)
		require.Equal(t, key("s", "k"), rec)
		latest, err := s.LatestFixes(t.Context(), start.Add(-time.Second))
		require.NoError(t, err)
		require.Len(t, latest, 1)
		_, err = s.move(t.Context(), o.ID, domain.StatusConfirmed)
		require.NoError(t, err)
		require.Equal(t, 0, s.active(t, c.ID))
	},
	"purge deletes what is older and nothing else": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		o := s.create(t, draft(), start)
		for i := range 4 {
			at := start.Add(time.Duration(i) * time.Hour)
			_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
				rec := key("s", fmt.Sprint(i))
				rec.CreatedAt = at
				ch.Idempotency, ch.InboundID = rec, fmt.Sprint("in", i)
				ch.Add(ch.Order.Note(domain.EventNotified, by(at), nil))
				return nil
			})
			require.NoError(t, err)
			_, err = s.AppendFixes(t.Context(), []domain.Fix{fix(c.ID, at)}, nil)
			require.NoError(t, err)
		}
		require.NoError(t, s.Purge(t.Context(), start.Add(time.Hour), start.Add(2*time.Hour), start.Add(3*time.Hour), start))
		for i := range 4 {
			rec, err := s.Recorded(t.Context(), "s", fmt.Sprint(i))
			require.NoError(t, err)
			require.Equal(t, i >= 1, rec != nil, "record %d", i)
			_, err = s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error { ch.InboundID = fmt.Sprint("in", i); return nil })
			if i >= 2 {
				require.ErrorIs(t, err, domain.ErrRecorded)
			} else {
				require.NoError(t, err, "inbound id %d", i)
			}
		}
		trail, err := s.Trail(t.Context(), c.ID, start, start.Add(24*time.Hour), 100)
		require.NoError(t, err)
		require.Len(t, trail, 1)
		require.Equal(t, start.Add(3*time.Hour), trail[0].RecordedAt)
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		s.untouched(t, stored, 5)
	},
	"purge of more than a chunk": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		var fixes []domain.Fix
		for i := range 5000 {
			fixes = append(fixes, fix(c.ID, start.Add(time.Duration(i)*time.Second)))
		}
		_, err := s.AppendFixes(t.Context(), fixes, nil)
		require.NoError(t, err)
		require.NoError(t, s.Purge(t.Context(), start, start, start.Add(4990*time.Second), start))
		trail, err := s.Trail(t.Context(), c.ID, start, start.Add(24*time.Hour), 10_000)
		require.NoError(t, err)
		require.Len(t, trail, 10)
	},
	"answers a ping": func(t *testing.T, s storeSuite) {
		require.NoError(t, s.Ping(t.Context()))
	},
	"is unavailable once closed": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		require.NoError(t, s.Close())
		require.NoError(t, s.Close(), "closing again is fine")
		_, err := s.CreateOrder(t.Context(), change(draft(), start))
		requireCode(t, domain.CodeUnavailable, err)
		_, err = s.Order(t.Context(), o.ID)
		requireCode(t, domain.CodeUnavailable, err)
		requireCode(t, domain.CodeUnavailable, s.Ping(t.Context()))
	},
}
