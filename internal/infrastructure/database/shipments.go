package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// upsertShipment is written with its order. Of the same client reference only the
// names are taken over; another one begins anew.
const upsertShipment = `INSERT INTO shipments
	(order_id, carrier, ref, tracking_number, client_ref, due_at, since, looks, sent, cancelling, booking)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
	ON CONFLICT (order_id) DO UPDATE SET carrier = excluded.carrier, ref = excluded.ref,
	tracking_number = excluded.tracking_number, client_ref = excluded.client_ref,
	due_at = CASE WHEN shipments.client_ref = excluded.client_ref THEN shipments.due_at ELSE excluded.due_at END,
	since = CASE WHEN shipments.client_ref = excluded.client_ref THEN shipments.since ELSE excluded.since END,
	looks = CASE WHEN shipments.client_ref = excluded.client_ref THEN shipments.looks ELSE excluded.looks END,
	sent = CASE WHEN shipments.client_ref = excluded.client_ref THEN shipments.sent ELSE excluded.sent END,
	cancelling = CASE WHEN shipments.client_ref = excluded.client_ref THEN shipments.cancelling ELSE excluded.cancelling END,
	booking = CASE WHEN shipments.client_ref = excluded.client_ref THEN shipments.booking ELSE excluded.booking END`

func shipmentValues(j *domain.ShipmentJob) ([]any, error) {
	var booking any
	if j.Booking != nil {
		b, err := json.Marshal(j.Booking)
		if err != nil {
			return nil, err
		}
		booking = string(b)
	}
	return []any{
		j.OrderID, j.Carrier, j.Ref.ID, j.Ref.TrackingNumber, j.Ref.ClientRef, nullTime(j.Due), micros(j.Since), int64(j.Looks),
		j.Sent, j.Cancelling, booking,
	}, nil
}

// nullTime is NULL for no time.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

const shipmentColumns = `s.order_id, s.carrier, s.ref, s.tracking_number, s.client_ref, s.due_at, s.since, s.looks, s.sent, s.cancelling, s.booking`

func scanShipment(scan func(...any) error) (domain.ShipmentJob, error) {
	var j domain.ShipmentJob
	var due sql.NullInt64
	var since int64
	var booking sql.NullString
	err := scan(&j.OrderID, &j.Carrier, &j.Ref.ID, &j.Ref.TrackingNumber, &j.Ref.ClientRef, &due, &since, &j.Looks,
		&j.Sent, &j.Cancelling, &booking)
	if err != nil {
		return j, err
	}
	j.Since = fromMicros(since)
	if due.Valid {
		j.Due = fromMicros(due.Int64)
	}
	if booking.Valid {
		j.Booking = new(domain.Booking)
		err = json.Unmarshal([]byte(booking.String), j.Booking)
	}
	return j, err
}

// ShipmentJob returns what is remembered of an order's shipment, or nil.
func (s *Store) ShipmentJob(ctx context.Context, orderID string) (*domain.ShipmentJob, error) {
	if !isID(orderID) {
		return nil, nil
	}
	j, err := scanShipment(s.queryRow(ctx, `SELECT `+shipmentColumns+` FROM shipments s WHERE s.order_id = $1`, orderID).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return &j, nil
}

// ShipmentOrder returns the order of a tracking number, or order_not_found.
func (s *Store) ShipmentOrder(ctx context.Context, trackingNumber string) (string, error) {
	var id string
	err := s.queryRow(ctx, `SELECT s.order_id FROM shipments s
		WHERE s.tracking_number = $1 AND s.tracking_number <> '' ORDER BY s.order_id DESC LIMIT 1`, trackingNumber).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", domain.Errorf(domain.CodeOrderNotFound, "no order has the tracking number %q", trackingNumber)
	}
	return id, unavailable(err)
}

// skipLocked lets several processes take different rows.
func (s *Store) skipLocked() string {
	if s.d.forUpdate == "" {
		return ""
	}
	return s.d.forUpdate + " SKIP LOCKED"
}

// TakeShipments takes what is due; see domain.Shipping.
func (s *Store) TakeShipments(ctx context.Context, carrier string, now, until time.Time, limit int) ([]domain.ShipmentJob, error) {
	return take(ctx, s, func(ctx context.Context, tx *sql.Tx) ([]domain.ShipmentJob, error) {
		rows, err := tx.QueryContext(ctx, `SELECT `+shipmentColumns+` FROM shipments s
			WHERE s.carrier = $1 AND s.due_at <= $2 AND s.due_at IS NOT NULL ORDER BY s.due_at LIMIT $3`+s.skipLocked(),
			carrier, micros(now), limit)
		jobs, err := collect(rows, err, func(r *sql.Rows) (domain.ShipmentJob, error) { return scanShipment(r.Scan) })
		for i := range jobs {
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE shipments SET due_at = $2 WHERE order_id = $1`, jobs[i].OrderID, micros(until))
			}
		}
		return jobs, err
	})
}

// NextShipment returns when the next of the carrier's shipments is due, zero for none.
func (s *Store) NextShipment(ctx context.Context, carrier string) (time.Time, error) {
	var due sql.NullInt64
	err := s.queryRow(ctx, `SELECT min(s.due_at) FROM shipments s WHERE s.carrier = $1 AND s.due_at IS NOT NULL`, carrier).Scan(&due)
	if err != nil || !due.Valid {
		return time.Time{}, unavailable(err)
	}
	return fromMicros(due.Int64), nil
}

// take runs a job that reads; one that may run several times tells the last result.
func take[T any](ctx context.Context, s *Store, fn func(context.Context, *sql.Tx) ([]T, error)) ([]T, error) {
	var out []T
	err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		out, err = fn(ctx, tx)
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// change runs one statement and returns how many rows it touched.
func (s *Store) change(ctx context.Context, text string, args ...any) (int, error) {
	var n int64
	err := s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), unavailable(err)
}

// PutOffShipment stores when a shipment that was taken is due next.
func (s *Store) PutOffShipment(ctx context.Context, job domain.ShipmentJob, until time.Time) error {
	_, err := s.change(ctx, `UPDATE shipments SET due_at = $3, since = $4, looks = $5
		WHERE order_id = $1 AND client_ref = $2 AND due_at = $6`,
		job.OrderID, job.Ref.ClientRef, nullTime(job.Due), micros(job.Since), int64(job.Looks), micros(until))
	return err
}

// HastenShipments makes shipments due; see domain.Shipping.
func (s *Store) HastenShipments(ctx context.Context, carrier string, refs []domain.ShipmentRef, at time.Time) (int, error) {
	total := 0
	for _, ref := range refs {
		var where []string
		args := []any{carrier, micros(at)}
		for _, name := range [][2]string{{"ref", ref.ID}, {"tracking_number", ref.TrackingNumber}, {"client_ref", ref.ClientRef}} {
			if name[1] != "" {
				args = append(args, name[1])
				where = append(where, name[0]+" = $"+string(rune('0'+len(args)))+" AND "+name[0]+" <> ''")
			}
		}
		if len(where) == 0 {
			continue
		}
		n, err := s.change(ctx, `UPDATE shipments SET due_at = $2
			WHERE carrier = $1 AND due_at IS NOT NULL AND (`+strings.Join(where, " OR ")+`)`, args...)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// SendShipment notes that the carrier is about to hear of a shipment; false when it must not.
func (s *Store) SendShipment(ctx context.Context, orderID, clientRef string) (bool, error) {
	n, err := s.change(ctx, `UPDATE shipments SET sent = $3
		WHERE order_id = $1 AND client_ref = $2 AND NOT cancelling`, orderID, clientRef, true)
	return n > 0, err
}

// CancelShipment notes that a shipment is to be cancelled, or no more; see domain.Shipping.
func (s *Store) CancelShipment(ctx context.Context, orderID, clientRef string, cancelling bool, at time.Time) (bool, error) {
	sent, err := take(ctx, s, func(ctx context.Context, tx *sql.Tx) ([]bool, error) {
		rows, err := tx.QueryContext(ctx, `UPDATE shipments SET cancelling = $3, due_at = $4
			WHERE order_id = $1 AND client_ref = $2 RETURNING sent`, orderID, clientRef, cancelling, micros(at))
		return collect(rows, err, func(r *sql.Rows) (sent bool, err error) {
			err = r.Scan(&sent)
			return sent, err
		})
	})
	return len(sent) > 0 && sent[0], err
}

// KeepHook stores what a carrier posted.
func (s *Store) KeepHook(ctx context.Context, h domain.HookMessage) error {
	_, err := s.change(ctx, `INSERT INTO carrier_hooks (id, carrier, received_at, due_at, body) VALUES ($1, $2, $3, $3, $4)
		ON CONFLICT (id) DO NOTHING`, h.ID, h.Carrier, micros(h.ReceivedAt), h.Body)
	return err
}

// TakeHooks returns the oldest hints that nobody else works on.
func (s *Store) TakeHooks(ctx context.Context, now, until time.Time, limit int) ([]domain.HookMessage, error) {
	return take(ctx, s, func(ctx context.Context, tx *sql.Tx) ([]domain.HookMessage, error) {
		rows, err := tx.QueryContext(ctx, `SELECT id, carrier, received_at, body FROM carrier_hooks
			WHERE due_at <= $1 ORDER BY id LIMIT $2`+s.skipLocked(), micros(now), limit)
		hooks, err := collect(rows, err, func(r *sql.Rows) (domain.HookMessage, error) {
			var h domain.HookMessage
			var at int64
			err := r.Scan(&h.ID, &h.Carrier, &at, &h.Body)
			h.ReceivedAt = fromMicros(at)
			return h, err
		})
		for i := range hooks {
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE carrier_hooks SET due_at = $2 WHERE id = $1`, hooks[i].ID, micros(until))
			}
		}
		return hooks, err
	})
}

// DropHook forgets a hint.
func (s *Store) DropHook(ctx context.Context, id string) error {
	_, err := s.change(ctx, `DELETE FROM carrier_hooks WHERE id = $1`, id)
	return err
}

// KeepLabel stores a printed paper of a shipment.
func (s *Store) KeepLabel(ctx context.Context, clientRef string, kind domain.LabelKind, pdf []byte) error {
	_, err := s.change(ctx, `INSERT INTO carrier_labels (client_ref, kind, pdf) VALUES ($1, $2, $3)
		ON CONFLICT (client_ref, kind) DO UPDATE SET pdf = excluded.pdf`, clientRef, string(kind), pdf)
	return err
}

// Label returns a printed paper, or nil.
func (s *Store) Label(ctx context.Context, clientRef string, kind domain.LabelKind) ([]byte, error) {
	var pdf []byte
	err := s.queryRow(ctx, `SELECT pdf FROM carrier_labels WHERE client_ref = $1 AND kind = $2`, clientRef, string(kind)).Scan(&pdf)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return pdf, unavailable(err)
}
