package cli

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar of how many of total bytes went through, -1 for nobody knows. It
// is nowhere when nobody watches, and one that can't be drawn stops nothing.
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

// pace tells how much of a file is decided, of what was read of it: what was only sent
// is no progress.
type pace struct{ lines, bytes atomic.Int64 }

// Write counts what was read.
func (p *pace) Write(b []byte) (int, error) {
	p.lines.Add(int64(bytes.Count(b, []byte("\n"))))
	p.bytes.Add(int64(len(b)))
	return len(b), nil
}

// upTo returns how many bytes are decided when the line is, as if all lines read were
// of one length.
func (p *pace) upTo(line int64) int64 {
	lines := max(p.lines.Load(), line, 1)
	return int64(float64(p.bytes.Load()) * float64(line) / float64(lines))
}
