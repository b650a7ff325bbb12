package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
)

// Options make a Server; zero fields take the defaults.
type Options struct {
	Now       func() time.Time // time.Now
	Account   string           // any when empty
	Secret    string
	TokenLife time.Duration // 3599 s
	// Decide is how long a request stays ACCEPTED.
	Decide time.Duration
	// Travel returns the automatic journey of a registered order; nil: none.
	Travel func(toPoint bool) []Step
	// ReturnTravel is the journey of a return order.
	ReturnTravel []Step
	// NewestFirst and Colons select how statuses are reported: the array's order, and
	// +00:00 instead of +0000.
	NewestFirst bool
	Colons      bool
	// Deliver posts a webhook and returns the answer's status; nil means over HTTP with a
	// timeout of 15 seconds.
	Deliver func(ctx context.Context, url string, body []byte) (int, error)
}

// Step is a status that an order gets some time after its registration.
type Step struct {
	After  time.Duration
	Code   string
	City   string
	Reason string
}

// Journey is a 17-second journey to an address or a pick-up point.
func Journey(toPoint bool) []Step {
	last := []Step{
		{11 * time.Second, "ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE", "Новосибирск", ""},
		{13 * time.Second, "TAKEN_BY_COURIER", "Новосибирск", ""},
	}
	if toPoint {
		last = []Step{{12 * time.Second, "ACCEPTED_AT_PICK_UP_POINT", "Новосибирск", ""}}
	}
	return append(append([]Step{
		{2 * time.Second, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "Москва", ""},
		{4 * time.Second, "READY_FOR_SHIPMENT_IN_SENDER_CITY", "Москва", ""},
		{5 * time.Second, "TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY", "Москва", ""},
		{7 * time.Second, "SENT_TO_RECIPIENT_CITY", "Москва", ""},
		{9 * time.Second, "ACCEPTED_IN_RECIPIENT_CITY", "Новосибирск", ""},
	}, last...), Step{17 * time.Second, "DELIVERED", "Новосибирск", ""})
}

// Start runs an emulator on a loopback port until the context ends; booked orders are
// delivered automatically, within seconds. done is closed once it has stopped.
func Start(ctx context.Context) (base string, done <-chan struct{}, err error) {
	return New(Options{
		Travel: Journey, ReturnTravel: []Step{{After: 5 * time.Second, Code: "DELIVERED", City: "Москва"}},
	}).Listen(ctx)
}

// Server is the emulator. It is an http.Handler; requests go below /v2.
type Server struct {
	emulator.Faults

	opt Options
	mux *http.ServeMux

	mu       sync.Mutex
	tokens   map[string]time.Time
	issued   int
	orders   []*order
	papers   map[string]*paper
	intakes  []*intake
	subs     []*subscription
	outgoing []*delivery
	calls    map[string]int
	number   int
	habits   Habits
}

// New returns a Server without orders.
func New(o Options) *Server {
	o.TokenLife, o.Decide = cmp.Or(o.TokenLife, 3599*time.Second), cmp.Or(o.Decide, 300*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		opt: o, tokens: map[string]time.Time{}, papers: map[string]*paper{},
		calls: map[string]int{}, number: 1100000000,
	}
	if s.opt.Deliver == nil {
		s.opt.Deliver = func(ctx context.Context, url string, body []byte) (int, error) {
			return emulator.Post(ctx, url, nil, body)
		}
	}
	s.Faults = emulator.Faults{
		Internal: "v2_internal_error", Expired: "v2_token_expired", Slow: func() time.Duration { return s.current().Slow },
		Error: func(w http.ResponseWriter, status int, code string) { fail(w, status, code, "Ошибка") },
		Crash: func(w http.ResponseWriter, r *http.Request) {
			spring(w, s.opt.Now(), r.URL.Path, "Внутренняя ошибка сервера")
		},
	}
	s.routes()
	return s
}

// Listen serves on a free loopback port until the context ends, sends webhooks, and
// returns the base URL; /control beside it steers the emulator. done is closed once
// everything has stopped.
func (s *Server) Listen(ctx context.Context) (base string, done <-chan struct{}, err error) {
	control := emulator.Control[Habits]{
		Faults: &s.Faults, Habits: s.current, Behave: s.Behave, Parcels: func() any { return s.Booked() }, Report: s.Report,
	}
	base, done, err = emulator.Listen(ctx, s, control, func(ctx context.Context) { emulator.Every(ctx, tick, s.Tick) })
	return base + "/v2", done, err
}

// Run sends webhooks and advances orders until the context ends.
func (s *Server) Run(ctx context.Context) { emulator.Every(ctx, tick, s.Tick) }

// Client returns a client that calls the server without a network.
func (s *Server) Client() *http.Client { return emulator.Client(s) }

// Calls returns how often a route was called, such as "POST /v2/orders"; calls stopped by a
// fault do not count.
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// ExpireTokens invalidates all tokens issued so far.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Issued returns the number of tokens issued.
func (s *Server) Issued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /v2/oauth/token", s.token)
	for route, serve := range map[string]func(http.ResponseWriter, *http.Request){
		"POST /v2/orders": s.createOrder, "GET /v2/orders": s.findOrder, "GET /v2/orders/{id}": s.getOrder,
		"DELETE /v2/orders/{id}": s.deleteOrder, "POST /v2/orders/{id}/refusal": s.refuseOrder,
		"POST /v2/calculator/tarifflist": s.tariffs, "POST /v2/calculator/tariff": s.tariff,
		"GET /v2/deliverypoints": s.points, "GET /v2/location/cities": s.cities, "GET /v2/location/coordinates": s.coordinates,
		"POST /v2/print/{kind}": s.print, "GET /v2/print/{kind}/{id}": s.printed,
		"GET /v2/registries": s.registries, "POST /v2/orders/{id}/clientReturn": s.clientReturn,
		"GET /v2/delivery/intervals": s.intervals, "POST /v2/delivery": s.agree,
		"POST /v2/intakes": s.addIntake, "GET /v2/intakes/{id}": s.getIntake, "DELETE /v2/intakes/{id}": s.deleteIntake,
		"GET /v2/orders/{id}/intakes": s.orderIntakes, "PATCH /v2/orders": s.editOrder,
		"GET /v2/webhooks": s.listHooks, "POST /v2/webhooks": s.addHook, "DELETE /v2/webhooks/{id}": s.dropHook,
	} {
		s.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			if !s.authorised(w, r) {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls[route]++
			s.settle()
			serve(w, r)
		})
	}
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opt.Account != "" && (r.FormValue("client_id") != s.opt.Account || r.FormValue("client_secret") != s.opt.Secret) {
		answer(w, http.StatusUnauthorized, object{"error": "invalid_client", "error_description": "No such account secure"})
		return
	}
	token := uuid.NewString()
	s.tokens[token] = s.opt.Now().Add(s.opt.TokenLife)
	s.issued++
	answer(w, http.StatusOK, object{
		"access_token": token, "token_type": "bearer", "expires_in": int(s.opt.TokenLife.Seconds()),
		"scope": "location:all order:all payment:all", "jti": uuid.NewString(),
	})
}

func (s *Server) authorised(w http.ResponseWriter, r *http.Request) bool {
	header := r.Header.Get("Authorization")
	if header == "" { // as the original answers
		spring(w, s.opt.Now(), r.URL.Path, "Не найден HTTP заголовок Authorization")
		return false
	}
	s.mu.Lock()
	expires, known := s.tokens[strings.TrimPrefix(header, "Bearer ")]
	s.mu.Unlock()
	if !known || !s.opt.Now().Before(expires) {
		fail(w, http.StatusUnauthorized, "v2_token_expired", "Access token is expired")
		return false
	}
	return true
}

type object = map[string]any

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, object{"errors": []object{{"code": code, "additional_code": "0x00000001", "message": message}}, "warnings": []object{}})
}

func spring(w http.ResponseWriter, now time.Time, path, message string) {
	answer(w, http.StatusInternalServerError, object{
		"timestamp": now.UnixMilli(), "path": path, "status": 500, "error": "Internal Server Error", "message": message,
	})
}

// read decodes a request's body; it answers a malformed one.
func read(w http.ResponseWriter, r *http.Request) (object, bool) {
	var body object
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err != nil {
		fail(w, http.StatusBadRequest, "v2_bad_request", "Bad request: "+err.Error())
		return nil, false
	}
	return body, true
}

// text returns a member as text, whether it is a string or a number.
func text(o object, name string) string {
	switch v := o[name].(type) {
	case string:
		return v
	case float64:
		return fmt.Sprintf("%.f", v)
	}
	return ""
}

// stamp formats a time as CDEK does.
func (s *Server) stamp(t time.Time) string {
	if s.opt.Colons {
		return t.UTC().Format("2006-01-02T15:04:05+00:00")
	}
	return t.UTC().Format("2006-01-02T15:04:05+0000")
}
