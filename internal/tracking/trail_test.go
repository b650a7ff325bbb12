package tracking

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func way(points ...[2]float64) []domain.Position {
	out := make([]domain.Position, len(points))
	for i, p := range points {
		out[i] = domain.Position{Lat: p[0], Lon: p[1], RecordedAt: time.Unix(int64(i), 0)}
	}
	return out
}

func TestPolyline(t *testing.T) {
	// The example from the format's documentation.
	require.Equal(t, "_p~iF~ps|U_ulLnnqC_mqNvxq`@", encodePolyline(way([2]float64{38.5, -120.2}, [2]float64{40.7, -120.95}, [2]float64{43.252, -126.453})))
	require.Empty(t, encodePolyline(nil))
	require.Equal(t, "??", encodePolyline(way([2]float64{0, 0})))
}

// decodePolyline is the inverse, written from the documentation.
func decodePolyline(s string) (out [][2]float64) {
	var sums [2]int64
	for i := 0; i < len(s); {
		for axis := range sums {
			var v int64
			for shift := 0; ; shift += 5 {
				b := int64(s[i]) - 63
				i++
				v |= (b & 0x1f) << shift
				if b < 0x20 {
					break
				}
			}
			if v&1 != 0 {
				v = ^v
			}
			sums[axis] += v >> 1
		}
		out = append(out, [2]float64{float64(sums[0]) / 1e5, float64(sums[1]) / 1e5})
	}
	return out
}

func TestPolylineHoldsEveryPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "n")
		var in []domain.Position
		for range n {
			in = append(in, domain.Position{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon")})
		}
		out := decodePolyline(encodePolyline(in))
		if len(out) != n {
			t.Fatalf("%d places of %d", len(out), n)
		}
		for i, p := range in {
			if math.Abs(out[i][0]-p.Lat) > 0.6e-5 || math.Abs(out[i][1]-p.Lon) > 0.6e-5 {
				t.Fatalf("%v became %v", p, out[i])
			}
		}
	})
}

// A thinned trail has at most that many points, including the first and the last, all from
// the trail and in order.
func TestThin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, limit := rapid.IntRange(0, 120).Draw(t, "n"), rapid.IntRange(2, 60).Draw(t, "limit")
		in := make([]domain.Position, n)
		for i := range in {
			in[i] = domain.Position{
				Lat: float64(rapid.IntRange(-3, 3).Draw(t, "lat")), Lon: 178 + float64(rapid.IntRange(0, 4).Draw(t, "lon")),
				RecordedAt: time.Unix(int64(i), 0),
			}
			if in[i].Lon > 180 {
				in[i].Lon -= 360
			}
		}
		out := thin(in, limit)
		if len(out) > limit || len(out) < min(n, 2) {
			t.Fatalf("%d places of %d, at most %d", len(out), n, limit)
		}
		if n == 0 {
			return
		}
		if !out[0].RecordedAt.Equal(in[0].RecordedAt) || !out[len(out)-1].RecordedAt.Equal(in[n-1].RecordedAt) {
			t.Fatal("the ends are missing")
		}
		last := int64(-1)
		for _, p := range out {
			i := p.RecordedAt.Unix()
			if i <= last || in[i].Point() != p.Point() {
				t.Fatal("not a part of the way in its order")
			}
			last = i
		}
	})
}

func TestThinKeepsTheShape(t *testing.T) {
	var in []domain.Position
	for i := range 1000 { // a right angle
		p := domain.Position{Lat: 55, Lon: 37 + float64(min(i, 500))/1e4, RecordedAt: time.Unix(int64(i), 0)}
		if i > 500 {
			p.Lat += float64(i-500) / 1e4
		}
		in = append(in, p)
	}
	out := thin(in, 3)
	require.Len(t, out, 3)
	require.Equal(t, in[500].Point(), out[1].Point(), "the corner stays")
}
