// Package dispatch plays days of a delivery service through the product's planner and
// records the assignments with their times.
package dispatch

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/order-tracking/order-tracking/internal/dispatch"
)

// flags holds the input and output folders and the options.
type flags struct {
	instances, out, live string
	step                 time.Duration
	tours                int
}

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("realdata dispatch", flag.ContinueOnError)
	set.StringVar(&f.instances, "instances", "", "folder with a folder for each day (required)")
	set.StringVar(&f.out, "out", "", "folder for the plans, NAME.tsv for each day (required)")
	set.StringVar(&f.live, "live", "", "play this day through the whole product instead, by its API, and compare")
	set.IntVar(&f.tours, "tours", 0, "write so many made-up tours of each kind instead, as the product orders their stops, for oracle.py")
	set.DurationVar(&f.step, "step", dispatch.DefaultConfig().Step, "how often is planned")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	switch {
	case f.tours < 0 || f.tours > 0 && (f.instances != "" || f.out != "" || f.live != ""):
		return f, errors.New("--tours is a positive number, and goes with nothing else")
	case f.tours == 0 && (f.instances == "" || (f.out == "") == (f.live == "")):
		return f, errors.New("--instances is required, and either --out or --live")
	case set.NArg() > 0:
		return f, fmt.Errorf("what is %q?", set.Arg(0))
	case f.step < time.Second || f.step > time.Hour:
		return f, errors.New("--step must be 1s to 1h")
	}
	return f, nil
}

// Main plays the days; it returns the exit code.
func Main(ctx context.Context, args []string) int {
	f, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = run(ctx, f)
	}
	if err != nil {
		fmt.Println("FAIL", err)
		return 1
	}
	fmt.Println("PASS")
	return 0
}

func run(ctx context.Context, f flags) error {
	if f.tours > 0 {
		return tours(os.Stdout, f.tours)
	}
	cfg := dispatch.DefaultConfig()
	cfg.Step = f.step
	if f.live != "" {
		d, err := load(filepath.Join(f.instances, f.live))
		if err != nil {
			return err
		}
		return runLive(ctx, d, cfg)
	}
	folders, err := filepath.Glob(filepath.Join(f.instances, "*", "orders.txt"))
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return fmt.Errorf("no day in %s: a folder NAME with orders.txt is expected", f.instances)
	}
	if err := os.MkdirAll(f.out, 0o750); err != nil {
		return err
	}
	for _, file := range folders {
		d, err := load(filepath.Dir(file))
		if err != nil {
			return err
		}
		began := time.Now()
		routes := d.play(ctx, cfg)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := write(filepath.Join(f.out, d.name+".tsv"), routes); err != nil {
			return err
		}
		fmt.Printf("%s: %d orders, %d couriers, %d trips in %s\n", d.name, len(d.orders), len(d.couriers), len(routes), time.Since(began).Round(time.Millisecond))
	}
	return nil
}
