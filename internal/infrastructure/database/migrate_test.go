package database

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"
)

// Every migration can be reverted and reapplied on both engines, and a store opens on the
// result.
func TestMigrations(t *testing.T) {
	walk := func(t *testing.T, m *Migrations, err error) int {
		t.Helper()
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		applied := func() (n int) {
			steps, err := m.Status(t.Context())
			require.NoError(t, err)
			for _, s := range steps {
				require.NotEmpty(t, s.Name)
				if !s.AppliedAt.IsZero() {
					n++
				}
			}
			return n
		}
		require.Zero(t, applied())
		require.NoError(t, m.Up(t.Context()))
		all := applied()
		for n := all; n > 0; n-- {
			require.NoError(t, m.Down(t.Context()))
			require.Equal(t, n-1, applied())
		}
		require.NoError(t, m.Up(t.Context()))
		require.NoError(t, m.Up(t.Context()), "again is fine")
		return all
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		m, err := MigrationsSQLite(path)
		require.Positive(t, walk(t, m, err))
		require.NoError(t, openSQLite(t, path, Options{}).Ping(t.Context()))
	})
	t.Run("postgres", func(t *testing.T) {
		url := freshPostgres(t)
		m, err := MigrationsPostgres(url + "&pool_max_conns=3")
		require.Positive(t, walk(t, m, err))
		require.NoError(t, openPostgres(t, url, Options{}).Ping(t.Context()))
	})
}

func TestStatusShowsStepsOfANewerProgram(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		_, err := s.change(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, TRUE)`)
		require.NoError(t, err)
		m := &Migrations{db: s.read, dialect: goose.DialectSQLite3, folder: "migrations/sqlite"}
		if !s.d.prepare {
			m.dialect, m.folder = goose.DialectPostgres, "migrations/postgres"
		}
		steps, err := m.Status(t.Context())
		require.NoError(t, err)
		last := steps[len(steps)-1]
		require.Equal(t, int64(9000), last.Version)
		require.Empty(t, last.Name)
		require.WithinDuration(t, time.Now(), last.AppliedAt, 24*time.Hour)
	})
}
