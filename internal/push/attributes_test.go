package push

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Additional phone data appears on no stream, neither in snapshots nor later.
func TestStreamsShowNoAttributes(t *testing.T) {
	w := newWorld(t, Config{})
	c := w.courier()
	at := time.Now().Add(-time.Hour)
	private := func(seconds int, lat float64) domain.Fix {
		f := fixOf(c, at.Add(time.Duration(seconds)*time.Second), lat)
		f.Attributes = domain.Attributes{"ssid": "home"}
		return f
	}
	w.moved(private(0, 1))
	courier, fleet := w.watch(CourierTopic(c)), w.watch(FleetTopic())
	w.moved(private(1, 2))
	w.hub.fleet.turn()
	for _, s := range []*Subscription{courier, fleet} {
		frames, err := s.Drain(nil)
		require.NoError(t, err)
		require.Len(t, frames, 2)
		for _, f := range frames {
			require.Contains(t, string(f.JSON), `"lat":`)
			require.NotContains(t, string(f.JSON), "ssid")
		}
	}
}
