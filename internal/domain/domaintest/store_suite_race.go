package domaintest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const racers = 20

var raceTests = map[string]func(*testing.T, storeSuite){
	"one of twenty wins a version": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		couriers := make([]string, racers)
		for i := range couriers {
			couriers[i] = s.courier(t, 5).ID
		}
		errs := together(racers, func(i int) error {
			_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
				if ch.Order.Version != 1 {
					return domain.Errorf(domain.CodeVersionConflict, "moved on")
				}
				events, err := ch.Order.Assign(couriers[i], by(start))
				ch.Add(events...)
				return err
			})
			return err
		})
		won, lost, other := count(errs, domain.CodeVersionConflict)
		require.NoError(t, other)
		require.Equal(t, 1, won)
		require.Equal(t, racers-1, lost)
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Equal(t, int64(2), stored.Version)
		for i, err := range errs {
			if err == nil {
				require.Equal(t, couriers[i], stored.CourierID)
			}
			require.Equal(t, map[bool]int{true: 1, false: 0}[err == nil], s.active(t, couriers[i]))
		}
	},
	"all changes of one order are kept, one after the other": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		errs := together(racers, func(i int) error {
			_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
				notes := fmt.Sprint("note ", i)
				events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", by(start))
				ch.Add(events...)
				return err
			})
			return err
		})
		require.NoError(t, errors.Join(errs...))
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Equal(t, int64(racers+1), stored.Version)
		events, err := s.Events(t.Context(), o.ID, 0)
		require.NoError(t, err)
		for i, e := range events {
			require.Equal(t, int64(i+1), e.Seq)
			require.Equal(t, int64(i+1), e.Version)
		}
		require.Len(t, events, racers+1)
	},
	"errors and panics amid others": func(t *testing.T, s storeSuite) {
		orders := make([]*domain.Order, 3*racers)
		for i := range orders {
			orders[i] = s.create(t, draft(), start)
		}
		shared := s.create(t, draft(), start)
		errs := together(len(orders), func(i int) error {
			id := orders[i].ID
			if i%6 == 0 {
				id = shared.ID // so that good and bad ones meet on one order
			}
			_, err := s.UpdateOrder(t.Context(), id, func(ch *domain.Change) error {
				notes := fmt.Sprint("note ", i)
				events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", by(start))
				ch.Add(events...)
				switch i % 4 {
				case 0:
					return errWanted
				case 1:
					panic("on purpose")
				}
				return err
			})
			return err
		})
		sharedChanges := 0
		for i, err := range errs {
			good := i%4 > 1
			require.Equal(t, good, err == nil, "call %d: %v", i, err)
			if i%6 == 0 {
				if good {
					sharedChanges++
				}
				continue
			}
			stored, err := s.Order(t.Context(), orders[i].ID)
			require.NoError(t, err)
			require.Equal(t, map[bool]int64{true: 2, false: 1}[good], stored.Version)
		}
		stored, err := s.Order(t.Context(), shared.ID)
		require.NoError(t, err)
		require.Equal(t, int64(1+sharedChanges), stored.Version)
	},
	"one key, many creates": func(t *testing.T, s storeSuite) {
		changes := make([]*domain.Change, racers)
		errs := together(racers, func(i int) error {
			changes[i] = change(draft(), start)
			changes[i].Idempotency = key("s", "k")
			_, err := s.CreateOrder(t.Context(), changes[i])
			return err
		})
		won := 0
		for i, err := range errs {
			_, found := s.Order(t.Context(), changes[i].Order.ID)
			if err == nil {
				won++
				require.NoError(t, found)
				continue
			}
			require.ErrorIs(t, err, domain.ErrRecorded)
			requireCode(t, domain.CodeOrderNotFound, found)
		}
		require.Equal(t, 1, won)
	},
	"one external_id, many creates": func(t *testing.T, s storeSuite) {
		d := draft()
		d.ExternalID = "same"
		errs := together(racers, func(i int) error {
			ch := change(d, start)
			ch.Idempotency = key("s", fmt.Sprint(i))
			_, err := s.CreateOrder(t.Context(), ch)
			return err
		})
		won, lost, other := count(errs, domain.CodeDuplicateExternalID)
		require.NoError(t, other)
		require.Equal(t, 1, won)
		require.Equal(t, racers-1, lost)
		for i, err := range errs {
			rec, recErr := s.Recorded(t.Context(), "s", fmt.Sprint(i))
			require.NoError(t, recErr)
			require.Equal(t, err == nil, rec != nil, "a record lives and dies with its change")
		}
		found, _, err := s.Orders(t.Context(), domain.OrderFilter{ExternalID: "same"}, domain.Page{Size: 10})
		require.NoError(t, err)
		require.Len(t, found, 1)
	},
	"one inbound id, many reports": func(t *testing.T, s storeSuite) {
		orders := []*domain.Order{s.create(t, draft(), start), s.create(t, draft(), start)}
		errs := together(racers, func(i int) error {
			_, err := s.UpdateOrder(t.Context(), orders[i%2].ID, func(ch *domain.Change) error {
				ch.InboundID = "report"
				ch.Add(ch.Order.Observe(domain.Report{
					EventID: "report", Status: domain.StatusConfirmed, Source: "erp", OccurredAt: start,
				}, by(start))...)
				return nil
			})
			return err
		})
		won, lost, other := count(errs, domain.CodeOf(domain.ErrRecorded))
		require.NoError(t, other)
		require.Equal(t, 1, won)
		require.Equal(t, racers-1, lost)
		versions, err := s.Versions(t.Context(), []string{orders[0].ID, orders[1].ID})
		require.NoError(t, err)
		require.Equal(t, int64(3), versions[orders[0].ID]+versions[orders[1].ID])
	},
	"the last free place is given once": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 3)
		orders := make([]string, racers)
		for i := range orders {
			orders[i] = s.create(t, draft(), start).ID
		}
		errs := together(racers, func(i int) error { _, err := s.assign(t.Context(), orders[i], c.ID); return err })
		won, lost, other := count(errs, domain.CodeCourierBusy)
		require.NoError(t, other)
		require.Equal(t, 3, won)
		require.Equal(t, racers-3, lost)
		require.Equal(t, 3, s.active(t, c.ID))
	},
	"loads follow a storm of assignments": func(t *testing.T, s storeSuite) {
		couriers := []string{s.courier(t, 4).ID, s.courier(t, 4).ID, s.courier(t, 4).ID}
		orders := make([]string, 8)
		for i := range orders {
			orders[i] = s.create(t, draft(), start).ID
		}
		errs := together(8*racers, func(i int) error {
			id := orders[i%len(orders)]
			var err error
			if i%7 == 6 {
				_, err = s.move(t.Context(), id, domain.StatusConfirmed)
			} else {
				_, err = s.assign(t.Context(), id, couriers[i%len(couriers)])
			}
			if code := domain.CodeOf(err); code == domain.CodeCourierBusy || code == domain.CodeIllegalTransition {
				return nil
			}
			return err
		})
		require.NoError(t, errors.Join(errs...))
		want := map[string]int{}
		for _, id := range orders {
			o, err := s.Order(t.Context(), id)
			require.NoError(t, err)
			want[o.CourierID]++
		}
		for _, c := range couriers {
			require.Equal(t, want[c], s.active(t, c))
			require.LessOrEqual(t, want[c], 4)
		}
	},
	"who gives up while waiting and who does not": func(t *testing.T, s storeSuite) {
		blocker := s.create(t, draft(), start)
		running, release := make(chan struct{}), make(chan struct{})
		first := make(chan error, 1)
		go func() { // closures must not block; this one does, to queue the others
			once := false
			_, err := s.UpdateOrder(t.Context(), blocker.ID, func(*domain.Change) error {
				if !once {
					once = true
					close(running)
					<-release
				}
				return nil
			})
			first <- err
		}()
		<-running
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { _, err := s.move(ctx, blocker.ID, domain.StatusConfirmed); gone <- err }()
		cancel()
		select {
		case err := <-gone:
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(10 * time.Second):
			t.Error("a caller whose context ended still waits for its turn")
		}
		close(release)
		require.NoError(t, <-first)
		s.untouched(t, blocker, 1)
	},
}
