package eta

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

// journey is the way of a courier so far, of which little is kept.
type journey struct {
	last    domain.Point
	at      time.Time
	first   domain.Point
	started time.Time
	metres  float64
	recent  float64 // metres of the last minutes, decaying
	span    float64 // seconds of recent
	n       int
}

// paceMemory is after how many seconds half of the recent pace is forgotten.
const paceMemory = 120

// add takes a position that is newer than the last.
func (w *journey) add(p domain.Point, at time.Time) {
	if w.n > 0 {
		dt := at.Sub(w.at)
		if dt <= 0 {
			return
		}
		d := w.last.DistanceM(p)
		keep := math.Exp2(-dt.Seconds() / paceMemory)
		w.metres += d
		w.recent, w.span = w.recent*keep+d, w.span*keep+dt.Seconds()
	} else {
		w.first, w.started = p, at
	}
	w.last, w.at = p, at
	w.n++
}

// rest is the trip from the newest position to a place.
func (w *journey) rest(to *domain.Point) eta.Trip {
	t := eta.Trip{At: w.at, From: &domain.Point{Lat: w.last.Lat, Lon: w.last.Lon}, To: to, Elapsed: w.at.Sub(w.started)}
	if w.span > 0 {
		// A short look is mixed with a usual pace.
		t.Pace = (w.recent + 5*60) / (w.span + 60)
	}
	return t
}
