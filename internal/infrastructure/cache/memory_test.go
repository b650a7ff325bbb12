package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
func (c *cell) check(t *testing.T) int {
	t.Helper()
	n := 0
	if c.children == nil {
		n = len(c.points)
		require.LessOrEqual(t, n, fullLeaf)
		for i, p := range c.points {
			require.True(t, c.contains(p.at))
			require.Same(t, c, p.courier.leaf)
			require.Equal(t, i, p.courier.slot)
		}
	} else {
		require.Empty(t, c.points)
		for i, child := range c.children {
			if child != nil {
				require.Same(t, c, child.parent)
				require.Equal(t, i, c.octant(child.center))
				below := child.check(t)
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
		require.Equal(t, 500, m.cells.root.check(t))
	}
}

// fleet is couriers of a city of 40 by 40 km, spread evenly or around 20 places.
type fleet struct {
	rng   *rand.Rand
	fixes []domain.Fix
}

func newFleet(n int, clustered bool) *fleet {
	f := &fleet{rng: rand.New(rand.NewPCG(1, 2)), fixes: make([]domain.Fix, n)}
	now := time.Now()
	for i := range f.fixes {
		p := domain.Position{Lat: 55.57 + f.rng.Float64()*0.36, Lon: 37.3 + f.rng.Float64()*0.64, RecordedAt: now}
		if clustered {
			c := i % 20
			p.Lat = 55.57 + float64(c)*0.018 + f.rng.NormFloat64()*0.005
			p.Lon = 37.3 + float64(c*7%20)*0.032 + f.rng.NormFloat64()*0.008
		}
		f.fixes[i] = domain.Fix{CourierID: domain.NewID(), Position: p}
	}
	return f
}

// step moves some couriers by up to 100 m.
func (f *fleet) step(from, n int) []domain.Fix {
	batch := make([]domain.Fix, n)
	for i := range batch {
		x := &f.fixes[(from+i)%len(f.fixes)]
		x.Lat += (f.rng.Float64() - 0.5) * 0.0018
		x.Lon += (f.rng.Float64() - 0.5) * 0.0032
		x.RecordedAt = x.RecordedAt.Add(10 * time.Second)
		batch[i] = *x
	}
	return batch
}

func BenchmarkPutFixes(b *testing.B) {
	for _, clustered := range []bool{false, true} {
		b.Run(fmt.Sprintf("clustered=%v", clustered), func(b *testing.B) {
			f := newFleet(100_000, clustered)
			m := NewMemory(MemoryOptions{})
			_, _ = m.PutFixes(context.Background(), f.fixes)
			const batch = 16
			batches := make([][]domain.Fix, 1<<15)
			for i := range batches {
				batches[i] = f.step(i*batch, batch)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i > 0 && i%len(batches) == 0 {
					b.StopTimer()
					for j := range batches {
						batches[j] = f.step(j*batch, batch)
					}
					b.StartTimer()
				}
				_, _ = m.PutFixes(context.Background(), batches[i%len(batches)])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/fix")
		})
	}
}

func BenchmarkNearest(b *testing.B) {
	for _, clustered := range []bool{false, true} {
		b.Run(fmt.Sprintf("clustered=%v", clustered), func(b *testing.B) {
			f := newFleet(100_000, clustered)
			m := NewMemory(MemoryOptions{})
			_, _ = m.PutFixes(context.Background(), f.fixes)
			for i := range 30 {
				_, _ = m.PutFixes(context.Background(), f.step(i*10_000, 10_000))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				at := f.fixes[i*7919%len(f.fixes)].Point()
				_, _ = m.Nearest(context.Background(), at, time.Time{}, 10)
			}
		})
	}
}
