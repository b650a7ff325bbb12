package domaintest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var deliveryTests = map[string]func(*testing.T, storeSuite){
	"Deliveries are committed with their change and not without it": func(t *testing.T, s storeSuite) {
		o := s.sends(t, "hook")
		due := s.due(t, "hook", start)
		require.Len(t, due, 1)
		require.Equal(t, domain.Delivery{
			Receiver: "hook", OrderID: o.ID, Seq: 1, EventID: due[0].EventID, Type: domain.EventCreated,
			State: domain.DeliveryWaiting, DueAt: start, LaneDue: start,
		}, due[0])

		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			deliver(ch, "hook", ch.Order.Note(domain.EventNotified, by(start), nil))
			return errWanted
		})
		require.ErrorIs(t, err, errWanted)
		_, err = s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			ch.Deliveries = append(ch.Deliveries, domain.Delivery{Receiver: "hook", OrderID: o.ID, Seq: 7, EventID: domain.NewID(), DueAt: start})
			return nil
		})
		require.NoError(t, err)
		require.Len(t, s.due(t, "hook", start), 1, "a change without events sends nothing")
		s.Store = s.backend.Reopen(t, s.Store)
		require.Equal(t, due, s.due(t, "hook", start))
	},
	"DueDeliveries are those of the receiver whose time has come, longest overdue first": func(t *testing.T, s storeSuite) {
		o := s.sends(t, "hook")
		s.notes(t, o.ID, "hook", start.Add(2*time.Minute), start.Add(time.Minute))
		s.notes(t, o.ID, "other", start)
		require.Equal(t, []int64{1, 3}, seqs(s.due(t, "hook", start.Add(90*time.Second))))
		due := s.due(t, "hook", start.Add(time.Hour))
		require.Equal(t, []int64{1, 3, 2}, seqs(due))
		require.Equal(t, start.Add(2*time.Minute), due[1].LaneDue, "an earlier one of the order is due later")
		limited, err := s.DueDeliveries(t.Context(), "hook", start.Add(time.Hour), 2)
		require.NoError(t, err)
		require.Equal(t, []int64{1, 3}, seqs(limited))
	},
	"DeliveryContents are the event and the order as it stood after it": func(t *testing.T, s storeSuite) {
		o := s.sends(t, "hook")
		courier := s.courier(t, 5)
		_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
			deliver(ch, "hook", ch.Order.Note(domain.EventNotified, by(start), map[string]any{"text": "soon"}))
			return nil
		})
		require.NoError(t, err)
		_, err = s.assign(t.Context(), o.ID, courier.ID)
		require.NoError(t, err)
		due := s.due(t, "hook", start)
		told, err := s.DeliveryContents(t.Context(), due)
		require.NoError(t, err)
		require.Len(t, told, 2)
		first, err := o.Freeze()
		require.NoError(t, err)
		for i, c := range told {
			require.Equal(t, due[i].EventID, c.Event.ID)
			require.JSONEq(t, string(first), string(c.Order))
		}
		require.Equal(t, "soon", told[1].Event.Data["text"])
	},
	"Deliveries of no order are committed with a change of documents and not without it": func(t *testing.T, s storeSuite) {
		due := start.Truncate(time.Microsecond)
		hook := domain.Document{Kind: domain.DocumentWebhook, ID: domain.NewID(), Version: 1, UpdatedAt: start, Data: []byte(`{}`)}
		notice := domain.Delivery{
			Receiver: "email", OrderID: hook.ID, Seq: 1, EventID: domain.NewID(), Type: "webhook.disabled", Template: "gone", State: domain.DeliveryWaiting, DueAt: due,
		}
		c := domain.AccessChange{Document: &hook, Deliveries: []domain.Delivery{notice}}
		require.NoError(t, s.ChangeAccess(t.Context(), c))
		c.Deliveries[0].Seq, c.Deliveries[0].EventID = 2, domain.NewID()
		require.Equal(t, domain.CodeVersionConflict, domain.CodeOf(s.ChangeAccess(t.Context(), c)))
		notice.LaneDue = due
		found := s.due(t, "email", start)
		require.Equal(t, []domain.Delivery{notice}, found)
		contents, err := s.DeliveryContents(t.Context(), found)
		require.NoError(t, err)
		require.Empty(t, contents[0].Event.ID)
	},
	"SettleDeliveries stores how deliveries stand": func(t *testing.T, s storeSuite) {
		o := s.sends(t, "hook")
		s.notes(t, o.ID, "hook", start, start, start)
		due := s.due(t, "hook", start)
		later := start.Add(time.Hour)
		sent, sentLate, waits, exhausted := due[0], due[1], due[2], due[3]
		sent.State, sent.Tries, sent.Code, sent.TriedAt, sent.DueAt = domain.DeliverySent, 1, 204, start, time.Time{}
		sentLate.State, sentLate.Tries, sentLate.TriedAt, sentLate.DueAt = domain.DeliverySent, 2, later, time.Time{}
		waits.Tries, waits.Code, waits.Error, waits.TriedAt, waits.DueAt = 1, 500, "it said 500", start, later
		exhausted.State, exhausted.Tries, exhausted.TriedAt, exhausted.DueAt = domain.DeliveryExhausted, 10, later, time.Time{}
		settled := []domain.Delivery{sent, sentLate, waits, exhausted}
		require.NoError(t, s.SettleDeliveries(t.Context(), settled))
		require.Empty(t, s.due(t, "hook", start))
		stored, err := s.OrderDeliveries(t.Context(), o.ID, []string{"hook", "none"})
		require.NoError(t, err)
		for i := range settled {
			settled[i].LaneDue = time.Time{}
		}
		require.Equal(t, settled, stored)
		require.Equal(t, []int64{waits.Seq}, seqs(s.due(t, "hook", later)))
	},
	"HoldDeliveries holds what waits until RetryDeliveries": func(t *testing.T, s storeSuite) {
		o := s.sends(t, "hook")
		s.notes(t, o.ID, "hook", start)
		s.notes(t, o.ID, "other", start)
		due := s.due(t, "hook", start)
		require.NoError(t, s.HoldDeliveries(t.Context(), "hook"))
		require.Empty(t, s.due(t, "hook", start))
		require.Len(t, s.due(t, "other", start), 1)

		due[0].Tries, due[0].DueAt, due[0].TriedAt = 1, start.Add(time.Minute), start
		due[1].Tries, due[1].State, due[1].DueAt, due[1].TriedAt = 1, domain.DeliverySent, time.Time{}, start
		require.NoError(t, s.SettleDeliveries(t.Context(), due))
		require.Empty(t, s.due(t, "hook", start.Add(time.Hour)), "a try that failed meanwhile does not end the hold")
		held, _, err := s.DeliveryLog(t.Context(), domain.DeliveryFilter{Receiver: "hook", State: domain.DeliveryHeld}, domain.Page{Size: 10})
		require.NoError(t, err)
		require.Equal(t, []int64{1}, seqs(held), "but one that succeeded is known to be sent")

		n, err := s.RetryDeliveries(t.Context(), domain.DeliveryFilter{Receiver: "hook", State: domain.DeliveryHeld}, start.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		again := s.due(t, "hook", start.Add(time.Hour))
		require.Equal(t, []int64{1}, seqs(again))
		require.Zero(t, again[0].Tries)
	},
	"DeliveryLog pages through a receiver's deliveries by event": func(t *testing.T, s storeSuite) {
		o := s.sends(t, "hook")
		s.notes(t, o.ID, "hook", start, start, start)
		s.sends(t, "other")
		var seen []int64
		page := domain.Page{Size: 3}
		for range 2 {
			found, next, err := s.DeliveryLog(t.Context(), domain.DeliveryFilter{Receiver: "hook"}, page)
			require.NoError(t, err)
			seen = append(seen, seqs(found)...)
			if next == nil {
				break
			}
			page.After = *next
		}
		require.Equal(t, []int64{4, 3, 2, 1}, seen)

		one := s.due(t, "hook", start)[1]
		now := time.Now()
		for name, c := range map[string]struct {
			f    domain.DeliveryFilter
			want int
		}{
			"by id": {domain.DeliveryFilter{EventID: one.EventID}, 1}, "by state": {domain.DeliveryFilter{State: domain.DeliverySent}, 0},
			"from": {domain.DeliveryFilter{From: now.Add(-time.Hour)}, 4}, "from later": {domain.DeliveryFilter{From: now.Add(time.Hour)}, 0},
			"to": {domain.DeliveryFilter{To: now.Add(time.Hour)}, 4}, "to earlier": {domain.DeliveryFilter{To: now.Add(-time.Hour)}, 0},
		} {
			c.f.Receiver = "hook"
			found, _, err := s.DeliveryLog(t.Context(), c.f, domain.Page{Size: 10})
			require.NoError(t, err)
			require.Len(t, found, c.want, name)
			n, err := s.RetryDeliveries(t.Context(), c.f, start.Add(time.Minute))
			require.NoError(t, err)
			require.Equal(t, c.want, n, name)
		}
	},
	"A receiver has one sender at a time": func(t *testing.T, s storeSuite) {
		const receivers = 8
		names := make([]string, receivers)
		for i := range names {
			names[i] = fmt.Sprint("hook", i)
			s.sends(t, names[i])
		}
		require.NoError(t, s.KeepReceivers(t.Context(), append(names, "idle")))
		require.NoError(t, s.KeepReceivers(t.Context(), names))
		taken := make([][]domain.Receiver, 6)
		errs := together(len(taken), func(i int) (err error) {
			taken[i], err = s.LeaseReceivers(t.Context(), fmt.Sprint("replica", i), nil, start, start.Add(time.Minute))
			return err
		})
		owners := map[string]int{}
		for i, list := range taken {
			require.NoError(t, errs[i])
			for _, r := range list {
				owners[r.Name]++
			}
		}
		require.Len(t, owners, receivers, "and nobody leases what has nothing due")
		for name, n := range owners {
			require.Equal(t, 1, n, name)
		}
	},
	"A lease is renewed by its owner and free once it has ended": func(t *testing.T, s storeSuite) {
		s.sends(t, "hook")
		require.NoError(t, s.KeepReceivers(t.Context(), []string{"hook"}))
		lease := func(owner string, now time.Time, except ...string) []domain.Receiver {
			t.Helper()
			got, err := s.LeaseReceivers(t.Context(), owner, except, now, now.Add(time.Minute))
			require.NoError(t, err)
			return got
		}
		renew := func(owner string, until time.Time) []string {
			t.Helper()
			got, err := s.RenewReceivers(t.Context(), owner, []string{"hook"}, until)
			require.NoError(t, err)
			return got
		}
		require.Empty(t, lease("a", start, "hook"))
		require.Len(t, lease("a", start), 1)
		require.Len(t, lease("a", start), 1, "the owner may have forgotten it")
		require.Empty(t, lease("b", start))
		require.Empty(t, renew("b", start.Add(time.Hour)))
		require.Equal(t, []string{"hook"}, renew("a", start.Add(2*time.Minute)))
		require.Empty(t, lease("b", start.Add(90*time.Second)))
		require.NoError(t, s.ReceiverFailing(t.Context(), "hook", start))
		require.Equal(t, []domain.Receiver{{Name: "hook", FailingSince: start}}, lease("b", start.Add(3*time.Minute)))
		require.Empty(t, renew("a", start.Add(time.Hour)), "it has a new owner")
		require.NoError(t, s.ReceiverFailing(t.Context(), "hook", time.Time{}))
		require.Equal(t, []string{"hook"}, renew("b", time.Unix(0, 0)))
		require.Equal(t, []domain.Receiver{{Name: "hook"}}, lease("a", start))
	},
	"DeliveryBacklog tells how long the oldest waits and who fails": func(t *testing.T, s storeSuite) {
		b, err := s.DeliveryBacklog(t.Context())
		require.NoError(t, err)
		require.Equal(t, domain.DeliveryBacklog{}, b)
		s.sends(t, "hook")
		s.notes(t, s.sends(t, "late").ID, "late", start.Add(-time.Hour))
		require.NoError(t, s.KeepReceivers(t.Context(), []string{"hook", "late"}))
		require.NoError(t, s.ReceiverFailing(t.Context(), "late", start))
		b, err = s.DeliveryBacklog(t.Context())
		require.NoError(t, err)
		require.Equal(t, domain.DeliveryBacklog{Oldest: start.Add(-time.Hour), Failing: 1}, b)
	},
	"DropReceiver and PurgeDeliveries delete deliveries": func(t *testing.T, s storeSuite) {
		for _, name := range []string{"hook", "other", "third"} {
			s.sends(t, name)
		}
		ch := change(draft(), start)
		rule := domain.NewDelivery("third", &ch.Events[0], start)
		rule.Part = 1
		ch.Deliveries = []domain.Delivery{rule}
		_, err := s.CreateOrder(t.Context(), ch)
		require.NoError(t, err)
		require.Len(t, s.due(t, "third", start), 2)
		require.NoError(t, s.DropReceiver(t.Context(), "hook"))
		require.Empty(t, s.due(t, "hook", start))
		require.NoError(t, s.PurgeDeliveries(t.Context(), time.Now().Add(-time.Hour)))
		require.Len(t, s.due(t, "other", start), 1)
		require.NoError(t, s.PurgeDeliveries(t.Context(), time.Now().Add(time.Hour)))
		require.Empty(t, s.due(t, "other", start))
		require.Empty(t, s.due(t, "third", start))
	},
	"CountMessage counts up to the limit of a day": func(t *testing.T, s storeSuite) {
		for i, want := range []bool{true, true, false} {
			ok, err := s.CountMessage(t.Context(), "shop", "sms", "2026-03-01", 2)
			require.NoError(t, err)
			require.Equal(t, want, ok, i)
		}
		for _, other := range [][3]string{{"other", "sms", "2026-03-01"}, {"shop", "telegram", "2026-03-01"}, {"shop", "sms", "2026-03-02"}} {
			ok, err := s.CountMessage(t.Context(), other[0], other[1], other[2], 1)
			require.NoError(t, err)
			require.True(t, ok)
		}
		ok, err := s.CountMessage(t.Context(), "none", "sms", "2026-03-01", 0)
		require.NoError(t, err)
		require.False(t, ok)
	},
	"OptOut is for ever": func(t *testing.T, s storeSuite) {
		require.NoError(t, s.OptOut(t.Context(), "a", start))
		require.NoError(t, s.OptOut(t.Context(), "a", start.Add(time.Hour)))
		for mark, want := range map[string]bool{"a": true, "b": false} {
			out, err := s.OptedOut(t.Context(), mark)
			require.NoError(t, err)
			require.Equal(t, want, out)
		}
	},
	"A document without data deletes the one before": func(t *testing.T, s storeSuite) {
		doc := func(version int64, data string) error {
			return s.ChangeAccess(t.Context(), domain.AccessChange{Document: &domain.Document{
				Kind: domain.DocumentWebhook, ID: "w", Version: version, Data: []byte(data), UpdatedAt: start,
			}})
		}
		require.NoError(t, doc(1, `{}`))
		requireCode(t, domain.CodeVersionConflict, doc(3, ""))
		require.NoError(t, doc(2, ""))
		stored, err := s.Document(t.Context(), domain.DocumentWebhook, "w")
		require.NoError(t, err)
		require.Nil(t, stored)
	},
}

func deliver(ch *domain.Change, receiver string, events ...domain.Event) {
	for i := range events {
		ch.Deliveries = append(ch.Deliveries, domain.NewDelivery(receiver, &events[i], events[i].RecordedAt))
	}
	ch.Add(events...)
}

// sends creates an order whose creation is delivered to the receiver.
func (s storeSuite) sends(t *testing.T, receiver string) *domain.Order {
	t.Helper()
	ch := change(draft(), start)
	events := ch.Events
	ch.Events = nil
	deliver(ch, receiver, events...)
	o, err := s.CreateOrder(t.Context(), ch)
	require.NoError(t, err)
	return o
}

// notes adds note entries whose deliveries are due at the times.
func (s storeSuite) notes(t *testing.T, orderID, receiver string, due ...time.Time) {
	t.Helper()
	for _, at := range due {
		_, err := s.UpdateOrder(t.Context(), orderID, func(ch *domain.Change) error {
			deliver(ch, receiver, ch.Order.Note(domain.EventNotified, by(at), nil))
			return nil
		})
		require.NoError(t, err)
	}
}

func (s storeSuite) due(t *testing.T, receiver string, now time.Time) []domain.Delivery {
	t.Helper()
	found, err := s.DueDeliveries(t.Context(), receiver, now, 100)
	require.NoError(t, err)
	return found
}

func seqs(list []domain.Delivery) []int64 {
	out := make([]int64, len(list))
	for i, d := range list {
		out[i] = d.Seq
	}
	return out
}
