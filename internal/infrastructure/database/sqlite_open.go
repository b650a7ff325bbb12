package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"
)

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
