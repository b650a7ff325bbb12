package database

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeepToken commits a token; see domain.PhoneTokens.
func (s *Store) KeepToken(ctx context.Context, t domain.PhoneToken, idem *domain.Idempotency) error {
	if !isID(t.CourierID) {
		return courierNotFound(t.CourierID)
	}
	return failure(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `INSERT INTO courier_tokens (id, courier_id, hash, created_at)
			SELECT $2, id, $3, $4 FROM couriers WHERE id = $1`, t.CourierID, t.ID, t.Hash[:], micros(t.CreatedAt)))
		switch {
		case err != nil:
			return err
		case n == 0:
			return courierNotFound(t.CourierID)
		}
		return s.record(ctx, tx, idem)
	}))
}

// Tokens returns a courier's tokens, newest first.
func (s *Store) Tokens(ctx context.Context, courierID string) ([]domain.PhoneToken, error) {
	if !isID(courierID) {
		return nil, nil
	}
	return list(ctx, s, func(r *sql.Rows) (domain.PhoneToken, error) {
		t := domain.PhoneToken{CourierID: courierID}
		var hash []byte
		err := r.Scan(&t.ID, &hash, instant{&t.CreatedAt})
		copy(t.Hash[:], hash)
		return t, err
	}, `SELECT id, hash, created_at FROM courier_tokens WHERE courier_id = $1 ORDER BY created_at DESC, id DESC`, courierID)
}

// TokenOwner returns the id of the courier who owns the token with this hash, or "".
func (s *Store) TokenOwner(ctx context.Context, hash [32]byte) (courierID string, err error) {
	_, err = s.one(ctx, `SELECT courier_id FROM courier_tokens WHERE hash = $1`, []any{hash[:]}, &courierID)
	return courierID, err
}

// DropTokens deletes a courier's tokens; see domain.PhoneTokens.
func (s *Store) DropTokens(ctx context.Context, courierID, id string, idem *domain.Idempotency) (ids []string, err error) {
	if !isID(courierID) || id != "" && !isID(id) {
		return nil, nil
	}
	one, args := "", []any{courierID}
	if id != "" {
		one, args = " AND id = $2", append(args, id)
	}
	err = s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM courier_tokens WHERE courier_id = $1`+one+` RETURNING id`, args...)
		ids, err = collect(rows, err, scanOne[string])
		if err == nil && (len(ids) > 0 || id == "") {
			err = s.recordAnswer(ctx, tx, idem, ids)
		}
		return err
	})
	return ids, failure(err)
}

// AppendFixes adds positions to the history; see domain.Store.
func (s *Store) AppendFixes(ctx context.Context, fixes []domain.Fix, idem *domain.Idempotency) (int, error) {
	if len(fixes) == 0 && idem == nil {
		return 0, nil
	}
	// Sorted, so that two writers of the same positions can't deadlock.
	fixes = slices.Clone(fixes)
	slices.SortFunc(fixes, func(a, b domain.Fix) int {
		return cmp.Or(cmp.Compare(a.CourierID, b.CourierID), a.RecordedAt.Compare(b.RecordedAt))
	})
	rows := domain.Each(fixes, fixValues)
	added := 0
	err := s.d.storeFixes(ctx, rows, func() error {
		return s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
			err := s.record(ctx, tx, idem)
			if err == nil && len(rows) > 0 {
				added, err = s.d.insert(ctx, tx, positionsTable, rows)
			}
			return err
		})
	})
	if err != nil {
		return 0, failure(err)
	}
	return added, nil
}

var positionColumns = positionsTable.list("p.%[1]s")

func scanFix(r *sql.Rows) (f domain.Fix, err error) {
	err = r.Scan(&f.CourierID, instant{&f.RecordedAt}, instant{&f.ReceivedAt}, &f.Lat, &f.Lon,
		&f.Accuracy, &f.Speed, &f.Heading, &f.Altitude, &f.Battery, encoded{&f.Attributes})
	return f, err
}

// Trail returns a courier's positions with from <= recorded_at <= to, oldest first, at most limit.
func (s *Store) Trail(ctx context.Context, courierID string, from, to time.Time, limit int) ([]domain.Position, error) {
	if !isID(courierID) {
		return nil, nil
	}
	return list(ctx, s, func(r *sql.Rows) (domain.Position, error) {
		f, err := scanFix(r)
		return f.Position, err
	}, `SELECT `+positionColumns+` FROM courier_positions p
		WHERE p.courier_id = $1 AND p.recorded_at >= $2 AND p.recorded_at <= $3 ORDER BY p.recorded_at LIMIT $4`,
		courierID, micros(from), micros(to), limit)
}

// LatestFixes returns the newest position of every courier recorded after since.
func (s *Store) LatestFixes(ctx context.Context, since time.Time) ([]domain.Fix, error) {
	// One index lookup per courier instead of a scan of the history.
	return list(ctx, s, scanFix, `SELECT `+positionColumns+` FROM couriers c
		JOIN courier_positions p ON p.courier_id = c.id AND p.recorded_at =
			(SELECT q.recorded_at FROM courier_positions q WHERE q.courier_id = c.id AND q.recorded_at > $1
			 ORDER BY q.recorded_at DESC LIMIT 1)`, micros(since))
}

// FoundPlace returns what was found for an address; see domain.Places.
func (s *Store) FoundPlace(ctx context.Context, address string) (*domain.FoundPlace, error) {
	p := &domain.FoundPlace{}
	found, err := s.one(ctx, `SELECT lat, lon, quality, found_at FROM places WHERE address = $1`,
		[]any{address}, &p.Lat, &p.Lon, &p.Quality, instant{&p.FoundAt})
	if !found {
		p = nil
	}
	return p, err
}

// KeepPlace commits what was found for an address, instead of an earlier answer.
func (s *Store) KeepPlace(ctx context.Context, address string, p domain.FoundPlace) error {
	_, err := s.change(ctx, `INSERT INTO places (address, lat, lon, quality, found_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (address) DO UPDATE SET lat = excluded.lat, lon = excluded.lon, quality = excluded.quality, found_at = excluded.found_at`,
		address, p.Lat, p.Lon, string(p.Quality), micros(p.FoundAt))
	return err
}

// TakeLease takes or extends a lease; see domain.Leases.
func (s *Store) TakeLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	got, err := changed(ctx, s, func(r *sql.Rows) (string, error) { return scanOne[string](r) },
		`INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until <= $4 RETURNING holder`,
		name, holder, micros(until), micros(now))
	return len(got) > 0, err
}
