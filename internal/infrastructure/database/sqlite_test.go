package database

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
)

func openSQLite(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// sqliteBackend opens each test's store on a file of its own.
func sqliteBackend(o Options) domaintest.StoreBackend {
	return domaintest.StoreBackend{
		Open: func(t *testing.T) domain.Store {
			return openSQLite(t, filepath.Join(t.TempDir(), "data", "test.db"), o)
		},
		Reopen: func(t *testing.T, s domain.Store) domain.Store {
			path := s.(*Store).path
			require.NoError(t, s.Close())
			return openSQLite(t, path, o)
		},
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"groups": maxGroup, "one at a time": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			domaintest.Store(t, sqliteBackend(Options{MaxGroup: size}))
		})
	}
}
