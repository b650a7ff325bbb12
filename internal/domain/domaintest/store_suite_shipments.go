package domaintest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// account is the default contract with a carrier.
func account(carrier string) domain.CarrierAccount { return domain.CarrierAccount{Carrier: carrier} }

// ship books a shipment of an order under a client reference, due at once.
func (s storeSuite) ship(t *testing.T, o *domain.Order, carrier, ref string) {
	t.Helper()
	_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
		ch.Order.Shipment = nil
		events, err := ch.Order.Book(domain.Shipment{Carrier: carrier, Phase: domain.PhasePending}, false, by(start))
		ch.Add(events...)
		ch.Shipment = &domain.ShipmentJob{
			OrderID: o.ID, Account: account(carrier), Ref: domain.ShipmentRef{ClientRef: ref}, Due: start, Since: start,
			Booking: &domain.Booking{Tariff: "cheapest", Packages: []domain.Package{{WeightG: 700}}},
		}
		return err
	})
	require.NoError(t, err)
}

// learn stores a carrier's names of a shipment.
func (s storeSuite) learn(t *testing.T, o *domain.Order, carrier string, ref domain.ShipmentRef) {
	t.Helper()
	_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
		seen := ref
		seen.Phase = domain.PhaseRegistered
		ch.Add(ch.Order.LearnShipment(domain.ShipmentSnapshot{Ref: seen, Status: "X"}, by(start))...)
		ch.Shipment = &domain.ShipmentJob{OrderID: o.ID, Account: account(carrier), Ref: ref}
		return nil
	})
	require.NoError(t, err)
}

func (s storeSuite) job(t *testing.T, o *domain.Order) *domain.ShipmentJob {
	t.Helper()
	j, err := s.ShipmentJob(t.Context(), o.ID)
	require.NoError(t, err)
	require.NotNil(t, j)
	return j
}

func (s storeSuite) take(t *testing.T, carrier string, now, until time.Time, limit int) []domain.ShipmentJob {
	t.Helper()
	jobs, err := s.TakeShipments(t.Context(), account(carrier), now, until, limit)
	require.NoError(t, err)
	return jobs
}

var shipmentTests = map[string]func(*testing.T, storeSuite){
	"what is to be done lives and dies with the order's change": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		none, err := s.ShipmentJob(t.Context(), o.ID)
		require.NoError(t, err)
		require.Nil(t, none)
		_, err = s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Shipment = &domain.ShipmentJob{OrderID: o.ID, Account: account("acme")}
			ch.Add(ch.Order.Note(domain.EventNotified, by(start), nil))
			return errWanted
		})
		require.ErrorIs(t, err, errWanted)
		none, err = s.ShipmentJob(t.Context(), o.ID)
		require.NoError(t, err)
		require.Nil(t, none)
		s.ship(t, o, "acme", "r1")
		require.Equal(t, &domain.ShipmentJob{
			OrderID: o.ID, Account: account("acme"), Ref: domain.ShipmentRef{ClientRef: "r1"}, Due: start, Since: start,
			Booking: &domain.Booking{Tariff: "cheapest", Packages: []domain.Package{{WeightG: 700}}},
		}, s.job(t, o))
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Equal(t, "acme", stored.Shipment.Carrier)
		s.Store = s.backend.Reopen(t, s.Store)
		require.Equal(t, "r1", s.job(t, o).Ref.ClientRef)
	},
	"names are learnt, the rest stays": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		s.ship(t, o, "acme", "r1")
		sent, err := s.SendShipment(t.Context(), o.ID, "r1", start)
		require.NoError(t, err)
		require.True(t, sent)
		s.learn(t, o, "acme", domain.ShipmentRef{ID: "c1", TrackingNumber: "T1", ClientRef: "r1"})
		j := s.job(t, o)
		require.Equal(t, domain.ShipmentRef{ID: "c1", TrackingNumber: "T1", ClientRef: "r1"}, j.Ref)
		require.Equal(t, start, j.SentAt)
		require.NotNil(t, j.Booking)
		require.Equal(t, start, j.Due)
		s.ship(t, o, "other", "r2")
		j = s.job(t, o)
		require.Equal(t, domain.ShipmentRef{ClientRef: "r2"}, j.Ref, "another booking begins anew")
		require.Zero(t, j.SentAt)
	},
	"the first answer's names are stored by themselves": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		s.ship(t, o, "acme", "r1")
		_, err := s.SendShipment(t.Context(), o.ID, "r1", start)
		require.NoError(t, err)
		ref := domain.ShipmentRef{ID: "c1", ClientRef: "r1", Sub: "behind", Version: "3", Cursor: "c"}
		require.NoError(t, s.NameShipment(t.Context(), o.ID, ref, false))
		require.Equal(t, ref, s.job(t, o).Ref)
		require.Equal(t, start, s.job(t, o).SentAt)
		require.NoError(t, s.NameShipment(t.Context(), o.ID, domain.ShipmentRef{ID: "c2", ClientRef: "r0"}, true))
		require.Equal(t, ref, s.job(t, o).Ref, "of another booking")
		require.NoError(t, s.NameShipment(t.Context(), o.ID, domain.ShipmentRef{ClientRef: "r1"}, true))
		require.Equal(t, domain.ShipmentRef{ClientRef: "r1"}, s.job(t, o).Ref)
		require.Zero(t, s.job(t, o).SentAt)
	},
	"an account's shipments are its own": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		second := domain.CarrierAccount{Carrier: "acme", Name: "second"}
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			events, err := ch.Order.Book(domain.Shipment{Carrier: "acme", Account: "second", Phase: domain.PhasePending}, false, by(start))
			ch.Add(events...)
			ch.Shipment = &domain.ShipmentJob{OrderID: o.ID, Account: second, Ref: domain.ShipmentRef{ID: "c1", ClientRef: "r1"}, Due: start, Since: start}
			return err
		})
		require.NoError(t, err)
		require.Empty(t, s.take(t, "acme", start, start.Add(time.Minute), 9))
		n, err := s.HastenShipments(t.Context(), account("acme"), []domain.ShipmentRef{{ID: "c1"}}, start)
		require.NoError(t, err)
		require.Zero(t, n)
		next, err := s.NextShipment(t.Context(), second)
		require.NoError(t, err)
		require.Equal(t, start, next)
		jobs, err := s.TakeShipments(t.Context(), second, start, start.Add(time.Minute), 9)
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		require.Equal(t, second, jobs[0].Account)
	},
	"an order is found by its tracking number": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		s.ship(t, o, "acme", "r1")
		_, err := s.ShipmentOrder(t.Context(), "")
		requireCode(t, domain.CodeOrderNotFound, err)
		s.learn(t, o, "acme", domain.ShipmentRef{ID: "c1", TrackingNumber: "T1", ClientRef: "r1"})
		id, err := s.ShipmentOrder(t.Context(), "T1")
		require.NoError(t, err)
		require.Equal(t, o.ID, id)
		_, err = s.ShipmentOrder(t.Context(), "T2")
		requireCode(t, domain.CodeOrderNotFound, err)
	},
	"what is due is taken by one": func(t *testing.T, s storeSuite) {
		for i := range 20 {
			s.ship(t, s.create(t, draft(), start), "acme", fmt.Sprint("r", i))
		}
		s.ship(t, s.create(t, draft(), start), "other", "o")
		require.Empty(t, s.take(t, "acme", start.Add(-time.Second), start, 10), "nothing is due yet")
		until := start.Add(time.Minute)
		var mu sync.Mutex
		taken := map[string]int{}
		together(4, func(int) error {
			for {
				jobs, err := s.TakeShipments(t.Context(), account("acme"), start, until, 3)
				if err != nil || len(jobs) == 0 {
					return err
				}
				mu.Lock()
				for _, j := range jobs {
					taken[j.Ref.ClientRef]++
				}
				mu.Unlock()
			}
		})
		require.Len(t, taken, 20)
		for ref, n := range taken {
			require.Equal(t, 1, n, ref)
		}
		require.Len(t, s.take(t, "acme", until, until.Add(time.Minute), 100), 20, "who dies with them delays them only")
	},
	"what was looked at is put off": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		s.ship(t, o, "acme", "r1")
		until := start.Add(time.Minute)
		j := s.take(t, "acme", start, until, 10)[0]
		j.Due, j.Since, j.Looks, j.FailingSince = start.Add(time.Hour), start.Add(time.Second), 4, start.Add(2*time.Second)
		j.Performer = &domain.Position{Lat: 55.75, Lon: 37.61, RecordedAt: start, ReceivedAt: start}
		require.NoError(t, s.PutOffShipment(t.Context(), j, until))
		require.Empty(t, s.take(t, "acme", until, until, 10))
		next, err := s.NextShipment(t.Context(), account("acme"))
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour), next)
		next, err = s.NextShipment(t.Context(), account("other"))
		require.NoError(t, err)
		require.True(t, next.IsZero())
		again := s.take(t, "acme", start.Add(time.Hour), start.Add(2*time.Hour), 10)[0]
		require.Equal(t, []any{j.Since, 4, j.FailingSince, j.Performer}, []any{again.Since, again.Looks, again.FailingSince, again.Performer})
		again.Due = time.Time{}
		require.NoError(t, s.PutOffShipment(t.Context(), again, start.Add(2*time.Hour)))
		require.Empty(t, s.take(t, "acme", start.AddDate(1, 0, 0), start.AddDate(2, 0, 0), 10), "never again")
		require.True(t, s.job(t, o).Due.IsZero())
	},
	"a hint beats what was put off": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		s.ship(t, o, "acme", "r1")
		s.learn(t, o, "acme", domain.ShipmentRef{ID: "c1", TrackingNumber: "T1", ClientRef: "r1"})
		until := start.Add(time.Minute)
		for _, ref := range []domain.ShipmentRef{{ID: "c1"}, {TrackingNumber: "T1"}, {ClientRef: "r1"}, {ID: "no", TrackingNumber: "T1"}, {ID: "C1"}, {TrackingNumber: "t1"}} {
			j := s.take(t, "acme", start, until, 10)[0]
			n, err := s.HastenShipments(t.Context(), account("acme"), []domain.ShipmentRef{{ID: "other"}, {}, ref}, start)
			require.NoError(t, err)
			require.Equal(t, 1, n, "%+v", ref)
			j.Due = start.Add(time.Hour)
			require.NoError(t, s.PutOffShipment(t.Context(), j, until), "by who looked before the hint")
			require.Equal(t, start, s.job(t, o).Due)
		}
		n, err := s.HastenShipments(t.Context(), account("other"), []domain.ShipmentRef{{ID: "c1"}}, start)
		require.NoError(t, err)
		require.Zero(t, n, "another carrier's")
		j := s.take(t, "acme", start, until, 10)[0]
		j.Due = time.Time{}
		require.NoError(t, s.PutOffShipment(t.Context(), j, until))
		n, err = s.HastenShipments(t.Context(), account("acme"), []domain.ShipmentRef{{ID: "c1"}}, start)
		require.NoError(t, err)
		require.Zero(t, n, "what is over stays so")
	},
	"bookings without an answer are hastened after a crash, and nothing else": func(t *testing.T, s storeSuite) {
		open, named, over := s.create(t, draft(), start), s.create(t, draft(), start), s.create(t, draft(), start)
		for i, o := range []*domain.Order{open, named, over} {
			s.ship(t, o, "acme", fmt.Sprint("r", i))
		}
		s.learn(t, named, "acme", domain.ShipmentRef{ID: "c1", ClientRef: "r1"})
		until := start.Add(time.Minute)
		for _, j := range s.take(t, "acme", start, until, 10) {
			if j.OrderID == over.ID {
				j.Due = time.Time{}
				require.NoError(t, s.PutOffShipment(t.Context(), j, until))
			}
		}
		now := start.Add(time.Second)
		require.NoError(t, s.HastenBookings(t.Context(), now))
		due := s.take(t, "acme", now, until, 10)
		require.Len(t, due, 1)
		require.Equal(t, open.ID, due[0].OrderID)
	},
	"sending and cancelling exclude each other": func(t *testing.T, s storeSuite) {
		for i := range 20 {
			o := s.create(t, draft(), start)
			ref := fmt.Sprint("r", i)
			s.ship(t, o, "acme", ref)
			var sent, heard bool
			errs := together(2, func(i int) (err error) {
				if i == 0 {
					sent, err = s.SendShipment(t.Context(), o.ID, ref, start)
				} else {
					heard, err = s.CancelShipment(t.Context(), o.ID, ref, true, 0, start)
				}
				return err
			})
			require.NoError(t, errs[0])
			require.NoError(t, errs[1])
			require.Equal(t, sent, heard, "who cancels knows whether the carrier may have heard of it")
			j := s.job(t, o)
			require.True(t, j.Cancelling)
			again, err := s.SendShipment(t.Context(), o.ID, ref, start)
			require.NoError(t, err)
			require.False(t, again)
			_, err = s.CancelShipment(t.Context(), o.ID, ref, false, 0, start)
			require.NoError(t, err)
			again, err = s.SendShipment(t.Context(), o.ID, ref, start)
			require.NoError(t, err)
			require.True(t, again, "not to be cancelled after all")
			wrong, err := s.SendShipment(t.Context(), o.ID, "another", start)
			require.NoError(t, err)
			require.False(t, wrong)
		}
	},
	"cancelling holds to the order's version": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		s.ship(t, o, "acme", "r1")
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		_, err = s.CancelShipment(t.Context(), o.ID, "r1", true, stored.Version-1, start)
		requireCode(t, domain.CodeVersionConflict, err)
		require.False(t, s.job(t, o).Cancelling)
		_, err = s.CancelShipment(t.Context(), o.ID, "r1", true, stored.Version, start)
		require.NoError(t, err)
		require.True(t, s.job(t, o).Cancelling)
	},
	"hints are kept until they are worked on": func(t *testing.T, s storeSuite) {
		for i := range 3 {
			h := domain.HookMessage{ID: fmt.Sprint("h", i), Account: account("acme"), ReceivedAt: start, Header: map[string][]string{"X-Signature": {"s"}}, Query: "a=1", Body: []byte("{\x00}")}
			require.NoError(t, s.KeepHook(t.Context(), h))
			require.NoError(t, s.KeepHook(t.Context(), h), "twice is once")
		}
		until := start.Add(time.Minute)
		got, err := s.TakeHooks(t.Context(), start, until, 2)
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, domain.HookMessage{ID: "h0", Account: account("acme"), ReceivedAt: start, Header: map[string][]string{"X-Signature": {"s"}}, Query: "a=1", Body: []byte("{\x00}")}, got[0])
		require.NoError(t, s.DropHook(t.Context(), "h0"))
		rest, err := s.TakeHooks(t.Context(), start, until, 9)
		require.NoError(t, err)
		require.Len(t, rest, 1)
		s.Store = s.backend.Reopen(t, s.Store)
		again, err := s.TakeHooks(t.Context(), until, until.Add(time.Minute), 9)
		require.NoError(t, err)
		require.Len(t, again, 2)
	},
	"how far journals were read survives": func(t *testing.T, s storeSuite) {
		other := domain.CarrierAccount{Carrier: "swift", Name: "tea"}
		none, err := s.CarrierCursor(t.Context(), account("swift"))
		require.NoError(t, err)
		require.Empty(t, none)
		require.NoError(t, s.KeepCarrierCursor(t.Context(), account("swift"), "c-1"))
		require.NoError(t, s.KeepCarrierCursor(t.Context(), other, "x"))
		require.NoError(t, s.KeepCarrierCursor(t.Context(), account("swift"), "c-2"))
		s.Store = s.backend.Reopen(t, s.Store)
		for a, want := range map[domain.CarrierAccount]string{account("swift"): "c-2", other: "x"} {
			got, err := s.CarrierCursor(t.Context(), a)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	},
	"papers are kept, and who prints them": func(t *testing.T, s storeSuite) {
		none, err := s.Label(t.Context(), "r1/barcode")
		require.NoError(t, err)
		require.Nil(t, none)
		job := domain.Label{Key: "r1/barcode", Job: "j1", Since: start}
		require.NoError(t, s.KeepLabel(t.Context(), job))
		got, err := s.Label(t.Context(), "r1/barcode")
		require.NoError(t, err)
		require.Equal(t, &job, got)
		job.PDF = []byte("%PDF-2")
		require.NoError(t, s.KeepLabel(t.Context(), job))
		got, err = s.Label(t.Context(), "r1/barcode")
		require.NoError(t, err)
		require.Equal(t, &job, got)
		none, err = s.Label(t.Context(), "r1/waybill")
		require.NoError(t, err)
		require.Nil(t, none)
	},
}
