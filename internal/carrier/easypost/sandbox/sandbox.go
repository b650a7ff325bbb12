// Package sandbox emulates EasyPost's trackers and webhooks on a loopback port or in the
// process, with bad days on command. It is written from EasyPost's documentation and
// shares no code with the adapter.
package sandbox

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
)

// Options make a Server; zero fields take the defaults.
type Options struct {
	Now func() time.Time
	// Travel is the automatic journey of a tracker; nil: none.
	Travel []Step
	// Deliver posts a webhook and returns the answer's status; nil means over HTTP.
	Deliver func(ctx context.Context, url string, header http.Header, body []byte) (int, error)
}

// Step is an entry of a history some time after the tracker was made.
type Step struct {
	After                 time.Duration
	Status, Detail, Place string
}

// Journey is a journey of 15 seconds.
var Journey = []Step{
	{time.Second, "pre_transit", "label_created", ""}, {3 * time.Second, "in_transit", "arrived_at_facility", "HOUSTON"},
	{6 * time.Second, "in_transit", "arrived_at_destination", "CHARLESTON"}, {9 * time.Second, "out_for_delivery", "out_for_delivery", "CHARLESTON"},
	{15 * time.Second, "delivered", "arrived_at_destination", "CHARLESTON"},
}

// Habits are degraded behaviour in which no single call fails.
type Habits struct {
	StatusLag time.Duration `json:"status_lag"` // before an entry is shown
	Slow      time.Duration `json:"slow"`
	Repeat    bool          `json:"repeat"`  // every webhook twice
	Shuffle   bool          `json:"shuffle"` // webhooks and histories in random order
	Forge     bool          `json:"forge"`   // webhooks with a wrong signature
}

type tracker struct {
	id, code, carrier string
	made, updated     time.Time
	rows              []row
	travelled         int
	gone, isReturn    bool
}

type row struct {
	status, detail, place string
	at                    time.Time
}

type hook struct {
	id, url, secret string
	off             bool
}

// Server is the emulator. Requests go below /v2.
type Server struct {
	emulator.Faults
	opt Options
	mux *http.ServeMux

	mu       sync.Mutex
	trackers []*tracker
	hooks    []*hook
	outgoing [][]byte
	habits   Habits
	last     int
}

// New returns a Server without trackers.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Deliver == nil {
		o.Deliver = emulator.Post
	}
	s := &Server{opt: o, mux: http.NewServeMux()}
	s.Faults = emulator.Faults{
		Internal: "INTERNAL_SERVER_ERROR", Expired: "APIKEY.INACTIVE", Slow: func() time.Duration { return s.current().Slow },
		Error: func(w http.ResponseWriter, status int, code string) { fail(w, status, code, "it did not work") },
		Crash: func(w http.ResponseWriter, _ *http.Request) {
			fail(w, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "please try again")
		},
	}
	for route, serve := range map[string]http.HandlerFunc{
		"POST /v2/trackers": s.create, "GET /v2/trackers/{id}": s.show,
		"GET /v2/webhooks": s.listHooks, "POST /v2/webhooks": s.addHook, "PATCH /v2/webhooks/{id}": s.editHook, "DELETE /v2/webhooks/{id}": s.dropHook,
	} {
		s.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			if key, _, ok := r.BasicAuth(); !ok || key == "" {
				fail(w, http.StatusUnauthorized, "APIKEY.MISSING", "an API key is required")
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
		Faults: &s.Faults, Habits: s.current, Behave: s.Behave, Parcels: s.parcels,
		Report: func(id, code, reason, place string) bool { return s.Report(id, code, reason, place) },
	}
	base, done, err = emulator.Listen(ctx, s, control, func(ctx context.Context) { emulator.Every(ctx, 100*time.Millisecond, s.Tick) })
	return base + "/v2", done, err
}

// Client returns a client that calls the server without a network.
func (s *Server) Client() *http.Client { return emulator.Client(s) }

// ServeHTTP answers as EasyPost would, unless a fault is due.
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

// Trackers returns the ids of all trackers.
func (s *Server) Trackers() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.trackers {
		ids = append(ids, t.id)
	}
	return ids
}

func (s *Server) parcels() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []object{}
	for _, t := range s.trackers {
		out = append(out, object{"id": t.id, "tracking_code": t.code, "carrier": t.carrier, "status": t.status()})
	}
	return out
}

// Report adds an entry to a tracker's history now, and reports whether the tracker exists.
func (s *Server) Report(id, status, detail, place string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.trackers {
		if t.id == id && !t.gone {
			s.add(t, row{status, detail, place, s.opt.Now()})
			return true
		}
	}
	return false
}

func (t *tracker) status() string {
	if len(t.rows) == 0 {
		return "unknown"
	}
	return t.rows[len(t.rows)-1].status
}

// add appends an entry and queues its webhooks. The lock is held.
func (s *Server) add(t *tracker, r row) {
	before := t.status()
	t.rows, t.updated = append(t.rows, r), r.at
	s.last++
	body, err := json.Marshal(object{
		"id": "evt_" + strconv.Itoa(s.last), "object": "Event", "mode": "test", "description": "tracker.updated", "status": "pending",
		"created_at": stamp(r.at), "previous_attributes": object{"status": before}, "result": s.encode(t),
	})
	if err != nil {
		panic(err) // plain maps and strings
	}
	s.outgoing = append(s.outgoing, body)
	if s.habits.Repeat {
		s.outgoing = append(s.outgoing, body)
	}
}

// settle takes the due steps of all journeys. The lock is held.
func (s *Server) settle() {
	for _, t := range s.trackers {
		for ; t.travelled < len(s.opt.Travel); t.travelled++ {
			step := s.opt.Travel[t.travelled]
			at := t.made.Add(step.After)
			if s.opt.Now().Before(at) {
				break
			}
			s.add(t, row{step.Status, step.Detail, step.Place, at})
		}
	}
}

// Tick advances the trackers and sends the waiting webhooks.
func (s *Server) Tick(ctx context.Context) {
	s.mu.Lock()
	s.settle()
	due, hooks, h := s.outgoing, slices.Clone(s.hooks), s.habits
	s.outgoing = nil
	s.mu.Unlock()
	if h.Shuffle {
		rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] }) //nolint:gosec // no secret
	}
	for _, body := range due {
		for _, to := range hooks {
			if to.off || ctx.Err() != nil {
				continue
			}
			key := to.secret
			if h.Forge {
				key += "x"
			}
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write(body)
			_, _ = s.opt.Deliver(ctx, to.url, http.Header{"X-Hmac-Signature": {"hmac-sha256-hex=" + hex.EncodeToString(mac.Sum(nil))}}, body)
		}
	}
}

type object = map[string]any

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, object{"error": object{"code": code, "message": message, "errors": []string{}}})
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// encode encodes a tracker. The lock is held.
func (s *Server) encode(t *tracker) object {
	details, status, detail := []object{}, "unknown", "unknown"
	for _, r := range t.rows {
		if s.opt.Now().Before(r.at.Add(s.habits.StatusLag)) {
			continue
		}
		status, detail = r.status, r.detail
		place := object{"object": "TrackingLocation", "city": nil, "state": nil, "country": nil, "zip": nil}
		if r.place != "" {
			place["city"], place["country"] = r.place, "US"
		}
		details = append(details, object{
			"object": "TrackingDetail", "message": r.status + " " + r.detail, "status": r.status, "status_detail": r.detail,
			"datetime": stamp(r.at), "source": t.carrier, "carrier_code": "", "tracking_location": place,
		})
	}
	if s.habits.Shuffle {
		rand.Shuffle(len(details), func(i, j int) { details[i], details[j] = details[j], details[i] }) //nolint:gosec // no secret
	}
	return object{
		"id": t.id, "object": "Tracker", "mode": "test", "tracking_code": t.code, "carrier": t.carrier, "status": status, "status_detail": detail,
		"created_at": stamp(t.made), "updated_at": stamp(t.updated), "is_return": t.isReturn, "finalized": true, "signed_by": nil,
		"est_delivery_date": stamp(t.made.AddDate(0, 0, 3).Truncate(24 * time.Hour)), "tracking_details": details,
	}
}

// create makes a tracker, or returns the one of the same number and company.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Tracker struct {
			Code    string `json:"tracking_code"`
			Carrier string `json:"carrier"`
		} `json:"tracker"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || strings.TrimSpace(in.Tracker.Code) == "" {
		fail(w, http.StatusUnprocessableEntity, "PARAMETER.REQUIRED", "Missing required parameter.")
		return
	}
	company := cmp.Or(in.Tracker.Carrier, "USPS")
	for _, t := range s.trackers {
		if t.code == in.Tracker.Code && t.carrier == company && !t.gone {
			answer(w, http.StatusOK, s.encode(t))
			return
		}
	}
	t := &tracker{id: "trk_" + strconv.Itoa(1000+len(s.trackers)), code: in.Tracker.Code, carrier: company, made: s.opt.Now(), updated: s.opt.Now()}
	s.trackers = append(s.trackers, t)
	answer(w, http.StatusOK, s.encode(t))
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	for _, t := range s.trackers {
		if t.id == r.PathValue("id") && !t.gone {
			answer(w, http.StatusOK, s.encode(t))
			return
		}
	}
	fail(w, http.StatusNotFound, "NOT_FOUND", "The requested resource could not be found.")
}

func (h *hook) show() object { // the secret is never shown
	out := object{"id": h.id, "object": "Webhook", "url": h.url, "disabled_at": nil}
	if h.off {
		out["disabled_at"] = "2026-01-01T00:00:00Z"
	}
	return out
}

func (s *Server) listHooks(w http.ResponseWriter, _ *http.Request) {
	out := []object{}
	for _, h := range s.hooks {
		out = append(out, h.show())
	}
	answer(w, http.StatusOK, object{"webhooks": out})
}

func (s *Server) addHook(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Webhook struct {
			URL    string `json:"url"`
			Secret string `json:"webhook_secret"`
		} `json:"webhook"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Webhook.URL == "" {
		fail(w, http.StatusUnprocessableEntity, "PARAMETER.REQUIRED", "Missing required parameter.")
		return
	}
	s.last++
	h := &hook{id: "hook_" + strconv.Itoa(s.last), url: in.Webhook.URL, secret: in.Webhook.Secret}
	s.hooks = append(s.hooks, h)
	answer(w, http.StatusCreated, h.show())
}

func (s *Server) hookOf(w http.ResponseWriter, r *http.Request) int {
	at := slices.IndexFunc(s.hooks, func(h *hook) bool { return h.id == r.PathValue("id") })
	if at < 0 {
		fail(w, http.StatusNotFound, "NOT_FOUND", "The requested resource could not be found.")
	}
	return at
}

func (s *Server) editHook(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Secret string `json:"webhook_secret"`
	}
	if at := s.hookOf(w, r); at >= 0 && json.NewDecoder(r.Body).Decode(&in) == nil {
		s.hooks[at] = &hook{id: s.hooks[at].id, url: s.hooks[at].url, secret: in.Secret}
		answer(w, http.StatusOK, s.hooks[at].show())
	}
}

func (s *Server) dropHook(w http.ResponseWriter, r *http.Request) {
	if at := s.hookOf(w, r); at >= 0 {
		s.hooks = slices.Delete(s.hooks, at, at+1)
		answer(w, http.StatusOK, object{})
	}
}

// SwitchOff disables all webhooks, as EasyPost does with receivers that fail.
func (s *Server) SwitchOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hooks {
		h.off = true
	}
}
