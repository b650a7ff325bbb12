//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// Some parts can only be compared in one process. Their benchmarks are in their packages;
// here they are run and their figures compared with limits.

// testBench runs a package's benchmark several times and returns the medians of a
// metric by sub-benchmark.
func (b *bench) testBench(ctx context.Context, pkg, name, metric string, env ...string) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$",
		"-benchtime", b.each.String(), "-count", strconv.Itoa(b.rounds), pkg)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s %s: %w\n%s", name, pkg, err, out)
	}
	line := regexp.MustCompile(`(?m)^` + name + `/?(\S*?)(?:-\d+)?\s+\d+\s.*?([\d.e+]+) ` + regexp.QuoteMeta(metric) + `\b.*$`)
	all := map[string][]float64{}
	for _, m := range line.FindAllStringSubmatch(string(out), -1) {
		fmt.Println("  " + m[0])
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		all[m[1]] = append(all[m[1]], v)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no %s of %s:\n%s", metric, name, out)
	}
	medians := map[string]float64{}
	for sub, v := range all {
		medians[sub] = median(v)
	}
	return medians, nil
}

// benchNearest compares finding the ten nearest of 100,000 couriers with Redis.
func benchNearest(ctx context.Context, b *bench) error {
	if err := b.services.up(ctx); err != nil {
		return err
	}
	got, err := b.testBench(ctx, "./internal/infrastructure/cache", "BenchmarkNearestAgainstRedis", "x-redis",
		"TEST_REDIS_URL="+b.services.env["TEST_REDIS_URL"])
	if err != nil {
		return err
	}
	for sub, x := range got {
		verdict("nearest 10 of 100,000, searches a CPU-second, "+sub, x, "x", ">= 30x", x >= 30)
	}
	return nil
}

// benchRooms compares publishing statuses to rooms of four sockets with bare writes.
func benchRooms(ctx context.Context, b *bench) error {
	got, err := b.testBench(ctx, "./internal/http", "BenchmarkRooms", "x-bare")
	if err != nil {
		return err
	}
	for _, x := range got {
		verdict("rooms of 4, deliveries a CPU-second over bare", x, "x", ">= 0.7x", x >= 0.7)
	}
	return nil
}
