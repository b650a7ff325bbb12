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

// spoolPattern names the files of a spool.
const spoolPattern = "import-*.part"

// spool keeps uploads on disk until they were worked on: a proxy that passes the answer on
// only when the whole request was sent, as most do, would otherwise cut long imports off.
type spool struct {
	dir  string
	most int64 // bytes at a time, of all uploads together
	used atomic.Int64
}

// newSpool removes what a process that ended early left behind.
func newSpool(dir string, most int64) *spool {
	left, _ := filepath.Glob(filepath.Join(dir, spoolPattern)) // the pattern is good
	for _, file := range left {
		_ = os.Remove(file) // one that stays takes room and does no harm
	}
	return &spool{dir: dir, most: most}
}

// upload is a body on disk, to be read from its beginning and closed.
type upload struct {
	*os.File
	spool *spool
	size  int64
}

// take keeps a body that goes on within importIdle, or fails with unavailable when there is
// no room.
func (s *spool) take(body io.Reader, control *http.ResponseController) (*upload, error) {
	err := os.MkdirAll(s.dir, 0o700)
	var file *os.File
	if err == nil {
		file, err = os.CreateTemp(s.dir, spoolPattern) // with mode 0600
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

// Write takes the room before it writes.
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

// ReadFrom hides the file's own, which would not ask for room.
func (u *upload) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{u}, r) }

// Close forgets the upload.
func (u *upload) Close() error {
	u.spool.used.Add(-u.size)
	return errors.Join(u.File.Close(), os.Remove(u.Name()))
}

// importIdle is how long an upload may send nothing.
const importIdle = 2 * time.Minute

// patientBody lets a body take as long as it needs, if only it goes on.
type patientBody struct {
	io.Reader
	control *http.ResponseController
}

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(importIdle)) // a connection without deadlines waits longer
	return b.Reader.Read(p)
}
