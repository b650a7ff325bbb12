// Package emulator is what the emulators of delivery companies share: faults on command, a
// control address for people and scripts, and a server on a loopback port.
package emulator

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind is a way in which a call fails.
type FaultKind string

// The kinds of faults.
const (
	TooMany      FaultKind = "too_many"      // 429
	Crash        FaultKind = "crash"         // 500, as the company's framework answers
	Page         FaultKind = "page"          // 502 with HTML
	Refuse       FaultKind = "refuse"        // Status, with HTML or, when Code is set, with the company's error
	Lie          FaultKind = "lie"           // 200 with HTML
	Errors       FaultKind = "errors"        // 200 with errors in the body
	Empty        FaultKind = "empty"         // 200 with an empty list
	Hang         FaultKind = "hang"          // no answer until the caller gives up
	Lost         FaultKind = "lost"          // the call takes effect, but its answer is lost
	Late         FaultKind = "late"          // the call takes effect, but its answer comes too late
	Cut          FaultKind = "cut"           // the connection breaks before the call takes effect
	TokenExpired FaultKind = "token_expired" // 401
)

// Kinds lists the kinds of faults.
var Kinds = []FaultKind{TooMany, Crash, Page, Refuse, Lie, Errors, Empty, Hang, Lost, Late, Cut, TokenExpired}

// Fault makes matching calls fail.
type Fault struct {
	Kind   FaultKind `json:"kind"`
	Method string    `json:"method,omitempty"` // any when empty
	Path   string    `json:"path,omitempty"`   // substring
	Times  int       `json:"times,omitempty"`  // 1 when zero
	After  string    `json:"after,omitempty"`  // Retry-After
	Status int       `json:"status,omitempty"` // of Refuse; 403 when zero
	Code   string    `json:"code,omitempty"`   // of Refuse and Errors
}

// Faults makes calls fail.
type Faults struct {
	// Error writes an error in the company's format; Crash is its answer to an internal one.
	Error func(w http.ResponseWriter, status int, code string)
	Crash func(w http.ResponseWriter, r *http.Request)
	// Internal and Expired are the company's codes of internal errors and expired tokens.
	Internal, Expired string
	// Slow is the pause before a call takes effect, and again before its answer.
	Slow func() time.Duration

	mu      sync.Mutex
	list    []*Fault
	refused int
}

// Fail makes the next matching calls fail.
func (f *Faults) Fail(one Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.Times = cmp.Or(one.Times, 1)
	f.list = append(f.list, &one)
}

// Clear ends all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// Refused counts the calls that a fault hit.
func (f *Faults) Refused() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// Pending returns the faults that are still to come.
func (f *Faults) Pending() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []Fault{}
	for _, one := range f.list {
		if one.Times > 0 {
			out = append(out, *one)
		}
	}
	return out
}

// take returns the next fault that matches a request, or nil.
func (f *Faults) take(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.IndexFunc(f.list, func(one *Fault) bool {
		return one.Times > 0 && (one.Method == "" || one.Method == r.Method) && strings.Contains(r.URL.Path, one.Path)
	})
	if at < 0 {
		return nil
	}
	f.list[at].Times--
	f.refused++
	return f.list[at]
}

// Serve answers as the company would, unless a fault is due.
func (f *Faults) Serve(w http.ResponseWriter, r *http.Request, company http.Handler) {
	due := f.take(r)
	if due == nil {
		f.slowly(w, r, company)
		return
	}
	switch due.Kind {
	case TooMany:
		if due.After != "" {
			w.Header().Set("Retry-After", due.After)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	case Crash:
		f.Crash(w, r)
	case Page:
		page(w, http.StatusBadGateway)
	case Refuse:
		if status := cmp.Or(due.Status, http.StatusForbidden); due.Code == "" {
			page(w, status)
		} else {
			f.Error(w, status, due.Code)
		}
	case Lie:
		page(w, http.StatusOK)
	case Errors:
		f.Error(w, http.StatusOK, cmp.Or(due.Code, f.Internal))
	case Empty:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[]\n")
	case TokenExpired:
		f.Error(w, http.StatusUnauthorized, f.Expired)
	case Hang:
		<-r.Context().Done()
	case Cut:
		panic(http.ErrAbortHandler)
	case Late:
		company.ServeHTTP(newRecorder(), r)
		<-r.Context().Done()
	case Lost:
		company.ServeHTTP(newRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

// slowly answers, slowly if configured: a caller that gives up in between does not know
// whether the call took effect.
func (f *Faults) slowly(w http.ResponseWriter, r *http.Request, company http.Handler) {
	pause := f.Slow()
	if pause == 0 {
		company.ServeHTTP(w, r)
		return
	}
	wait := func() bool {
		select {
		case <-r.Context().Done():
			return false
		case <-time.After(pause):
			return true
		}
	}
	if !wait() {
		return
	}
	rec := newRecorder()
	company.ServeHTTP(rec, r)
	if wait() {
		w.Header().Set("Content-Type", rec.header.Get("Content-Type"))
		w.WriteHeader(rec.status)
		_, _ = w.Write(rec.body.Bytes())
	}
}

// page answers like a firewall in front of the service.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><body>Request blocked</body></html>")
}
