//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// pgbench is PostgreSQL's own load generator on one of our schemas. The values of the
// rows are variables, which it sends as parameters of prepared statements.
type pgbench struct {
	url    string
	schema string
	script string
	vars   map[string]string
	runs   int
}

// pgbenchRun is what one run did.
type pgbenchRun struct {
	perSecond float64
	latency   time.Duration // average
	count     int           // of transactions
}

// pgbenchPath finds the program, which Debian keeps out of PATH.
func pgbenchPath() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil || len(found) == 0 {
		return "", errors.New("pgbench is not installed (Debian: postgresql-contrib or postgresql)")
	}
	return slices.Max(found), nil
}

var (
	pgbenchLatency = regexp.MustCompile(`(?m)^latency average = ([\d.]+) ms`)
	pgbenchRate    = regexp.MustCompile(`(?m)^tps = ([\d.]+)`)
	pgbenchCount   = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`)
)

// run keeps clients busy for a while. The script sees :run, different in each run, and
// :n, which it counts up itself.
func (p *pgbench) run(ctx context.Context, dir string, clients int, d time.Duration) (pgbenchRun, error) {
	path, err := pgbenchPath()
	if err != nil {
		return pgbenchRun{}, err
	}
	p.runs++
	file := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(file, []byte(p.script), 0o600); err != nil {
		return pgbenchRun{}, err
	}
	args := []string{
		"--no-vacuum", "--protocol=prepared", "--file=" + file,
		"--client=" + strconv.Itoa(clients), "--jobs=" + strconv.Itoa(min(clients, runtime.NumCPU())),
		"--time=" + strconv.Itoa(max(1, int(d.Seconds()))),
		"--define=run=" + strconv.Itoa(p.runs<<24), "--define=n=0",
	}
	for name, value := range p.vars {
		args = append(args, "--define="+name+"="+value)
	}
	cmd := exec.CommandContext(ctx, path, append(args, p.url)...)
	cmd.Env = append(os.Environ(), "PGOPTIONS=-csearch_path="+p.schema)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return pgbenchRun{}, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	return parsePgbench(string(out))
}

func parsePgbench(out string) (pgbenchRun, error) {
	var v [3]float64
	for i, re := range []*regexp.Regexp{pgbenchRate, pgbenchLatency, pgbenchCount} {
		m := re.FindStringSubmatch(out)
		if m == nil {
			return pgbenchRun{}, fmt.Errorf("pgbench did not say %v:\n%s", re, out)
		}
		var err error
		if v[i], err = strconv.ParseFloat(m[1], 64); err != nil {
			return pgbenchRun{}, err
		}
	}
	return pgbenchRun{v[0], time.Duration(v[1] * float64(time.Millisecond)), int(v[2])}, nil
}
