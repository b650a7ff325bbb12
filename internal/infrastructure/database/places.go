package database

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// FoundPlace returns what was found for an address; see domain.Places.
func (s *Store) FoundPlace(ctx context.Context, address string) (*domain.FoundPlace, error) {
	return firstOf(list(ctx, s, into(func(p *domain.FoundPlace) []any { return []any{&p.Lat, &p.Lon, &p.Quality, instant{&p.FoundAt}} }),
		`SELECT lat, lon, quality, found_at FROM places WHERE address = $1`, address))
}

// KeepPlace commits what was found for an address, instead of an earlier answer.
func (s *Store) KeepPlace(ctx context.Context, address string, p domain.FoundPlace) error {
	return s.do(ctx, `INSERT INTO places (address, lat, lon, quality, found_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (address) DO UPDATE SET lat = excluded.lat, lon = excluded.lon, quality = excluded.quality, found_at = excluded.found_at`,
		address, p.Lat, p.Lon, string(p.Quality), micros(p.FoundAt))
}

// TakeLease takes or extends a lease; see domain.Leases.
func (s *Store) TakeLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	got, err := changed(ctx, s, scanOne[string], `INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until <= $4 RETURNING holder`,
		name, holder, micros(until), micros(now))
	return len(got) > 0, err
}
