package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// pgCommitters is the number of concurrent groups: one is written while the other's
	// commit is flushed to disk. More of them would make smaller, costlier groups.
	pgCommitters = 2
	// pgWriters limits the write connections: those of committers and jobs.
	pgWriters = pgCommitters + 4
	// pgReaders limits the read connections, unless the URL sets pool_max_conns.
	pgReaders = 8
	// pgWorkTime limits a transaction, waits included.
	pgWorkTime = 15 * time.Second
	// pgJobTries is how often a job is tried if its transaction loses against another.
	pgJobTries = 3
)

// OpenPostgres connects to PostgreSQL 14 or newer and migrates the schema; of several replicas starting at once, one does. It
// fails with unavailable while the server is down. The URL takes libpq's parameters, and pool_max_conns for the read connections.
func OpenPostgres(ctx context.Context, url string, o Options) (*Store, error) {
	e, err := newPostgres(url)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	m := postgresMigrations(e.config)
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		e.shut()
		return nil, failure(err)
	}
	// Installations that share a database, each in its own schema, have separate locks and signals.
	err = e.read.QueryRowContext(ctx, `SELECT current_schema(), hashtextextended(current_schema(), 0)`).Scan(&e.schema, &e.lockKey)
	if err != nil {
		e.shut()
		return nil, failure(fmt.Errorf("open the database: %w", err))
	}
	e.store = newStore(e.read, e.dialect(), pgCommitters, o)
	e.start()
	return e.store, nil
}

// postgres is the PostgreSQL engine.
type postgres struct {
	store   *Store
	config  *pgx.ConnConfig // for every connection
	pool    *pgxpool.Pool   // write connections
	write   *sql.DB         // the same ones for jobs
	read    *sql.DB
	schema  string
	lockKey int64

	relay election
	wake  waker
}

func newPostgres(url string) (*postgres, error) {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	readers := pgReaders
	if given, err := pgx.ParseConfig(url); err == nil && given.RuntimeParams["pool_max_conns"] != "" {
		readers = int(pc.MaxConns)
	}
	e := &postgres{config: pc.ConnConfig.Copy()}
	tune(e.config)

	pc.ConnConfig = e.config.Copy()
	// Writers access rows by key. A plan cached while a table was empty must not scan it once it is full.
	setDefaults(pc.ConnConfig, map[string]string{"enable_hashjoin": "off", "enable_mergejoin": "off"})
	pc.MaxConns, pc.MinConns, pc.MinIdleConns = pgWriters, 0, 0
	if e.pool, err = pgxpool.NewWithConfig(context.Background(), pc); err != nil {
		return nil, err
	}
	e.write = stdlib.OpenDBFromPool(e.pool)
	e.read = stdlib.OpenDB(*e.config)
	e.read.SetMaxOpenConns(readers)
	e.read.SetMaxIdleConns(readers)
	e.read.SetConnMaxIdleTime(5 * time.Minute)
	return e, nil
}

// tune sets the parameters that every connection relies on, unless the URL overrides them.
func tune(c *pgx.ConnConfig) {
	setDefaults(c, map[string]string{
		"application_name":                    "order-tracking",
		"synchronous_commit":                  "on", // an acknowledged write survives a crash
		"default_transaction_isolation":       "read committed",
		"statement_timeout":                   "10s",
		"lock_timeout":                        "3s",
		"idle_in_transaction_session_timeout": "10s",
		// Every query has its index; these keep the planner from choosing other plans for tables that were small when it planned.
		"enable_seqscan": "off",
		"jit":            "off",
	})
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 3 * time.Second
	}
	// A vanished host is detected within ten seconds.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 3,
	}}
	c.DialFunc = dialer.DialContext
}

func setDefaults(c *pgx.ConnConfig, params map[string]string) {
	maps.Copy(params, c.RuntimeParams)
	c.RuntimeParams = params
}

func (e *postgres) dialect() *dialect {
	return &dialect{
		engine:    e,
		forUpdate: " FOR UPDATE", skipLocked: " FOR UPDATE SKIP LOCKED",
		among:    " = ANY($1)",
		list:     func(values any) any { return values },
		position: "strpos", bytesAsText: "convert_from(result, 'UTF8')",
		// List queries are planned for their actual values, so that rare ones use an index.
		listMode: []any{pgx.QueryExecModeCacheDescribe},
		begin:    e.begin,
		snapshot: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		searchGrams: `SELECT p.segment, p.part, p.data
			FROM unnest($1::bigint[]) AS s (segment) CROSS JOIN unnest($2::bigint[]) AS g (part)
			JOIN search_parts p ON p.segment = s.segment AND p.part = g.part`,
		searchPages: `SELECT p.segment, p.part, p.data FROM unnest($1::bigint[], $2::bigint[]) AS k (segment, part)
			JOIN search_parts p ON p.segment = k.segment AND p.part = k.part`,
		pairs: func(pairs [][2]int64) []any {
			segments, parts := make([]int64, len(pairs)), make([]int64, len(pairs))
			for i, p := range pairs {
				segments[i], parts[i] = p[0], p[1]
			}
			return []any{segments, parts}
		},
	}
}

func (e *postgres) workContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), pgWorkTime)
}

// job runs a separate transaction. It retries if the transaction lost against another one
// or could not begin, but never after the commit was sent.
func (e *postgres) job(ctx context.Context, fn txFunc) error {
	return e.limitedJob(ctx, pgWorkTime, fn)
}

func (e *postgres) longJob(ctx context.Context, fn txFunc) error {
	return e.limitedJob(ctx, time.Hour, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

func (e *postgres) limitedJob(ctx context.Context, limit time.Duration, fn txFunc) error {
	if err := e.store.alive(ctx); err != nil {
		return err
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for try := 1; ; try++ {
		committing, err := e.tryJob(ctx, work, fn)
		if err == nil || committing || try == pgJobTries || !lostRace(err) {
			return err
		}
	}
}

// tryJob waits for a connection until the caller's context ends; a started job is finished.
func (e *postgres) tryJob(ctx, work context.Context, fn txFunc) (committing bool, err error) {
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(work, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := safely(e.store.log, "", func() error { return fn(work, tx) }); err != nil {
		return false, err
	}
	return true, tx.Commit()
}

func (e *postgres) writing() Pool {
	st := e.pool.Stat()
	return Pool{
		Name: "write", Max: int(st.MaxConns()), Open: int(st.TotalConns()), InUse: int(st.AcquiredConns()),
		Waits: st.EmptyAcquireCount(), Waited: st.EmptyAcquireWaitTime(),
	}
}

func (e *postgres) ping(ctx context.Context) error {
	if err := e.store.alive(ctx); err != nil {
		return err
	}
	var readOnly bool
	err := e.read.QueryRowContext(ctx,
		`SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean`).Scan(&readOnly)
	if err == nil && readOnly {
		err = errors.New("the server takes no writes")
	}
	if err != nil {
		return err
	}
	return e.pool.Ping(ctx)
}

func (e *postgres) close() error {
	e.stop()
	e.shut()
	return nil
}

func (e *postgres) shut() {
	_ = e.write.Close()
	e.pool.Close()
	_ = e.read.Close()
}
