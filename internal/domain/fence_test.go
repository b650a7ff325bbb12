package domain

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var shop = Fence{Center: Point{Lat: 55.75, Lon: 37.60}, RadiusM: 100, Dwell: 30 * time.Second}

// away is the point that many metres north of the shop.
func away(metres float64) Point {
	return Point{Lat: shop.Center.Lat + metres/111_195, Lon: shop.Center.Lon}
}

type seen struct {
	metres float64
	second int
}

func arrivals(f Fence, way []seen) (at []int) {
	var s FenceState
	var previous *Position
	for i, w := range way {
		p := Position{Lat: away(w.metres).Lat, Lon: away(w.metres).Lon, RecordedAt: noon.Add(time.Duration(w.second) * time.Second)}
		if s.Pass(f, previous, p) {
			at = append(at, i)
		}
		previous = &p
	}
	return at
}

func TestFence(t *testing.T) {
	for name, tc := range map[string]struct {
		way  []seen
		want int // the fix that is the arrival; -1 none
	}{
		"comes and stays":             {[]seen{{500, 0}, {50, 10}, {40, 20}, {30, 45}, {20, 60}}, 3},
		"drives past":                 {[]seen{{500, 0}, {50, 10}, {-500, 20}, {-900, 30}}, -1},
		"crosses between sparse ones": {[]seen{{500, 0}, {-500, 60}}, 1},
		"crosses between dense ones":  {[]seen{{200, 0}, {-200, 10}, {-400, 20}}, -1},
		"passes by beside":            {[]seen{{500, 0}, {300, 60}, {600, 120}}, -1},
		"jitters around the edge":     {[]seen{{90, 0}, {110, 10}, {95, 20}, {120, 30}, {95, 40}}, 3},
		"was inside when it left":     {[]seen{{50, 0}, {900, 60}}, 1},
		"is there from the start":     {[]seen{{10, 0}, {10, 31}, {10, 62}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := arrivals(shop, tc.way)
			if tc.want < 0 && len(got) == 0 {
				return
			}
			if len(got) != 1 || got[0] != tc.want {
				t.Errorf("arrivals at %v, want %d", got, tc.want)
			}
		})
	}
	if got := arrivals(Fence{Center: shop.Center, RadiusM: 100}, []seen{{500, 0}, {50, 1}}); len(got) != 1 {
		t.Error("without dwell to be inside is to arrive")
	}
}

// Nobody arrives twice, nor without having come within the radius of the way driven.
func TestFenceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var way []seen
		second := 0
		for range rapid.IntRange(1, 20).Draw(t, "fixes") {
			second += rapid.IntRange(1, 90).Draw(t, "gap")
			way = append(way, seen{float64(rapid.IntRange(101, 2000).Draw(t, "metres")), second})
		}
		if got := arrivals(shop, way); len(got) != 0 {
			t.Fatalf("arrived at %v from outside: %v", got, way)
		}
		way = append(way, seen{10, second + 10}, seen{10, second + 45}, seen{10, second + 90}, seen{900, second + 100}, seen{0, second + 200}, seen{0, second + 300})
		if got := arrivals(shop, way); len(got) != 1 {
			t.Fatalf("arrivals %v on %v", got, way)
		}
	})
}

func TestDistanceToSegment(t *testing.T) {
	a, b := Point{Lat: 55.75, Lon: 37.5}, Point{Lat: 55.75, Lon: 37.7}
	for want, p := range map[float64]Point{
		0: {55.75, 37.6}, 1111.95: {55.76, 37.6}, 6257: {55.75, 37.8},
	} {
		if got := distanceToSegmentM(p, a, b); got < want*0.999-0.1 || got > want*1.001+0.1 {
			t.Errorf("%v: %.1f m, want %.1f", p, got, want)
		}
	}
	if got := distanceToSegmentM(Point{0, 180}, Point{0, 179.9}, Point{0, -179.9}); got > 1 {
		t.Errorf("across the date line: %.1f m", got)
	}
}
