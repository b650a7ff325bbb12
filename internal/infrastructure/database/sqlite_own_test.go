package database

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestSQLiteFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "deep ?#%", "orders.db")
	s := openSQLite(t, path, Options{})
	_, err := s.CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "orders.db"), Options{})
	require.NoError(t, s.d.job(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000"} {
			var got string
			require.NoError(t, tx.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, pragma)
		}
		return nil
	}))
	_, err := s.read.Exec(`DELETE FROM orders`)
	require.Error(t, err, "readers can't write")
}

// Only one process at a time can open a file, under whatever name.
func TestTwoOpensOfOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "orders.db"), filepath.Join(dir, "link.db")
	first := openSQLite(t, path, Options{})
	require.NoError(t, os.Symlink(path, link))
	for _, name := range []string{path, link} {
		_, err := OpenSQLite(t.Context(), name, Options{})
		require.ErrorContains(t, err, "another process uses the database "+path)
		m, err := MigrationsSQLite(name)
		require.NoError(t, err)
		require.ErrorContains(t, m.Down(t.Context()), "another process uses the database")
		_, err = m.Status(t.Context())
		require.NoError(t, err, "looking is always possible")
		require.NoError(t, m.Close())
	}
	require.NoError(t, first.Close())
	openSQLite(t, link, Options{})
}

func editNotes(notes string) func(*domain.Change) error {
	return func(ch *domain.Change) error {
		events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", domain.By{Now: time.Now()})
		ch.Add(events...)
		return err
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.db")
	s := openSQLite(t, path, Options{})
	require.NoError(t, s.d.job(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, 1)`)
		return err
	}))
	require.NoError(t, s.Close())
	_, err := OpenSQLite(t.Context(), path, Options{})
	require.ErrorContains(t, err, "schema version 9000")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("this is no database, and longer than a header of SQLite has to be at least"), 0o600))
	for _, path := range []string{file, filepath.Join(file, "below a file.db")} {
		_, err := OpenSQLite(t.Context(), path, Options{})
		require.Error(t, err)
	}
}
