package domaintest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func (s storeSuite) pending(t *testing.T) []domain.OutboxEntry {
	t.Helper()
	entries, err := s.Pending(t.Context(), 10_000)
	require.NoError(t, err)
	backlog, err := s.Backlog(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(len(entries)), backlog)
	for i := 1; i < len(entries); i++ {
		require.Less(t, entries[i-1].Position, entries[i].Position)
	}
	return entries
}

// requireEvents compares written with read events.
func requireEvents(t *testing.T, want, got []domain.Event) {
	t.Helper()
	a, err := json.Marshal(want)
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(a), string(b))
}

var outboxTests = map[string]func(*testing.T, storeSuite){
	"holds each change with the order as it stood, and no notes": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Add(ch.Order.Note(domain.EventNotified, by(start), nil))
			return nil
		})
		require.NoError(t, err)
		_, err = s.move(t.Context(), o.ID, domain.StatusConfirmed)
		require.NoError(t, err)
		entries := s.pending(t)
		require.Len(t, entries, 2)
		history, err := s.Events(t.Context(), o.ID, 0)
		require.NoError(t, err)
		require.Equal(t, []domain.Event{history[0], history[2]}, []domain.Event{entries[0].Event, entries[1].Event})
		for i, want := range []struct {
			status  domain.Status
			version int64
		}{{domain.StatusCreated, 1}, {domain.StatusConfirmed, 2}} {
			var stood domain.Order
			require.NoError(t, json.Unmarshal(entries[i].Order, &stood))
			require.Equal(t, want.status, stood.Status)
			require.Equal(t, want.version, stood.Version)
		}
	},
	"of several events in a change each has the order as it stood then": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		c := s.courier(t, 1)
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			for _, step := range []func() ([]domain.Event, error){
				func() ([]domain.Event, error) { return ch.Order.Move(domain.StatusConfirmed, nil, by(start)) },
				func() ([]domain.Event, error) { return ch.Order.Assign(c.ID, by(start)) },
				func() ([]domain.Event, error) { return ch.Order.Move(domain.StatusPickedUp, nil, by(start)) },
			} {
				events, err := step()
				if err != nil {
					return err
				}
				ch.Add(events...)
			}
			return nil
		})
		require.NoError(t, err)
		for i, want := range []domain.State{
			{Version: 1, Status: domain.StatusCreated}, {Version: 2, Status: domain.StatusConfirmed},
			{Version: 3, Status: domain.StatusAssigned, CourierID: c.ID}, {Version: 4, Status: domain.StatusPickedUp, CourierID: c.ID},
		} {
			var stood domain.Order
			require.NoError(t, json.Unmarshal(s.pending(t)[i].Order, &stood))
			require.Equal(t, want, stood.State())
		}
	},
	"oldest first, at most limit": func(t *testing.T, s storeSuite) {
		var ids []string
		for range 5 {
			ids = append(ids, s.create(t, draft(), start).ID)
		}
		entries, err := s.Pending(t.Context(), 3)
		require.NoError(t, err)
		require.Len(t, entries, 3)
		for i, e := range entries {
			require.Equal(t, ids[i], e.Event.OrderID)
		}
	},
	"forgets what was published and nothing else": func(t *testing.T, s storeSuite) {
		for range 4 {
			s.create(t, draft(), start)
		}
		entries := s.pending(t)
		require.NoError(t, s.Published(t.Context(), []int64{entries[0].Position, entries[2].Position}))
		require.NoError(t, s.Published(t.Context(), []int64{entries[0].Position}))
		require.NoError(t, s.Published(t.Context(), nil))
		rest := s.pending(t)
		require.Len(t, rest, 2)
		require.Equal(t, entries[1], rest[0])
		require.Equal(t, entries[3], rest[1])
	},
	"republishes everything in order": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		_, err := s.move(t.Context(), o.ID, domain.StatusConfirmed)
		require.NoError(t, err)
		s.create(t, draft(), start)
		entries := s.pending(t)
		require.NoError(t, s.Published(t.Context(), []int64{entries[0].Position, entries[1].Position}))
		again, err := s.Republish(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(2), again, "those that were not pending")
		require.Equal(t, entries, s.pending(t))
	},
	"signals a commit": func(t *testing.T, s storeSuite) {
		for range 3 {
			s.create(t, draft(), start)
		}
		select {
		case <-s.Committed():
		case <-time.After(10 * time.Second):
			t.Fatal("no signal")
		}
	},
	"one leads, reads and forgets, and another may once it resigned": func(t *testing.T, s storeSuite) {
		for range 3 {
			s.create(t, draft(), start)
		}
		for want := 3; want > 0; want-- {
			var box domain.Outbox
			var resign func()
			require.Eventually(t, func() bool { // a database may take a moment to notice that the last leader is gone
				var err error
				box, resign, err = s.Lead(t.Context())
				require.NoError(t, err)
				return box != nil
			}, 10*time.Second, 10*time.Millisecond)
			entries, err := box.Pending(t.Context(), 10)
			require.NoError(t, err)
			require.Equal(t, s.pending(t), entries)
			require.Len(t, entries, want)
			require.NoError(t, box.Published(t.Context(), []int64{entries[0].Position}))
			resign()
		}
	},
	"each order's versions are in order whoever writes": func(t *testing.T, s storeSuite) {
		orders := make([]string, 4)
		for i := range orders {
			orders[i] = s.create(t, draft(), start).ID
		}
		errs := together(10*racers, func(i int) error {
			_, err := s.UpdateOrder(t.Context(), orders[i%4], func(ch *domain.Change) error {
				notes := fmt.Sprint(i)
				events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", by(start))
				ch.Add(events...)
				return err
			})
			return err
		})
		require.NoError(t, errors.Join(errs...))
		last := map[string]int64{}
		for _, e := range s.pending(t) {
			require.Equal(t, last[e.Event.OrderID]+1, e.Event.Version)
			last[e.Event.OrderID] = e.Event.Version
		}
		require.Len(t, last, 4)
	},
}
