package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// Control is the address from which a person or a script steers an emulator:
//
//	GET    /control                      what is set, and the parcels
//	POST   /control/faults               {"kind": "hang", "path": "/orders", "times": 3}
//	PUT    /control/habits               {"status_lag": "1m", "repeat": true}
//	DELETE /control                      ends all faults and bad habits
//	POST   /control/parcels/{id}/status  {"code": …, "reason": …, "place": …}: the parcel has it now
//
// Only loopback reaches it, and no web page: a request with an Origin or another Host than
// the listener's is refused.
type Control[H any] struct {
	Faults *Faults
	// Habits and Behave read and set the degraded behaviour; durations are written as 1m30s.
	Habits func() H
	Behave func(H)
	// Parcels lists the parcels for people.
	Parcels func() any
	// Report gives a parcel a status now, and reports whether it exists.
	Report func(id, code, reason, place string) bool
}

// ServeHTTP serves the address.
func (c Control[H]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if ip := net.ParseIP(host); err != nil || r.Header.Get("Origin") != "" || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		http.Error(w, "only for local callers", http.StatusForbidden)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control", c.show)
	mux.HandleFunc("DELETE /control", func(w http.ResponseWriter, r *http.Request) {
		c.Faults.Clear()
		c.Behave(*new(H))
		c.show(w, r)
	})
	mux.HandleFunc("POST /control/faults", c.fail)
	mux.HandleFunc("PUT /control/habits", c.behave)
	mux.HandleFunc("POST /control/parcels/{id}/status", c.report)
	mux.ServeHTTP(w, r)
}

func (c Control[H]) show(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"faults": c.Faults.Pending(), "kinds": Kinds, "hit": c.Faults.Refused(), "habits": c.Habits(), "parcels": c.Parcels(),
	})
}

func (c Control[H]) fail(w http.ResponseWriter, r *http.Request) {
	var f Fault
	err := decode(r.Body, &f)
	if err == nil && !slices.Contains(Kinds, f.Kind) {
		err = fmt.Errorf("kind must be one of %v", Kinds)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	c.Faults.Fail(f)
	c.show(w, r)
}

func (c Control[H]) behave(w http.ResponseWriter, r *http.Request) {
	raw := map[string]any{}
	err := decode(r.Body, &raw)
	for name, v := range raw { // durations in words
		if text, ok := v.(string); ok {
			if d, parsed := time.ParseDuration(text); parsed == nil {
				raw[name] = int64(d)
			}
		}
	}
	var h H
	if err == nil {
		var b []byte
		if b, err = json.Marshal(raw); err == nil {
			err = decode(bytes.NewReader(b), &h)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	c.Behave(h)
	c.show(w, r)
}

func (c Control[H]) report(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Code   string `json:"code"`
		Reason string `json:"reason"`
		Place  string `json:"place"`
	}
	switch err := decode(r.Body, &in); {
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	case !c.Report(r.PathValue("id"), in.Code, in.Reason, in.Place):
		http.Error(w, "there is no such parcel", http.StatusNotFound)
	default:
		c.show(w, r)
	}
}

// decode reads one JSON value; unknown members are errors.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(io.LimitReader(r, 1<<20))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
