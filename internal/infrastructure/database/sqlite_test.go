package database

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

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

// suiteOptions are what the suite runs with. Segments are small, so that there are some; one
// store builds them again at once when orders have changed, the other one later.
var suiteOptions = map[string]Options{
	"groups":        {MaxGroup: maxGroup, Segment: 16, SearchQueue: time.Nanosecond},
	"one at a time": {MaxGroup: 1, Segment: 64},
}

// sqliteBackend opens each test's store on a file of its own.
func sqliteBackend(o Options) domaintest.StoreBackend {
	var paths sync.Map // by store
	return domaintest.StoreBackend{
		Open: func(t *testing.T) domain.Store {
			path := filepath.Join(t.TempDir(), "data", "test.db")
			s := openSQLite(t, path, o)
			paths.Store(s, path)
			return s
		},
		Reopen: func(t *testing.T, s domain.Store) domain.Store {
			path, _ := paths.Load(s.(*Store))
			require.NoError(t, s.Close())
			return openSQLite(t, path.(string), o)
		},
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	for name, o := range suiteOptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			domaintest.Store(t, sqliteBackend(o))
		})
	}
}
