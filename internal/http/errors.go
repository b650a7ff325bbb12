package httpserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// problem is an error response (RFC 9457).
type problem struct {
	Type      string         `json:"type" format:"uri" doc:"identifies the kind of problem: urn:order-tracking:problem: and the code"`
	Title     string         `json:"title" doc:"the kind of problem in words"`
	Status    int            `json:"status" doc:"the HTTP status"`
	Detail    string         `json:"detail" doc:"what went wrong in this case"`
	Instance  string         `json:"instance,omitempty" doc:"the requested path"`
	Code      domain.Code    `json:"code" doc:"the kind of problem for machines"`
	RequestID string         `json:"request_id,omitempty" doc:"the X-Request-Id of this response; also in the log"`
	Errors    []domain.Fault `json:"errors,omitempty" doc:"all faults of the request"`
	// Allowed is [] for a final status and absent where it does not apply.
	Allowed []domain.Status     `json:"allowed_transitions,omitzero" nullable:"false" doc:"if a step was rejected: the allowed steps"`
	Missing []string            `json:"missing,omitempty" enum:"photo,signature,pin" doc:"if a delivery needs proof (proof_required): what is missing"`
	Terms   *domain.CancelTerms `json:"terms,omitempty" doc:"if cancelling costs money (paid_cancel_required): the terms"`
	// These tell how a resource has changed (version_conflict).
	CurrentVersion int64         `json:"current_version,omitempty" doc:"if the version was another (version_conflict): the current one"`
	ChangedBy      *domain.Actor `json:"changed_by,omitempty" doc:"who made it"`
	ChangedAt      *time.Time    `json:"changed_at,omitempty" doc:"when it was made"`
	Changed        []string      `json:"changed,omitempty" doc:"what has changed since, as far as that is known"`
	// Reassigned is who has the order now.
	Reassigned *domain.Reassigned `json:"reassigned,omitempty" doc:"if the order went to another courier (order_reassigned): to whom, and when"`

	retryAfter time.Duration
}

// Error returns the human-readable message.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType returns the media type of a problem.
func (p *problem) ContentType(string) string { return problemType }

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
	typePrefix  = "urn:order-tracking:problem:"
)

// describe converts any error to a problem, leaving out the cause, which is not meant for the caller.
func describe(err error) *problem {
	e := transport.Visible(err)
	as := transport.StatusOf(e.Code)
	p := &problem{
		Type: typePrefix + string(e.Code), Title: as.Title, Status: as.HTTP, Detail: e.Message, Code: e.Code,
		Errors: e.Faults, Allowed: e.Allowed, Missing: e.Missing, Terms: e.Terms, Reassigned: e.Reassigned, retryAfter: e.RetryAfter,
	}
	if c := e.Conflict; c != nil {
		p.CurrentVersion, p.Changed = c.CurrentVersion, c.Changed
		if !c.ChangedAt.IsZero() {
			p.ChangedBy, p.ChangedAt = &c.ChangedBy, &c.ChangedAt
		}
	}
	return p
}

// shownPath is a path for responses, which others than the caller may keep. It ends before what
// could be a token or a key: a long name that is no id, or the start of a secret.
func shownPath(path string) string {
	const longest = 24
	for part := range strings.SplitSeq(path, "/") {
		if _, err := domain.ParseID("", part); err != nil && (len(part) > longest || strings.HasPrefix(part, "whsec_")) {
			before, _, _ := strings.Cut(path, part)
			return before + "…"
		}
	}
	return path
}

// problemFor converts err to this request's response and sets the headers that belong to it. Causes go to the access log.
func problemFor(c *gin.Context, err error) *problem {
	p := describe(err)
	p.Instance, p.RequestID = shownPath(c.Request.URL.Path), requestIDOf(c)
	h := c.Writer.Header()
	if p.retryAfter > 0 {
		seconds := (p.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if p.Code == domain.CodeUnauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.Status >= http.StatusInternalServerError {
		_ = c.Error(err)
	}
	return p
}

// fail responds with a problem.
func fail(c *gin.Context, err error) {
	p := problemFor(c, err)
	b, err := json.Marshal(p)
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	c.Abort()
	c.Header("Content-Length", strconv.Itoa(len(b)))
	c.Data(p.Status, problemType, b)
}

// init makes huma respond with our problems. Its hook is a package variable, so it is set once here for all servers.
func init() {
	huma.DefaultArrayNullable = false // we send and accept [], not null
	huma.NewError = func(status int, msg string, _ ...error) huma.StatusError {
		return &problem{Status: status, Detail: msg}
	}
	huma.NewErrorWithContext = func(hc huma.Context, _ int, msg string, errs ...error) huma.StatusError {
		return problemFor(humagin.Unwrap(hc), humaError(msg, errs))
	}
}

// humaError returns the domain error that a handler returned, which huma passes through, or
// makes one of huma's own: parameters of a wrong type and bodies that it can't read.
func humaError(msg string, errs []error) error {
	var faults []domain.Fault
	for _, err := range errs {
		var known *domain.Error
		var detail *huma.ErrorDetail
		switch {
		case errors.As(err, &known):
			return err
		case errors.As(err, &detail):
			_, name, _ := strings.Cut(detail.Location, ".")
			faults = append(faults, domain.Fault{Pointer: "/" + name, Code: "invalid_type", Detail: detail.Message})
		case msg == "unexpected error occurred":
			return err
		}
	}
	return &domain.Error{Code: domain.CodeMalformed, Message: "the request can't be read: " + msg, Faults: faults}
}

func bodyTooLarge(limit int64) error {
	return domain.Errorf(domain.CodeTooLarge, "the body has more than %d bytes", limit)
}
