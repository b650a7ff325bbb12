package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// sqlite is the SQLite engine: one write connection, used by the committer only.
type sqlite struct {
	store *Store
	write *sql.DB
	stmts map[string]*sql.Stmt // the writer's, by SQL text
	// unlock releases the file for other processes.
	unlock func() error
}

func (e *sqlite) dialect() *dialect {
	return &dialect{
		engine: e, prepare: true,
		among:    " IN (SELECT value FROM json_each($1))",
		list:     func(values any) any { return asJSON(values) },
		position: "instr", bytesAsText: "CAST(result AS TEXT)",
		begin: e.begin,
		// Lists in JSON are slow to walk: the one of the inner loop is read once.
		searchGrams: `WITH g (part) AS MATERIALIZED (SELECT value FROM json_each($2)) SELECT p.segment, p.part, p.data
			FROM json_each($1) s CROSS JOIN g CROSS JOIN search_parts p ON p.segment = s.value AND p.part = g.part`,
		searchPages: fmt.Sprintf(`SELECT p.segment, p.part, p.data FROM json_each($1) k CROSS JOIN search_parts p
			ON p.segment = k.value / %[1]d AND p.part = -(k.value %% %[1]d)`, pagesMost),
		pairs: func(pages [][2]int64) []any {
			return []any{asJSON(domain.Each(pages, func(p [2]int64) int64 { return p[0]*pagesMost - p[1] }))}
		},
	}
}

// workContext has no deadline: the file is local, and busy_timeout limits the wait for another process that writes.
func (e *sqlite) workContext() (context.Context, context.CancelFunc) {
	return context.Background(), func() {}
}

// The file belongs to this process: its relay always leads, and it has the only writer.
func (e *sqlite) lead(context.Context) (domain.Outbox, func(), error)             { return e.store, func() {}, nil }
func (e *sqlite) leadFeed(context.Context) (func(), error)                        { return func() {}, nil }
func (e *sqlite) wakeOthers()                                                     {}
func (e *sqlite) holdOrders(context.Context, *sql.Tx) error                       { return nil }
func (e *sqlite) longJob(ctx context.Context, fn txFunc) error                    { return e.job(ctx, fn) }
func (e *sqlite) storeFixes(_ context.Context, _ [][]any, job func() error) error { return job() }
func (e *sqlite) writing() Pool                                                   { return poolOf("write", e.write.Stats()) }

func asJSON(values any) string {
	b, err := json.Marshal(values)
	if err != nil { // strings and integers always can be
		panic(err)
	}
	return string(b)
}

// ping writes an unused number in the file's header, since only a write detects a full
// disk. A commit within the last second proves the same.
func (e *sqlite) ping(ctx context.Context) error {
	now := time.Now()
	if err := e.store.alive(ctx); err != nil || now.UnixNano()-e.store.wrote.Load() < int64(time.Second) {
		return err
	}
	return e.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", now.Unix()&0x7fffffff))
		return err
	})
}

func (e *sqlite) close() error {
	for _, st := range e.stmts {
		_ = st.Close()
	}
	return errors.Join(e.write.Close(), e.unlock())
}

// job queues for the only writer.
func (e *sqlite) job(ctx context.Context, fn txFunc) error {
	_, err := e.store.submit(ctx, &call{job: fn})
	return err
}

// OpenSQLite opens or creates the database file and its folder, and migrates the schema. Only the owner may read what it
// creates. The file stays locked for this process until the store is closed; opening fails if another process holds it.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	unlock, err := LockSQLite(path)
	if err != nil {
		return nil, err
	}
	write, err := sqliteWriter(path)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	e := &sqlite{write: write, unlock: unlock}
	if err := sqliteMigrations(write).Up(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	var read *sql.DB
	if err = e.prepare(ctx); err == nil {
		read, err = sql.Open("sqlite", sqliteDSN(path, url.Values{
			"_query_only": {"1"}, "_pragma": {"temp_store(MEMORY)", "cache_size(-8000)"},
		}))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), e.close())
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	e.store = newStore(read, e.dialect(), 1, o)
	return e.store, nil
}

// LockSQLite locks the database file for this process and creates it if missing; opening, migrating and replacing it all
// require that lock. The lock is a file beside the database, since the database file itself may be replaced.
func LockSQLite(path string) (unlock func() error, err error) {
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil { // two names may lead to one file
		return nil, fmt.Errorf("open the database: %w", err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the database: %w", err)
	case !locked:
		return nil, fmt.Errorf("another process uses the database %s; stop it or choose another file", path)
	}
	return lock.Unlock, nil
}

// sqliteWriter opens the only write connection. synchronous FULL: an acknowledged write survives a power cut. The
// write-ahead log is checkpointed only every 64 MB, which gives a third more writes.
func sqliteWriter(path string) (*sql.DB, error) {
	err := createPrivate(path)
	var db *sql.DB
	if err == nil {
		db, err = sql.Open("sqlite", sqliteDSN(path, url.Values{
			"_txlock": {"immediate"},
			"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "wal_autocheckpoint(16000)",
				"journal_size_limit(67108864)", "temp_store(MEMORY)", "cache_size(-8000)"},
		}))
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// createPrivate creates the file and its folder; SQLite gives its other files the same mode.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return f.Close()
}

func sqliteDSN(path string, q url.Values) string {
	q.Set("_busy_timeout", "5000")
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}
