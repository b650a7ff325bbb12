package cli

import (
	"fmt"
	"math"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// showProgress prints the plan and then the progress: on a terminal one line that is
// updated each second, otherwise an occasional line.
func (s *simulation) showProgress(done <-chan struct{}) {
	if s.json || s.orders == 0 && !s.forever {
		return
	}
	_, _ = fmt.Fprintf(s.stderr, "%s, %s around %s; Ctrl-C ends it\n",
		counted(s.couriers, "courier"), s.amount(), coordinates(s.middle.Lat, s.middle.Lon))
	every := 15 * time.Second
	if terminal(s.stderr) {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.clearProgress()
		_, _ = fmt.Fprint(s.stderr, s.progressLine(time.Since(s.begun)))
		if !terminal(s.stderr) {
			_, _ = fmt.Fprintln(s.stderr)
		}
		select {
		case <-done:
			s.clearProgress()
			return
		case <-tick.C:
		}
	}
}

// clearProgress erases the progress line.
func (s *simulation) clearProgress() {
	if !s.json && terminal(s.stderr) {
		_, _ = fmt.Fprint(s.stderr, "\r\x1b[K")
	}
}

func (s *simulation) amount() string {
	if s.forever {
		return "orders without end"
	}
	return counted(s.orders, "order")
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// progressLine formats the progress after a time and the time left.
func (s *simulation) progressLine(after time.Duration) string {
	delivered := s.delivered.Load()
	if s.forever {
		return fmt.Sprintf("%d delivered, %d positions sent", delivered, s.accepted.Load()+s.dropped.Load())
	}
	whole := s.wholeTime()
	left := max(whole-after, 0).Round(time.Second)
	text := "about " + left.String() + " left"
	if left == 0 {
		text = "nearly done"
	}
	return fmt.Sprintf("%d of %d delivered, %s", delivered, s.orders, text)
}

// wholeTime estimates the simulation's total time from the couriers' rounds of orders.
// The time per order is computed at first, and measured once some are delivered.
func (s *simulation) wholeTime() time.Duration {
	perOrder := s.computedOrderTime()
	if n := s.delivered.Load(); n > 0 {
		perOrder = time.Duration(s.driven.Load() / n)
	}
	rounds := (s.orders + s.couriers - 1) / s.couriers
	return time.Duration(rounds) * perOrder
}

// computedOrderTime returns the time of an average order: to the pickup, the handover,
// to the drop-off, the handover. Each leg ends with a report.
func (s *simulation) computedOrderTime() time.Duration {
	const (
		betweenPlaces = 128 / (45 * math.Pi) // mean distance between two points of a disc, in radii
		corners       = 4 / math.Pi          // detour factor of streets
	)
	approach := betweenPlaces * corners * s.radius
	way := approach
	if len(s.trails) > 0 {
		total := 0.0
		for _, trail := range s.trails {
			total += lengthM(trail)
		}
		way = total / float64(len(s.trails))
	}
	driving := time.Duration((approach + way) / s.speed * float64(time.Second))
	return driving + 2*s.handover + s.every
}

func lengthM(way []client.Point) (metres float64) {
	for i := 1; i < len(way); i++ {
		metres += distanceM(way[i-1], way[i])
	}
	return metres
}
