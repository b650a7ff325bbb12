//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // to make schemas

	"github.com/order-tracking/order-tracking/tools/proc"
)

// services are real PostgreSQL, Redis and Kafka, started when a benchmark asks for them
// and shared by all that run.
type services struct {
	env map[string]string // by the names that the tests know; nil until they are up
}

// script runs scripts/services.sh on a set of its own.
func (s *services) script(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "scripts/services.sh", args...)
	cmd.Env = append(os.Environ(), "SERVICES=bench")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/services.sh %v: %w", args, err)
	}
	return string(out), nil
}

func (s *services) up(ctx context.Context) error {
	if s.env != nil {
		return nil
	}
	if _, err := s.script(ctx, "up"); err != nil {
		return err
	}
	out, err := s.script(ctx, "env")
	s.env = map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
			s.env[name] = strings.Trim(value, "'")
		}
	}
	return err
}

func (s *services) down(ctx context.Context) {
	if s.env != nil {
		_, _ = s.script(ctx, "down") // it has said on stderr what failed
	}
}

// pid is the process id of a service.
func (s *services) pid(ctx context.Context, name string) (int, error) {
	out, err := s.script(ctx, "pid", name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

// schema makes a schema in PostgreSQL that is empty and named after what it is for.
func (s *services) schema(ctx context.Context, name string) (string, error) {
	db, err := sql.Open("pgx", s.env["TEST_DATABASE_URL"])
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	name += "_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	_, err = db.ExecContext(ctx, "CREATE SCHEMA "+name)
	return name, err
}

// in opens the database with a schema's tables in reach.
func (s *services) in(schema string) (*sql.DB, error) {
	u, err := url.Parse(s.env["TEST_DATABASE_URL"])
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return sql.Open("pgx", u.String())
}

// replica describes a server on a schema, with Redis and Kafka. Replicas of one schema
// are one cluster.
func (b *bench) replica(ctx context.Context, name, schema string, env ...string) (*proc.Server, error) {
	e := b.services.env
	return b.server(ctx, name, append([]string{
		"DATABASE_URL=" + e["TEST_DATABASE_URL"] + "&search_path=" + schema, "REDIS_URL=" + e["TEST_REDIS_URL"],
		"OT_REDIS__PREFIX=" + schema, "KAFKA_BROKERS=" + e["TEST_KAFKA_BROKERS"], "OT_KAFKA__GROUP=" + schema,
	}, env...)...)
}

// noKafka gives a server brokers that do not exist: orders are taken, nothing is sent.
func noKafka() (string, error) {
	unused, err := proc.New("", "")
	if err != nil {
		return "", err
	}
	return "KAFKA_BROKERS=" + unused.Kafka, nil
}

// treeCPU is the user and system time of a process, its children that live and its
// children that have ended (proc(5), fields 14 to 17 of stat).
func treeCPU(pid int) (time.Duration, error) {
	root, err := statFields(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	ticks := root.times(4)
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range all {
		if s, err := statFields(path); err == nil && s[1] == strconv.Itoa(pid) { // it may have ended
			ticks += s.times(2)
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// stat is what follows a process's name in its stat file; [1] is the parent.
type stat []string

func statFields(path string) (stat, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := stat(strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])))
	if len(s) < 15 {
		return nil, fmt.Errorf("%s: %d fields", path, len(s))
	}
	return s, nil
}

func (s stat) times(n int) int64 {
	var sum int64
	for _, field := range s[11 : 11+n] {
		v, _ := strconv.ParseInt(field, 10, 64)
		sum += v
	}
	return sum
}
