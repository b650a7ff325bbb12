//go:build unix

// Command faults stops and kills parts of a running cluster (two replicas of the
// product on real PostgreSQL, Redis and Apache Kafka) under load and checks that nothing
// is lost: `go run ./tools/faults [name ...]`, from the project's root.
//
// Everything runs as separate processes on loopback ports, started by
// scripts/services.sh; every fault is limited in time. The last line is PASS, or FAIL
// with the findings.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to make schemas

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// fault injects one kind of failure and returns its findings.
type fault struct {
	name, what string
	run        func(ctx context.Context, c *cluster) error
}

var faults = []fault{
	{"redis", "Redis is stopped: all works, nothing stale is served", faultRedis},
	{"kafka", "Kafka is stopped: orders are taken, events wait and come out in order", faultKafka},
	{"postgres", "PostgreSQL is stopped: 503 and not ready, nothing acknowledged is lost", faultPostgres},
	{"kills", "replicas are killed with -9 again and again: nothing is lost or made twice", faultKills},
	{"stall", "the relaying replica is stopped dead: another leads within 5 s", faultStall},
	{"push", "500 watch while replicas are killed and lines hang: each sees every version once, in order", faultPush},
	{"notify", "webhooks: 50 receivers fail at random, replicas are killed: each is told everything, in order", faultNotify},
	{"hot", "16 clients change one order over both replicas: the history is linearizable", faultHot},
}

func main() {
	seconds := flag.Int("seconds", 60, "how long Kafka is away, replicas are killed, and orders with webhooks are changed")
	deliveries := flag.Int("deliveries", 100_000, "how many deliveries of webhooks there are about")
	flag.Usage = func() {
		out := flag.CommandLine.Output()
		_, _ = fmt.Fprintln(out, "usage: faults [flags] [name ...]")
		for _, f := range faults {
			_, _ = fmt.Fprintf(out, "  %-9s %s\n", f.name, f.what)
		}
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, size{time.Duration(*seconds) * time.Second, *deliveries}, flag.Args()); err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	fmt.Println("PASS")
}

// size is how much is done.
type size struct {
	long       time.Duration
	deliveries int
}

func run(ctx context.Context, size size, names []string) error {
	dir, err := os.MkdirTemp("", "ot-faults-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin, err := proc.Build(ctx, dir)
	if err != nil {
		return err
	}
	if err := services(ctx, "up"); err != nil {
		return err
	}
	defer func() { _ = services(context.WithoutCancel(ctx), "down") }()
	env, err := serviceEnv(ctx)
	if err != nil {
		return err
	}
	for _, f := range faults {
		if len(names) > 0 && !strings.Contains(" "+strings.Join(names, " ")+" ", " "+f.name+" ") {
			continue
		}
		fmt.Printf("== %s: %s\n", f.name, f.what)
		c, err := newCluster(ctx, bin, dir, env, size)
		if err != nil {
			return err
		}
		err = f.run(ctx, c)
		if closeErr := c.close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		fmt.Printf("   ok\n")
	}
	return nil
}

// services runs scripts/services.sh with its own set of services.
func services(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "scripts/services.sh", args...)
	cmd.Env = append(os.Environ(), "SERVICES=faults")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// serviceEnv returns the services' addresses as the tests' environment variables.
func serviceEnv(ctx context.Context) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "scripts/services.sh", "env")
	cmd.Env = append(os.Environ(), "SERVICES=faults")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env, nil
}

// cluster is two replicas with a schema, a Redis prefix and a consumer group of their own.
type cluster struct {
	replicas []*proc.Server
	brokers  string
	size
}

func newCluster(ctx context.Context, bin, dir string, env map[string]string, size size) (*cluster, error) {
	id := "fault_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	db, err := sql.Open("pgx", env["TEST_DATABASE_URL"])
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+id); err != nil {
		return nil, err
	}
	c := &cluster{brokers: env["TEST_KAFKA_BROKERS"], size: size}
	for range 2 {
		s, err := proc.New(bin, dir,
			"DATABASE_URL="+env["TEST_DATABASE_URL"]+"&search_path="+id, "REDIS_URL="+env["TEST_REDIS_URL"],
			"OT_REDIS__PREFIX="+id, "KAFKA_BROKERS="+c.brokers, "OT_KAFKA__GROUP="+id,
			"OT_HTTP__ACCESS_LOG=false", "OT_LOG__FORMAT=json")
		if err != nil {
			return nil, err
		}
		if _, err := s.Start(ctx); err != nil {
			return nil, err
		}
		c.replicas = append(c.replicas, s)
	}
	return c, nil
}

// restart restarts the replicas with additional environment variables.
func (c *cluster) restart(ctx context.Context, env ...string) error {
	for _, s := range c.replicas {
		if err := s.Stop(); err != nil {
			return err
		}
		s.Env = append(s.Env, env...)
		if _, err := s.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) close() error {
	for _, s := range c.replicas {
		if err := s.Stop(); err != nil {
			return err
		}
		if log := s.Log(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") {
			return fmt.Errorf("a replica's log:\n%s", log)
		}
	}
	return nil
}
