package cli

import (
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
