package tracking

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// street is a made-up drive to a door through a town: its pace changes with every few
// blocks, lights stop the courier, and the phone is off by some ten metres.
type street struct {
	luck   *rand.Rand
	length float64 // metres
	north  float64 // of the direction, a share
	done   float64 // metres
	pace   float64 // m/s, until the next change
	until  time.Time
	held   time.Time // by a light
}

func newStreet(r *rand.Rand) *street {
	return &street{luck: r, length: 1200 + 6000*r.Float64(), north: r.Float64()}
}

const reportEvery = 10 * time.Second

func (s *street) door() domain.Point { return s.at(s.length) }

func (s *street) at(metres float64) domain.Point {
	lat, lon := metres*s.north, metres*math.Sqrt(1-s.north*s.north)
	return domain.Point{Lat: shopAt.Lat + lat/111_195, Lon: shopAt.Lon + lon/111_195/math.Cos(shopAt.Lat*math.Pi/180)}
}

// step drives on for the time between two reports and returns what the phone says.
func (s *street) step(now time.Time) domain.Point {
	if !now.Before(s.until) {
		s.pace = 5 * math.Exp(.35*s.luck.NormFloat64())
		s.until = now.Add(time.Duration(30+s.luck.IntN(120)) * time.Second)
		if s.luck.IntN(3) == 0 {
			s.held = now.Add(time.Duration(10+s.luck.IntN(50)) * time.Second)
		}
	}
	if !now.Before(s.held) {
		s.done = min(s.length, s.done+s.pace*reportEvery.Seconds())
	}
	seen, noise := s.at(s.done), 12.
	if s.luck.IntN(20) == 0 {
		noise = 60 // between tall houses
	}
	return domain.Point{Lat: seen.Lat + noise*s.luck.NormFloat64()/111_195, Lon: seen.Lon + noise*s.luck.NormFloat64()/62_600}
}

// limit is by how much what is shown may differ from what is known: a tenth of the rest,
// but from one to three minutes.
func limit(shown, now time.Time) time.Duration {
	switch tenth := shown.Sub(now) / 10; {
	case tenth < time.Minute:
		return time.Minute
	case tenth > 3*time.Minute:
		return 3 * time.Minute
	default:
		return tenth
	}
}

// bring delivers an order through a street, and returns how many times its watchers saw the
// time move on the way.
func (w *world) bring(t *testing.T, courierID string, s *street) (changes int) {
	to := s.door()
	o := w.order(t, courierID, func(d *domain.Draft) { d.Dropoff.Location = &to })
	w.clock.add(time.Duration(4+s.luck.IntN(5)) * time.Minute)
	w.drive(t, courierID, shopAt)
	for _, status := range []domain.Status{domain.StatusAtPickup, domain.StatusPickedUp, domain.StatusOutForDelivery} {
		w.clock.add(30 * time.Second)
		w.move(t, o.ID, status)
	}
	o, err := w.store.Order(w.ctx, o.ID)
	require.NoError(t, err)
	shown := o.ETA.ETA
	for there := 0; there < 12; {
		w.clock.add(reportEvery)
		frames := len(w.heard.etas)
		w.drive(t, courierID, s.step(w.clock.Now()))
		for _, told := range w.heard.etas[frames:] {
			require.Equal(t, o.ID, told.OrderID)
			require.GreaterOrEqual(t, told.ETA.Sub(shown).Abs(), limit(shown, w.clock.Now()), "told of a change that nobody would notice")
			shown = told.ETA
			changes++
		}
		if s.length-s.done < 200 && w.status(t, o.ID) == domain.StatusAtDropoff {
			break // that tells a time of its own
		}
		known, err := w.Orders.Expect(w.ctx, o)
		require.NoError(t, err)
		require.Less(t, known.ETA.Sub(shown).Abs(), limit(shown, w.clock.Now()), "shown at %s of %.0f m", w.clock.Now(), s.done)
		if s.done == s.length {
			there++
		}
	}
	w.clock.add(2 * time.Minute)
	w.move(t, o.ID, domain.StatusDelivered)
	require.NoError(t, w.Tracking.pipeline.history.flush(w.ctx))
	return changes
}

// Who waits is told of a new time when it has moved by a tenth of the rest or three
// minutes, never of less and always of more; for half of the orders that is at most three
// times, once the product has seen some deliveries.
func TestTheTimeShownMovesRarely(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		w.bring(t, c.ID, newStreet(r))
	}
	require.NoError(t, w.Tracking.learner.once(t.Context()))
	var changes []int
	for range 41 {
		changes = append(changes, w.bring(t, c.ID, newStreet(r)))
	}
	slices.Sort(changes)
	require.LessOrEqual(t, changes[len(changes)/2], 3, "%v", changes)
	require.Greater(t, changes[len(changes)-1], 0, "some are told")
}
