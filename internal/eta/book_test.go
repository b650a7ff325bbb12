package eta

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// day is a made-up delivery: shop 0 is slow, and the way is by distance.
type day struct {
	id   string
	trip Trip
	took time.Duration
}

func days(n int, seed uint64) []day {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]day, n)
	for i := range out {
		shop := r.IntN(8)
		to := domain.Point{Lat: pickup.Lat + r.NormFloat64()*0.03, Lon: pickup.Lon + r.NormFloat64()*0.05}
		t := Trip{
			At: noon.Add(time.Duration(i) * 7 * time.Minute), From: &pickup, To: &to,
			Sender: fmt.Sprint(shop), Courier: fmt.Sprint(r.IntN(20)), Vehicle: domain.VehicleMotorbike,
		}
		m := 15 + 2*t.metres()/1000
		if shop == 0 {
			m *= 2
		}
		took := time.Duration(m * math.Exp(0.25*r.NormFloat64()) * float64(time.Minute))
		out[i] = day{id: fmt.Sprint(i), trip: t, took: took}
	}
	return out
}

// tell teaches a book the days that ended by until, in the order of their ends.
func tell(b *Book, all []day, until time.Time) {
	ended := slices.Clone(all)
	slices.SortFunc(ended, func(a, b day) int { return a.trip.At.Add(a.took).Compare(b.trip.At.Add(b.took)) })
	for i, d := range ended {
		if at := d.trip.At.Add(d.took); !at.After(until) {
			b.Learn(int64(i+1), d.id, at, []Lesson{Finish(StageOrder, Case{Trip: d.trip, Took: d.took})})
		}
	}
}

func TestABookLearnsGroupsAndStatesHonestWindows(t *testing.T) {
	b := NewBook()
	known := days(4000, 1)
	tell(b, known, noon.AddDate(1, 0, 0))
	inside, slow, quick := 0, 0., 0.
	fresh := days(1000, 2)
	for _, d := range fresh {
		d.trip.At = d.trip.At.Add(20 * 24 * time.Hour)
		w := b.Predict(StageOrder, d.trip)
		require.True(t, w.P10 <= w.P50 && w.P50 <= w.P90, "%v", w)
		if w.P10 <= d.took && d.took <= w.P90 {
			inside++
		}
		d.trip.Sender = "0"
		slow += b.Predict(StageOrder, d.trip).P50.Minutes()
		d.trip.Sender = "1"
		quick += b.Predict(StageOrder, d.trip).P50.Minutes()
	}
	require.InDelta(t, 800, inside, 50, "of 1,000 in the 80 % window")
	require.InDelta(t, 2, slow/quick, 0.2, "the slow shop takes twice as long")
}

func TestWhatHappensLaterChangesNoEarlierEstimate(t *testing.T) {
	all := days(1200, 3)
	cut := all[800].trip.At
	ask := func(all []day) (out []Window) {
		b := NewBook()
		tell(b, all, cut)
		for _, d := range days(50, 4) {
			d.trip.At = cut
			out = append(out, b.Predict(StageOrder, d.trip))
		}
		return out
	}
	before := ask(all)
	later := slices.Clone(all)
	for i := range later {
		if later[i].trip.At.Add(later[i].took).After(cut) {
			later[i].took = later[i].took + 3*time.Hour
		}
	}
	require.Equal(t, before, ask(later), "other ends later")
	rand.Shuffle(len(later), func(i, j int) { later[i], later[j] = later[j], later[i] })
	require.Equal(t, before, ask(later), "another order")
	require.Equal(t, before, ask(slices.DeleteFunc(later, func(d day) bool { return d.trip.At.Add(d.took).After(cut) })), "none later")
}

func TestTheSameLessonsGiveTheSameBytesAlsoAcrossARestart(t *testing.T) {
	all := days(800, 5)
	lessons := func(b *Book, from, to int) {
		for i, d := range all[from:to] {
			at := d.trip.At
			b.Learn(int64(2*(from+i)+1), d.id, at, []Lesson{Begin(StageBooking, d.trip)})
			b.Learn(int64(2*(from+i)+2), d.id, at.Add(d.took), []Lesson{
				Finish(StageOrder, Case{d.trip, d.took}), Finish(StageRest, Case{d.trip, d.took}, Case{d.trip, d.took / 2}),
				Finish(StageBooking, Case{d.trip, 24 * d.took}),
			})
		}
	}
	whole, again, first := NewBook(), NewBook(), NewBook()
	lessons(whole, 0, len(all))
	lessons(again, 0, len(all))
	require.Equal(t, whole.Snapshot(), again.Snapshot())

	lessons(first, 0, 420)
	second := NewBook()
	require.NoError(t, second.Restore(first.Snapshot()))
	require.Equal(t, first.Snapshot(), second.Snapshot())
	lessons(second, 420, len(all))
	require.Equal(t, whole.Snapshot(), second.Snapshot())
	lessons(second, 0, len(all)) // again: every place counts once
	require.Equal(t, whole.Snapshot(), second.Snapshot())

	damaged := whole.Snapshot()
	require.Error(t, second.Restore(damaged[:len(damaged)/2]))
	require.Error(t, second.Restore([]byte("x")))
	require.Error(t, second.Restore(append(damaged, 1)))
	require.Equal(t, whole.Snapshot(), second.Snapshot(), "a damaged snapshot changes nothing")
}

func TestLessonsSurviveTheirEncoding(t *testing.T) {
	for _, d := range days(20, 6) {
		want := Finish(StageCarry, Case{d.trip, d.took})
		data, err := want.Done[0].MarshalJSON()
		require.NoError(t, err)
		var got Query
		require.NoError(t, got.UnmarshalJSON(data))
		require.Equal(t, want.Done[0].keys, got.keys)
		require.Equal(t, fmt.Sprint(want.Done[0].x), fmt.Sprint(got.x))
	}
}

func TestParcelsOnTheirWayWidenTheWindow(t *testing.T) {
	// Every parcel is promised alike; since two weeks ago only the quick ones have come.
	ask := func(open bool) Window {
		b := NewBook()
		place := int64(0)
		learn := func(id string, at time.Time, l Lesson) { place++; b.Learn(place, id, at, []Lesson{l}) }
		type step struct {
			at time.Time
			do func()
		}
		var steps []step
		r := rand.New(rand.NewPCG(7, 7))
		end := noon.AddDate(0, 0, 100)
		for i := range 2000 {
			trip := Trip{At: noon.Add(time.Duration(i) * 72 * time.Minute), From: &pickup, To: &door}
			took := time.Duration(6 * 24 * float64(time.Hour) * math.Exp(0.5*r.NormFloat64()))
			if trip.At.After(end.AddDate(0, 0, -14)) && r.IntN(2) == 0 {
				took += 30 * 24 * time.Hour
			}
			id := fmt.Sprint(i)
			if open {
				steps = append(steps, step{trip.At, func() { learn(id, trip.At, Begin(StageBooking, trip)) }})
			}
			if done := trip.At.Add(took); done.Before(end) {
				steps = append(steps, step{done, func() { learn(id, done, Finish(StageBooking, Case{trip, took})) }})
			}
		}
		slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
		for _, s := range steps {
			s.do()
		}
		return b.Predict(StageBooking, Trip{At: end, From: &pickup, To: &door})
	}
	blind, seeing := ask(false), ask(true)
	require.Greater(t, seeing.P90, blind.P90, "the buffer of completions sees only the fast ones")
	require.GreaterOrEqual(t, seeing.P50, blind.P50)
}

func TestConcurrentEstimatesAndCompletions(t *testing.T) {
	b := NewBook()
	all := days(1000, 8)
	var wg sync.WaitGroup
	for i, d := range all {
		wg.Go(func() {
			if w := b.Predict(StageOrder, d.trip); w.P10 <= 0 || w.P90 < w.P10 {
				t.Errorf("%v", w)
			}
			b.Learn(int64(i+1), d.id, d.trip.At, []Lesson{Finish(StageOrder, Case{d.trip, d.took})})
		})
	}
	wg.Wait()
	require.Equal(t, int64(len(all)), b.Place())
}

func TestNothingThatIsAskedOrToldBreaksABook(t *testing.T) {
	b, scratch := NewBook(), NewBook()
	tell(b, days(200, 9), noon.AddDate(1, 0, 0))
	pole := domain.Point{Lat: 90, Lon: 180}
	before := noon.AddDate(-30, 0, 0)
	for name, trip := range map[string]Trip{
		"nothing known":         {},
		"the year 9999":         {At: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), From: &pickup, To: &door},
		"no distance":           {At: noon, From: &door, To: &door},
		"a courier on the pole": {At: noon, From: &pole, To: &door, Pace: 1e9},
		"older than the model":  {At: before, From: &pickup, To: &door},
		"negative and endless":  {At: noon, Metres: -5, Expected: -time.Hour, Pace: math.Inf(1), Price: math.NaN(), Waiting: -3, Couriers: math.Inf(1)},
		"the longest":           {At: noon, Metres: math.MaxFloat64, Expected: math.MaxInt64, Elapsed: math.MaxInt64},
	} {
		for _, s := range Stages() {
			for _, took := range []time.Duration{0, -time.Hour, time.Second, math.MaxInt64, 20 * time.Minute} {
				w := b.Predict(s, trip)
				require.True(t, 0 < w.P10 && w.P10 <= w.P50 && w.P50 <= w.P90 && w.P90 <= 367*24*time.Hour, "%s %s: %v", name, s, w)
				scratch.Learn(scratch.Place()+1, name, trip.At, []Lesson{Begin(s, trip)})
				scratch.Learn(scratch.Place()+1, name, trip.At, []Lesson{Finish(s, Case{trip, took})})
				w = scratch.Predict(s, trip)
				require.True(t, 0 < w.P10 && w.P10 <= w.P50 && w.P50 <= w.P90 && w.P90 <= 367*24*time.Hour, "%s %s: %v", name, s, w)
				b.Learn(b.Place()+1, name, noon.AddDate(0, 0, 2), []Lesson{Finish(s, Case{trip, took})})
			}
		}
	}
	w := b.Predict(StageOrder, days(1, 9)[0].trip)
	require.True(t, w.P50 > 5*time.Minute && w.P50 < 2*time.Hour, "still sensible: %v", w)
}

func TestFalseArrivalsAreNotLearned(t *testing.T) {
	far := domain.Point{Lat: pickup.Lat + 0.2, Lon: pickup.Lon} // 22 km
	trip := Trip{At: noon, From: &pickup, To: &far}
	require.True(t, trip.False(50*time.Second))
	require.True(t, trip.False(10*time.Minute), "133 km/h")
	require.False(t, trip.False(20*time.Minute))
	require.True(t, Finish(StageCarry, Case{trip, 10 * time.Minute}).Lost)
	require.Len(t, Finish(StageCarry, Case{trip, 20 * time.Minute}).Done, 1)
}

func BenchmarkEstimate(b *testing.B) {
	book := NewBook()
	all := days(5000, 10)
	tell(book, all, noon.AddDate(1, 0, 0))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		book.Predict(StageOrder, all[i%len(all)].trip)
	}
}
