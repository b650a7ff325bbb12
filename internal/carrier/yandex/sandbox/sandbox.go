// Package sandbox emulates Yandex Delivery's express claims on a loopback port or in the
// process, with bad days on command. It is written from Yandex's documentation and shares
// no code with the adapter.
package sandbox

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
)

// prefix is where the service's paths start.
const prefix = "/b2b/cargo/integration/v2"

// Options make a Server; zero fields take the defaults.
type Options struct {
	Now func() time.Time
	// Estimate is how long a claim is estimated, and Travel its journey after acceptance.
	Estimate time.Duration
	Travel   []Step
	// Deliver posts a webhook and returns the answer's status; nil means over HTTP.
	Deliver func(ctx context.Context, url string, header http.Header, body []byte) (int, error)
}

// Step is a status some time after a claim was accepted.
type Step struct {
	After  time.Duration
	Status string
}

// Journey is a journey of 16 seconds.
var Journey = []Step{
	{time.Second, "performer_lookup"}, {2 * time.Second, "performer_found"}, {4 * time.Second, "pickup_arrived"}, {7 * time.Second, "pickuped"},
	{11 * time.Second, "delivery_arrived"}, {14 * time.Second, "delivered"}, {16 * time.Second, "delivered_finish"},
}

// Habits are degraded behaviour in which no single call fails.
type Habits struct {
	StatusLag time.Duration `json:"status_lag"` // before a status is shown, in claims and the journal
	Slow      time.Duration `json:"slow"`
	Repeat    bool          `json:"repeat"`     // webhooks and journal entries twice
	Shuffle   bool          `json:"shuffle"`    // in random order
	BadCursor bool          `json:"bad_cursor"` // no cursor is accepted
	LieCursor bool          `json:"lie_cursor"` // the journal's cursor never moves
}

type claim struct {
	id, request, status string
	input               map[string]any
	version             int
	made, changed       time.Time
	accepted            time.Time
	travelled           int
	price               string
}

type entry struct {
	claim, status string
	at            time.Time
}

// Server is the emulator.
type Server struct {
	emulator.Faults
	opt Options
	mux *http.ServeMux

	mu       sync.Mutex
	claims   []*claim
	journal  []entry
	outgoing []entry
	habits   Habits
	paid     int
}

// New returns a Server without claims.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Deliver == nil {
		o.Deliver = emulator.Post
	}
	if o.Estimate == 0 {
		o.Estimate = 300 * time.Millisecond
	}
	s := &Server{opt: o, mux: http.NewServeMux()}
	s.Faults = emulator.Faults{
		Internal: "internal_error", Expired: "unauthorized", Slow: func() time.Duration { return s.current().Slow }, Error: fail,
		Crash: func(w http.ResponseWriter, _ *http.Request) {
			fail(w, http.StatusInternalServerError, "internal_error")
		},
	}
	for path, serve := range map[string]http.HandlerFunc{
		"GET /claims/performer-position": s.position,
		"POST /offers/calculate":         s.offers, "POST /claims/create": s.create, "POST /claims/info": s.info, "POST /claims/accept": s.accept,
		"POST /claims/cancel-info": s.cancelInfo, "POST /claims/cancel": s.cancel, "POST /claims/journal": s.read,
	} {
		method, path, _ := strings.Cut(path, " ")
		s.mux.HandleFunc(method+" "+prefix+path, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
				fail(w, http.StatusUnauthorized, "unauthorized")
				return
			case r.Header.Get("Accept-Language") == "":
				fail(w, http.StatusBadRequest, "validation_error")
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.settle()
			serve(w, r)
		})
	}
	return s
}

// Start runs an emulator on a loopback port until the context ends.
func Start(ctx context.Context) (base string, done <-chan struct{}, err error) {
	return New(Options{Travel: Journey}).Listen(ctx)
}

// Listen serves on a free loopback port until the context ends, with the control address.
func (s *Server) Listen(ctx context.Context) (base string, done <-chan struct{}, err error) {
	control := emulator.Control[Habits]{
		Faults: &s.Faults, Habits: s.current, Behave: s.Behave, Parcels: func() any { return s.Claims() },
		Report: func(id, code, _, _ string) bool { return s.Report(id, code) },
	}
	base, done, err = emulator.Listen(ctx, s, control, func(ctx context.Context) { emulator.Every(ctx, 100*time.Millisecond, s.Tick) })
	return base + prefix, done, err
}

// Client returns a client that calls the server without a network.
func (s *Server) Client() *http.Client { return emulator.Client(s) }

// ServeHTTP answers as Yandex would, unless a fault is due.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.Serve(w, r, s.mux) }

func (s *Server) current() Habits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.habits
}

// Behave sets the habits.
func (s *Server) Behave(h Habits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.habits = h
}

// Heal ends all faults and bad habits.
func (s *Server) Heal() {
	s.Clear()
	s.Behave(Habits{})
}

// Claim is a claim as tests and the control address show it.
type Claim struct {
	ID      string         `json:"id"`
	Request string         `json:"request_id"`
	Status  string         `json:"status"`
	Input   map[string]any `json:"input"`
}

// Claims returns all claims.
func (s *Server) Claims() []Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	out := []Claim{}
	for _, c := range s.claims {
		out = append(out, Claim{c.id, c.request, c.status, c.input})
	}
	return out
}

// Paid counts the claims cancelled for money.
func (s *Server) Paid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paid
}

// Report gives a claim a status now, and reports whether it exists.
func (s *Server) Report(id, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	c := s.byID(id)
	if c != nil {
		s.move(c, status, s.opt.Now())
	}
	return c != nil
}

func (s *Server) byID(id string) *claim {
	for _, c := range s.claims {
		if c.id == id {
			return c
		}
	}
	return nil
}

// move gives a claim a status. The lock is held.
func (s *Server) move(c *claim, status string, at time.Time) {
	c.status, c.changed = status, at
	e := entry{c.id, status, at}
	s.journal, s.outgoing = append(s.journal, e), append(s.outgoing, e)
	if s.habits.Repeat {
		s.journal, s.outgoing = append(s.journal, e), append(s.outgoing, e)
	}
}

// offerLife is how long an estimate can be accepted.
const offerLife = 10 * time.Minute

func (c *claim) ended() bool {
	for _, end := range []string{"estimating_failed", "failed", "performer_not_found", "delivered_finish", "returned_finish"} {
		if c.status == end {
			return true
		}
	}
	return strings.HasPrefix(c.status, "cancelled")
}

// settle computes what has happened by now. The lock is held.
func (s *Server) settle() {
	now := s.opt.Now()
	for _, c := range s.claims {
		if c.status == "new" && !now.Before(c.made.Add(s.opt.Estimate)) {
			s.move(c, "estimating", c.made.Add(s.opt.Estimate))
		}
		if c.status == "estimating" && !now.Before(c.made.Add(2*s.opt.Estimate)) {
			s.move(c, "ready_for_approval", c.made.Add(2*s.opt.Estimate))
		}
		if c.status == "ready_for_approval" && !now.Before(c.made.Add(offerLife)) {
			s.move(c, "failed", c.made.Add(offerLife))
		}
		for ; !c.accepted.IsZero() && !c.ended() && c.travelled < len(s.opt.Travel); c.travelled++ {
			step := s.opt.Travel[c.travelled]
			if at := c.accepted.Add(step.After); !now.Before(at) {
				s.move(c, step.Status, at)
				continue
			}
			break
		}
	}
}

// Tick advances the claims and sends the waiting webhooks.
func (s *Server) Tick(ctx context.Context) {
	s.mu.Lock()
	s.settle()
	var calls []string
	for _, e := range s.outgoing {
		properties, _ := s.byID(e.claim).input["callback_properties"].(map[string]any)
		if to, _ := properties["callback_url"].(string); to != "" { // concatenated as it is
			calls = append(calls, to+"updated_ts="+e.at.UTC().Format("2006-01-02T15:04:05Z")+"&claim_id="+e.claim)
		}
	}
	s.outgoing = nil
	if s.habits.Shuffle {
		rand.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] }) //nolint:gosec // no secret
	}
	s.mu.Unlock()
	for _, to := range calls {
		_, _ = s.opt.Deliver(ctx, to, nil, nil)
	}
}
