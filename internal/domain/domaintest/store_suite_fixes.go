package domaintest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func fix(courier string, at time.Time) domain.Fix {
	speed := 3.5
	return domain.Fix{CourierID: courier, Position: domain.Position{
		Lat: 55.7512, Lon: 37.6184, Speed: &speed, RecordedAt: at, ReceivedAt: at.Add(time.Second),
	}}
}

var fixTests = map[string]func(*testing.T, storeSuite){
	"kept once each and told how many were new": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		first := []domain.Fix{fix(c.ID, start.Add(2*time.Second)), fix(c.ID, start), fix(c.ID, start)}
		added, err := s.AppendFixes(t.Context(), first, nil)
		require.NoError(t, err)
		require.Equal(t, 2, added)
		changed := fix(c.ID, start)
		changed.Lat = 1
		added, err = s.AppendFixes(t.Context(), []domain.Fix{changed, fix(c.ID, start.Add(time.Second))}, nil)
		require.NoError(t, err)
		require.Equal(t, 1, added)
		added, err = s.AppendFixes(t.Context(), nil, nil)
		require.NoError(t, err)
		require.Zero(t, added)

		trail, err := s.Trail(t.Context(), c.ID, start, start.Add(2*time.Second), 10)
		require.NoError(t, err)
		want := []domain.Position{
			fix(c.ID, start).Position, fix(c.ID, start.Add(time.Second)).Position, fix(c.ID, start.Add(2*time.Second)).Position,
		}
		require.Equal(t, want, trail)
		trail, err = s.Trail(t.Context(), c.ID, start.Add(time.Microsecond), start.Add(2*time.Second), 1)
		require.NoError(t, err)
		require.Equal(t, want[1:2], trail, "both ends belong to it; the oldest come first")
		trail, err = s.Trail(t.Context(), domain.NewID(), start, start.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Empty(t, trail)
	},
	"every field comes back": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		v := func(f float64) *float64 { return &f }
		f := domain.Fix{CourierID: c.ID, Position: domain.Position{
			Lat: -89.999999, Lon: 179.123456789, Accuracy: v(0), Speed: v(1.25), Heading: v(359.9), Altitude: v(-12), Battery: v(100),
			RecordedAt: start.Add(123456 * time.Microsecond), ReceivedAt: start,
			Attributes: domain.Attributes{"odometer": 12.5, "is_moving": true, "activity": "still \"x\""},
		}}
		_, err := s.AppendFixes(t.Context(), []domain.Fix{f}, nil)
		require.NoError(t, err)
		trail, err := s.Trail(t.Context(), c.ID, start, start.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Equal(t, []domain.Position{f.Position}, trail)
	},
	"with a record": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		_, err := s.AppendFixes(t.Context(), []domain.Fix{fix(c.ID, start)}, key("s", "fixes"))
		require.NoError(t, err)
		_, err = s.AppendFixes(t.Context(), []domain.Fix{fix(c.ID, start.Add(time.Second))}, key("s", "fixes"))
		require.ErrorIs(t, err, domain.ErrRecorded)
		trail, err := s.Trail(t.Context(), c.ID, start, start.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Len(t, trail, 1, "a repeat keeps nothing")
		_, err = s.AppendFixes(t.Context(), nil, key("s", "nothing"))
		require.NoError(t, err)
		rec, err := s.Recorded(t.Context(), "s", "nothing")
		require.NoError(t, err)
		require.NotNil(t, rec, "a record is kept also where no position was")
	},
	"many at once": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		added := make([]int, racers)
		errs := together(racers, func(i int) error {
			var batch []domain.Fix
			for j := range 50 { // every other one is also in a neighbour's batch
				batch = append(batch, fix(c.ID, start.Add(time.Duration(i*25+j)*time.Second)))
			}
			var err error
			added[i], err = s.AppendFixes(t.Context(), batch, nil)
			return err
		})
		total := 0
		for i, err := range errs {
			require.NoError(t, err)
			total += added[i]
		}
		trail, err := s.Trail(t.Context(), c.ID, start, start.Add(time.Hour), 10_000)
		require.NoError(t, err)
		require.Len(t, trail, racers*25+25)
		require.Equal(t, len(trail), total)
	},
	"the newest of every courier": func(t *testing.T, s storeSuite) {
		a, b, quiet, none := s.courier(t, 1), s.courier(t, 1), s.courier(t, 1), s.courier(t, 1)
		_ = none
		second := fix(b.ID, start.Add(2*time.Second))
		second.Attributes = domain.Attributes{"secondary": true}
		_, err := s.AppendFixes(t.Context(), []domain.Fix{
			fix(a.ID, start.Add(3*time.Second)), fix(a.ID, start.Add(5*time.Second)), fix(a.ID, start.Add(4*time.Second)),
			fix(b.ID, start.Add(time.Second)), second, fix(quiet.ID, start),
		}, nil)
		require.NoError(t, err)
		latest, err := s.LatestFixes(t.Context(), start)
		require.NoError(t, err)
		require.ElementsMatch(t, []domain.Fix{fix(a.ID, start.Add(5*time.Second)), fix(b.ID, start.Add(time.Second))}, latest)
	},
}
