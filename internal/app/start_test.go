package app_test

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
)

// Timeout and polling interval for external effects.
const (
	patience = 20 * time.Second
	moment   = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	// The Redis client's own pause, which nothing ends early.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// settings configure a server with its data in a folder, on free ports.
func settings(t *testing.T, dir string, more ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load(more, []string{
		"HTTP_ADDR=127.0.0.1:0", "GRPC_ADDR=127.0.0.1:0", "KAFKA_LISTEN=127.0.0.1:0",
		"DATABASE_URL=sqlite://" + filepath.ToSlash(filepath.Join(dir, "data", "orders.db")),
		"OT_KAFKA__DIR=" + filepath.Join(dir, "data", "kafka"),
	})
	require.NoError(t, err)
	return cfg
}

// busy returns an address that is in use.
func busy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// away returns an address that nothing listens on.
func away(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// A failed start reports its cause in one line and leaves nothing open.
func TestWhyItDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		flags   func(t *testing.T, dir string) []string
		says    string
	}{
		"data is a file": {
			prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "data"), "") }, says: "not a directory",
		},
		"rubbish in place of the database": {
			prepare: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "data", "orders.db"), "this is no database, and longer than a header of SQLite has to be")
			},
			says: "file is not a database",
		},
		"a database of a newer program": {prepare: newer, says: "schema version 9000, this program knows up to"},
		"a folder in place of the database": {
			prepare: func(t *testing.T, dir string) {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, "data", "orders.db"), 0o700))
			},
			says: "is a directory",
		},
		"two servers on one database": {
			prepare: func(t *testing.T, dir string) { running(t, dir) },
			flags: func(t *testing.T, dir string) []string {
				return []string{"--set=kafka.dir=" + filepath.Join(dir, "other")}
			},
			says: "another process uses the database",
		},
		"two servers on one broker's folder": {
			prepare: func(t *testing.T, dir string) { running(t, dir) },
			flags: func(t *testing.T, dir string) []string {
				return []string{"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(dir, "other.db"))}
			},
			says: "another process uses the directory",
		},
		"busy HTTP port":  {flags: func(t *testing.T, _ string) []string { return []string{"--http-addr=" + busy(t)} }, says: "http.addr (HTTP_ADDR)"},
		"busy gRPC port":  {flags: func(t *testing.T, _ string) []string { return []string{"--grpc-addr=" + busy(t)} }, says: "grpc.addr (GRPC_ADDR)"},
		"busy Kafka port": {flags: func(t *testing.T, _ string) []string { return []string{"--kafka-listen=" + busy(t)} }, says: "kafka.listen (KAFKA_LISTEN)"},
		"PostgreSQL away": {
			flags: func(t *testing.T, _ string) []string {
				return []string{"--database-url=postgres://u:secret@" + away(t) + "/x"}
			},
			says: "database.url (DATABASE_URL): PostgreSQL does not answer",
		},
		"a CA file for Kafka that is missing": {
			flags: func(t *testing.T, dir string) []string {
				return []string{"--kafka-brokers=" + away(t), "--set=kafka.tls.enabled=true", "--set=kafka.tls.ca_file=" + filepath.Join(dir, "ca.pem")}
			},
			says: "kafka.brokers (KAFKA_BROKERS)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			var flags []string
			if c.flags != nil {
				flags = c.flags(t, dir)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // the wait for a dependency that is down is longer
			defer cancel()
			a, err := app.New(ctx, settings(t, dir, flags...), zap.NewNop(), "test")
			require.Nil(t, a)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// TestAStoredKeyOpensTheServerToOthers: an administrator's key in the database protects it
// as the configured one does.
func TestAStoredKeyOpensTheServerToOthers(t *testing.T) {
	dir, everywhere := t.TempDir(), []string{"--http-addr=0.0.0.0:0", "--grpc-addr=[::]:0"}
	_, err := app.New(t.Context(), settings(t, dir, everywhere...), zap.NewNop(), "test")
	require.ErrorContains(t, err, "http.addr (flag --http-addr) is \"0.0.0.0:0\", which others can reach")

	store, err := database.OpenSQLite(t.Context(), filepath.Join(dir, "data", "orders.db"), database.Options{})
	require.NoError(t, err)
	require.NoError(t, store.ChangeAccess(t.Context(), domain.AccessChange{Keep: &domain.Credential{
		ID: domain.NewID(), Kind: domain.CredentialKey, Hash: domain.HashToken("ot_adm_x"), Name: "ops", Role: domain.RoleAdmin, CreatedAt: time.Now(),
	}}))
	require.NoError(t, store.Close())
	a := running(t, dir, everywhere...)
	_, port, err := net.SplitHostPort(a.HTTPAddr())
	require.NoError(t, err)
	resp, err := http.Get("http://127.0.0.1:" + port + "/orders")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "local calls need a key too")
}

// newer creates the database of a newer program.
func newer(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "data", "orders.db")
	m, err := database.MigrationsSQLite(path)
	require.NoError(t, err)
	require.NoError(t, m.Up(t.Context()))
	require.NoError(t, m.Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, TRUE)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// The status of a newer database lists the versions that this program does not know.
func TestStatusOfANewerDatabase(t *testing.T) {
	dir := t.TempDir()
	newer(t, dir)
	lines, err := app.Migrate(t.Context(), settings(t, dir), app.MigrateStatus)
	require.NoError(t, err)
	require.Contains(t, lines[len(lines)-1], "09000 of a newer program  applied ")
}

// running starts the product and stops it when the test ends.
func running(t *testing.T, dir string, flags ...string) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), settings(t, dir, flags...), zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return a
}

// A dependency that is down is retried, with a log line each time.
func TestWaitingIsSaid(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	cfg := settings(t, t.TempDir(), "--database-url=postgres://u:secret@"+away(t)+"/x", "--redis-url=redis://"+away(t), "--kafka-brokers="+away(t))
	_, err := app.New(ctx, cfg, zap.New(core), "test")
	require.Error(t, err)
	for _, what := range []string{"PostgreSQL", "Redis", "Kafka"} {
		lines := logs.FilterMessage("waiting for " + what).All()
		require.GreaterOrEqual(t, len(lines), 2, what)
		require.NotEmpty(t, lines[1].ContextMap()["cause"], what)
	}
}
