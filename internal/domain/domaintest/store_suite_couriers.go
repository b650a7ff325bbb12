package domaintest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var courierTests = map[string]func(*testing.T, storeSuite){
	"kept and returned without a position": func(t *testing.T, s storeSuite) {
		name, phone := "Пётр", "+79161112233"
		c, err := domain.NewCourier(domain.CourierEdit{
			Name: &name, Phone: &phone, Metadata: map[string]string{"team": "north"},
		}, "RU", start)
		require.NoError(t, err)
		with := *c
		with.Position = &domain.Position{Lat: 1, Lon: 2}
		require.NoError(t, s.CreateCourier(t.Context(), &with, nil))
		got, err := s.Courier(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, c, got)
		for _, id := range []string{domain.NewID(), "not an id", ""} {
			_, err = s.Courier(t.Context(), id)
			requireCode(t, domain.CodeCourierNotFound, err)
		}
	},
	"the orders in their hands": func(t *testing.T, s storeSuite) {
		busy, idle := s.courier(t, 5), s.courier(t, 5)
		var want []*domain.Order
		for range 3 {
			o, err := s.assign(t.Context(), s.create(t, draft(), start).ID, busy.ID)
			require.NoError(t, err)
			want = append(want, o)
		}
		_, err := s.move(t.Context(), want[0].ID, domain.StatusCancelled)
		require.NoError(t, err)
		got, err := s.OrdersInHand(t.Context(), []string{idle.ID, busy.ID})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.ElementsMatch(t, []string{want[1].ID, want[2].ID}, []string{got[busy.ID][0].ID, got[busy.ID][1].ID})
	},
	"those with orders, and what is late": func(t *testing.T, s storeSuite) {
		busy, idle := s.courier(t, 5), s.courier(t, 5)
		now := start.Add(time.Hour)
		promised := func(at time.Time) *domain.Order {
			d := draft()
			d.PromisedAt = &at
			return s.create(t, d, start)
		}
		s.create(t, draft(), start)
		late, later, done := promised(now.Add(-time.Second)), promised(now.Add(-time.Minute)), promised(start)
		promised(now)
		_, err := s.assign(t.Context(), late.ID, busy.ID)
		require.NoError(t, err)
		_, err = s.assign(t.Context(), done.ID, idle.ID)
		require.NoError(t, err)
		_, err = s.move(t.Context(), done.ID, domain.StatusCancelled)
		require.NoError(t, err)
		ids, err := s.BusyCouriers(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{busy.ID}, ids)
		for limit, want := range map[int][]string{1: {later.ID}, 10: {later.ID, late.ID}} {
			ids, err = s.LateOrders(t.Context(), now, limit)
			require.NoError(t, err)
			require.Equal(t, want, ids)
		}
		_, err = s.UpdateOrder(t.Context(), later.ID, func(ch *domain.Change) error {
			ch.Add(ch.Order.NoteOnce(domain.EventOrderLate, by(now), nil)...)
			return nil
		})
		require.NoError(t, err)
		ids, err = s.LateOrders(t.Context(), now, 10)
		require.NoError(t, err)
		require.Equal(t, []string{late.ID}, ids, "noted once")
	},
	"read by ids": func(t *testing.T, s storeSuite) {
		one, two := s.courier(t, 1), s.courier(t, 2)
		got, err := s.CouriersByID(t.Context(), []string{two.ID, domain.NewID(), "not an id", one.ID, two.ID})
		require.NoError(t, err)
		require.Equal(t, map[string]*domain.Courier{one.ID: one, two.ID: two}, got)
		got, err = s.CouriersByID(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
	},
	"a replayed key makes no second courier": func(t *testing.T, s storeSuite) {
		name := "Courier"
		errs := together(racers, func(int) error {
			c, err := domain.NewCourier(domain.CourierEdit{Name: &name}, "RU", start)
			if err != nil {
				return err
			}
			return s.CreateCourier(t.Context(), c, key("s", "courier"))
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, domain.ErrRecorded)
		}
		require.Equal(t, 1, won)
		list, _, err := s.Couriers(t.Context(), domain.CourierFilter{}, domain.Page{Size: 50})
		require.NoError(t, err)
		require.Len(t, list, 1)
	},
	"a replayed key changes a courier once": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 5)
		more := func(c *domain.Courier) error { c.Capacity++; return nil }
		changed, err := s.UpdateCourier(t.Context(), c.ID, key("s", "edit"), more)
		require.NoError(t, err)
		rec, err := s.Recorded(t.Context(), "s", "edit")
		require.NoError(t, err)
		var answer domain.Courier
		require.NoError(t, json.Unmarshal(rec.Result, &answer))
		require.Equal(t, changed.Capacity, answer.Capacity)
		_, err = s.UpdateCourier(t.Context(), c.ID, key("s", "edit"), more)
		require.ErrorIs(t, err, domain.ErrRecorded)
		stored, err := s.Courier(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, 6, stored.Capacity)
	},
	"changed by a closure": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 5)
		o := s.create(t, draft(), start)
		_, err := s.assign(t.Context(), o.ID, c.ID)
		require.NoError(t, err)
		off := false
		changed, err := s.UpdateCourier(t.Context(), c.ID, nil, func(c *domain.Courier) error {
			c.ActiveOrders = 77 // derived from the orders, not set by the closure
			return c.Edit(domain.CourierEdit{OnDuty: &off}, "RU", 1, &domain.Caller{}, start.Add(time.Hour))
		})
		require.NoError(t, err)
		require.False(t, changed.OnDuty)
		require.Equal(t, int64(2), changed.Version)
		require.Equal(t, 1, changed.ActiveOrders)
		got, err := s.Courier(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, changed, got)

		for _, bad := range []func(*domain.Courier) error{
			func(c *domain.Courier) error { c.Name = "wrong"; return errWanted },
			func(c *domain.Courier) error { c.Name = "wrong"; panic("on purpose") },
		} {
			_, err = s.UpdateCourier(t.Context(), c.ID, nil, bad)
			require.Error(t, err)
			again, err := s.Courier(t.Context(), c.ID)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
		_, err = s.UpdateCourier(t.Context(), domain.NewID(), nil, func(*domain.Courier) error { return nil })
		requireCode(t, domain.CodeCourierNotFound, err)
	},
	"changes at once are all kept": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		errs := together(racers, func(int) error {
			_, err := s.UpdateCourier(t.Context(), c.ID, nil, func(c *domain.Courier) error { c.Capacity++; return nil })
			return err
		})
		require.NoError(t, errors.Join(errs...))
		got, err := s.Courier(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, 1+racers, got.Capacity)
	},
	"the load follows the orders": func(t *testing.T, s storeSuite) {
		a, b := s.courier(t, 2), s.courier(t, 1)
		o1, o2, o3 := s.create(t, draft(), start), s.create(t, draft(), start), s.create(t, draft(), start)
		loads := func(wantA, wantB int) {
			t.Helper()
			require.Equal(t, [2]int{wantA, wantB}, [2]int{s.active(t, a.ID), s.active(t, b.ID)})
		}
		must := func(_ *domain.Order, err error) { t.Helper(); require.NoError(t, err) }
		must(s.assign(t.Context(), o1.ID, a.ID))
		must(s.assign(t.Context(), o2.ID, a.ID))
		loads(2, 0)
		_, err := s.assign(t.Context(), o3.ID, a.ID)
		requireCode(t, domain.CodeCourierBusy, err)
		s.untouched(t, o3, 1)
		must(s.assign(t.Context(), o1.ID, a.ID)) // its current courier
		must(s.assign(t.Context(), o1.ID, b.ID)) // to another
		loads(1, 1)
		_, err = s.assign(t.Context(), o2.ID, b.ID)
		requireCode(t, domain.CodeCourierBusy, err)
		loads(1, 1)
		must(s.move(t.Context(), o1.ID, domain.StatusConfirmed)) // declined
		loads(1, 0)
		must(s.move(t.Context(), o2.ID, domain.StatusPickedUp))
		loads(1, 0)
		must(s.move(t.Context(), o2.ID, domain.StatusDelivered))
		loads(0, 0)
		_, err = s.assign(t.Context(), o3.ID, domain.NewID())
		requireCode(t, domain.CodeCourierNotFound, err)
		_, err = s.assign(t.Context(), o3.ID, "nobody")
		requireCode(t, domain.CodeCourierNotFound, err)
		s.untouched(t, o3, 1)
	},
	"a refused assignment leaves no side rows": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		_, err := s.assign(t.Context(), s.create(t, draft(), start).ID, c.ID)
		require.NoError(t, err)
		o := s.create(t, draft(), start)
		try := func() error {
			_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
				ch.Idempotency, ch.InboundID = key("s", "k"), "in"
				events, err := ch.Order.Assign(c.ID, by(start))
				ch.Add(events...)
				return err
			})
			return err
		}
		requireCode(t, domain.CodeCourierBusy, try())
		requireCode(t, domain.CodeCourierBusy, try())
		rec, err := s.Recorded(t.Context(), "s", "k")
		require.NoError(t, err)
		require.Nil(t, rec)
	},
	"list": func(t *testing.T, s storeSuite) {
		names := []string{"Анна", "Boris_1", "Владимир", "Galina"}
		byName := map[string]string{}
		for i, name := range names {
			duty, phone := i%2 == 0, "+7916555000"+string(rune('0'+i))
			c, err := domain.NewCourier(domain.CourierEdit{Name: &name, Phone: &phone, OnDuty: &duty}, "RU",
				start.Add(time.Duration(i)*time.Second))
			require.NoError(t, err)
			require.NoError(t, s.CreateCourier(t.Context(), c, nil))
			byName[c.ID] = name
		}
		list := func(f domain.CourierFilter, size int) (out []string) {
			t.Helper()
			p := domain.Page{Size: size}
			for {
				found, next, err := s.Couriers(t.Context(), f, p)
				require.NoError(t, err)
				for _, c := range found {
					out = append(out, byName[c.ID])
				}
				if next == nil {
					return out
				}
				p.After = *next
			}
		}
		yes, no := true, false
		for _, size := range []int{1, 2, 4, 50} {
			require.Equal(t, []string{"Galina", "Владимир", "Boris_1", "Анна"}, list(domain.CourierFilter{}, size))
		}
		require.Equal(t, []string{"Владимир", "Анна"}, list(domain.CourierFilter{OnDuty: &yes}, 1))
		require.Equal(t, []string{"Galina", "Boris_1"}, list(domain.CourierFilter{OnDuty: &no}, 50))
		require.Equal(t, []string{"Анна"}, list(domain.CourierFilter{Search: "АНН"}, 50))
		require.Equal(t, []string{"Boris_1"}, list(domain.CourierFilter{Search: "is_1"}, 50))
		require.Empty(t, list(domain.CourierFilter{Search: "n_"}, 50))
		require.Equal(t, []string{"Владимир"}, list(domain.CourierFilter{Search: "5550002"}, 50))
	},
}
