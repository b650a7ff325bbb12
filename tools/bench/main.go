// Command bench measures the running product against a limit or a peer in the same
// run and prints ratios: `go run ./tools/bench [name ...]`, from the project's root.
//
// Every comparison starts both sides as processes of their own, takes turns over
// several rounds and quotes the medians, since machines are small, shared and noisy.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// bench is what the benchmarks share.
type bench struct {
	bin    string
	dir    string
	rounds int
	each   time.Duration // length of one round of one side
}

var benches = map[string]func(context.Context, *bench) error{
	"create": benchCreate,
	"get":    benchGet,
	"start":  benchStart,
}

func main() {
	rounds := flag.Int("rounds", 5, "how often the sides take turns")
	each := flag.Duration("each", 3*time.Second, "how long a side runs in a round")
	flag.Usage = func() {
		_, _ = fmt.Fprintf(flag.CommandLine.Output(), "usage: bench [flags] [%v]\n", slices.Sorted(maps.Keys(benches)))
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.Arg(0) == "bare" { // the other side of `get`, started by itself
		serveBare()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *each, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, each time.Duration, names []string) error {
	dir, err := os.MkdirTemp("", "ot-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin, err := proc.Build(ctx, dir)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(benches))
	}
	for _, name := range names {
		one, known := benches[name]
		if !known {
			return fmt.Errorf("there is no benchmark %q", name)
		}
		sub, err := os.MkdirTemp(dir, name+"-*")
		if err != nil {
			return err
		}
		fmt.Printf("== %s\n", name)
		if err := one(ctx, &bench{bin: bin, dir: sub, rounds: rounds, each: each}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// verdict prints a measured figure beside what is asked.
func verdict(what string, got float64, unit, limit string, ok bool) {
	word := "ok"
	if !ok {
		word = "MISSED"
	}
	fmt.Printf("%-58s %10.2f%s   wanted %s   %s\n", what, got, unit, limit, word)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}
