//go:build unix

// Command bench measures the running product against a limit or a peer in the same
// run and prints ratios: `go run ./tools/bench [name ...]`, from the project's root.
//
// Every comparison runs both sides as separate processes, alternates them over several
// rounds and reports the medians, since machines are small, shared and noisy.
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

// bench is shared by the benchmarks.
type bench struct {
	bin    string
	dir    string
	rounds int
	each   time.Duration // length of one round of one side

	orders  int    // that are searched
	engines string // that searches and messages run on
	keep    string // where the databases that are searched stay; empty for nowhere
	kinds   string // which searches are measured, a regular expression

	services *services
}

// one is a benchmark and what it compares.
type one struct {
	what string
	run  func(context.Context, *bench) error
}

var benches = map[string]one{
	"create":    {"REST create over one commit per order", benchCreate},
	"get":       {"GET of a hot order over a bare handler", benchGet},
	"start":     {"start, and memory when idle", benchStart},
	"pg":        {"REST create on PostgreSQL over pgbench", benchPg},
	"lag":       {"from an order's commit to Kafka", benchLag},
	"replica":   {"a hot order on a second replica over one process", benchReplica},
	"positions": {"CPU of a position into the live index over Redis GEOADD", benchPositions},
	"history":   {"positions kept over single INSERTs", benchHistory},
	"nearest":   {"nearest couriers over Redis GEOSEARCH (go test -bench)", benchNearest},
	"frame":     {"from a position to the frame of a watcher", benchFrame},
	"broadcast": {"a status to 1,000 and 9,000 sockets over bare writes", benchBroadcast},
	"rooms":     {"statuses to rooms of 4 over bare writes (go test -bench)", benchRooms},
	"fleet":     {"moves to 200 dispatchers over a write each", benchFleet},
	"parcels":   {"CPU of following 10,000 parcels (go test -bench)", benchParcels},
	"search":    {"searches and lists over many made orders", benchSearch},
	"webhooks":  {"deliveries of webhooks; beside a dead one over without", benchWebhooks},
	"rules":     {"creates with three messages to the customer over none", benchRules},
	"idle":      {"memory of an idle socket", benchIdle},
}

func main() {
	rounds := flag.Int("rounds", 5, "how often the sides take turns")
	each := flag.Duration("each", 3*time.Second, "how long a side runs in a round")
	bin := flag.String("bin", "", "measure this program; otherwise the product is built from here")
	orders := flag.Int("orders", 5_000_000, "how many orders are searched; below a million what is found is checked instead of timed")
	engines := flag.String("engines", "sqlite,postgres", "where they are searched, and orders are that webhooks and customers hear of")
	keep := flag.String("keep", "", "a folder where the databases that are searched stay; those that are there are searched again")
	kinds := flag.String("kinds", "", "measure only the searches whose name matches this; the creates beside them are called creates")
	flag.Usage = func() {
		out := flag.CommandLine.Output()
		_, _ = fmt.Fprintln(out, "usage: bench [flags] [name ...]")
		for _, name := range slices.Sorted(maps.Keys(benches)) {
			_, _ = fmt.Fprintf(out, "  %-10s %s\n", name, benches[name].what)
		}
		flag.PrintDefaults()
	}
	flag.Parse()
	switch flag.Arg(0) { // the other sides, started by this program itself
	case "bare":
		serveBare()
		return
	case "bare-sockets":
		serveBareSockets()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, bench{bin: *bin, rounds: *rounds, each: *each, orders: *orders, engines: *engines, keep: *keep, kinds: *kinds}, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b bench, names []string) error {
	dir, err := os.MkdirTemp("", "ot-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if b.bin == "" {
		if b.bin, err = proc.Build(ctx, dir); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(benches))
	}
	b.services = &services{}
	defer b.services.down(context.WithoutCancel(ctx))
	for _, name := range names {
		one, known := benches[name]
		if !known {
			return fmt.Errorf("there is no benchmark %q", name)
		}
		if b.dir, err = os.MkdirTemp(dir, name+"-*"); err != nil {
			return err
		}
		fmt.Printf("== %s: %s\n", name, one.what)
		if err := one.run(ctx, &b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// verdict prints a measured figure with the required one.
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
