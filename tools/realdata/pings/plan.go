package pings

import (
	"slices"
	"strings"
	"time"
)

// cab is one taxi: what it sends, in which order, and what is expected.
type cab struct {
	name    string
	courier string // id
	token   string // of its phone, for --via osmand
	batches [][]ping
	oracle  oracle
	run     *occupied // the run that a real order follows, in one cab of all
}

// occupied is a run with a passenger: the batches that it is sent in begin and end with
// it, so that the order changes hands exactly then.
type occupied struct {
	first, last           ping
	firstBatch, lastBatch int
}

// What phones do to batches.
const (
	repeatCabs, repeatBatches = 4, 10 // every fourth cab sends each tenth batch twice
	lateCabs, lateBatches     = 5, 8  // every fifth holds each eighth back
)

// plan groups pings by cab, in order of the cabs' names, and cuts them into batches.
func plan(pings []ping, size int) []*cab {
	byName := map[string][]ping{}
	for _, p := range pings {
		byName[p.cab] = append(byName[p.cab], p)
	}
	var cabs []*cab
	for name, way := range byName {
		c := &cab{name: name}
		for batch := range slices.Chunk(way, size) {
			c.batches = append(c.batches, batch)
		}
		cabs = append(cabs, c)
	}
	slices.SortFunc(cabs, func(a, b *cab) int { return strings.Compare(a.name, b.name) })
	followed := chooseRun(cabs, byName, size)
	for i, c := range cabs {
		if c != followed {
			c.batches = disturb(i, c.batches)
		}
	}
	return cabs
}

// disturb makes of batches in order what a phone with a bad network sends.
func disturb(i int, batches [][]ping) [][]ping {
	var out [][]ping
	var held []ping
	for n, b := range batches {
		if i%lateCabs == 0 && n%lateBatches == lateBatches-1 && held == nil && n < len(batches)-1 {
			held = b
			continue
		}
		out = append(out, b)
		if i%repeatCabs == 0 && n%repeatBatches == repeatBatches-1 {
			out = append(out, b)
		}
		if held != nil {
			out, held = append(out, held), nil
		}
	}
	return out
}

// The run that is followed is the first that is long enough for a way and short enough
// to be shown whole.
const (
	runAtLeast, runAtMost = 15, 300
	runLongest            = 3 * time.Hour
)

// chooseRun finds a run for the real order to follow and cuts the cab's batches at its
// ends; nil when there is none.
func chooseRun(cabs []*cab, byName map[string][]ping, size int) *cab {
	for _, c := range cabs {
		way := byName[c.name]
		start := -1
		for i, p := range way {
			switch {
			case p.occupied && start < 0 && i > 0:
				start = i
			case !p.occupied && start >= 0:
				if n := i - start; n >= runAtLeast && n <= runAtMost && way[i-1].at.Sub(way[start].at) < runLongest {
					c.follow(way, start, i-1, size)
					return c
				}
				start = -1
			}
		}
	}
	return nil
}

func (c *cab) follow(way []ping, first, last, size int) {
	c.batches = nil
	r := &occupied{first: way[first], last: way[last]}
	cut := func(part []ping) {
		for b := range slices.Chunk(part, size) {
			c.batches = append(c.batches, b)
		}
	}
	cut(way[:first])
	r.firstBatch = len(c.batches)
	cut(way[first : last+1])
	r.lastBatch = len(c.batches) - 1
	cut(way[last+1:])
	c.run = r
}
