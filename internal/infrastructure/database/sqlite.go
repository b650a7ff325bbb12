package database

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver "sqlite"
	driver "modernc.org/sqlite"

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
		prepare:  true,
		among:    " IN (SELECT value FROM json_each($1))",
		list:     func(values any) any { return asJSON(values) },
		position: "instr", bytesAsText: "CAST(result AS TEXT)",
		begin: e.begin,
		// No deadline: the file is local, and busy_timeout limits the wait for another process that writes.
		workContext: func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
		wakeOthers:  func() {},
		// The file belongs to this process, so its relay always leads.
		lead:       func(context.Context) (domain.Outbox, func(), error) { return e.store, func() {}, nil },
		leadFeed:   func(context.Context) (func(), error) { return func() {}, nil },
		holdOrders: func(context.Context, *sql.Tx) error { return nil }, // there is one writer
		searchGrams: `SELECT p.segment, p.part, p.data
			FROM json_each($1) s CROSS JOIN json_each($2) g CROSS JOIN search_parts p ON p.segment = s.value AND p.part = g.value`,
		searchPages: `SELECT p.segment, p.part, p.data FROM json_each($1) k CROSS JOIN search_parts p
			ON p.segment = json_extract(k.value, '$[0]') AND p.part = json_extract(k.value, '$[1]')`,
		searchKeys: `(SELECT json_extract(value, '$[0]') AS created_at, json_extract(value, '$[1]') AS id FROM json_each($1)) k
			CROSS JOIN orders o INDEXED BY orders_created`,
		keys: func(docs []doc) []any {
			keys := domain.Each(docs, func(d doc) [2]any { return [2]any{d.at, d.id} })
			return []any{asJSON(keys)}
		},
		pairs:      func(pairs [][2]int64) []any { return []any{asJSON(pairs)} },
		job:        e.job,
		longJob:    e.job,
		insert:     e.insert,
		storeFixes: func(_ context.Context, _ [][]any, job func() error) error { return job() },
		purgeFixes: e.purgeFixes,
		writing:    func() Pool { return poolOf("write", e.write.Stats()) },
		ping:       e.ping,
		close:      e.close,
	}
}

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

// BackupSQLite writes the current database to a file that only its owner may read and that
// appears once it is complete. A server may be using the database.
func BackupSQLite(ctx context.Context, path, to string) error {
	source, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database yet at %s", path)
	}
	if old, oldErr := os.Stat(to); err == nil && oldErr == nil && os.SameFile(source, old) {
		err = errors.New("the database can't be its own backup")
	}
	if err != nil {
		return err
	}
	part, err := copySQLite(ctx, path, to)
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	defer os.Remove(part) //nolint:errcheck // no longer there after a success
	// Without its own write-ahead log the backup is a single file that opens on read-only media too.
	if err := inSQLite(part, "DELETE", func(db *sql.DB) error { return db.PingContext(ctx) }); err != nil {
		return err
	}
	return moveFile(part, to)
}

// RestoreSQLite replaces the database with a backup, migrates its schema, and returns the path to which the old database was
// moved, "" if there was none. It fails without changing anything if another process uses the database or if the backup is
// damaged, from another product or from a newer version.
func RestoreSQLite(ctx context.Context, path, from string, now time.Time) (kept string, err error) {
	if _, err := os.Stat(from); err != nil {
		return "", fmt.Errorf("restore the database: %w", err)
	}
	unlock, err := LockSQLite(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	part, err := copySQLite(ctx, from, path)
	if err != nil {
		return "", fmt.Errorf("read the backup: %w", err)
	}
	defer os.Remove(part) //nolint:errcheck // no longer there after a success
	err = inSQLite(part, "WAL", func(db *sql.DB) error {
		if _, err := db.ExecContext(ctx, `SELECT id FROM orders LIMIT 1`); err != nil {
			return fmt.Errorf("%s is not a backup of this product: %w", from, err)
		}
		return sqliteMigrations(db).Up(ctx)
	})
	if err != nil {
		return "", err
	}
	return swapSQLite(part, path, now)
}

// swapSQLite replaces the database with the new file and keeps the old one beside it.
func swapSQLite(part, path string, now time.Time) (kept string, err error) {
	old, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if old.Size() == 0 { // created by taking the lock
		return "", moveFile(part, path)
	}
	kept = path + now.UTC().Format(".before-restore-20060102T150405Z")
	var moved []string
	// The write-ahead log holds commits that are not in the file yet, so it moves with the file.
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err = os.Rename(path+suffix, kept+suffix); err == nil {
			moved = append(moved, suffix)
		} else if suffix == "" || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err == nil {
		err = moveFile(part, path)
	}
	if err != nil {
		for _, suffix := range moved {
			err = errors.Join(err, os.Rename(kept+suffix, path+suffix))
		}
		return "", err
	}
	return kept, nil
}

// copySQLite copies a consistent snapshot of a database to a private file beside to.
func copySQLite(ctx context.Context, from, to string) (part string, err error) {
	f, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return "", err
	}
	part = f.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	db, err := sql.Open("sqlite", sqliteDSN(from, url.Values{"_query_only": {"1"}}))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	defer db.Close() //nolint:errcheck // only read
	conn, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // only read
	return part, conn.Raw(func(c any) error {
		b, err := c.(interface {
			NewBackup(to string) (*driver.Backup, error)
		}).NewBackup(sqliteDSN(part, url.Values{}))
		if err != nil {
			return err
		}
		_, err = b.Step(-1) // in one go: stepping would restart after each commit
		return errors.Join(err, b.Finish())
	})
}

// inSQLite works on a private file and checks its integrity.
func inSQLite(path, journal string, work func(*sql.DB) error) (err error) {
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(" + journal + ")"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var verdict string
	if err := db.QueryRowContext(context.Background(), `PRAGMA quick_check(1)`).Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("the copy is damaged: %w", cmp.Or(err, errors.New(verdict)))
	}
	return work(db)
}

// moveFile flushes a file to disk and renames it to its final name.
func moveFile(from, to string) error {
	f, err := os.OpenFile(from, os.O_RDWR, 0) //nolint:gosec // made by us
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(from, to)
}
