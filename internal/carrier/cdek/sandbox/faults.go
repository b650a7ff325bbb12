package sandbox

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"time"
)

// FaultKind is a way in which a call fails.
type FaultKind string

// The kinds of faults.
const (
	TooMany      FaultKind = "too_many"      // 429
	Spring       FaultKind = "spring"        // 500 with the framework's body
	Page         FaultKind = "page"          // 502 with HTML
	Refuse       FaultKind = "refuse"        // Status, with HTML or, when Code is set, with CDEK's error
	Lie          FaultKind = "lie"           // 200 with HTML
	Errors       FaultKind = "errors"        // 200 with errors in the body
	Empty        FaultKind = "empty"         // 200 with an empty list
	Hang         FaultKind = "hang"          // no answer until the caller gives up
	Lost         FaultKind = "lost"          // the call takes effect, but its answer is lost
	Late         FaultKind = "late"          // the call takes effect, but its answer comes too late
	Cut          FaultKind = "cut"           // the connection breaks before the call takes effect
	TokenExpired FaultKind = "token_expired" // 401
)

// Fault makes matching calls fail.
type Fault struct {
	Kind   FaultKind `json:"kind"`
	Method string    `json:"method"` // any when empty
	Path   string    `json:"path"`   // substring
	Times  int       `json:"times"`  // 1 when zero
	After  string    `json:"after"`  // Retry-After
	Status int       `json:"status"` // of Refuse; 403 when zero
	Code   string    `json:"code"`   // of Refuse and Errors
}

// Habits are degraded behaviour in which no single call fails.
type Habits struct {
	// NumberLag is how long an order cannot be found by the shop's number, StatusLag how
	// long a status is not reported.
	NumberLag time.Duration `json:"number_lag"`
	StatusLag time.Duration `json:"status_lag"`
	// RefuseAtOnce rejects a duplicate number at once; otherwise it is rejected later.
	RefuseAtOnce bool `json:"refuse_at_once"`
	// Forget does not keep shop numbers, as always for orders of type 2.
	Forget bool `json:"forget"`
	// ForbidReturns answers 403 about return orders.
	ForbidReturns bool `json:"forbid_returns"`
	// Slow delays a call before it takes effect, and again before its answer.
	Slow time.Duration `json:"slow"`
	// Repeat sends every webhook and status twice, Shuffle in random order.
	Repeat  bool `json:"repeat"`
	Shuffle bool `json:"shuffle"`
}

// Behave sets the habits.
func (s *Server) Behave(h Habits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.habits = h
}

// Fail makes the next matching calls fail.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = cmp.Or(f.Times, 1)
	s.faults = append(s.faults, &f)
}

// Heal ends all faults and bad habits.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.habits = nil, Habits{}
}

// Refused counts the calls that a fault hit.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// fault takes the next fault that matches a request, or nil.
func (s *Server) fault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Times > 0 && (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path) {
			f.Times--
			s.refused++
			return f
		}
	}
	return nil
}

// ServeHTTP answers as CDEK would, unless a fault is due.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.fault(r)
	if f == nil {
		s.serve(w, r)
		return
	}
	switch f.Kind {
	case TooMany:
		if f.After != "" {
			w.Header().Set("Retry-After", f.After)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	case Spring:
		spring(w, s.opt.Now(), r.URL.Path, "Внутренняя ошибка сервера")
	case Page:
		page(w, http.StatusBadGateway)
	case Refuse:
		if status := cmp.Or(f.Status, http.StatusForbidden); f.Code == "" {
			page(w, status)
		} else {
			fail(w, status, f.Code, "Доступ запрещен")
		}
	case Lie:
		page(w, http.StatusOK)
	case Errors:
		fail(w, http.StatusOK, cmp.Or(f.Code, "v2_internal_error"), "Ошибка")
	case Empty:
		answer(w, http.StatusOK, []object{})
	case TokenExpired:
		fail(w, http.StatusUnauthorized, "v2_token_expired", "Access token is expired")
	case Hang:
		<-r.Context().Done()
	case Cut:
		panic(http.ErrAbortHandler)
	case Late:
		s.mux.ServeHTTP(newRecorder(), r)
		<-r.Context().Done()
	case Lost:
		s.mux.ServeHTTP(newRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

// serve answers, slowly if configured: a caller that gives up in between does not know
// whether the call took effect.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	slow := s.habits.Slow
	s.mu.Unlock()
	if slow == 0 {
		s.mux.ServeHTTP(w, r)
		return
	}
	wait := func() bool {
		select {
		case <-r.Context().Done():
			return false
		case <-time.After(slow):
			return true
		}
	}
	if !wait() {
		return
	}
	rec := newRecorder()
	s.mux.ServeHTTP(rec, r)
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
	_, _ = io.WriteString(w, "<html><body>QRATOR</body></html>")
}
