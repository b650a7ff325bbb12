package database

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const deliveryColumns = `receiver, order_id, seq, part, event_id, type, template, state, due_at, tries, tried_at, code, error`

// deliveryValues encodes a delivery that was not tried yet.
func deliveryValues(d *domain.Delivery) []any {
	return []any{d.Receiver, d.OrderID, d.Seq, int64(d.Part), d.EventID, string(d.Type), d.Template, string(d.State), nullTime(d.DueAt)}
}

func deliveryTargets(d *domain.Delivery) []any {
	return []any{
		&d.Receiver, &d.OrderID, &d.Seq, &d.Part, &d.EventID, &d.Type, &d.Template, &d.State, instant{&d.DueAt},
		&d.Tries, instant{&d.TriedAt}, &d.Code, &d.Error,
	}
}

var scanDelivery = into(deliveryTargets)

// DueDeliveries returns a receiver's due deliveries; see domain.Deliveries. The + keeps max from
// walking the index of what is due, which would cost the whole backlog for each row.
func (s *Store) DueDeliveries(ctx context.Context, receiver string, now time.Time, limit int) ([]domain.Delivery, error) {
	return list(ctx, s, into(func(d *domain.Delivery) []any { return append(deliveryTargets(d), instant{&d.LaneDue}) }), `SELECT `+deliveryColumns+`, (SELECT max(+h.due_at) FROM deliveries h WHERE h.receiver = d.receiver AND h.order_id = d.order_id
			AND h.seq <= d.seq AND h.due_at IS NOT NULL)
		FROM deliveries d WHERE receiver = $1 AND due_at <= $2 AND due_at IS NOT NULL ORDER BY due_at, order_id, seq, part LIMIT $3`,
		receiver, micros(now), limit)
}

// DeliveryContents returns events and orders; see domain.Deliveries. A note's order is that of the change before it.
func (s *Store) DeliveryContents(ctx context.Context, of []domain.Delivery) ([]domain.DeliveryContent, error) {
	out := make([]domain.DeliveryContent, len(of))
	for i, d := range of {
		_, err := s.one(ctx, `SELECT e.data, COALESCE(e.order_data, (SELECT b.order_data FROM order_events b
				WHERE b.order_id = $1 AND b.seq < $2 AND b.order_data IS NOT NULL ORDER BY b.seq DESC LIMIT 1))
			FROM order_events e WHERE e.order_id = $1 AND e.seq = $2`,
			[]any{d.OrderID, d.Seq}, encoded{&out[i].Event}, &out[i].Order)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// settleDelivery leaves what is held, unless it was sent.
const settleDelivery = `UPDATE deliveries SET state = $5, due_at = $6, tries = $7, tried_at = $8, code = $9, error = $10
	WHERE receiver = $1 AND order_id = $2 AND seq = $3 AND part = $4 AND (due_at IS NOT NULL OR $5 = 'sent')`

// SettleDeliveries stores the results of tries; see domain.Deliveries. Most were sent at the first try: those take one statement.
func (s *Store) SettleDeliveries(ctx context.Context, tried []domain.Delivery) error {
	type same struct {
		receiver string
		code     int
	}
	sent := map[same][]string{}
	var others []domain.Delivery
	at := time.Time{}
	for _, d := range tried {
		if d.State == domain.DeliverySent && d.Tries == 1 && d.Part == 0 && d.Error == "" {
			key := same{d.Receiver, d.Code}
			sent[key], at = append(sent[key], d.EventID), d.TriedAt
		} else {
			others = append(others, d)
		}
	}
	return s.within(ctx, func(t *txn) {
		for key, ids := range sent {
			t.exec(`UPDATE deliveries SET state = 'sent', due_at = NULL, tries = 1, tried_at = $3, code = $4, error = ''
				WHERE event_id`+s.d.among+` AND receiver = $2 AND part = 0`, s.d.list(ids), key.receiver, micros(at), int64(key.code))
		}
		for _, d := range others {
			t.exec(settleDelivery, d.Receiver, d.OrderID, d.Seq, int64(d.Part), string(d.State), nullTime(d.DueAt),
				int64(d.Tries), nullTime(d.TriedAt), int64(d.Code), d.Error)
		}
	})
}

// logged adds the filter's conditions. Part 0 is what webhooks and messages by hand have, and what the index by event holds.
func (l *listing) logged(f domain.DeliveryFilter) {
	l.where = append(l.where, "part = 0")
	l.and("receiver = %s", f.Receiver)
	l.when(f.EventID != "", "event_id = %s", f.EventID)
	l.when(f.State != "", "state = %s", string(f.State))
	l.when(!f.From.IsZero(), "event_id >= %s", domain.EventIDAt(f.From))
	l.when(!f.To.IsZero(), "event_id < %s", domain.EventIDAt(f.To))
}

// DeliveryLog returns a page of a receiver's deliveries; see domain.Deliveries.
func (s *Store) DeliveryLog(ctx context.Context, f domain.DeliveryFilter, p domain.Page) ([]domain.Delivery, *domain.Cursor, error) {
	l := newListing(p)
	l.logged(f)
	l.when(p.After.ID != "", "event_id < %s", p.After.ID)
	text := `SELECT ` + deliveryColumns + ` FROM deliveries` + l.conditions() + ` ORDER BY event_id DESC LIMIT $1`
	return read(ctx, s, l, text, scanDelivery, func(d domain.Delivery) domain.Cursor {
		return domain.Cursor{CreatedAt: domain.EventTime(d.EventID), ID: d.EventID}
	})
}

// OrderDeliveries returns the deliveries about an order; see domain.Deliveries.
func (s *Store) OrderDeliveries(ctx context.Context, orderID string, receivers []string) ([]domain.Delivery, error) {
	return list(ctx, s, scanDelivery, `SELECT `+deliveryColumns+` FROM deliveries WHERE receiver`+s.d.among+`
		AND order_id = $2 ORDER BY seq, receiver, part`, s.d.list(receivers), orderID)
}

// RetryDeliveries makes deliveries due; see domain.Deliveries. It changes a chunk per
// transaction, along the events, so that writers are not held up.
func (s *Store) RetryDeliveries(ctx context.Context, f domain.DeliveryFilter, at time.Time) (total int, err error) {
	for after := ""; ; {
		l := newListing(domain.Page{Size: purgeChunk - 1})
		l.logged(f)
		l.when(after != "", "event_id > %s", after)
		rows, err := s.queryVarying(ctx, `SELECT event_id FROM deliveries`+l.conditions()+` ORDER BY event_id LIMIT $1`, l.args...)
		ids, err := collect(rows, err, scanOne[string])
		if err != nil || len(ids) == 0 {
			return total, err
		}
		n, err := s.change(ctx, `UPDATE deliveries SET state = 'waiting', due_at = $3, tries = 0, code = 0, error = '' WHERE event_id`+s.d.among+`
			AND receiver = $2 AND part = 0`, s.d.list(ids), f.Receiver, micros(at))
		if total += n; err != nil || len(ids) < purgeChunk {
			return total, err
		}
		after = ids[len(ids)-1]
	}
}

// HoldDeliveries holds a receiver's waiting deliveries.
func (s *Store) HoldDeliveries(ctx context.Context, receiver string) error {
	return s.purge(ctx, `UPDATE deliveries SET state = 'held', due_at = NULL WHERE (receiver, order_id, seq, part) IN
		(SELECT receiver, order_id, seq, part FROM deliveries WHERE receiver = $1 AND due_at IS NOT NULL LIMIT $2)`, receiver)
}

// PurgeDeliveries deletes old deliveries; see domain.Deliveries. It goes along the primary key and
// looks for them outside of the transactions, since messages by rules have no index by time.
func (s *Store) PurgeDeliveries(ctx context.Context, before time.Time) error {
	bound := domain.EventIDAt(before)
	for receiver := ""; ; {
		found, err := s.one(ctx, `SELECT receiver FROM deliveries WHERE receiver > $1 ORDER BY receiver LIMIT 1`, []any{receiver}, &receiver)
		if err != nil || !found {
			return err
		}
		for from := uuid.Nil.String(); from != ""; {
			ids, err := list(ctx, s, scanOne[string], `SELECT order_id FROM deliveries WHERE receiver = $1 AND order_id >= $2 AND event_id < $3
				ORDER BY order_id LIMIT $4`, receiver, from, bound, purgeChunk)
			if err == nil {
				_, err = s.change(ctx, `DELETE FROM deliveries WHERE order_id`+s.d.among+` AND receiver = $2 AND event_id < $3`, s.d.list(ids), receiver, bound)
			}
			if err != nil {
				return err
			}
			if from = ""; len(ids) == purgeChunk {
				from = ids[len(ids)-1]
			}
		}
	}
}

// KeepReceivers makes receivers known.
func (s *Store) KeepReceivers(ctx context.Context, names []string) error {
	return s.within(ctx, func(t *txn) {
		for _, name := range names {
			t.exec(`INSERT INTO delivery_receivers (name, owner, leased_until) VALUES ($1, '', 0) ON CONFLICT (name) DO NOTHING`, name)
		}
	})
}

// DropReceiver forgets a receiver and its deliveries.
func (s *Store) DropReceiver(ctx context.Context, name string) error {
	if _, err := s.change(ctx, `DELETE FROM delivery_receivers WHERE name = $1`, name); err != nil {
		return err
	}
	return s.purge(ctx, `DELETE FROM deliveries WHERE (receiver, order_id, seq, part) IN
		(SELECT receiver, order_id, seq, part FROM deliveries WHERE receiver = $1 LIMIT $2)`, name)
}

// LeaseReceivers takes the receivers that need a sender; see domain.Deliveries. Most calls find none and write nothing.
func (s *Store) LeaseReceivers(ctx context.Context, owner string, except []string, now, until time.Time) ([]domain.Receiver, error) {
	free, err := list(ctx, s, scanOne[string], `SELECT r.name FROM delivery_receivers r WHERE NOT (r.name`+s.d.among+`)
		AND (r.leased_until < $3 OR r.owner = $2) AND EXISTS (SELECT 1 FROM deliveries d
			WHERE d.receiver = r.name AND d.due_at <= $3 AND d.due_at IS NOT NULL)`, s.d.list(nonNil(except)), owner, micros(now))
	if err != nil || len(free) == 0 {
		return nil, err
	}
	return changed(ctx, s, into(func(v *domain.Receiver) []any { return []any{&v.Name, instant{&v.FailingSince}} }), `UPDATE delivery_receivers SET owner = $2, leased_until = $4 WHERE name`+s.d.among+` AND (leased_until < $3 OR owner = $2)
		RETURNING name, failing_since`, s.d.list(free), owner, micros(now), micros(until))
}

// nonNil is a list that is encoded as one even when it is empty.
func nonNil(list []string) []string { return append([]string{}, list...) }

// RenewReceivers moves the ends of leases; see domain.Deliveries.
func (s *Store) RenewReceivers(ctx context.Context, owner string, names []string, until time.Time) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return changed(ctx, s, scanOne[string], `UPDATE delivery_receivers SET leased_until = $3 WHERE name`+s.d.among+` AND owner = $2
		RETURNING name`, s.d.list(names), owner, micros(until))
}

// ReceiverFailing stores since when a receiver fails.
func (s *Store) ReceiverFailing(ctx context.Context, name string, since time.Time) error {
	return s.do(ctx, `UPDATE delivery_receivers SET failing_since = $2 WHERE name = $1`, name, nullTime(since))
}

// CountMessage counts a message up to a limit.
func (s *Store) CountMessage(ctx context.Context, merchantID, channel, day string, limit int) (bool, error) {
	n, err := s.change(ctx, `INSERT INTO message_counts (merchant_id, channel, day, messages) SELECT $1, $2, $3, 1 WHERE CAST($4 AS bigint) > 0
		ON CONFLICT (merchant_id, channel, day) DO UPDATE SET messages = message_counts.messages + 1 WHERE message_counts.messages < $4`,
		merchantID, channel, day, int64(limit))
	return n > 0, err
}

// OptOut stores that an address gets no messages.
func (s *Store) OptOut(ctx context.Context, mark string, at time.Time) error {
	return s.do(ctx, `INSERT INTO opt_outs (mark, at) VALUES ($1, $2) ON CONFLICT (mark) DO NOTHING`, mark, micros(at))
}

// OptedOut reports whether an address gets no messages.
func (s *Store) OptedOut(ctx context.Context, mark string) (bool, error) {
	var one int
	return s.one(ctx, `SELECT 1 FROM opt_outs WHERE mark = $1`, []any{mark}, &one)
}

// DeliveryBacklog tells what waits, with one look into the index per receiver.
func (s *Store) DeliveryBacklog(ctx context.Context) (b domain.DeliveryBacklog, err error) {
	_, err = s.one(ctx, `SELECT min((SELECT min(d.due_at) FROM deliveries d WHERE d.receiver = r.name AND d.due_at IS NOT NULL)),
		count(r.failing_since) FROM delivery_receivers r`, nil, instant{&b.Oldest}, &b.Failing)
	return b, err
}
