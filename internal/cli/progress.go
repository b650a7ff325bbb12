package cli

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a progress bar over total bytes, -1 when unknown. It is shown only on a
// terminal, and errors in drawing it are ignored.
func (e *env) progress(total int64, what string) *progressbar.ProgressBar {
	w := io.Discard
	if terminal(e.stderr) {
		w = e.stderr
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetVisibility(w != io.Discard),
	)
}

// pace estimates how many bytes of a file were processed by the server: bytes that were
// only sent don't count.
type pace struct{ lines, bytes atomic.Int64 }

// Write counts the bytes read.
func (p *pace) Write(b []byte) (int, error) {
	p.lines.Add(int64(bytes.Count(b, []byte("\n"))))
	p.bytes.Add(int64(len(b)))
	return len(b), nil
}

// upTo returns the bytes processed up to the line, assuming that all lines read have the
// same length.
func (p *pace) upTo(line int64) int64 {
	lines := max(p.lines.Load(), line, 1)
	return int64(float64(p.bytes.Load()) * float64(line) / float64(lines))
}
