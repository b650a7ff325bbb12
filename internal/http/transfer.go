package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

const (
	importPath = "/orders/import"

	ndjsonType = "application/x-ndjson"
	csvType    = "text/csv"

	// tallyEvery is the interval between a running import's progress reports; tallyIdle is the
	// delay of one when no further row is waiting.
	tallyEvery = 200 * time.Millisecond
	tallyIdle  = 20 * time.Millisecond
	// exportChunk is the size of the pieces in which an export is sent, in bytes.
	exportChunk = 64 << 10
)

type exportIn struct {
	OrderFilters
	Format string `query:"format" enum:"ndjson,csv" default:"ndjson" doc:"format of the rows"`
	Excel  bool   `query:"excel" doc:"CSV for spreadsheets, whatever the format: it begins with a byte order mark, and cells that a spreadsheet would run as formulas begin with an apostrophe, which imports remove again"`
}

// ImportTally is the progress of an import. It is exported for clients' decoders.
type ImportTally struct {
	Read     int64 `json:"read"`
	Created  int64 `json:"created"`
	Known    int64 `json:"known"`
	Failed   int64 `json:"failed"`
	Finished bool  `json:"finished"`
}

// importReply is a line of an import's response.
type importReply struct {
	Line  int64     `json:"line"`
	Error *rowError `json:"error,omitempty"`
	*ImportTally
}

type rowError struct {
	Code   domain.Code    `json:"code"`
	Detail string         `json:"detail"`
	Errors []domain.Fault `json:"errors,omitempty"`
}

func rowErrorOf(err error) *rowError {
	if err == nil {
		return nil
	}
	p := describe(err)
	return &rowError{p.Code, p.Detail, p.Errors}
}

func (s *Server) importOrders(ctx context.Context, c *gin.Context) error {
	key, first, isCSV, err := importInput(c)
	if err != nil {
		return err
	}
	file, err := s.takeUpload(ctx, c)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // a leftover file is removed at the next start
	text, err := plainText(file)
	if err != nil {
		return err
	}
	rows, err := importRows(text, isCSV, first)
	if err != nil {
		return err
	}
	run := newImportRun(c)
	if run.begin() != nil {
		return nil // the client has disconnected
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.untilGoingAway(ctx, cancel)()
	err = s.Orders.Import(ctx, orders.Import{Key: key, Rows: rows, Report: run.report})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	run.end(err)
	return nil
}

// takeUpload receives the whole body before the response starts, or fails when the server stops meanwhile.
func (s *Server) takeUpload(ctx context.Context, c *gin.Context) (*upload, error) {
	control := http.NewResponseController(c.Writer)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.untilGoingAway(ctx, func(err error) {
		cancel(err)
		_ = control.SetReadDeadline(time.Unix(1, 0)) // ends reading the body
	})()
	file, err := s.spool.take(c.Request.Body, control)
	if cause := context.Cause(ctx); err != nil && domain.CodeOf(cause) == domain.CodeUnavailable {
		err = cause
	}
	return file, err
}

// importRows reads the body's rows, the header of a CSV right away. first is the number of the first line, or 0.
func importRows(body io.Reader, isCSV bool, first int64) (iter.Seq2[orders.ImportRow, error], error) {
	if !isCSV {
		return newFileLines(body, max(1, first)).rows(jsonRow), nil
	}
	r, err := newCSV(body)
	if err != nil {
		return nil, err
	}
	r.lines.number = max(r.lines.number, first-1)
	return r.lines.rows(r.row), nil
}

// importInput parses the query and the headers; first is the number of the first line sent, or 0.
func importInput(c *gin.Context) (key string, first int64, isCSV bool, err error) {
	if err := onlyQuery(c.Request.URL, "first_line"); err != nil {
		return "", 0, false, err
	}
	if text := c.Query("first_line"); text != "" {
		if first, err = strconv.ParseInt(text, 10, 64); err != nil {
			return "", 0, false, domain.Errorf(domain.CodeMalformed, "first_line must be an integer")
		}
		if first < 1 {
			return "", 0, false, domain.Invalid("/first_line", "out_of_range", "must be 1 or more")
		}
	}
	if key, err = transport.IdempotencyKey(c.GetHeader("Idempotency-Key")); err != nil {
		return "", 0, false, err
	}
	media, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	charset := params["charset"]
	if err != nil || media != ndjsonType && media != csvType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", 0, false, domain.Errorf(domain.CodeUnsupportedMediaType, "the body must be %s or %s, in UTF-8, not %q", ndjsonType, csvType, c.GetHeader("Content-Type"))
	}
	return key, first, media == csvType, nil
}

// untilGoingAway calls stop when the server stops, unless the returned function was called
// before: an import does not delay shutdown; the client sends it again later.
func (s *Server) untilGoingAway(ctx context.Context, stop func(error)) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-s.Hub.GoingAway():
			stop(domain.Unavailable("the server, which is stopping,", push.ErrGoingAway))
		case <-ctx.Done():
		}
	})
	return func() { cancel(); waiting.Wait() }
}

// importRun is the response of a running import.
type importRun struct {
	w       gin.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex // the timer writes too
	buf    bytes.Buffer
	json   *json.Encoder
	line   int64
	tally  ImportTally
	sentAt time.Time
	later  *time.Timer // sends a tally when no more rows come
	err    error       // why the response can't be written
}

func newImportRun(c *gin.Context) *importRun {
	run := &importRun{w: c.Writer, control: http.NewResponseController(c.Writer), sentAt: time.Now()}
	run.json = json.NewEncoder(&run.buf)
	run.json.SetEscapeHTML(false)
	return run
}

// begin sends the headers, so that the client knows that rows are being read.
func (r *importRun) begin() error {
	h := r.w.Header()
	h.Set("Content-Type", ndjsonType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // disables nginx's buffering
	r.w.WriteHeaderNow()
	return r.flush()
}

// report adds a row's outcome to the response.
func (r *importRun) report(out orders.Imported, idle bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.line = out.To
	r.tally.Read++
	switch {
	case out.Err != nil:
		r.tally.Failed++
		if err := r.json.Encode(importReply{Line: out.From, Error: rowErrorOf(out.Err)}); err != nil {
			return err
		}
	case out.Known:
		r.tally.Known++
	default:
		r.tally.Created++
	}
	switch {
	case r.buf.Len() >= exportChunk, time.Since(r.sentAt) >= tallyEvery:
		return r.sendTally(nil)
	case idle && r.later == nil:
		r.later = time.AfterFunc(tallyIdle, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.later != nil { // no tally was sent in the meantime
				r.err = r.sendTally(nil)
			}
		})
	}
	return nil
}

// sendTally sends the import's progress.
func (r *importRun) sendTally(stopped error) error {
	if r.later != nil {
		r.later.Stop()
		r.later = nil
	}
	r.sentAt = time.Now()
	if err := r.json.Encode(importReply{r.line, rowErrorOf(stopped), &r.tally}); err != nil {
		return err
	}
	return r.flush()
}

func (r *importRun) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Finished = err == nil
	_ = r.sendTally(err) // on failure the client sees a truncated response
}

func (r *importRun) flush() error {
	if err := send(r.w, r.control, &r.buf); err != nil {
		return fmt.Errorf("answer the import: %w", err)
	}
	return r.control.Flush()
}

// spoolPattern matches the files of a spool.
const spoolPattern = "import-*.part"

// spool keeps uploads on disk until they are processed: most proxies pass on the response
// only after the whole request was sent, and would otherwise cut off long imports.
type spool struct {
	dir  string
	most int64 // limit in bytes for all uploads together
	used atomic.Int64
}

// newSpool removes files left behind by a process that was killed.
func newSpool(dir string, most int64) *spool {
	left, _ := filepath.Glob(filepath.Join(dir, spoolPattern)) // the pattern is valid
	for _, file := range left {
		_ = os.Remove(file) // a leftover takes space and does no harm
	}
	return &spool{dir: dir, most: most}
}

// upload is a body on disk, to be read from the start and closed.
type upload struct {
	*os.File
	spool *spool
	size  int64
}

// take stores a body that never pauses longer than importIdle, or fails with unavailable when there is no space.
func (s *spool) take(body io.Reader, control *http.ResponseController) (*upload, error) {
	err := os.MkdirAll(s.dir, 0o700)
	var file *os.File
	if err == nil {
		file, err = os.CreateTemp(s.dir, spoolPattern) // mode 0600
	}
	if err != nil {
		return nil, domain.Unavailable("the room for uploads", err)
	}
	u := &upload{File: file, spool: s}
	if _, err := io.CopyBuffer(u, &patientBody{body, control}, make([]byte, 256<<10)); err != nil {
		_ = u.Close()
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		_ = u.Close()
		return nil, domain.Unavailable("the room for uploads", err)
	}
	return u, nil
}

var errSpoolFull = errors.New("spool.max is reached")

// Write reserves space before it writes.
func (u *upload) Write(p []byte) (n int, err error) {
	err = errSpoolFull
	if u.spool.used.Add(int64(len(p))) <= u.spool.most {
		n, err = u.File.Write(p)
	}
	u.size += int64(len(p))
	if err != nil {
		err = domain.Unavailable("the room for uploads", err)
	}
	return n, err
}

// ReadFrom hides the file's own, which would not reserve space.
func (u *upload) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{u}, r) }

// Close deletes the upload.
func (u *upload) Close() error {
	u.spool.used.Add(-u.size)
	return errors.Join(u.File.Close(), os.Remove(u.Name()))
}

// importIdle is the longest pause in an upload.
const importIdle = 2 * time.Minute

// patientBody allows a body any total time as long as data keeps coming.
type patientBody struct {
	io.Reader
	control *http.ResponseController
}

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(importIdle)) // a connection without deadlines waits longer
	return b.Reader.Read(p)
}
