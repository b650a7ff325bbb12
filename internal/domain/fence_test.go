package domain

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var shop = Fence{Center: Point{Lat: 55.75, Lon: 37.60}, RadiusM: 100, Dwell: 30 * time.Second, SpeedMPS: 8}

// away is the point that many metres north of the shop.
func away(metres float64) Point {
	return Point{Lat: shop.Center.Lat + metres/111_195, Lon: shop.Center.Lon}
}

type seen struct {
	metres float64
	second int
}

func arrivals(f Fence, way []seen, more ...func(*Position)) (at []int) {
	var s FenceState
	var previous *Position
	for i, w := range way {
		p := Position{Lat: away(w.metres).Lat, Lon: away(w.metres).Lon, RecordedAt: noon.Add(time.Duration(w.second) * time.Second)}
		for _, change := range more {
			change(&p)
		}
		if s.Pass(f, previous, p) {
			at = append(at, i)
		}
		previous = &p
	}
	return at
}

// past is a drive through the fence at a steady speed, with a fix every so many seconds,
// one of them that many metres from the middle.
func past(mps float64, every int, offset float64) (way []seen) {
	for i := -10; i <= 10; i++ {
		way = append(way, seen{offset + float64(i*every)*mps, (i + 10) * every})
	}
	return way
}

// stop is the same with a stop at the middle.
func stop(mps float64, every, seconds int) (way []seen) {
	for t := -10 * every; t <= 10*every+seconds; t += every {
		metres := 0.0
		switch {
		case t < 0:
			metres = float64(t) * mps
		case t > seconds:
			metres = float64(t-seconds) * mps
		}
		way = append(way, seen{metres, t + 10*every})
	}
	return way
}

func TestFence(t *testing.T) {
	for name, tc := range map[string]struct {
		way  []seen
		want int // the fix that is the arrival; -1 none
	}{
		"comes and stays":                   {[]seen{{500, 0}, {50, 10}, {40, 20}, {30, 45}, {20, 60}}, 3},
		"drives past":                       {[]seen{{500, 0}, {50, 10}, {-500, 20}, {-900, 30}}, -1},
		"crosses between sparse ones":       {[]seen{{500, 0}, {-500, 60}}, -1},
		"crosses between dense ones":        {[]seen{{200, 0}, {-200, 10}, {-400, 20}}, -1},
		"passes by beside":                  {[]seen{{500, 0}, {300, 60}, {600, 120}}, -1},
		"jitters around the edge":           {[]seen{{90, 0}, {110, 10}, {95, 20}, {120, 30}, {95, 40}}, 4},
		"was inside when it left":           {[]seen{{50, 0}, {900, 60}}, -1},
		"is there from the start":           {[]seen{{10, 0}, {10, 31}, {10, 62}}, 1},
		"four minutes without a fix":        {[]seen{{-1500, 0}, {1500, 240}}, -1},
		"four minutes and then at the door": {[]seen{{-3000, 0}, {0, 240}, {417, 270}}, -1},
		"one fix at the door, long before":  {[]seen{{-200, 0}, {0, 150}, {417, 180}}, 1},
		"comes back and stays":              {[]seen{{0, 0}, {-900, 60}, {0, 120}, {0, 150}}, 3},
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

func TestToStopIsToArriveAndToDrivePastIsNot(t *testing.T) {
	for _, every := range []int{1, 5, 10, 20, 30, 60} {
		for _, mps := range []float64{1.2, 2, 3, 4, 8, 50 / 3.6, 25} {
			for _, offset := range []float64{0, 30, -60} {
				if got := arrivals(shop, past(mps, every, offset)); len(got) != 0 {
					t.Errorf("past at %.1f m/s, a fix each %d s, one at %.0f m: arrived at %v", mps, every, offset, got)
				}
			}
			if got := arrivals(shop, stop(mps, every, 120)); len(got) != 1 {
				t.Errorf("a stop of 2 min at %.1f m/s, a fix each %d s: arrivals %v", mps, every, got)
			}
		}
	}
}

// A phone reports that it stands, or that it drives.
func TestReportedSpeed(t *testing.T) {
	way := []seen{{-300, 0}, {0, 90}, {400, 120}}
	for speed, want := range map[float64]int{0: 1, 13: 0} {
		if got := arrivals(shop, way, func(p *Position) { p.Speed = &speed }); len(got) != want {
			t.Errorf("at %.0f m/s: %v", speed, got)
		}
	}
}

func TestAFixLessExactThanTheFenceSaysNothing(t *testing.T) {
	for accuracy, want := range map[float64]int{8: 1, 60: 1, 950: 0} {
		if got := arrivals(shop, stop(8, 10, 180), func(p *Position) { p.Accuracy = &accuracy }); len(got) != want {
			t.Errorf("accuracy %.0f m: %v", accuracy, got)
		}
	}
}

// Nobody arrives twice, nor without a fix inside.
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
