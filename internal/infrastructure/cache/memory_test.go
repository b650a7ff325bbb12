package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
)

func TestMain(m *testing.M) {
	// rueidis closes the connections to a node that left the cluster five seconds later.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"), // waits to refresh the cluster state
	)
}

func TestMemory(t *testing.T) {
	domaintest.Live(t, domaintest.LiveOptions{}, func(*testing.T) domain.LiveStore {
		return NewMemory(MemoryOptions{})
	})
}

func TestOrdersMakeRoom(t *testing.T) {
	m := NewMemory(MemoryOptions{MaxOrders: 100})
	for range 5000 {
		require.NoError(t, m.CacheOrder(t.Context(), &domain.Order{ID: domain.NewID(), Version: 1}))
	}
	m.orders.CleanUp()
	require.LessOrEqual(t, m.orders.EstimatedSize(), 100)
}

// count checks the tree below a cell and returns how many points it holds.
func (c *cell) check(t *testing.T, all []courier) int {
	t.Helper()
	n := 0
	if c.children == nil {
		n = len(c.points)
		require.LessOrEqual(t, n, fullLeaf)
		for i, p := range c.points {
			require.True(t, c.contains(p.at))
			require.Same(t, c, all[p.courier].leaf)
			require.Equal(t, i, all[p.courier].slot)
		}
	} else {
		require.Empty(t, c.points)
		for i, child := range c.children {
			require.Equal(t, child != nil, c.has>>i&1 == 1)
		}
		for i, child := range c.children {
			if child != nil {
				require.Same(t, c, child.parent)
				require.Equal(t, i, c.octant(child.center))
				below := child.check(t, all)
				require.Positive(t, below, "an empty cell")
				n += below
			}
		}
	}
	require.Equal(t, n, c.count)
	return n
}

func TestTreeStaysWhole(t *testing.T) {
	m := NewMemory(MemoryOptions{})
	rng := rand.New(rand.NewPCG(3, 4))
	at := time.Now()
	for step := range 40 {
		spread := 0.001
		if step%2 == 0 {
			spread = 60
		}
		for i := range 500 {
			at = at.Add(time.Millisecond)
			f := domain.Fix{CourierID: fmt.Sprint(i), Position: domain.Position{
				Lat: 10 + rng.Float64()*spread, Lon: 20 + rng.Float64()*spread, RecordedAt: at,
			}}
			_, err := m.PutFixes(t.Context(), []domain.Fix{f})
			require.NoError(t, err)
		}
		require.Equal(t, 500, m.cells.root.check(t, m.cells.couriers))
	}
}
