package push

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// BenchmarkDeliver publishes a status to rooms of different sizes; each reader takes it
// when it is woken. Encoding is included, sockets are not.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{4, 1000, 9000} {
		b.Run(fmt.Sprintf("room=%d", size), func(b *testing.B) {
			w := newWorld(b, Config{})
			rooms := max(1, 1000/size)
			ids := make([]string, rooms)
			buf := make([]Frame, 0, 4)
			for i := range ids {
				ids[i] = w.create().ID
				for range size {
					var s *Subscription
					s = w.hub.Open(func() { buf, _ = s.Drain(buf[:0]) })
					b.Cleanup(s.Close)
					require.NoError(b, s.Add(b.Context(), OrderTopic(ids[i]), nil))
				}
			}
			events := make([][]domain.Event, rooms)
			for i, id := range ids {
				events[i] = append(events[i], w.db.events[id]...)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				e := events[i%rooms]
				e[0].Seq++
				e[0].Version++
				w.hub.OrderChanged(domain.Announce(&domain.Order{ID: e[0].OrderID}, []domain.Event{domain.Heard(e[0], nil, domain.State{Seq: e[0].Seq, Version: e[0].Version})}))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/delivery")
		})
	}
}

// BenchmarkFleet publishes ticks in which 30 couriers moved to 200 watchers.
func BenchmarkFleet(b *testing.B) {
	w := newWorld(b, Config{})
	buf := make([]Frame, 0, 4)
	for range 200 {
		var s *Subscription
		s = w.hub.Open(func() { buf, _ = s.Drain(buf[:0]) })
		b.Cleanup(s.Close)
		require.NoError(b, s.Add(b.Context(), FleetTopic(), nil))
	}
	ids := make([]string, 30)
	for i := range ids {
		ids[i] = domain.NewID()
	}
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Second)
		for _, id := range ids {
			w.hub.CourierMoved(fixOf(id, at, 1), nil)
		}
		w.hub.fleet.turn()
	}
}
