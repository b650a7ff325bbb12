package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Limits of router requests.
const (
	roadBatch    = 50              // places on each side of a table
	roadPatience = 2 * time.Second // for all tables of a plan
	// Road times outside these multiples of the straight-line time are rejected.
	roadFastest, roadSlowest = .3, 8
)

// leg is a route requested from the router.
type leg struct{ from, to domain.Point }

// byRoad replaces the problem's travel times by the router's: from couriers to pick-ups and from pick-ups to drop-offs.
// Missing, late or implausible ones stay straight-line times, scaled by the detour factor of the others.
func (s *Service) byRoad(ctx context.Context, p *Problem) {
	if s.Router == nil || len(p.Jobs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, roadPatience)
	defer cancel()
	known, road, line := map[leg]time.Duration{}, time.Duration(0), time.Duration(0)
	ask := func(from, to []domain.Point) error {
		table, err := s.Router.Table(ctx, from, to)
		for i, row := range table {
			for k, d := range row {
				straight := p.Travel(domain.VehicleCar, from[i], to[k])
				if d >= 0 && (float64(d) < roadFastest*float64(straight) || float64(d) > roadSlowest*float64(straight)+float64(30*time.Minute)) {
					continue
				}
				known[leg{from[i], to[k]}] = d
				if d > 0 {
					road, line = road+d, line+straight
				}
			}
		}
		return err
	}
	if err := askAll(p, ask); err != nil {
		s.Log.Debug("some travel times are straight-line estimates", zap.Error(errors.Join(err, errors.Unwrap(err))))
	}
	detour := 1.0
	if line > 0 {
		detour = float64(road) / float64(line)
	}
	straight := p.Travel
	p.Travel = func(v domain.Vehicle, from, to domain.Point) time.Duration {
		d, ok := known[leg{from, to}]
		switch {
		case !motorised(v):
			return straight(v, from, to)
		case ok:
			return d
		}
		return time.Duration(detour * float64(straight(v, from, to)))
	}
}

// motorised reports whether the router's roads, which are for cars, are the vehicle's.
func motorised(v domain.Vehicle) bool {
	return v == domain.VehicleCar || v == domain.VehicleVan || v == domain.VehicleMotorbike
}

// askAll requests, in batches, the routes from all couriers to all pick-ups and from each pick-up to its drop-offs.
func askAll(p *Problem, ask func(from, to []domain.Point) error) error {
	var pickups []domain.Point
	drops := map[domain.Point][]domain.Point{}
	for _, j := range p.Jobs {
		if !j.Pickup.Valid() || !j.Dropoff.Valid() {
			continue
		}
		if drops[j.Pickup] == nil {
			pickups = append(pickups, j.Pickup)
		}
		drops[j.Pickup] = append(drops[j.Pickup], j.Dropoff)
	}
	for _, at := range pickups {
		for to := range slices.Chunk(drops[at], roadBatch) {
			if err := ask([]domain.Point{at}, to); err != nil {
				return err
			}
		}
	}
	for from := range slices.Chunk(domain.Each(p.Couriers, func(c Courier) domain.Point { return c.At }), roadBatch) {
		for to := range slices.Chunk(pickups, roadBatch) {
			if err := ask(from, to); err != nil {
				return err
			}
		}
	}
	return nil
}
