// Package eta measures the product's estimates on recorded deliveries: it feeds them to the
// product's own package strictly in the order of time and writes what that predicted.
package eta

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

const usage = "usage: realdata eta --task A1|A2|A3|B1|B2|C|D --train FILE… --replay FILE… --out FILE, or realdata eta --validate DIR"

type flags struct {
	task, out, validate string
	train, replay       []string
}

// parse reads flags of which some take several files.
func parse(args []string) (f flags, err error) {
	var into func(string) error
	one := func(s *string) func(string) error {
		return func(v string) error {
			if *s != "" {
				return fmt.Errorf("what is %q?", v)
			}
			*s = v
			return nil
		}
	}
	many := func(s *[]string) func(string) error {
		return func(v string) error { *s = append(*s, v); return nil }
	}
	for _, a := range args {
		name, value, given := strings.Cut(a, "=")
		switch strings.TrimPrefix(name, "-") {
		case "-task":
			into = one(&f.task)
		case "-out":
			into = one(&f.out)
		case "-validate":
			into = one(&f.validate)
		case "-train":
			into = many(&f.train)
		case "-replay":
			into = many(&f.replay)
		default:
			if into == nil || strings.HasPrefix(a, "-") {
				return f, fmt.Errorf("what is %q? %s", a, usage)
			}
			value, given = a, true
		}
		if given {
			if err := into(value); err != nil {
				return f, err
			}
		}
	}
	if f.validate == "" && (tasks[f.task] == nil || f.out == "" || len(f.replay) == 0) {
		return f, errors.New(usage)
	}
	return f, nil
}

// Main runs a task, or validates all; it returns the exit code.
func Main(ctx context.Context, args []string) int {
	f, err := parse(args)
	switch {
	case err != nil:
	case f.validate != "":
		err = validate(ctx, f.validate, f.task, os.Stdout)
	default:
		err = runFiles(f)
	}
	if err != nil {
		fmt.Println("FAIL", err)
		return 1
	}
	fmt.Println("PASS")
	return 0
}

func runFiles(f flags) error {
	var in input
	for _, list := range []struct {
		names []string
		into  *[]*table
	}{{f.train, &in.train}, {f.replay, &in.replay}} {
		for _, name := range list.names {
			t, err := readTable(name)
			if err != nil {
				return err
			}
			*list.into = append(*list.into, t)
		}
	}
	answers, err := in.run(f.task)
	if err != nil {
		return err
	}
	unit := time.Minute
	if strings.HasPrefix(f.task, "B") {
		unit = 24 * time.Hour
	}
	return write(f.out, answers, unit)
}

func write(name string, answers []answer, unit time.Duration) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,p10,p50,p90")
	in := func(d time.Duration) float64 { return float64(d) / float64(unit) }
	for _, a := range answers {
		fmt.Fprintf(w, "%s,%.5f,%.5f,%.5f\n", a.id, in(a.win.P10), in(a.win.P50), in(a.win.P90))
	}
	return errors.Join(w.Flush(), f.Close())
}
