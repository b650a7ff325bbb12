package notify

import (
	"strings"
	"sync"
)

// maxPartly bounds what devices remembers: beyond it a device may get a message twice.
const maxPartly = 10_000

// devices remembers who took a message that another device of the same customer did not: a later try is for that one only.
type devices struct {
	mu    sync.Mutex
	taken map[string]map[string]bool // addresses by message
}

// toAll sends a message to each address, one per line. It is to be tried again while any may still take it, and sent if one did.
func (v *devices) toAll(addresses, id string, send func(to string) Outcome) Outcome {
	var list []Outcome
	took := map[string]bool{}
	for to := range strings.SplitSeq(addresses, "\n") {
		var out Outcome
		if !v.took(id, to) {
			out = send(to)
		}
		took[to] = out.Err == nil
		list = append(list, out)
	}
	best := list[0]
	for _, out := range list[1:] {
		if out.again() || out.Err == nil && !best.again() {
			best = out
		}
	}
	v.remember(id, took, best.again() && len(list) > 1)
	return best
}

func (v *devices) took(id, to string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.taken[id][to]
}

// remember keeps who took a message if it is to be tried again.
func (v *devices) remember(id string, took map[string]bool, again bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !again {
		delete(v.taken, id)
		return
	}
	if v.taken == nil || len(v.taken) >= maxPartly {
		v.taken = map[string]map[string]bool{}
	}
	v.taken[id] = took
}
