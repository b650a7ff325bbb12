package httpserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// slowImport sends rows by hand.
type slowImport struct {
	rows *io.PipeWriter
	resp *http.Response
	in   *bufio.Scanner
}

func (d *door) slowImport() *slowImport {
	d.t.Helper()
	body, rows := io.Pipe()
	req, err := http.NewRequest("POST", d.URL+"/orders/import", body)
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", ndjsonType)
	resp, err := d.Client().Do(req)
	require.NoError(d.t, err)
	return &slowImport{rows, resp, bufio.NewScanner(resp.Body)}
}

func (s *slowImport) next(t *testing.T) importReply {
	t.Helper()
	require.True(t, s.in.Scan(), s.in.Err())
	var v importReply
	require.NoError(t, json.Unmarshal(s.in.Bytes(), &v))
	return v
}

func TestImportAnswersWhileItReads(t *testing.T) {
	d := open(t)
	s := d.slowImport()
	for i := range int64(3) {
		_, err := io.WriteString(s.rows, minimal+"\n")
		require.NoError(t, err)
		v := s.next(t)
		require.Equal(t, importReply{Line: i + 1, ImportTally: &ImportTally{Read: i + 1, Created: i + 1}}, v)
	}
	require.NoError(t, s.rows.Close())
	require.True(t, s.next(t).Finished)
	require.False(t, s.in.Scan())
	require.NoError(t, s.resp.Body.Close())
}

func TestImportDoesNotHoldUpAStop(t *testing.T) {
	d := open(t)
	s := d.slowImport()
	_, err := io.WriteString(s.rows, minimal+"\n")
	require.NoError(t, err)
	require.Equal(t, int64(1), s.next(t).Created)
	d.hub.Close()
	v := s.next(t)
	require.Equal(t, domain.CodeUnavailable, v.Error.Code)
	require.Equal(t, ImportTally{Read: 1, Created: 1}, *v.ImportTally)
	_ = s.rows.Close()
	_ = s.resp.Body.Close()
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
	var v importReply
	for !v.stopped() {
		v = s.next(t)
	}
	require.Equal(t, domain.CodeTooLarge, v.Error.Code)
	require.Equal(t, int64(10_000/len(row)), v.Created)
	_ = s.resp.Body.Close()
}

func (r importReply) stopped() bool { return r.ImportTally != nil && r.Error != nil }

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
