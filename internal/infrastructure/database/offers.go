package database

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeepOffers commits offers; see domain.Offers.
func (s *Store) KeepOffers(ctx context.Context, refs []domain.OfferRef) error {
	return s.within(ctx, func(t *txn) {
		for _, r := range refs {
			t.exec(`INSERT INTO offers (id, order_id, courier_id, due_at) VALUES ($1, $2, $3, $4)`, r.ID, r.OrderID, r.CourierID, micros(r.DueAt))
		}
	})
}

// OfferOrder returns the id of an offer's order, or "".
func (s *Store) OfferOrder(ctx context.Context, offerID string) (string, error) {
	return value[string](ctx, s, `SELECT order_id FROM offers WHERE id = $1`, ident(offerID))
}

var scanOffer = into(func(o *domain.OfferRef) []any { return []any{&o.ID, &o.OrderID, &o.CourierID, instant{&o.DueAt}} })

const selectOffers = `SELECT id, order_id, courier_id, due_at FROM offers `

// CourierOffers returns a courier's offers, newest first.
func (s *Store) CourierOffers(ctx context.Context, courierID string, limit int) ([]domain.OfferRef, error) {
	return list(ctx, s, scanOffer, selectOffers+`WHERE courier_id = $1 ORDER BY id DESC LIMIT $2`, ident(courierID), limit)
}

// DueOffers returns the offers that are due.
func (s *Store) DueOffers(ctx context.Context, now time.Time, limit int) ([]domain.OfferRef, error) {
	return list(ctx, s, scanOffer, selectOffers+`WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2`, micros(now), limit)
}

// NextOffer returns when the next offer is due.
func (s *Store) NextOffer(ctx context.Context) (at time.Time, err error) {
	_, err = s.one(ctx, `SELECT min(due_at) FROM offers`, nil, instant{&at})
	return at, err
}

// PutOffOffers postpones offers.
func (s *Store) PutOffOffers(ctx context.Context, ids []string, until time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	return s.do(ctx, `UPDATE offers SET due_at = $2 WHERE id`+s.d.among, s.d.list(ids), micros(until))
}

// DropOffers deletes offers.
func (s *Store) DropOffers(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return s.do(ctx, `DELETE FROM offers WHERE id`+s.d.among, s.d.list(ids))
}

// Image returns an image; see domain.Proofs.
func (s *Store) Image(ctx context.Context, orderID, ownerID, kind string) ([]byte, error) {
	return value[[]byte](ctx, s, `SELECT data FROM order_images WHERE order_id = $1 AND owner_id = $2 AND kind = $3`, ident(orderID), ident(ownerID), kind)
}

// TryPIN counts a try in one statement, so that tries at once count too; see domain.Proofs.
func (s *Store) TryPIN(ctx context.Context, orderID string, right bool, most int, now, until time.Time) (locked time.Time, err error) {
	if !isID(orderID) {
		return locked, orderNotFound(orderID)
	}
	wrong := 1
	if right {
		wrong = 0
	}
	found, err := changed(ctx, s, into(func(at *time.Time) []any { return []any{instant{at}} }),
		`INSERT INTO order_pins (order_id, wrong, locked_until) VALUES ($1, $2, NULL) ON CONFLICT (order_id) DO UPDATE SET
		wrong = CASE WHEN order_pins.locked_until > $3 THEN order_pins.wrong WHEN $2 = 0 OR order_pins.wrong + 1 >= $5 THEN 0 ELSE order_pins.wrong + 1 END,
		locked_until = CASE WHEN order_pins.locked_until > $3 THEN order_pins.locked_until WHEN $2 = 1 AND order_pins.wrong + 1 >= $5 THEN $4 END
		RETURNING locked_until`, orderID, wrong, micros(now), micros(until), most)
	if err != nil {
		return locked, err
	}
	return found[0], nil
}
