package domaintest

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var placeTests = map[string]func(*testing.T, storeSuite){
	"what was found for an address is kept": func(t *testing.T, s storeSuite) {
		address := "street " + domain.NewID()
		got, err := s.FoundPlace(t.Context(), address)
		require.NoError(t, err)
		require.Nil(t, got)
		for _, p := range []domain.FoundPlace{
			{FoundAt: start}, {Point: domain.Point{Lat: 55.7507, Lon: -37.5956}, Quality: domain.PlaceHouse, FoundAt: start.Add(time.Hour)},
		} {
			require.NoError(t, s.KeepPlace(t.Context(), address, p))
			got, err = s.FoundPlace(t.Context(), address)
			require.NoError(t, err)
			require.Equal(t, &p, got)
		}
	},
	"of several who want a lease one has it until it ends": func(t *testing.T, s storeSuite) {
		name := domain.NewID()
		take := func(holder string, now, until time.Duration) bool {
			ok, err := s.TakeLease(t.Context(), name, holder, start.Add(now), start.Add(until))
			require.NoError(t, err)
			return ok
		}
		var taken atomic.Int32
		for _, err := range together(racers, func(n int) error {
			ok, err := s.TakeLease(t.Context(), name, strconv.Itoa(n), start, start.Add(time.Minute))
			if ok {
				taken.Add(1)
			}
			return err
		}) {
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, taken.Load())
		require.False(t, take("x", 59*time.Second, time.Hour))
		require.True(t, take("x", time.Minute, 2*time.Minute))
		require.True(t, take("x", 90*time.Second, 3*time.Minute), "extended")
		require.False(t, take("a", 2*time.Minute, time.Hour))
		require.True(t, take("x", 2*time.Minute, 2*time.Minute), "given up")
		require.True(t, take("a", 2*time.Minute, time.Hour))
	},
}
