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
	// pgCommitters is how many groups are under way at once: one is written while the
	// other's commit reaches the disk. With more, groups are smaller and cost more.
	pgCommitters = 2
	// pgWriters is the most connections that write: the committers' and jobs'.
	pgWriters = pgCommitters + 4
	// pgReaders is the most connections that read, unless the URL says pool_max_conns.
	pgReaders = 8
	// pgWorkTime is the most that a transaction may take, its waits included.
	pgWorkTime = 15 * time.Second
	// pgJobTries is how often a job is tried whose transaction lost against another.
	pgJobTries = 3
)

// OpenPostgres connects to PostgreSQL 14 or newer and brings the schema up to date;
// of several replicas that start at once one does. It fails with unavailable while the
// server is away. The URL takes what libpq takes,
// and pool_max_conns for the connections that read.
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
	// Two installations may share a database, each in its schema: their locks and
	// signals are apart.
	err = e.read.QueryRowContext(ctx, `SELECT current_schema(), hashtextextended(current_schema(), 0)`).Scan(&e.schema, &e.lockKey)
	if err != nil {
		e.shut()
		return nil, failure(fmt.Errorf("open the database: %w", err))
	}
	e.store = newStore(e.read, e.dialect(), pgCommitters, o)
	e.start()
	return e.store, nil
}

// postgres is the engine.
type postgres struct {
	store   *Store
	config  *pgx.ConnConfig // of every connection
	pool    *pgxpool.Pool   // connections that write
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
	// What the writers run goes by keys. A plan that was made while a table was empty
	// must not walk it once it is full.
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

// tune sets what every connection of the product relies on, unless the URL says otherwise.
func tune(c *pgx.ConnConfig) {
	setDefaults(c, map[string]string{
		"application_name":                    "order-tracking",
		"synchronous_commit":                  "on", // an answered write survives a crash
		"default_transaction_isolation":       "read committed",
		"statement_timeout":                   "10s",
		"lock_timeout":                        "3s",
		"idle_in_transaction_session_timeout": "10s",
		// Every query has its index; these keep the planner from other ideas about tables
		// that were small when it planned.
		"enable_seqscan": "off",
		"jit":            "off",
	})
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 3 * time.Second
	}
	// A host that vanished is noticed in ten seconds.
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
		forUpdate: " FOR UPDATE", skipLocked: " FOR UPDATE SKIP LOCKED",
		among:    " = ANY($1)",
		list:     func(values any) any { return values },
		position: "strpos",
		// A list is planned for its values each time: what is rare is known then.
		listMode: []any{pgx.QueryExecModeCacheDescribe},
		begin:    e.begin,
		workContext: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), pgWorkTime)
		},
		wakeOthers: e.wakeOthers,
		lead:       e.lead,
		job:        e.job,
		longJob:    e.longJob,
		insert:     e.insert,
		storeFixes: e.storeFixes,
		purgeFixes: e.purgeFixes,
		writing:    e.writing,
		ping:       e.ping,
		close:      e.close,
	}
}

// job runs a transaction of its own. It is tried again when it lost against another
// one or could not be started, but not once its commit was sent.
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

// tryJob waits for a connection as long as the caller does; what runs is finished.
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
