package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// filled starts a product with orders that have histories.
func filled(t *testing.T) *rig {
	r := start(t)
	r.run("courier", "create", "--name", "Ivan").ok()
	for i := range 7 {
		name := fmt.Sprintf("A-%d", i)
		r.run("order", "create", "--name", "Anna; \"A\"", "--dropoff", "Main St 1", "--external-id", name).ok()
		if i%2 == 0 {
			r.run("order", "assign", name, "Ivan").ok()
			r.run("order", "status", name, "picked_up").ok()
			r.run("order", "notify", name, "--text", "soon").ok()
		}
		if i%4 == 0 {
			r.run("order", "status", name, "delivered").ok()
		}
	}
	return r
}

func TestExportAndImport(t *testing.T) {
	from, to := filled(t), start(t)
	dir := t.TempDir()
	file, table := filepath.Join(dir, "orders.ndjson"), filepath.Join(dir, "orders.csv")
	require.Empty(t, from.run("export", "--output", file).ok())
	require.Equal(t, "8 rows read: 8 created, 0 known, 0 refused\n", to.run("import", file).ok())
	require.Empty(t, cmp.Diff(from.run("export").ok(), to.run("export").ok()))
	require.Equal(t, "8 rows read: 0 created, 8 known, 0 refused\n", to.run("import", file).ok())
	stdin, err := os.ReadFile(file)
	require.NoError(t, err)
	require.InDelta(t, 8, to.runWith(string(stdin), "import", "-", "--json").json()["known"], 0)

	from.run("export", "-o", table, "--active").ok() // by its name it is CSV
	cells, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Equal(t, 6, strings.Count(string(cells), "\n"))
	require.Equal(t, string(cells), from.run("export", "--format", "csv", "--active").ok())
	require.Equal(t, "5 rows read: 0 created, 5 known, 0 refused\n", to.run("import", table).ok())
	from.run("export", "--format", "xml").fails("xml")
	from.run("export", "--status", "lost", "-o", file).fails("validation_failed")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(stdin), string(kept), "an export that fails leaves the file")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)
	from.run("import", filepath.Join(dir, "none.csv")).fails("no such file")
	from.run("import", file, "--format", "csv").fails("malformed: the first line, which names the columns, is not CSV")
}

func TestImportShowsWhatIsRefused(t *testing.T) {
	r := start(t)
	good := `{"customer":{"name":"Ann"},"dropoff":{"address":"x"}}`
	o := r.runWith(good+"\n{\n"+good+"\n{}\n", "import", "-")
	require.Equal(t, 3, o.code)
	require.Equal(t, "4 rows read: 2 created, 0 known, 2 refused\n", o.out)
	lines := strings.Split(o.errors, "\n")
	require.Len(t, lines, 4, o.errors)
	require.Contains(t, lines[0], "line 2: malformed: the body is not JSON")
	require.Contains(t, lines[1], "line 4: validation_failed: the request is not valid; /customer/name is required; /dropoff needs")
	require.Equal(t, "order-tracking: 2 rows were refused", lines[2])

	report := filepath.Join(t.TempDir(), "refused.ndjson")
	o = r.runWith(strings.Repeat("{}\n", 30), "import", "-")
	require.Equal(t, shownErrors+2, strings.Count(o.errors, "\n"), o.errors)
	require.Contains(t, o.errors, "--report")
	r.runWith(strings.Repeat("{}\n", 30), "import", "-", "--report", report).fails("30 rows were refused")
	text, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Equal(t, 30, strings.Count(string(text), "\n"))
	var row client.ImportReport
	require.NoError(t, json.Unmarshal([]byte(strings.SplitN(string(text), "\n", 2)[0]), &row))
	require.Equal(t, int64(1), row.Line)
	require.Equal(t, "/customer/name", row.Error.Errors[0].Pointer)
}

// brittle is a proxy that cuts every body after some bytes, until switched off.
func brittle(t *testing.T, target string, after int64) (server string, mend func()) {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(u) }, FlushInterval: -1,
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	var whole atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/orders/import" {
			_ = http.NewResponseController(w).EnableFullDuplex()
			if !whole.Load() {
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.MultiReader(io.LimitReader(r.Body, after), broken{}), r.Body}
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() { whole.Store(true) }
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestImportGoesOnWhereItBrokeOff(t *testing.T) {
	for _, format := range []string{"ndjson", "csv"} {
		t.Run(format, func(t *testing.T) {
			r := start(t)
			dir := t.TempDir()
			file, state, report := filepath.Join(dir, "in."+format), filepath.Join(dir, "state"), filepath.Join(dir, "report")
			var text strings.Builder
			row := `{"customer":{"name":"%s"},"dropoff":{"address":"x"}}` + "\n"
			if format == "csv" {
				text.WriteString("dropoff.address,customer.name\n")
				row = "\"x\n\",%s\n"
			}
			const rows = 600
			for i := range rows {
				name := fmt.Sprint("n", i)
				if i%100 == 50 {
					name = "" // refused
				}
				fmt.Fprintf(&text, row, name)
			}
			require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
			direct := r.server
			var mend func()
			r.server, mend = brittle(t, direct, int64(text.Len()/2))
			args := []string{"import", file, "--resume", state, "--report", report}
			cut := r.run(args...)
			cut.fails("the import broke off after line", "run it again with the same --resume to go on")
			saved, err := os.ReadFile(state)
			require.NoError(t, err)
			var s importState
			require.NoError(t, json.Unmarshal(saved, &s))
			require.Equal(t, file, s.File)
			require.Less(t, s.Read, int64(rows))

			r.run("import", filepath.Join(dir, "other"), "--resume", state).fails("no such file")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
			r.run("import", filepath.Join(dir, "other"), "--resume", state).fails("another file")
			r.runWith("", "import", "-", "--resume", state).fails("can be read again")

			mend()
			again := r.run(args...)
			again.fails("6 rows were refused")
			var created, known, refused int
			_, err = fmt.Sscanf(again.out, "600 rows read: %d created, %d known, %d refused", &created, &known, &refused)
			require.NoError(t, err, again.out)
			require.Equal(t, 594, created+known)
			require.Equal(t, 6, refused)
			lines, err := os.ReadFile(report)
			require.NoError(t, err)
			seen := map[int64]bool{}
			for line := range strings.Lines(string(lines)) {
				var v client.ImportReport
				require.NoError(t, json.Unmarshal([]byte(line), &v))
				seen[v.Line] = true
			}
			require.Len(t, seen, 6)
			require.Equal(t, 6, strings.Count(string(lines), "\n"), "each once")
			r.server = direct
			require.Equal(t, 594, strings.Count(r.run("order", "list", "--all", "--json").ok(), "\n"), "no row came twice")
		})
	}
}

func TestCorrectedRowsComeAndNoOtherTwice(t *testing.T) {
	r := start(t)
	dir := t.TempDir()
	file, state := filepath.Join(dir, "in.ndjson"), filepath.Join(dir, "state")
	row := func(name string) string {
		return `{"customer":{"name":"` + name + `"},"dropoff":{"address":"x"}}` + "\n"
	}
	write := func(rows ...string) {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(rows, "")), 0o600))
	}
	write(row("A"), row(""), row("C"), row(""))
	for _, want := range []string{"2 created, 0 known", "0 created, 2 known"} {
		o := r.run("import", file, "--resume", state)
		require.Contains(t, o.errors, "2 rows were refused; correct them on their lines")
		require.Equal(t, "4 rows read: "+want+", 2 refused\n", o.out)
	}
	write(row("A"), row("C"), row("D"))
	r.run("import", file, "--resume", state).fails("has 3 lines and had 4")

	var s importState
	saved, err := os.ReadFile(state)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(saved, &s))
	old := s
	old.Began = s.Began.Add(-25 * time.Hour)
	text, err := json.Marshal(old)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(state, text, 0o600))
	r.run("import", file, "--resume", state).fails("would come twice")
	require.NoError(t, os.WriteFile(state, saved, 0o600))

	write(row("A"), row("B"), row("C"), "\n")
	require.Equal(t, "3 rows read: 1 created, 2 known, 0 refused\n", r.run("import", file, "--resume", state).ok())
	require.NoFileExists(t, state)
	require.Equal(t, 3, strings.Count(r.run("order", "list", "--all", "--json").ok(), "\n"))
}

func TestProgressIsOfWhatIsDecided(t *testing.T) {
	var p pace
	require.Zero(t, p.upTo(0))
	for _, text := range []string{"a\nb", "b\nc\n", "d\n"} {
		_, err := p.Write([]byte(text))
		require.NoError(t, err)
	}
	require.Zero(t, p.upTo(0))
	require.Equal(t, int64(4), p.upTo(2))
	require.Equal(t, int64(9), p.upTo(4))
	require.Equal(t, int64(9), p.upTo(9), "of a last line without an end")
}
