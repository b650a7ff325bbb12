package domain

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var limits = Plausibility{MaxSpeed: 70, MaxAccuracy: 1000}

func fixAt(lat, lon float64, at time.Time) Position {
	return Position{Lat: lat, Lon: lon, RecordedAt: at}
}

func TestPlausibilityFilter(t *testing.T) {
	poor := fixAt(55, 37, noon.Add(time.Second))
	radius := 1500.0
	poor.Accuracy = &radius
	for name, tc := range map[string]struct {
		fixes []Position
		want  []DropReason
		moves []bool
	}{
		"null island": {[]Position{fixAt(0, 0, noon)}, []DropReason{DropNullIsland}, []bool{false}},
		"future":      {[]Position{fixAt(1, 1, noon.Add(6*time.Minute))}, []DropReason{DropFuture}, []bool{false}},
		"too old":     {[]Position{fixAt(1, 1, noon.Add(-49*time.Hour))}, []DropReason{DropTooOld}, []bool{false}},
		"poor":        {[]Position{poor}, []DropReason{DropPoorAccuracy}, []bool{false}},
		"late moves nothing": {
			[]Position{fixAt(55, 37, noon), fixAt(55, 37.001, noon.Add(-time.Minute)), fixAt(55, 37.001, noon.Add(-time.Minute))},
			[]DropReason{"", "", DropDuplicate}, []bool{true, false, false},
		},
		"the same again": {
			[]Position{fixAt(55, 37, noon), fixAt(56, 38, noon)}, []DropReason{"", DropDuplicate}, []bool{true, false},
		},
		"a jump and back": {
			[]Position{fixAt(55, 37, noon), fixAt(56, 37, noon.Add(10*time.Second)), fixAt(55.001, 37, noon.Add(20*time.Second))},
			[]DropReason{"", DropImpossibleSpeed, ""}, []bool{true, false, true},
		},
		"a jump that was true": {
			[]Position{fixAt(55, 37, noon), fixAt(56, 37, noon.Add(10*time.Second)), fixAt(56.001, 37, noon.Add(20*time.Second))},
			[]DropReason{"", DropImpossibleSpeed, ""}, []bool{true, false, true},
		},
		"jitter at rest": {
			[]Position{fixAt(55, 37, noon), fixAt(55.0004, 37, noon.Add(10*time.Millisecond))}, []DropReason{"", ""}, []bool{true, true},
		},
		"a jump without a time of the device's": {
			[]Position{fixAt(55, 37, noon), {Lat: 56, Lon: 37, RecordedAt: noon.Add(time.Second), ReceivedAt: noon.Add(time.Second)}},
			[]DropReason{"", ""}, []bool{true, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var j PlausibilityFilter
			for i, p := range tc.fixes {
				drop, moves := j.Take(p, noon, limits)
				if drop != tc.want[i] || moves != tc.moves[i] {
					t.Errorf("fix %d: %q moves %v, want %q %v", i, drop, moves, tc.want[i], tc.moves[i])
				}
			}
		})
	}
}

// Whatever is reported: the newest time only grows, only the newest position moves the
// courier, dropped ones do not, and repeats change nothing.
func TestPlausibilityFilterNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var j PlausibilityFilter
		var taken []Position
		for range rapid.IntRange(1, 30).Draw(t, "n") {
			p := fixAt(rapid.Float64Range(54, 56).Draw(t, "lat"), rapid.Float64Range(36, 38).Draw(t, "lon"),
				noon.Add(time.Duration(rapid.IntRange(-3600, 400).Draw(t, "second"))*time.Second))
			before, had := j.Newest()
			drop, moves := j.Take(p, noon, limits)
			after, _ := j.Newest()
			changed := !reflect.DeepEqual(after, before)
			p.Interval = after.Interval // which the filter knows
			if moves != (changed || !had && drop == "") || moves && (drop != "" || !reflect.DeepEqual(after, p)) {
				t.Fatalf("drop %q, moves %v, from %v to %v", drop, moves, before, after)
			}
			if had && after.RecordedAt.Before(before.RecordedAt) {
				t.Fatal("the newest became older")
			}
			if drop == "" {
				taken = append(taken, p)
			}
		}
		for _, p := range taken {
			if drop, _ := j.Take(p, noon, limits); drop != DropDuplicate {
				t.Fatalf("%v is taken twice", p)
			}
		}
	})
}

// Skipping the exact distance for near places changes no speed.
func TestSpeedOfNearPlaces(t *testing.T) {
	accuracy := rapid.OneOf(rapid.Just[*float64](nil), rapid.Map(rapid.Float64Range(0, 2000), func(v float64) *float64 { return &v }))
	rapid.Check(t, func(t *rapid.T) {
		lat, lon := rapid.Float64Range(-90, 90).Draw(t, "lat"), rapid.Float64Range(-180, 180).Draw(t, "lon")
		a := fixAt(lat, lon, noon)
		b := fixAt(
			max(-90, min(90, lat+rapid.Float64Range(-0.02, 0.02).Draw(t, "north"))),
			max(-180, min(180, lon+rapid.Float64Range(-0.02, 0.02).Draw(t, "east"))), noon.Add(time.Second),
		)
		a.Accuracy, b.Accuracy = accuracy.Draw(t, "accuracy"), accuracy.Draw(t, "other accuracy")
		slack := float64(jitterM)
		for _, v := range []*float64{a.Accuracy, b.Accuracy} {
			if v != nil {
				slack += *v
			}
		}
		if got, want := speed(a, b), max(0, a.Point().DistanceM(b.Point())-slack); math.Abs(got-want) > 1e-6 {
			t.Fatalf("%v, not %v", got, want)
		}
	})
}
