package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"
)

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
