package database

import (
	"context"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
)

// freshPostgres creates an empty schema and returns a URL for it.
func freshPostgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv("TEST_DATABASE_URL")
	if base == "" {
		t.Skip(`set TEST_DATABASE_URL to run this over PostgreSQL: eval "$(scripts/services.sh env)"`)
	}
	schema := "test_" + strings.ReplaceAll(domain.NewID(), "-", "")
	conn, err := pgx.Connect(t.Context(), base)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		require.NoError(t, err)
		require.NoError(t, conn.Close(context.Background()))
	})
	u, err := url.Parse(base)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func openPostgres(t testing.TB, url string, o Options) *Store {
	t.Helper()
	s, err := OpenPostgres(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// postgresBackend opens each test's store in a schema of its own.
func postgresBackend(o Options) domaintest.StoreBackend {
	var urls sync.Map // by store
	return domaintest.StoreBackend{
		Open: func(t *testing.T) domain.Store {
			url := freshPostgres(t)
			s := openPostgres(t, url, o)
			urls.Store(s, url)
			return s
		},
		Reopen: func(t *testing.T, s domain.Store) domain.Store {
			url, _ := urls.Load(s.(*Store))
			require.NoError(t, s.Close())
			return openPostgres(t, url.(string), o)
		},
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	for name, o := range suiteOptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			domaintest.Store(t, postgresBackend(o))
		})
	}
}
