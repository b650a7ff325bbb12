//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// What receivers do wrong, each in a part of its requests.
const (
	faultyOnes  = 0.2 // of the requests to a receiver with faults
	awayFor     = 8 * time.Second
	presentFor  = 6 * time.Second
	slowAtMost  = time.Second
	kindHealthy = "healthy"
	kindAway    = "away"
	kindGone    = "gone"
)

// misdeeds are the faults that an answer can have, by the name of the kind of receiver. One
// that returns true has taken the request.
var misdeeds = map[string]func(w http.ResponseWriter, r *http.Request, trap string) bool{
	"errors": func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.WriteHeader([]int{http.StatusInternalServerError, http.StatusBadRequest, http.StatusTooManyRequests, http.StatusServiceUnavailable}[rand.IntN(4)])
		return false
	},
	"hangs": func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		<-r.Context().Done()
		return false
	},
	"cuts": func(http.ResponseWriter, *http.Request, string) bool { panic(http.ErrAbortHandler) },
	"redirects": func(w http.ResponseWriter, r *http.Request, trap string) bool {
		http.Redirect(w, r, trap, http.StatusTemporaryRedirect)
		return false
	},
	"slow": func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		sleep(r.Context(), rand.N(slowAtMost))
		return r.Context().Err() == nil
	},
}

// receiver is the other end of a webhook. It checks every request, and keeps what it took.
type receiver struct {
	kind, id string
	url      string
	trap     string // where redirects lead: nobody may follow
	verifier *webhook.Webhook
	gone     atomic.Bool
	over     chan struct{}

	mu       sync.Mutex
	server   *http.Server
	taken    map[string][]string // ids of events by order, as they were taken
	place    map[string]string   // the order and version of an id
	ids      map[string]string   // the other way round
	had      map[string]bool
	first    []time.Duration // from each event to its first request
	requests int
	failed   int // answered with a fault
	repeats  int // of what was taken
	wrong    error
}

func newReceiver(kind, trap string) (*receiver, error) {
	r := &receiver{
		kind: kind, trap: trap, over: make(chan struct{}),
		taken: map[string][]string{}, place: map[string]string{}, ids: map[string]string{}, had: map[string]bool{},
	}
	r.gone.Store(kind == kindGone)
	host := "127.0.0.1"
	if kind == kindAway {
		host = "127.0.0.2" // where no connection's own end takes the port meanwhile
	}
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		return nil, err
	}
	r.url = "http://" + l.Addr().String() + "/hook"
	r.serve(l)
	if kind == kindAway {
		go r.comeAndGo(l.Addr().String())
	}
	return r, nil
}

func (r *receiver) serve(l net.Listener) {
	s := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	r.mu.Lock()
	r.server = s
	r.mu.Unlock()
	go func() { _ = s.Serve(l) }() // until it is closed
}

func (r *receiver) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.server.Close()
}

// comeAndGo refuses connections again and again, and stays when it is over.
func (r *receiver) comeAndGo(addr string) {
	for {
		select {
		case <-r.over:
			return
		case <-time.After(presentFor):
		}
		r.close()
		select {
		case <-r.over:
		case <-time.After(awayFor):
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			r.object(err)
			return
		}
		r.serve(l)
	}
}

func (r *receiver) object(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrong == nil {
		r.wrong = err
	}
}

// told is what a request says.
type told struct {
	Data struct {
		Event struct {
			ID         string    `json:"id"`
			OrderID    string    `json:"order_id"`
			Version    int64     `json:"version"`
			RecordedAt time.Time `json:"recorded_at"`
		} `json:"event"`
	} `json:"data"`
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // whoever sent it was killed
	}
	if r.gone.Load() {
		r.mu.Lock()
		r.requests++
		r.failed++
		r.mu.Unlock()
		w.WriteHeader(http.StatusGone)
		return
	}
	var t told
	err = r.verifier.Verify(body, q.Header)
	if err == nil {
		err = json.Unmarshal(body, &t)
	}
	if err == nil {
		err = r.tried(&t, q.Header.Get("Webhook-Id"))
	}
	if err != nil {
		r.object(fmt.Errorf("a request to a receiver that is %s: %w", r.kind, err))
	}
	kind := r.kind
	if kind == "mixed" {
		kind = []string{"errors", "hangs", "cuts", "redirects", "slow"}[rand.IntN(5)]
	}
	if misdeed := misdeeds[kind]; misdeed != nil && rand.Float64() < faultyOnes {
		r.mu.Lock()
		r.failed++
		r.mu.Unlock()
		if !misdeed(w, q, r.trap) {
			return
		}
	}
	r.take(&t)
	w.WriteHeader(http.StatusNoContent)
}

// tried checks that a request has its event's id, always the same one, and that everything
// about the order before it was taken.
func (r *receiver) tried(t *told, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	e := &t.Data.Event
	place := fmt.Sprint(e.OrderID, " version ", e.Version)
	known, again := r.place[id], r.ids[place]
	switch before := int64(len(r.taken[e.OrderID])); {
	case id == "" || id != e.ID:
		return fmt.Errorf("webhook-id %q of the event %q", id, e.ID)
	case known != "" && known != place || again != "" && again != id:
		return fmt.Errorf("%s has the id %s, which was %s; it had %s", place, id, known, again)
	case e.Version > before+1:
		return fmt.Errorf("%s came when %d versions were taken", place, before)
	case e.Version <= before && !r.had[id]:
		return fmt.Errorf("%s is not what was taken", place)
	case known == "":
		r.first = append(r.first, time.Since(e.RecordedAt))
	case r.had[id]:
		r.repeats++
	}
	r.place[id], r.ids[place] = place, id
	return nil
}

func (r *receiver) take(t *told) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := &t.Data.Event; !r.had[e.ID] {
		r.had[e.ID] = true
		r.taken[e.OrderID] = append(r.taken[e.OrderID], e.ID)
	}
}

// count is how many events were taken; an error if a request was not right.
func (r *receiver) count() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.had), r.wrong
}

// trap is an address that nobody may call.
func newTrap() (*receiver, error) {
	r, err := newReceiver("trap", "")
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { r.object(errors.New("a redirect was followed")) })
	return r, nil
}
