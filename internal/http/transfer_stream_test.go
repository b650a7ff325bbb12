package httpserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
)

// slowImport sends rows manually.
type slowImport struct {
	rows     *io.PipeWriter
	answered chan struct{} // closed when there is a response
	resp     *http.Response
	in       *bufio.Scanner
	err      error
}

func (d *testServer) slowImport() *slowImport {
	d.t.Helper()
	body, rows := io.Pipe()
	req, err := http.NewRequest("POST", d.URL+"/orders/import", body)
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", ndjsonType)
	s := &slowImport{rows: rows, answered: make(chan struct{})}
	go func() {
		defer close(s.answered)
		if s.resp, s.err = d.Client().Do(req); s.err == nil {
			s.in = bufio.NewScanner(s.resp.Body)
		}
	}()
	return s
}

// uploads returns the spool's files and their permissions.
func (d *testServer) uploads() (modes []os.FileMode) {
	files, err := filepath.Glob(filepath.Join(d.srv.Config.SpoolDir, "*"))
	require.NoError(d.t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(d.t, err)
		modes = append(modes, info.Mode())
	}
	return modes
}

func (s *slowImport) next(t *testing.T) importReply {
	t.Helper()
	<-s.answered
	require.NoError(t, s.err)
	require.True(t, s.in.Scan(), s.in.Err())
	var v importReply
	require.NoError(t, json.Unmarshal(s.in.Bytes(), &v))
	return v
}

// A proxy passes on no part of the response before it has the whole request.
func TestImportIsTakenInBeforeItIsAnswered(t *testing.T) {
	d := open(t)
	s := d.slowImport()
	for range 3 {
		_, err := io.WriteString(s.rows, minimal+"\n")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(d.uploads()) == 1 }, 20*time.Second, time.Millisecond)
	require.Equal(t, []os.FileMode{0o600}, d.uploads(), "nobody else reads it")
	select {
	case <-s.answered:
		t.Fatal("it answers while the body is still coming")
	default:
	}
	require.Empty(t, d.do("GET", "/orders", nil).ok(200)["orders"])
	require.NoError(t, s.rows.Close())
	for !s.next(t).Finished {
	}
	require.Len(t, d.do("GET", "/orders", nil).ok(200)["orders"], 3)
	require.False(t, s.in.Scan())
	require.NoError(t, s.resp.Body.Close())
	require.Eventually(t, func() bool { return d.uploads() == nil }, 20*time.Second, time.Millisecond)
}

func TestUploadDoesNotHoldUpAStop(t *testing.T) {
	d := open(t)
	s := d.slowImport()
	_, err := io.WriteString(s.rows, minimal+"\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(d.uploads()) == 1 }, 20*time.Second, time.Millisecond)
	d.hub.Close()
	<-s.answered
	require.NoError(t, s.err)
	require.Equal(t, 503, s.resp.StatusCode)
	_ = s.rows.Close()
	_ = s.resp.Body.Close()
	require.Empty(t, d.uploads())
}

// An import is not a stream: it runs even when the limit of streams is reached.
func TestImportNeedsNoStream(t *testing.T) {
	d := openHub(t, testConfig(), guardOf(""), push.Config{MaxSubscriptions: 1})
	d.watch("/ws")
	d.do("GET", "/ws", nil, upgrade...).problem(503, domain.CodeUnavailable)
	got := d.imports(ndjsonType, strings.Repeat(minimal+"\n", 300), "")
	require.Equal(t, "read 300 created 300 known 0 failed 0 finished true", got.tally())
}

// Of two uploads that do not fit together, the later one is told to retry.
func TestSpoolHasALimit(t *testing.T) {
	cfg := testConfig()
	cfg.SpoolMax = 10_000
	d := openWith(t, cfg, guardOf(""))
	d.do("POST", "/orders/import", strings.Repeat("\n", 10_001), "Content-Type", ndjsonType).problem(413, domain.CodeTooLarge)
	s := d.slowImport()
	_, err := io.WriteString(s.rows, minimal+strings.Repeat("\n", 6000))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return d.srv.spool.used.Load() >= 6000 }, 20*time.Second, time.Millisecond)
	r := d.do("POST", "/orders/import", strings.Repeat("\n", 6000), "Content-Type", ndjsonType)
	r.problem(503, domain.CodeUnavailable)
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	require.NoError(t, s.rows.Close())
	require.True(t, s.next(t).Finished)
	_ = s.resp.Body.Close()
	require.Eventually(t, func() bool { return d.srv.spool.used.Load() == 0 }, 20*time.Second, time.Millisecond)
}

// Files left behind by a killed process are removed at the next start.
func TestSpoolBeginsEmpty(t *testing.T) {
	cfg := testConfig()
	cfg.SpoolDir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(cfg.SpoolDir, "import-1.part"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(cfg.SpoolDir, "mine.txt"), []byte("x"), 0o600))
	d := openWith(t, cfg, guardOf(""))
	require.Len(t, d.uploads(), 1, "what is not ours stays")
}

func TestImportHasALimitOfItsOwn(t *testing.T) {
	cfg := testConfig()
	cfg.MaxBodyBytes, cfg.MaxImportBytes = 1000, 10_000
	d := openWith(t, cfg, guardOf(""))
	row := minimal + "\n"
	require.Equal(t, int64(50), d.imports(ndjsonType, strings.Repeat(row, 50), "").last.Created)
	d.do("POST", "/orders/import", strings.Repeat(row, 200), "Content-Type", ndjsonType).problem(413, domain.CodeTooLarge)

	s := d.slowImport() // of unknown length
	go func() {
		_, _ = io.WriteString(s.rows, strings.Repeat(row, 200))
		_ = s.rows.Close()
	}()
	<-s.answered
	require.NoError(t, s.err)
	require.Equal(t, 413, s.resp.StatusCode)
	_ = s.resp.Body.Close()
}

func TestImportIsForStaff(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(strings.Repeat("k", 32)))
	d.do("POST", "/orders/import", minimal, "Content-Type", ndjsonType).problem(401, domain.CodeUnauthenticated)
	d.do("GET", "/orders/export", nil).problem(401, domain.CodeUnauthenticated)
	d.key = strings.Repeat("k", 32)
	require.Equal(t, int64(1), d.imports(ndjsonType, minimal, "").last.Created)
}

func TestManyRowsInParallelAreReportedInOrder(t *testing.T) {
	d := open(t)
	var file strings.Builder
	for i := range 2000 {
		if i%3 == 0 {
			file.WriteString(`{"customer":{"name":""},"dropoff":{"address":"x"}}` + "\n")
		} else {
			fmt.Fprintf(&file, `{"external_id":"n-%d","customer":{"name":"A"},"dropoff":{"address":"x"}}`+"\n", i%1000)
		}
	}
	r := d.do("POST", "/orders/import", file.String(), "Content-Type", ndjsonType)
	var last, at int64
	for line := range strings.Lines(string(r.body)) {
		var v importReply
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		if v.ImportTally == nil {
			require.Greater(t, v.Line, at)
			at = v.Line
		}
		require.GreaterOrEqual(t, v.Line, last)
		last = v.Line
	}
	var v importReply
	lines := strings.Split(strings.TrimSpace(string(r.body)), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	require.Equal(t, int64(667), v.Failed)
	require.Equal(t, int64(2000), v.Created+v.Known+v.Failed)
	require.Equal(t, int64(1000), v.Created, "a name that comes again is known")
}
