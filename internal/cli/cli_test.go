package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/pkg/client"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const adminKey = "an-administrators-key-of-some-length"

// rig is the product in this process and a command line that calls it.
type rig struct {
	t      *testing.T
	server string
	client *client.Client
}

func start(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load([]string{
		"--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0",
		"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(dir, "orders.db")), "--set=kafka.dir=" + filepath.Join(dir, "kafka"),
	}, []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey})
	require.NoError(t, err)
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	r := &rig{t: t, server: "http://" + a.HTTPAddr()}
	r.client, err = client.New(r.server, client.WithKey(adminKey))
	require.NoError(t, err)
	return r
}

// output is what a command printed.
type output struct {
	t           *testing.T
	code        int
	out, errors string
}

// lockedBuffer is written by a command while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (r *rig) environ() []string { return []string{"OT_SERVER=" + r.server, "OT_KEY=" + adminKey} }

// run runs a command against the product.
func (r *rig) run(args ...string) output { return r.runWith("", args...) }

func (r *rig) runWith(stdin string, args ...string) output {
	r.t.Helper()
	var out, errs lockedBuffer
	code := newEnv(Build{Version: "1.2.3"}, r.environ(), strings.NewReader(stdin), &out, &errs).run(r.t.Context(), args)
	return output{r.t, code, out.String(), errs.String()}
}

// ok requires success and returns the output.
func (o output) ok() string {
	o.t.Helper()
	require.Zero(o.t, o.code, o.out+o.errors)
	return o.out
}

// fails requires a failure with one line that contains all the given texts.
func (o output) fails(words ...string) {
	o.t.Helper()
	require.NotZero(o.t, o.code, o.out)
	require.Equal(o.t, 1, strings.Count(o.errors, "\n"), o.errors)
	require.True(o.t, strings.HasPrefix(o.errors, "order-tracking: "), o.errors)
	for _, w := range words {
		require.Contains(o.t, o.errors, w)
	}
}

// failsWith is fails with an exit code.
func (o output) failsWith(code int, words ...string) {
	o.t.Helper()
	o.fails(words...)
	require.Equal(o.t, code, o.code, o.errors)
}

// json decodes the one object that was printed.
func (o output) json() map[string]any {
	o.t.Helper()
	var v map[string]any
	require.NoError(o.t, json.Unmarshal([]byte(o.ok()), &v), o.out)
	return v
}

// main runs a command through Main, with no server.
func mainOf(t *testing.T, environ []string, args ...string) output {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(Build{Version: "1.2.3", Commit: "abc"}, args, environ, &out, &errs)
	return output{t, code, out.String(), errs.String()}
}

func TestVersionHelpAndCompletion(t *testing.T) {
	require.Equal(t, "order-tracking 1.2.3 abc\n", mainOf(t, nil, "version").ok())
	require.Equal(t, "order-tracking 1.2.3 abc\n", mainOf(t, nil, "--version").ok())
	help := mainOf(t, nil, "--help").ok()
	for _, name := range []string{"serve", "order", "courier", "watch", "import", "export", "migrate", "config", "healthcheck", "version", "completion"} {
		require.Contains(t, help, "\n  "+name+" ", help)
	}
	require.Contains(t, mainOf(t, nil, "completion", "bash").ok(), "order-tracking")
	complete := func(args ...string) string { return mainOf(t, nil, append([]string{"__complete"}, args...)...).ok() }
	require.Contains(t, complete("order", "ca"), "cancel")
	require.Contains(t, complete("order", "status", "A-1", "out"), "out_for_delivery\n")
	require.Contains(t, complete("order", "list", "--status", "del"), "delivery_failed\n")
	require.Contains(t, complete("courier", "create", "--vehicle", "m"), "motorbike\n")
	require.Contains(t, mainOf(t, nil, "order", "--help").ok(), "assign")
	require.Contains(t, mainOf(t, nil, "config", "check", "--help").ok(), "--set")
	mainOf(t, nil, "ordr").failsWith(2, `unknown command "ordr"`)
	mainOf(t, nil, "order", "destroy").fails(`unknown command "destroy"`)
	mainOf(t, nil, "order", "get").failsWith(2, "ORDER is missing; usage: order-tracking order get ORDER")
	mainOf(t, nil, "order", "get", "x", "--colour").failsWith(2, "unknown flag: --colour", "order-tracking order get --help")
	mainOf(t, nil, "order", "get", "x", "y").failsWith(2, `unexpected argument "y"`)
	mainOf(t, nil, "order", "list", "--limit", "0").failsWith(2, "--limit", "1 or more")
	mainOf(t, nil, "backup").failsWith(2, "FILE is missing")
	mainOf(t, nil, "backup", "--help").ok()
}

func TestConfigCommands(t *testing.T) {
	require.Equal(t, "the configuration is fine\n", mainOf(t, nil, "config", "check").ok())
	mainOf(t, []string{"KAFKA_LISTEN=0.0.0.0:80"}, "config", "check").failsWith(2, "kafka.listen (environment KAFKA_LISTEN)", "BOOTSTRAP_ADMIN_KEY")
	mainOf(t, nil, "config", "check", "--set", "http.adr=x").fails("http.adr")
	// The commands' own environment variables are no configuration keys.
	mainOf(t, []string{"OT_SERVER=http://x", "OT_KEY=y"}, "config", "check").ok()

	printed := mainOf(t, []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey, "DATABASE_URL=postgres://u:secret@h/d"},
		"config", "print", "--set", "live.queue=7", "--set", "http.allowed_origins=https://a.example").ok()
	require.NotContains(t, printed, adminKey)
	require.NotContains(t, printed, "secret@")
	for _, line := range []string{
		"http:", "  addr: 127.0.0.1:8080 # default", "  queue: 7 # flag --set", "  url: postgres://u:xxxxx@h/d # environment DATABASE_URL",
		"  idempotency_for: 24h # default", "    car: 6.5 # default", "  allowed_origins: ['https://a.example'] # flag --set",
	} {
		require.Contains(t, printed, line+"\n")
	}
	require.Contains(t, mainOf(t, nil, "config", "reference").ok(), "**`http.addr`** (text, default `127.0.0.1:8080`)")
	file := filepath.Join(t.TempDir(), "reference.md")
	mainOf(t, nil, "config", "reference", "--output", file).ok()
	mainOf(t, nil, "config", "reference", "--output", filepath.Join(file, "x")).fails("reference.md")
}

func TestMigrate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", "orders.db")
	args := []string{"--database-url", "sqlite://" + filepath.ToSlash(file)}
	migrate := func(step string) output { return mainOf(t, nil, append([]string{"migrate", step}, args...)...) }
	migrate("status").fails("no database yet", "orders.db")
	migrate("down").fails("no database yet")
	up := migrate("up").ok()
	require.Contains(t, up, "00001_spine.sql  applied ")
	require.NotContains(t, up, "not applied")
	require.Equal(t, up, migrate("status").ok())
	migrate("down").failsWith(2, "nothing was changed")
	require.Equal(t, up, migrate("status").ok())
	down := mainOf(t, nil, append([]string{"migrate", "down", "--yes"}, args...)...).ok()
	require.Equal(t, 1, strings.Count(down, "not applied"), down)
	require.Contains(t, migrate("up").ok(), "applied")
	mainOf(t, nil, "migrate", "up", "--database-url", "mysql://x").fails("database.url")
	mainOf(t, nil, "migrate", "sideways").fails("sideways")
}

func TestWhichServer(t *testing.T) {
	r := start(t)
	local := strings.TrimPrefix(r.server, "http://")
	// Without --server: the server of the local configuration, with its key.
	mainOf(t, []string{"HTTP_ADDR=" + local, "BOOTSTRAP_ADMIN_KEY=" + adminKey}, "order", "list").ok()
	mainOf(t, []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey}, "order", "list", "--server", local).failsWith(3, "unauthenticated")
	mainOf(t, nil, "order", "list", "--server", local, "--key", adminKey).ok()
	mainOf(t, []string{"OT_SERVER=http://nowhere.invalid", "OT_KEY=x"}, "order", "list", "--server", local, "--key", adminKey).ok()
	mainOf(t, []string{"HTTP_ADDR=127.0.0.1:0"}, "order", "list").fails("port 0", "--server")
	mainOf(t, []string{"HTTP_ADDR=x"}, "order", "list").fails("http.addr", "--server")
	mainOf(t, nil, "order", "list", "--server", "ftp://x").fails("http://host:port")
	mainOf(t, []string{"HTTP_ADDR=" + local}, "healthcheck").ok()
	mainOf(t, []string{"HTTP_ADDR=127.0.0.1:1"}, "healthcheck").failsWith(1, "refused")
	mainOf(t, nil, "order", "list", "--server", "127.0.0.1:1").failsWith(4, "refused", "is the server running?")
}

// With --json an error is one object on the error output, also of a command line that can't
// be parsed.
func TestErrorsAsJSON(t *testing.T) {
	r := start(t)
	failure := func(o output, code int) map[string]any {
		t.Helper()
		require.Equal(t, code, o.code, o.errors)
		require.Empty(t, o.out)
		var v struct{ Error map[string]any }
		require.NoError(t, json.Unmarshal([]byte(o.errors), &v), o.errors)
		return v.Error
	}
	id := r.run("order", "create", "--name", "Anna", "--dropoff", "x", "--external-id", "A-1", "--json").json()["id"].(string)
	refused := failure(r.run("order", "status", "A-1", "delivered", "--json"), 3)
	require.Equal(t, "refused", refused["kind"])
	problem := refused["problem"].(map[string]any)
	require.Equal(t, "illegal_transition", problem["code"])
	require.Contains(t, problem["allowed_transitions"], "confirmed")
	require.Equal(t, "/order/"+id+"/status", problem["instance"])
	require.Equal(t, "order_not_found", failure(r.run("order", "get", "B-1", "--json"), 3)["problem"].(map[string]any)["code"])
	require.Equal(t, "usage", failure(mainOf(t, nil, "order", "list", "--json", "--colour"), 2)["kind"])
	require.Equal(t, "unavailable", failure(mainOf(t, nil, "order", "list", "--json", "--server", "127.0.0.1:1"), 4)["kind"])
	r.run("order", "get", "--", "--json").failsWith(3, "order_not_found")
}

func TestExitCodes(t *testing.T) {
	for status, want := range map[int]int{404: 3, 422: 3, 401: 3, 500: 1, 502: 4, 503: 4, 429: 4} {
		require.Equal(t, want, exitCode(fmt.Errorf("after row 3: %w", &client.Problem{Status: status})), status)
	}
	require.Equal(t, 1, exitCode(errors.New("disk full")))
}

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "orders.db")
	// As in the image: listening everywhere, and no key, which these commands do not need.
	environ := []string{"DATABASE_URL=sqlite://" + filepath.ToSlash(database), "HTTP_ADDR=:8080", "GRPC_ADDR=:9090"}
	file := filepath.Join(dir, "backup.db")
	mainOf(t, environ, "backup", file).failsWith(1, "no database yet")
	mainOf(t, environ[:1], "migrate", "up").ok()
	require.Contains(t, mainOf(t, environ, "backup", file).ok(), "backed up to "+file)
	require.Contains(t, mainOf(t, environ, "restore", file).ok(), "the one before is kept as "+database+".before-restore-")
	mainOf(t, environ, "restore", database+".none").failsWith(1, "no such file")
	mainOf(t, []string{"DATABASE_URL=postgres://h/d"}, "backup", file).failsWith(1, "pg_dump")
	mainOf(t, environ, "restore").failsWith(2, "FILE is missing; usage: order-tracking restore FILE")
	mainOf(t, environ, "restore", file, "--colour").failsWith(2, "--colour")
}
