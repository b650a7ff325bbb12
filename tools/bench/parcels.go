//go:build unix

package main

import "context"

// benchParcels measures what following 10,000 parcels at the usual pace takes of one core.
func benchParcels(ctx context.Context, b *bench) error {
	got, err := b.testBench(ctx, "./internal/shipping", "BenchmarkPolls", "cpu-%/10k")
	if err != nil {
		return err
	}
	for _, share := range got {
		verdict("10,000 followed parcels, of one core", share, " %", "<= 2 %", share <= 2)
	}
	return nil
}
