package httpserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
