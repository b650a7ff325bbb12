package database

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
