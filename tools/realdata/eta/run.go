package eta

import (
	"cmp"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/eta"
)

// what happens in a replay. At equal times questions come first, so that nobody's answer
// depends on what happened in the same second.
const (
	ask = iota
	open
	finish
)

// happening is a step of a replay.
type happening struct {
	at    time.Time
	what  int
	id    string
	trip  *eta.Trip
	cases []eta.Case // of finish
}

// answer is a row of the output.
type answer struct {
	id  string
	win eta.Window
}

// play feeds the happenings to a model in the order of time and returns its answers.
func play(m *eta.Model, all []happening) []answer {
	slices.SortStableFunc(all, func(a, b happening) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.what, b.what), cmp.Compare(a.id, b.id))
	})
	var out []answer
	for _, h := range all {
		switch h.what {
		case ask:
			out = append(out, answer{h.id, m.Predict(*h.trip)})
		case open:
			m.Open(h.id, *h.trip)
		case finish:
			m.Learn(h.id, h.at, h.cases...)
		}
	}
	return out
}

func one(trip *eta.Trip, took time.Duration) []eta.Case { return []eta.Case{{Trip: *trip, Took: took}} }
