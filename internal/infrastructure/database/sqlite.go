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

	"github.com/order-tracking/order-tracking/internal/domain"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// OpenSQLite opens or creates the database file, with its folder, and brings its
// schema up to date. Only the owner may read what it creates.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	write, err := sqliteWriter(path)
	if err != nil {
		return nil, err
	}
	e := &sqlite{write: write}
	if err := sqliteMigrations(write).Up(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	var read *sql.DB
	if err = e.prepare(ctx); err == nil {
		read, err = sql.Open("sqlite", sqliteDSN(path, url.Values{
			"_query_only": {"1"}, "_pragma": {"temp_store(MEMORY)", "cache_size(-2000)"},
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

// sqliteWriter opens the one connection that writes. synchronous FULL: an answered
// write survives a power cut. The log is copied back into the file seldom, every 64
// MB, which gives a third more writes.
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

// createPrivate makes the file and its folder; SQLite gives its other files the same mode.
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

// sqlite is the engine: one connection that writes, used by the committer alone.
type sqlite struct {
	store *Store
	write *sql.DB
	stmts map[string]*sql.Stmt // of the writer, by text
}

func (e *sqlite) dialect() *dialect {
	return &dialect{
		prepare: true,
		among:   " IN (SELECT value FROM json_each($1))",
		list: func(values any) any {
			b, err := json.Marshal(values)
			if err != nil { // texts and integers always can be
				panic(err)
			}
			return string(b)
		},
		position: "instr",
		begin:    e.begin,
		// No deadline: the file is local, and another process that writes is waited for
		// by busy_timeout.
		workContext: func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
		wakeOthers:  func() {},
		// The file has one relay: that of the process.
		lead:       func(context.Context) (domain.Outbox, func(), error) { return e.store, func() {}, nil },
		job:        e.job,
		longJob:    e.job,
		insert:     e.insert,
		storeFixes: func(_ context.Context, _ [][]any, job func() error) error { return job() },
		purgeFixes: e.purgeFixes,
		ping: func(ctx context.Context) error {
			return e.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE pos < 0`) // which there are none
				return err
			})
		},
		close: e.close,
	}
}

func (e *sqlite) close() error {
	for _, st := range e.stmts {
		_ = st.Close()
	}
	return e.write.Close()
}

// job queues up for the only writer.
func (e *sqlite) job(ctx context.Context, fn txFunc) error {
	_, err := e.store.submit(ctx, &call{job: fn})
	return err
}
