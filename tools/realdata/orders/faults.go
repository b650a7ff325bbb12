package orders

import (
	"fmt"
	"sync"
)

// maxFaults limits the differences shown and ends a run with more.
const maxFaults = 20

// faults counts differences and keeps descriptions of the first ones.
type faults struct {
	mu    sync.Mutex
	total int
	first []string
	full  func() // called when a run should be given up
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	if len(f.first) < maxFaults {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
	if f.total == maxFaults && f.full != nil {
		f.full()
	}
}

// onFull sets what is called when there are too many; at once when there are already.
func (f *faults) onFull(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = do
	if f.total >= maxFaults {
		do()
	}
}

func (f *faults) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}
