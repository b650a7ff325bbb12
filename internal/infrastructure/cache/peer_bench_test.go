//go:build unix

package cache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// BenchmarkNearestAgainstRedis finds the ten nearest of 100,000 moving couriers, alternating
// between this package and GEOSEARCH within 1 km. x-redis is the ratio of searches per
// CPU-second, ours to the Redis server's. `make bench` runs it.
func BenchmarkNearestAgainstRedis(b *testing.B) {
	for _, clustered := range []bool{false, true} {
		b.Run(fmt.Sprintf("clustered=%v", clustered), func(b *testing.B) {
			url := redisURL(b)
			f, m := newFleet(100_000, clustered), NewMemory(MemoryOptions{})
			r, _ := open(b, url, newPrefix(b, url))
			_, _ = m.PutFixes(b.Context(), f.fixes)
			for i := range 30 {
				_, _ = m.PutFixes(b.Context(), f.step(i*10_000, 10_000))
			}
			_, err := r.PutFixes(b.Context(), f.fixes)
			require.NoError(b, err)
			for i := range 5 {
				exact(b, m, f, f.fixes[i*7919].Point())
			}
			const batch = 200
			var ours, theirs int64
			searches := 0
			for b.Loop() {
				before := cpu()
				for j := range batch * 20 { // the clock of a process is coarse
					_, _ = m.Nearest(b.Context(), f.fixes[(searches+j)*7919%len(f.fixes)].Point(), time.Time{}, 10)
				}
				ours += cpu() - before
				at := serverCPU(b, r)
				cmds := make(rueidis.Commands, batch)
				for j := range cmds {
					p := f.fixes[(searches+j)*7919%len(f.fixes)].Point()
					cmds[j] = r.client.B().Geosearch().Key(r.geoKey()).Fromlonlat(p.Lon, p.Lat).Byradius(1000).M().Asc().Count(10).Build()
				}
				for _, resp := range r.client.DoMulti(b.Context(), cmds...) {
					require.NoError(b, resp.Error())
				}
				theirs += serverCPU(b, r) - at
				searches += batch
			}
			b.ReportMetric(float64(theirs)/float64(ours)*20, "x-redis")
			b.ReportMetric(float64(ours)/float64(searches*20), "cpu-ns/search")
		})
	}
}

// exact compares a search with a brute-force one.
func exact(b *testing.B, m *Memory, f *fleet, at domain.Point) {
	got, err := m.Nearest(b.Context(), at, time.Time{}, 10)
	require.NoError(b, err)
	all := make([]float64, len(f.fixes))
	for i := range f.fixes {
		all[i] = f.fixes[i].Point().DistanceM(at)
	}
	slices.Sort(all)
	require.Len(b, got, 10)
	for i, fix := range got {
		require.InDelta(b, all[i], fix.Point().DistanceM(at), 1e-6)
	}
}
