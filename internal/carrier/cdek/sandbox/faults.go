package sandbox

import (
	"net/http"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
)

// Fault makes matching calls fail, in a way of its kind.
type Fault = emulator.Fault

// FaultKind is the kind of a fault.
type FaultKind = emulator.FaultKind

// The kinds of faults.
const (
	TooMany      = emulator.TooMany
	Spring       = emulator.Crash
	Page         = emulator.Page
	Refuse       = emulator.Refuse
	Lie          = emulator.Lie
	Errors       = emulator.Errors
	Empty        = emulator.Empty
	Hang         = emulator.Hang
	Lost         = emulator.Lost
	Late         = emulator.Late
	Cut          = emulator.Cut
	TokenExpired = emulator.TokenExpired
)

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
func (s *Server) Fail(f Fault) { s.Faults.Fail(f) }

// current returns the habits.
func (s *Server) current() Habits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.habits
}

// Heal ends all faults and bad habits.
func (s *Server) Heal() {
	s.Clear()
	s.Behave(Habits{})
}

// ServeHTTP answers as CDEK would, unless a fault is due.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.Serve(w, r, s.mux) }
