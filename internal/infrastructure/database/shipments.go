package database

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const shipmentColumns = `order_id, carrier, account, ref, tracking_number, client_ref, more, due_at, since, looks, sent_at, cancelling, booking, failing_since`

// upsertShipment runs with its order's change. For the same client reference it updates
// only the names; another reference replaces the shipment.
var upsertShipment = func() string {
	text := `INSERT INTO shipments (` + shipmentColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (order_id) DO UPDATE SET carrier = excluded.carrier, account = excluded.account, ref = excluded.ref,
		tracking_number = excluded.tracking_number, client_ref = excluded.client_ref, more = excluded.more`
	for _, col := range []string{"due_at", "since", "looks", "sent_at", "cancelling", "booking", "failing_since"} {
		text += fmt.Sprintf(`, %[1]s = CASE WHEN shipments.client_ref = excluded.client_ref
			THEN shipments.%[1]s ELSE excluded.%[1]s END`, col)
	}
	return text
}()

func shipmentValues(j *domain.ShipmentJob) []any {
	return []any{
		j.OrderID, j.Account.Carrier, j.Account.Name, j.Ref.ID, j.Ref.TrackingNumber, j.Ref.ClientRef, moreNames(j.Ref), nullTime(j.Due), micros(j.Since),
		int64(j.Looks), nullTime(j.SentAt), j.Cancelling, encoded{j.Booking}, nullTime(j.FailingSince),
	}
}

// moreNames are the shipment names that only few carriers need; NULL for none.
func moreNames(r domain.ShipmentRef) any {
	r = domain.ShipmentRef{Sub: r.Sub, Version: r.Version, Cursor: r.Cursor}
	if r == (domain.ShipmentRef{}) {
		return nil
	}
	return encoded{r}
}

// nullTime maps the zero time to NULL.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

func scanShipment(r *sql.Rows) (j domain.ShipmentJob, err error) {
	var more *domain.ShipmentRef
	err = r.Scan(&j.OrderID, &j.Account.Carrier, &j.Account.Name, &j.Ref.ID, &j.Ref.TrackingNumber, &j.Ref.ClientRef, encoded{&more},
		instant{&j.Due}, instant{&j.Since}, &j.Looks, instant{&j.SentAt}, &j.Cancelling, encoded{&j.Booking}, instant{&j.FailingSince}, encoded{&j.Performer})
	if more != nil {
		j.Ref.Sub, j.Ref.Version, j.Ref.Cursor = more.Sub, more.Version, more.Cursor
	}
	return j, err
}

// ShipmentJob returns the stored state of an order's shipment, or nil.
func (s *Store) ShipmentJob(ctx context.Context, orderID string) (*domain.ShipmentJob, error) {
	return firstOf(list(ctx, s, scanShipment, `SELECT `+shipmentColumns+`, performer FROM shipments WHERE order_id = $1`, ident(orderID)))
}

// ShipmentOrder returns the order with a tracking number, or order_not_found.
func (s *Store) ShipmentOrder(ctx context.Context, trackingNumber string) (id string, err error) {
	found, err := s.one(ctx, `SELECT order_id FROM shipments WHERE tracking_number = $1 AND tracking_number <> ''
		ORDER BY order_id DESC LIMIT 1`, []any{trackingNumber}, &id)
	if err == nil && !found {
		err = domain.Errorf(domain.CodeOrderNotFound, "no order has the tracking number %q", trackingNumber)
	}
	return id, err
}

// due describes a work queue table shared by several processes.
type due[T any] struct {
	table, key string
	scan       func(*sql.Rows) (T, error)
	id         func(T) string
}

// take returns the rows of a query and postpones them to until, so that no other process takes them.
func (d due[T]) take(ctx context.Context, s *Store, until time.Time, text string, args ...any) (out []T, err error) {
	err = s.within(ctx, func(t *txn) {
		if out = rowsOf(t, d.scan, text+s.d.skipLocked, args...); len(out) > 0 {
			t.exec(`UPDATE `+d.table+` SET due_at = $2 WHERE `+d.key+s.d.among, s.d.list(domain.Each(out, d.id)), micros(until))
		}
	})
	return out, err
}

var dueShipments = due[domain.ShipmentJob]{"shipments", "order_id", scanShipment, func(j domain.ShipmentJob) string { return j.OrderID }}

// TakeShipments takes the due shipments; see domain.Shipping.
func (s *Store) TakeShipments(ctx context.Context, a domain.CarrierAccount, now, until time.Time, limit int) ([]domain.ShipmentJob, error) {
	return dueShipments.take(ctx, s, until, `SELECT `+shipmentColumns+`, performer FROM shipments
		WHERE carrier = $1 AND account = $2 AND due_at <= $3 AND due_at IS NOT NULL ORDER BY due_at LIMIT $4`, a.Carrier, a.Name, micros(now), limit)
}

// NextShipment returns when the account's next shipment is due, zero for none.
func (s *Store) NextShipment(ctx context.Context, a domain.CarrierAccount) (time.Time, error) {
	var at time.Time
	_, err := s.one(ctx, `SELECT due_at FROM shipments WHERE carrier = $1 AND account = $2 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1`,
		[]any{a.Carrier, a.Name}, instant{&at})
	return at, err
}

// PutOffShipment stores when a taken shipment is due next.
func (s *Store) PutOffShipment(ctx context.Context, job domain.ShipmentJob, until time.Time) error {
	return s.do(ctx, `UPDATE shipments SET due_at = $3, since = $4, looks = $5, failing_since = $6, performer = $8
		WHERE order_id = $1 AND client_ref = $2 AND due_at = $7`,
		job.OrderID, job.Ref.ClientRef, nullTime(job.Due), micros(job.Since), int64(job.Looks), nullTime(job.FailingSince), micros(until), encoded{job.Performer})
}

// HastenShipments makes shipments due now; see domain.Shipping.
func (s *Store) HastenShipments(ctx context.Context, a domain.CarrierAccount, refs []domain.ShipmentRef, at time.Time) (int, error) {
	total := 0
	for _, ref := range refs {
		n, err := s.change(ctx, `UPDATE shipments SET due_at = $3 WHERE carrier = $1 AND account = $2 AND due_at IS NOT NULL
			AND (ref IN ($4, $5, $6) AND ref <> '' OR tracking_number IN ($7, $8, $9) AND tracking_number <> '' OR client_ref = $10 AND client_ref <> '')`,
			a.Carrier, a.Name, micros(at), ref.ID, strings.ToLower(ref.ID), strings.ToUpper(ref.ID), // webhooks use any letter case
			ref.TrackingNumber, strings.ToLower(ref.TrackingNumber), strings.ToUpper(ref.TrackingNumber), ref.ClientRef)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// HastenBookings makes open bookings due; see domain.Shipping.
func (s *Store) HastenBookings(ctx context.Context, at time.Time) error {
	return s.do(ctx, `UPDATE shipments SET due_at = $1 WHERE due_at > $1 AND booking IS NOT NULL AND ref = '' AND tracking_number = ''`, micros(at))
}

// SendShipment records that a shipment is about to be sent to the carrier; false if it must not be.
func (s *Store) SendShipment(ctx context.Context, orderID, clientRef string, at time.Time) (bool, error) {
	n, err := s.change(ctx, `UPDATE shipments SET sent_at = $3
		WHERE order_id = $1 AND client_ref = $2 AND NOT cancelling`, orderID, clientRef, micros(at))
	return n > 0, err
}

// NameShipment stores a shipment's names; see domain.Shipping.
func (s *Store) NameShipment(ctx context.Context, orderID string, ref domain.ShipmentRef, unsent bool) error {
	return s.do(ctx, `UPDATE shipments SET ref = $3, tracking_number = $4, more = $5, sent_at = CASE WHEN $6 THEN NULL ELSE sent_at END
		WHERE order_id = $1 AND client_ref = $2`, orderID, ref.ClientRef, ref.ID, ref.TrackingNumber, moreNames(ref), unsent)
}

// CancelShipment requests or withdraws a shipment's cancellation; see domain.Shipping.
func (s *Store) CancelShipment(ctx context.Context, orderID, clientRef string, cancelling bool, version int64, at time.Time) (bool, error) {
	sent, err := changed(ctx, s, scanOne[bool], `UPDATE shipments SET cancelling = $3, due_at = $4 WHERE order_id = $1 AND client_ref = $2
		AND (CAST($5 AS bigint) = 0 OR EXISTS (SELECT 1 FROM orders WHERE id = $1 AND version = $5)) RETURNING sent_at IS NOT NULL`,
		orderID, clientRef, cancelling, micros(at), version)
	if err == nil && len(sent) == 0 && version != 0 {
		err = domain.Errorf(domain.CodeVersionConflict, "the order is no longer at version %d", version)
	}
	return len(sent) > 0 && sent[0], err
}

// KeepHook stores a carrier's webhook.
func (s *Store) KeepHook(ctx context.Context, h domain.HookMessage) error {
	return s.do(ctx, `INSERT INTO carrier_hooks (id, carrier, account, received_at, due_at, header, query, body)
		VALUES ($1, $2, $3, $4, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
		h.ID, h.Account.Carrier, h.Account.Name, micros(h.ReceivedAt), encoded{h.Header}, h.Query, h.Body)
}

var dueHooks = due[domain.HookMessage]{"carrier_hooks", "id", scanHook, func(h domain.HookMessage) string { return h.ID }}

var scanHook = into(func(h *domain.HookMessage) []any {
	return []any{&h.ID, &h.Account.Carrier, &h.Account.Name, instant{&h.ReceivedAt}, encoded{&h.Header}, &h.Query, &h.Body}
})

// TakeHooks returns the oldest webhooks that no other process is handling.
func (s *Store) TakeHooks(ctx context.Context, now, until time.Time, limit int) ([]domain.HookMessage, error) {
	return dueHooks.take(ctx, s, until, `SELECT id, carrier, account, received_at, header, query, body FROM carrier_hooks
		WHERE due_at <= $1 ORDER BY id LIMIT $2`, micros(now), limit)
}

// DropHook deletes a webhook.
func (s *Store) DropHook(ctx context.Context, id string) error {
	return s.do(ctx, `DELETE FROM carrier_hooks WHERE id = $1`, id)
}

// KeepCarrierCursor stores how far an account's journal was read.
func (s *Store) KeepCarrierCursor(ctx context.Context, a domain.CarrierAccount, cursor string) error {
	return s.do(ctx, `INSERT INTO carrier_cursors (carrier, account, cursor) VALUES ($1, $2, $3)
		ON CONFLICT (carrier, account) DO UPDATE SET cursor = excluded.cursor`, a.Carrier, a.Name, cursor)
}

// CarrierCursor returns how far an account's journal was read, "" for not at all.
func (s *Store) CarrierCursor(ctx context.Context, a domain.CarrierAccount) (string, error) {
	return value[string](ctx, s, `SELECT cursor FROM carrier_cursors WHERE carrier = $1 AND account = $2`, a.Carrier, a.Name)
}

// KeepLabel stores a label document, or the carrier's job that prints it.
func (s *Store) KeepLabel(ctx context.Context, l domain.Label) error {
	return s.do(ctx, `INSERT INTO carrier_papers (paper, job, since, pdf) VALUES ($1, $2, $3, $4)
		ON CONFLICT (paper) DO UPDATE SET job = excluded.job, since = excluded.since, pdf = excluded.pdf`, l.Key, l.Job, micros(l.Since), l.PDF)
}

// Label returns a label document, or nil.
func (s *Store) Label(ctx context.Context, key string) (*domain.Label, error) {
	return firstOf(list(ctx, s, into(func(l *domain.Label) []any { return []any{&l.Key, &l.Job, instant{&l.Since}, &l.PDF} }),
		`SELECT paper, job, since, pdf FROM carrier_papers WHERE paper = $1`, key))
}
