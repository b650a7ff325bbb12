package domaintest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var createTests = map[string]func(*testing.T, storeSuite){
	"keeps the order, its event and the bookkeeping": func(t *testing.T, s storeSuite) {
		ch := change(draft(), start)
		o, err := s.CreateOrder(t.Context(), ch)
		require.NoError(t, err)
		s.untouched(t, o, 1)
		events, err := s.Events(t.Context(), o.ID, 0)
		require.NoError(t, err)
		requireEvents(t, ch.Events, events)
	},
	"duplicate external_id": func(t *testing.T, s storeSuite) {
		d := draft()
		d.ExternalID = "A-1"
		first := s.create(t, d, start)
		ch := change(d, start)
		ch.Idempotency = key("s", "of the duplicate")
		_, err := s.CreateOrder(t.Context(), ch)
		requireCode(t, domain.CodeDuplicateExternalID, err)
		_, err = s.Order(t.Context(), ch.Order.ID)
		requireCode(t, domain.CodeOrderNotFound, err)
		rec, err := s.Recorded(t.Context(), "s", "of the duplicate")
		require.NoError(t, err)
		require.Nil(t, rec, "a failed change leaves no record")
		s.untouched(t, first, 1)

		d.MerchantID = "m"
		s.create(t, d, start) // another merchant's
		_, err = s.CreateOrder(t.Context(), change(d, start))
		requireCode(t, domain.CodeDuplicateExternalID, err)
		s.create(t, draft(), start) // without one there is nothing to collide
		s.create(t, draft(), start)
	},
	"replayed key": func(t *testing.T, s storeSuite) {
		ch := change(draft(), start)
		ch.Idempotency = key("s", "k")
		_, err := s.CreateOrder(t.Context(), ch)
		require.NoError(t, err)
		again := change(draft(), start)
		again.Idempotency = key("s", "k")
		_, err = s.CreateOrder(t.Context(), again)
		require.ErrorIs(t, err, domain.ErrRecorded)
		_, err = s.Order(t.Context(), again.Order.ID)
		requireCode(t, domain.CodeOrderNotFound, err)
		other := change(draft(), start)
		other.Idempotency = key("another scope", "k")
		_, err = s.CreateOrder(t.Context(), other)
		require.NoError(t, err)

		rec, err := s.Recorded(t.Context(), "s", "k")
		require.NoError(t, err)
		require.Equal(t, key("s", "k"), rec)
		rec, err = s.Recorded(t.Context(), "s", "never used")
		require.NoError(t, err)
		require.Nil(t, rec)
	},
	"with a courier": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		create := func() error {
			ch := change(draft(), start)
			events, err := ch.Order.Assign(c.ID, by(start))
			require.NoError(t, err)
			ch.Add(events...)
			_, err = s.CreateOrder(t.Context(), ch)
			return err
		}
		require.NoError(t, create())
		requireCode(t, domain.CodeCourierBusy, create())
		require.Equal(t, 1, s.active(t, c.ID))
	},
}

var updateTests = map[string]func(*testing.T, storeSuite){
	"commits the order with its events": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		moved, err := s.move(t.Context(), o.ID, domain.StatusConfirmed)
		require.NoError(t, err)
		require.Equal(t, domain.StatusConfirmed, moved.Status)
		require.Equal(t, int64(2), moved.Version)
		require.Equal(t, int64(1), o.Version, "what a store returned never changes")
		s.untouched(t, moved, 2)
		later, err := s.Events(t.Context(), o.ID, 1)
		require.NoError(t, err)
		require.Len(t, later, 1)
		require.Equal(t, int64(2), later[0].Seq)
	},
	"a note is history and leaves the order": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		noted, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Add(ch.Order.Note(domain.EventNotified, by(start), map[string]any{"text": "hello"}))
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, int64(1), noted.Version)
		require.Equal(t, int64(2), noted.Bookkeeping.Seq)
		s.untouched(t, noted, 2)
	},
	"a change of nothing returns the order as it is": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		same, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Order.Notes = "without an event nothing of this is kept"
			return nil
		})
		require.NoError(t, err)
		sameOrder(t, o, same)
		s.untouched(t, o, 1)
	},
	"a record is kept also when nothing changed": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		noop := func(ch *domain.Change) error {
			ch.Idempotency = key("s", "noop")
			return nil
		}
		same, err := s.UpdateOrder(t.Context(), o.ID, noop)
		require.NoError(t, err)
		sameOrder(t, o, same)
		_, err = s.UpdateOrder(t.Context(), o.ID, noop)
		require.ErrorIs(t, err, domain.ErrRecorded)
		s.untouched(t, o, 1)
	},
	"an inbound id is applied once, also when it changes nothing": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		other := s.create(t, draft(), start)
		report := func(id string) error {
			_, err := s.UpdateOrder(t.Context(), id, func(ch *domain.Change) error {
				ch.InboundID = "report 1"
				return nil
			})
			return err
		}
		require.NoError(t, report(o.ID))
		require.ErrorIs(t, report(o.ID), domain.ErrRecorded)
		require.ErrorIs(t, report(other.ID), domain.ErrRecorded)
		s.untouched(t, o, 1)
	},
	"an error rolls everything back": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			events, err := ch.Order.Move(domain.StatusConfirmed, nil, by(start))
			require.NoError(t, err)
			ch.Add(events...)
			ch.Idempotency, ch.InboundID = key("s", "k"), "in"
			return errWanted
		})
		require.ErrorIs(t, err, errWanted)
		s.untouched(t, o, 1)
		rec, err := s.Recorded(t.Context(), "s", "k")
		require.NoError(t, err)
		require.Nil(t, rec)
		_, err = s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Idempotency, ch.InboundID = key("s", "k"), "in"
			return nil
		})
		require.NoError(t, err)
	},
	"a panic is an error of its caller": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Order.Notes = "changed"
			panic("on purpose")
		})
		requireCode(t, domain.CodeInternal, err)
		s.untouched(t, o, 1)
		_, err = s.move(t.Context(), o.ID, domain.StatusConfirmed)
		require.NoError(t, err)
	},
	"unknown order": func(t *testing.T, s storeSuite) {
		for _, id := range []string{domain.NewID(), "not an id", ""} {
			_, err := s.UpdateOrder(t.Context(), id, func(*domain.Change) error { panic("never runs") })
			requireCode(t, domain.CodeOrderNotFound, err)
			_, err = s.Order(t.Context(), id)
			requireCode(t, domain.CodeOrderNotFound, err)
			events, err := s.Events(t.Context(), id, 0)
			require.NoError(t, err)
			require.Empty(t, events)
		}
	},
	"version conflict": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		conflict := domain.Errorf(domain.CodeVersionConflict, "moved on")
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			if ch.Order.Version != 7 {
				return conflict
			}
			return nil
		})
		require.ErrorIs(t, err, conflict)
	},
	"who gave up before changes nothing": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.move(ctx, o.ID, domain.StatusConfirmed)
		require.ErrorIs(t, err, context.Canceled)
		requireCode(t, domain.CodeUnavailable, err)
		s.untouched(t, o, 1)
	},
	"a running change is waited for": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		ctx, cancel := context.WithCancel(t.Context())
		moved, err := s.UpdateOrder(ctx, o.ID, func(ch *domain.Change) error {
			cancel() // the caller goes away while its closure runs
			events, err := ch.Order.Move(domain.StatusConfirmed, nil, by(start))
			ch.Add(events...)
			return err
		})
		require.NoError(t, err)
		s.untouched(t, moved, 2)
	},
	"versions of many": func(t *testing.T, s storeSuite) {
		a, b := s.create(t, draft(), start), s.create(t, draft(), start)
		_, err := s.move(t.Context(), b.ID, domain.StatusConfirmed)
		require.NoError(t, err)
		got, err := s.Versions(t.Context(), []string{a.ID, b.ID, domain.NewID(), "not an id"})
		require.NoError(t, err)
		require.Equal(t, map[string]int64{a.ID: 1, b.ID: 2}, got)
		got, err = s.Versions(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
	},
	"times come back as they were": func(t *testing.T, s storeSuite) {
		d := draft()
		at := time.Date(2026, 7, 8, 9, 10, 11, 123456000, time.UTC)
		d.PromisedAt = &at
		o := s.create(t, d, at)
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Equal(t, at, *stored.PromisedAt)
		require.Equal(t, at, stored.CreatedAt)
	},
}
