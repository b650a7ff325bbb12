// Package tests holds black-box tests: they start the product on free ports and use it
// over real sockets, by REST, gRPC, WebSocket, SSE and Kafka.
package tests

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // to make schemas
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestMain(m *testing.M) {
	// Parallel tests mostly wait for pauses of the product, so that more of them fit than there are cores.
	if flag.Parse(); runtime.GOMAXPROCS(0) < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce)) // the flag exists in every test
	}
	// These libraries of ACME keep goroutines that nothing ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"))
}

// atOnce is how many parallel tests run together at least.
const atOnce = 8

// object is a JSON object.
type object = map[string]any

// server is the product running in this process.
type server struct {
	dir   string
	args  []string
	key   string // the administrator's, when one is set
	clock domain.Clock
	log   *zap.Logger
	http  string
	grpc  string
	kafka []string
	conn  *grpc.ClientConn
	stop  func(testing.TB)
}

// mode is the product's storage: files, or PostgreSQL and Redis. Both use the embedded
// Kafka broker, since tests read whole topics; the adapters' tests and tools/faults use
// Apache Kafka.
type mode struct {
	name string
	args func(t testing.TB) []string
}

// modes returns the modes available on this machine: set TEST_DATABASE_URL and TEST_REDIS_URL
// (see scripts/services.sh) for both.
func modes() []mode {
	all := []mode{{"embedded", func(testing.TB) []string { return nil }}}
	db, redis := os.Getenv("TEST_DATABASE_URL"), os.Getenv("TEST_REDIS_URL")
	if db != "" && redis != "" {
		all = append(all, mode{"replica", func(t testing.TB) []string {
			id := newID()
			return []string{"--database-url=" + ownSchema(t, db, id), "--redis-url=" + redis, "--set=redis.prefix=test-" + id}
		}})
	}
	return all
}

// pair starts a server and a replica of it, which is the same server where there are none.
func (m mode) pair(t testing.TB, flags ...string) (s, other *server) {
	args := append(m.args(t), flags...)
	s = start(t, args...)
	if m.name == "replica" {
		return s, start(t, args...)
	}
	return s, s
}

// ownSchema creates a schema for the test and returns its URL.
func ownSchema(t testing.TB, url, id string) string {
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	name := "test_" + strings.ReplaceAll(id, "-", "")
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = db.ExecContext(context.Background(), "DROP SCHEMA "+name+" CASCADE") // the next run has another name
		_ = db.Close()
	})
	joint := "?"
	if strings.Contains(url, "?") {
		joint = "&"
	}
	return url + joint + "search_path=" + name
}

// start runs the product on free ports with its data in the test's folder.
func start(t testing.TB, args ...string) *server {
	s := &server{dir: t.TempDir(), args: args}
	// Before the server starts, so that its resources are cleaned up after it has ended.
	t.Cleanup(func() { s.down(t) })
	s.up(t)
	return s
}

// flags returns the flags of a server on free ports with its data in its folder.
func (s *server) flags() []string {
	return append([]string{
		"--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0",
		"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(s.dir, "orders.db")),
		"--set=kafka.dir=" + filepath.Join(s.dir, "kafka"), "--set=live.ping_every=1s",
	}, s.args...)
}

func (s *server) up(t testing.TB) {
	var environ []string
	if s.key != "" {
		environ = append(environ, "BOOTSTRAP_ADMIN_KEY="+s.key)
	}
	cfg, err := config.Load(s.flags(), environ)
	require.NoError(t, err)
	log := cmp.Or(s.log, zap.NewNop())
	if os.Getenv("TEST_LOG") != "" {
		log = zap.Must(zap.NewDevelopment())
	}
	var options []app.Option
	if s.clock != nil {
		options = append(options, app.WithClock(s.clock))
	}
	a, err := app.New(t.Context(), cfg, log, "test", options...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	s.http, s.grpc, s.kafka = a.HTTPAddr(), a.GRPCAddr(), a.Brokers()
	s.conn, err = grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	s.stop = func(t testing.TB) {
		cancel()
		require.NoError(t, <-ended)
	}
}

func (s *server) down(t testing.TB) {
	if s.stop != nil {
		_ = s.conn.Close()
		s.stop(t)
		s.stop = nil
	}
}

// restart stops the product gracefully and starts it again on the same data.
func (s *server) restart(t testing.TB) {
	s.down(t)
	s.up(t)
}

// eventually waits for an asynchronous effect.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 10*time.Millisecond, what)
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func encode(t testing.TB, v any) []byte {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// get walks into nested objects and lists.
func get(v any, path ...any) any {
	for _, p := range path {
		switch key := p.(type) {
		case string:
			o, _ := v.(object)
			v = o[key]
		case int:
			l, _ := v.([]any)
			if key >= len(l) {
				return nil
			}
			v = l[key]
		}
	}
	return v
}

func str(v any, path ...any) string {
	s, _ := get(v, path...).(string)
	return s
}

func decode(t testing.TB, b []byte) object {
	t.Helper()
	var o object
	require.NoError(t, json.Unmarshal(b, &o), "%s", b)
	return o
}

// readObject reads a response's JSON object; nil if it is truncated or an error.
func readObject(resp *http.Response) object {
	defer func() { _ = resp.Body.Close() }()
	var o object
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil || resp.StatusCode >= 300 {
		return nil
	}
	return o
}
