package eta

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Of parcels that were booked together one comes, and another not yet, when windows are made
// anew: in whatever sequence a map lists them, the window is the same.
func TestParcelsThatTieGiveOneWindow(t *testing.T) {
	now := noon.AddDate(0, 0, 4)
	for _, parcels := range []int{60, 80, 100, 120, 140, 160} {
		windows := map[[3]float64]int{}
		for range 40 {
			list := bookings{list: map[uint64]booking{}}
			for i := range parcels {
				at := noon.Add(time.Duration(i/2) * time.Hour / 2)
				id := fmt.Sprint(i)
				list.add(id, point{Mean: 8, Scale: 1}, at)
				if i%2 == 0 { // exactly now, when its twin is as old
					list.end(id, now.Sub(at))
				}
			}
			set := Days()
			list.renew(now, &set)
			require.True(t, list.ready)
			windows[list.cached]++
		}
		require.Len(t, windows, 1, "of %d parcels", parcels)
	}
}

// A restart at any moment changes nothing in any stage, also once the lists of residuals are full.
func TestARestartChangesNothingInAnyStage(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	all := days(2*kept+600, 11)
	whole, again := NewBook(), NewBook()
	place := int64(0)
	for i, d := range all {
		var lessons []Lesson
		for _, s := range Stages() {
			if i%4 == 1 {
				lessons = append(lessons, Begin(s, d.trip))
			} else if i > 0 && i%4 == 2 && r.IntN(3) == 0 {
				lessons = append(lessons, Lesson{Stage: s, Lost: true})
			} else {
				lessons = append(lessons, Finish(s, Case{d.trip, d.took}))
			}
		}
		place++
		for _, b := range []*Book{whole, again} {
			require.True(t, b.Learn(place, fmt.Sprint(i/4), d.trip.At, lessons))
		}
		if i == kept/2 || i == 2*kept+200 || i == 2*kept+500 {
			restarted := NewBook()
			require.NoError(t, restarted.Restore(again.Snapshot()))
			again = restarted
		}
	}
	for _, s := range Stages() {
		for _, d := range days(40, 12) {
			d.trip.At = all[len(all)-1].trip.At
			require.Equal(t, whole.Predict(s, d.trip), again.Predict(s, d.trip), s)
		}
	}
	require.Equal(t, whole.Snapshot(), again.Snapshot())
}
