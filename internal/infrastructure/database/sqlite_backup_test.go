package database

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A backup made while orders are created has every order acknowledged before it began, and
// restores to a working database.
func TestBackupWhileOrdersComeIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "orders.db"), filepath.Join(dir, "backup ?#%.db")
	s := openSQLite(t, path, Options{})
	const before = 50
	for n := range before {
		_, err := s.CreateOrder(t.Context(), newChange(n))
		require.NoError(t, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := before; ctx.Err() == nil; n++ {
			_, _ = s.CreateOrder(ctx, newChange(n)) // may be cut off at the end
		}
	})
	require.NoError(t, BackupSQLite(t.Context(), path, backup))
	require.NoError(t, BackupSQLite(t.Context(), path, backup), "a backup takes the place of an older one")
	stop()
	writer.Wait()

	info, err := os.Stat(backup)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := filepath.Glob(filepath.Join(dir, "*backup*"))
	require.NoError(t, err)
	require.Equal(t, []string{backup}, left, "one file and no leftovers")

	other := filepath.Join(dir, "new", "orders.db")
	kept, err := RestoreSQLite(t.Context(), other, backup, time.Now())
	require.NoError(t, err)
	require.Empty(t, kept)
	require.GreaterOrEqual(t, countOrders(t, other), before)
}

func countOrders(t *testing.T, path string) (n int) {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path, Options{})
	require.NoError(t, err)
	require.NoError(t, s.read.QueryRow(`SELECT count(*) FROM orders`).Scan(&n))
	require.NoError(t, s.Close())
	return n
}

// A restore keeps the previous database, including commits only in its write-ahead log.
func TestRestoreKeepsTheOldDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.db")
	s, err := OpenSQLite(t.Context(), path, Options{})
	require.NoError(t, err)
	_, err = s.CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	backup := path + ".backup"
	require.NoError(t, BackupSQLite(t.Context(), path, backup))
	_, err = s.CreateOrder(t.Context(), newChange(2))
	require.NoError(t, err)
	_, err = RestoreSQLite(t.Context(), path, backup, time.Now())
	require.ErrorContains(t, err, "another process uses the database")
	wal, err := os.ReadFile(path + "-wal")
	require.NoError(t, err)
	require.NotEmpty(t, wal)
	require.NoError(t, s.Close())
	require.Equal(t, 2, countOrders(t, path), "a refused restore changed nothing")

	now := time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)
	require.NoError(t, os.WriteFile(path+"-wal", nil, 0o600)) // as after a kill
	kept, err := RestoreSQLite(t.Context(), path, backup, now)
	require.NoError(t, err)
	require.Equal(t, path+".before-restore-20260504T123000Z", kept)
	require.FileExists(t, kept+"-wal")
	require.NoFileExists(t, path+"-wal")
	require.Equal(t, 1, countOrders(t, path))
	require.Equal(t, 2, countOrders(t, kept))
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "orders.db")
	s, err := OpenSQLite(t.Context(), path, Options{})
	require.NoError(t, err)
	_, err = s.CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	good := filepath.Join(dir, "good.db")
	require.NoError(t, BackupSQLite(t.Context(), path, good))
	altered := func(name, statement string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, BackupSQLite(t.Context(), good, file))
		db, err := sql.Open("sqlite", file)
		require.NoError(t, err)
		_, err = db.Exec(statement)
		require.NoError(t, err)
		require.NoError(t, db.Close())
		return file
	}
	text := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(text, []byte("not a database, but long enough to be looked at as one"), 0o600))
	content, err := os.ReadFile(good)
	require.NoError(t, err)
	cut := filepath.Join(dir, "cut.db")
	require.NoError(t, os.WriteFile(cut, content[:len(content)/2], 0o600))
	for file, words := range map[string]string{
		filepath.Join(dir, "none.db"): "no such file",
		text:                          "not a database",
		cut:                           "malformed",
		altered("newer.db", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`): "start the newer program",
		altered("strange.db", `DROP TABLE orders`):                                                   "not a backup of this product",
	} {
		_, err := RestoreSQLite(t.Context(), path, file, time.Now())
		require.ErrorContains(t, err, words, file)
		require.Equal(t, 1, countOrders(t, path), file)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.ErrorContains(t, BackupSQLite(t.Context(), filepath.Join(dir, "none.db"), good), "no database yet")
	require.ErrorContains(t, BackupSQLite(t.Context(), path, path), "its own backup")
	require.Error(t, BackupSQLite(t.Context(), path, dir))
}
