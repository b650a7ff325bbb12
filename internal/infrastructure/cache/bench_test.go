//go:build unix

package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// cpu is the process's CPU time in nanoseconds, which a busy machine does not distort.
func cpu() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
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
			start := cpu()
			for i := range b.N {
				if i > 0 && i%len(batches) == 0 {
					b.StopTimer()
					before := cpu()
					for j := range batches {
						batches[j] = f.step(j*batch, batch)
					}
					start += cpu() - before
					b.StartTimer()
				}
				_, _ = m.PutFixes(context.Background(), batches[i%len(batches)])
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N*batch), "cpu-ns/fix")
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
			start := cpu()
			for i := range b.N {
				at := f.fixes[i*7919%len(f.fixes)].Point()
				_, _ = m.Nearest(context.Background(), at, time.Time{}, 10)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkNearestInRedis is the same search with GEO; it measures the server's CPU time.
func BenchmarkNearestInRedis(b *testing.B) {
	for _, clustered := range []bool{false, true} {
		b.Run(fmt.Sprintf("clustered=%v", clustered), func(b *testing.B) {
			url := redisURL(b)
			f := newFleet(100_000, clustered)
			r, _ := open(b, url, newPrefix(b, url))
			_, _ = r.PutFixes(b.Context(), f.fixes)
			const batch = 100
			b.ResetTimer()
			start := serverCPU(b, r)
			for i := 0; i < b.N; i += batch {
				cmds := make(rueidis.Commands, batch)
				for j := range cmds {
					at := f.fixes[(i+j)*7919%len(f.fixes)].Point()
					cmds[j] = r.client.B().Geosearch().Key(r.geoKey()).Fromlonlat(at.Lon, at.Lat).Byradius(1000).M().Asc().Count(10).Build()
				}
				for _, resp := range r.client.DoMulti(b.Context(), cmds...) {
					if err := resp.Error(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(serverCPU(b, r)-start)/float64((b.N+batch-1)/batch*batch), "redis-cpu-ns/op")
		})
	}
}

// serverCPU is the server's CPU time in nanoseconds.
func serverCPU(b *testing.B, r *Redis) int64 {
	info, err := r.client.Do(b.Context(), r.client.B().Info().Section("cpu").Build()).ToString()
	if err != nil {
		b.Fatal(err)
	}
	var total float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			total += seconds * 1e9
		}
	}
	return int64(total)
}

// BenchmarkCachedOrder reads one hot order.
func BenchmarkCachedOrder(b *testing.B) {
	o := liveOrder(b, domain.NewID(), 1)
	run := func(b *testing.B, s domain.LiveStore) {
		if err := s.CacheOrder(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if got, err := s.CachedOrder(b.Context(), o.ID); got == nil || err != nil {
				b.Fatal(got, err)
			}
		}
	}
	b.Run("memory", func(b *testing.B) { run(b, NewMemory(MemoryOptions{})) })
	b.Run("redis", func(b *testing.B) {
		url := redisURL(b)
		r, _ := open(b, url, newPrefix(b, url))
		run(b, r)
	})
}
