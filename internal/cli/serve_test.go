//go:build unix

package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience, moment = 20 * time.Second, 10 * time.Millisecond

// serving runs the serve command and returns its output.
func serving(t *testing.T, environ []string, flags ...string) (stdout, stderr *lockedBuffer, stop func()) {
	t.Helper()
	dir := t.TempDir()
	stdout, stderr = new(lockedBuffer), new(lockedBuffer)
	environ = append([]string{
		"HTTP_ADDR=127.0.0.1:0", "GRPC_ADDR=127.0.0.1:0", "KAFKA_LISTEN=127.0.0.1:0",
		"DATABASE_URL=sqlite://" + filepath.ToSlash(filepath.Join(dir, "orders.db")), "OT_KAFKA__DIR=" + filepath.Join(dir, "kafka"),
	}, environ...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- newEnv(Build{Version: "1.2.3"}, environ, bytes.NewReader(nil), stdout, stderr).run(ctx, append([]string{"serve"}, flags...))
	}()
	stop = func() {
		cancel()
		select {
		case code := <-ended:
			require.Zero(t, code, stderr.String())
			ended <- code
		case <-time.After(patience):
			require.Fail(t, "it does not stop")
		}
	}
	t.Cleanup(stop)
	require.Eventually(t, func() bool { return strings.Contains(stderr.String(), `serving`) }, patience, moment, stderr.String())
	return stdout, stderr, stop
}

func TestGreeting(t *testing.T) {
	t.Run("without a key", func(t *testing.T) {
		out, errs, _ := serving(t, nil)
		require.Empty(t, out.String(), "stdout is for programs")
		require.Regexp(t, `curl http://127\.0\.0\.1:\d+/order -H 'Content-Type`, errs.String())
		require.NotContains(t, errs.String(), "$KEY")
	})
	t.Run("with a key", func(t *testing.T) {
		_, errs, _ := serving(t, []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey})
		require.Equal(t, 2, strings.Count(errs.String(), `-H "Authorization: Bearer $KEY"`), errs.String())
		require.Contains(t, errs.String(), `grpcurl -H "authorization: Bearer $KEY" -plaintext 127.0.0.1:`)
		require.NotContains(t, errs.String(), adminKey)
	})
	t.Run("in a container", func(t *testing.T) {
		_, errs, _ := serving(t, []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey}, "--http-addr=:0", "--grpc-addr=:0")
		require.Regexp(t, `board                  http://<this host or container>:\d+/`, errs.String())
		require.NotContains(t, errs.String(), "curl ", "an address from here may not be one from there")
	})
	t.Run("behind a proxy", func(t *testing.T) {
		_, errs, _ := serving(t, []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey, "OT_HTTP__PUBLIC_URL=https://track.example"}, "--http-addr=:0")
		require.Contains(t, errs.String(), "REST, WebSocket, SSE   https://track.example ")
	})
	t.Run("not among JSON", func(t *testing.T) {
		_, errs, _ := serving(t, []string{"OT_LOG__FORMAT=json"})
		require.NotContains(t, errs.String(), "is up")
	})
}

// During shutdown.delay the server keeps answering, but is not ready.
func TestShutdownDelay(t *testing.T) {
	_, errs, stop := serving(t, nil, "--set=shutdown.delay=1500ms")
	base := "http://" + regexp.MustCompile(`"http":"([^"]+)"`).FindStringSubmatch(errs.String())[1]
	get := func(path string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		require.NoError(t, err)
		r.Close = true
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, get("/readyz"))
	begun := time.Now()
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	require.Eventually(t, func() bool { return get("/readyz") == http.StatusServiceUnavailable }, time.Second, moment)
	require.Equal(t, http.StatusOK, get("/orders"), "what comes is still answered")
	<-stopped
	require.GreaterOrEqual(t, time.Since(begun), 1500*time.Millisecond)
	require.Zero(t, get("/readyz"), "the listener is closed")
}

// A SIGHUP while the start waits for a dependency ends nothing.
func TestSIGHUPDuringTheStart(t *testing.T) {
	dir := t.TempDir()
	away, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, away.Close())
	stderr := new(lockedBuffer)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- newEnv(Build{}, []string{"DATABASE_URL=postgres://u@" + away.Addr().String() + "/x", "OT_KAFKA__DIR=" + dir, "HTTP_ADDR=127.0.0.1:0", "GRPC_ADDR=127.0.0.1:0", "KAFKA_LISTEN=127.0.0.1:0"}, bytes.NewReader(nil), io.Discard, stderr).run(ctx, []string{"serve"})
	}()
	waits := func(n int) func() bool {
		return func() bool { return strings.Count(stderr.String(), "waiting for PostgreSQL") >= n }
	}
	require.Eventually(t, waits(1), patience, moment, stderr.String())
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP)) // unhandled, it ends the test's process
	require.Eventually(t, waits(2), patience, moment, stderr.String())
	cancel()
	require.NotZero(t, <-ended)
}

func TestSIGHUPReadsTheLogLevelAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	set := func(text string) {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	}
	require.NoError(t, os.WriteFile(file, []byte("log: {level: info}\n"), 0o600))
	_, errs, _ := serving(t, nil, "--config="+file)
	says := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(errs.String(), text) }, patience, moment, errs.String())
	}
	set("log: {level: debug}\n")
	says(`"log.level":"debug"`)
	set("log: {level: loud}\n")
	says("nothing changed")
}
