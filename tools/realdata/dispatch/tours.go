package dispatch

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// tourStops is how many stops a tour has that another solver is compared on.
const tourStops = 25

// madeUp is a made-up tour as the product orders its stops, for oracle.py.
type madeUp struct {
	Kind   string                        `json:"kind"`
	Way    [tourStops + 1][tourStops]int `json:"way"`    // seconds from a stop, or the start (the last row), to each stop
	Before [tourStops]int                `json:"before"` // the stop that a stop must come after, or -1
	Late   [tourStops]int                `json:"late"`   // when a stop must be done, in seconds, or 0
	Order  [tourStops]int                `json:"order"`  // of the product
	Took   float64                       `json:"took_ms"`
	points [tourStops + 1]domain.Point   // the last is the start
	stops  [tourStops]domain.TourStop
}

// tours writes made-up tours in a town of 6 by 6 km: drop-offs only, with deadlines for a
// third of them, and pick-ups with their drop-offs.
func tours(out io.Writer, n int) error {
	rng := rand.New(rand.NewPCG(7, uint64(n))) //nolint:gosec // made-up tours
	for k := range n {
		for _, kind := range []string{"drop-offs", "deadlines", "pairs"} {
			t := invent(rng, kind)
			t.solve()
			if err := json.NewEncoder(out).Encode(t); err != nil {
				return fmt.Errorf("tour %d: %w", k, err)
			}
		}
	}
	return nil
}

func invent(rng *rand.Rand, kind string) *madeUp {
	t := &madeUp{Kind: kind}
	for i := range t.points {
		t.points[i] = domain.Point{Lat: rng.Float64() * 6000 / metresPerDegree, Lon: rng.Float64() * 6000 / metresPerDegree}
	}
	at, now := t.points[tourStops], 0
	for i := range tourStops {
		s := &t.stops[i]
		*s = domain.TourStop{OrderID: fmt.Sprint(i), Kind: domain.StopDropoff, At: t.points[i]}
		t.Before[i] = -1
		if kind == "pairs" && i%2 == 1 { // the one before is its pick-up
			t.Before[i], t.stops[i-1].Kind, s.OrderID = i-1, domain.StopPickup, t.stops[i-1].OrderID
		}
		now, at = now+seconds(at, s.At), s.At
		if kind == "deadlines" && i%3 == 0 { // one that can be met, in this order
			t.Late[i] = now
			s.Latest = midnight.Add(time.Duration(now) * time.Second)
		}
	}
	for from := range t.Way {
		for to := range tourStops {
			t.Way[from][to] = seconds(t.points[from], t.points[to])
		}
	}
	return t
}

// seconds is the way at 5 m/s.
func seconds(from, to domain.Point) int { return int(from.DistanceM(to) / 5) }

func (t *madeUp) solve() {
	began := time.Now()
	tour := dispatch.Tour{At: t.points[tourStops], Start: midnight, Stops: t.stops[:], Travel: func(_ domain.Vehicle, from, to domain.Point) time.Duration {
		return time.Duration(seconds(from, to)) * time.Second
	}}.Sequence(0, 0)
	t.Took = float64(time.Since(began).Microseconds()) / 1000
	for n, stop := range tour.Stops {
		for i, s := range t.stops {
			if s.OrderID == stop.OrderID && s.Kind == stop.Kind {
				t.Order[n] = i
			}
		}
	}
}
