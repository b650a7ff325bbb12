package database

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every step can be taken back and applied again, on both engines, and a store opens
// on what that leaves.
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
