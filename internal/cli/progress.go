package cli

import (
	"bytes"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar on the terminal, or nothing.
type progress struct{ bar *progressbar.ProgressBar }

// progress shows how many of total bytes went through, -1 for nobody knows; nothing
// when nobody looks.
func (e *env) progress(total int64, what string) *progress {
	if !terminal(e.stderr) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(e.stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)}
}

// Write counts bytes.
func (p *progress) Write(b []byte) (int, error) {
	if p.bar != nil {
		_ = p.bar.Add(len(b)) // a bar that can't be drawn stops nothing
	}
	return len(b), nil
}

// to sets how many bytes went through.
func (p *progress) to(n int64) {
	if p.bar != nil {
		_ = p.bar.Set64(n) // as above
	}
}

func (p *progress) say(text string) {
	if p.bar != nil {
		p.bar.Describe(text)
	}
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear() // as above
	}
}

func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
		p.bar = nil
	}
}

// pace remembers which line of a file is at which byte, of what was read and is not
// decided yet: what was only sent is no progress.
type pace struct {
	mu      sync.Mutex
	read    mark
	marks   []mark // after each read
	decided int64
}

// mark is a place in a file: lines and bytes before it.
type mark struct{ lines, bytes int64 }

// Write notes what was read.
func (p *pace) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read.lines += int64(bytes.Count(b, []byte("\n")))
	p.read.bytes += int64(len(b))
	p.marks = append(p.marks, p.read)
	return len(b), nil
}

// upTo returns how many bytes are decided when the line is.
func (p *pace) upTo(line int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.marks) > 0 && p.marks[0].lines <= line {
		p.decided = p.marks[0].bytes
		p.marks = p.marks[1:]
	}
	return p.decided
}
