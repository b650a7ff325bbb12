package database

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// newChange is a typical new order with its idempotency record.
func newChange(i int) *domain.Change {
	by := domain.By{Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "bench"}, Source: domain.SourceAPI, Now: time.Now()}
	o, ev := domain.NewOrder(domain.Draft{
		ExternalID: fmt.Sprintf("W%07d-%s", i, domain.NewID()[28:]),
		Customer:   domain.Customer{Name: "Ирина Петрова", Phone: "+79161234567", Email: "irina@example.org"},
		Pickup:     &domain.Place{Address: "Склад 4, Ленинградское шоссе 16", Location: &domain.Point{Lat: 55.83, Lon: 37.49}},
		Dropoff:    &domain.Place{Address: "Тверская улица 7, Москва", Location: &domain.Point{Lat: 55.76, Lon: 37.61}},
		Items:      []domain.Item{{Name: "Книга", SKU: "B-17", Quantity: 2, WeightG: 400}},
	}, by)
	return &domain.Change{Order: o, Events: []domain.Event{ev}}
}

// createAtOnce creates b.N orders from 64 callers.
func createAtOnce(b *testing.B, s *Store) {
	b.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range next {
				if _, err := s.CreateOrder(context.Background(), newChange(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}

func BenchmarkCreateSQLite(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint("group=", size), func(b *testing.B) {
			createAtOnce(b, openSQLite(b, filepath.Join(b.TempDir(), "bench.db"), Options{MaxGroup: size}))
		})
	}
}

func BenchmarkUpdateSQLite(b *testing.B) {
	s := openSQLite(b, filepath.Join(b.TempDir(), "bench.db"), Options{})
	ids := make([]string, 512)
	for i := range ids {
		o, err := s.CreateOrder(b.Context(), newChange(i))
		require.NoError(b, err)
		ids[i] = o.ID
	}
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			notes := fmt.Sprint(time.Now().UnixNano())
			_, err := s.UpdateOrder(b.Context(), ids[i%len(ids)], func(ch *domain.Change) error {
				events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", domain.By{Now: time.Now()})
				ch.Add(events...)
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkCreatePostgres(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint("group=", size), func(b *testing.B) {
			createAtOnce(b, openPostgres(b, freshPostgres(b), Options{MaxGroup: size}))
		})
	}
}
