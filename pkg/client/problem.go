package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Error codes that callers often handle; Problem.Code may be any code of the API.
const (
	CodeMalformed             = "malformed"
	CodeUnauthenticated       = "unauthenticated"
	CodeForbidden             = "forbidden"
	CodeOrderNotFound         = "order_not_found"
	CodeCourierNotFound       = "courier_not_found"
	CodePositionNotFound      = "position_not_found"
	CodeIllegalTransition     = "illegal_transition"
	CodeCancelAfterPickup     = "cancel_after_pickup"
	CodeOrderFinished         = "order_finished"
	CodeProofRequired         = "proof_required"
	CodePINLocked             = "pin_locked"
	CodeNoCourierAvailable    = "no_courier_available"
	CodeCourierBusy           = "courier_busy"
	CodeDuplicateExternalID   = "duplicate_external_id"
	CodeIdempotencyInProgress = "idempotency_in_progress"
	CodeIdempotencyKeyReused  = "idempotency_key_reused"
	CodeVersionConflict       = "version_conflict"
	CodeValidationFailed      = "validation_failed"
	CodeRateLimited           = "rate_limited"
	CodeUnavailable           = "unavailable"
)

// Problem is an error response of the API (RFC 9457). It implements error.
type Problem struct {
	Type               string        `json:"type,omitempty"`
	Title              string        `json:"title,omitempty"`
	Status             int           `json:"status"` // HTTP status
	Detail             string        `json:"detail,omitempty"`
	Instance           string        `json:"instance,omitempty"`
	Code               string        `json:"code,omitempty"`
	RequestID          string        `json:"request_id,omitempty"`
	Errors             []Fault       `json:"errors,omitempty"`
	AllowedTransitions []Status      `json:"allowed_transitions,omitempty"`
	Missing            []string      `json:"missing,omitempty"` // kinds of proof, of proof_required
	RetryAfter         time.Duration `json:"-"`                 // zero if not given
}

// Fault is one thing wrong with a request.
type Fault struct {
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) into the request
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error returns the problem's title and detail, with the faults of the request.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if text == "" {
		text = http.StatusText(p.Status)
	}
	if p.Code != "" {
		text = p.Code + ": " + text
	}
	for _, f := range p.Errors {
		text += "; " + strings.TrimSpace(f.Pointer+" "+f.Detail)
	}
	return text
}

// CodeOf returns the code of a Problem, "" for any other error and for nil.
func CodeOf(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// problemOf decodes an error response; one that is not a problem document, such as a
// proxy's, keeps its status and the start of its text.
func problemOf(resp *http.Response, body []byte) *Problem {
	p := new(Problem)
	if err := json.Unmarshal(body, p); err != nil {
		text := strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")
		p = &Problem{Title: http.StatusText(resp.StatusCode), Detail: strings.TrimSpace(text)}
	}
	p.Status = resp.StatusCode
	if p.RequestID == "" {
		p.RequestID = resp.Header.Get("X-Request-Id")
	}
	p.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	return p
}
