package httpdoor

import (
	"context"
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
)

// problem is the answer to what went wrong (RFC 9457).
type problem struct {
	Type      string         `json:"type" format:"uri" doc:"names the kind of problem; urn:order-tracking:problem: and the code"`
	Title     string         `json:"title" doc:"the kind of problem in words"`
	Status    int            `json:"status" doc:"the HTTP status"`
	Detail    string         `json:"detail" doc:"what happened this time"`
	Instance  string         `json:"instance,omitempty" doc:"the path that was asked for"`
	Code      domain.Code    `json:"code" doc:"the kind of problem for machines"`
	RequestID string         `json:"request_id,omitempty" doc:"the X-Request-Id of this answer; it is in the log"`
	Errors    []domain.Fault `json:"errors,omitempty" doc:"everything that is wrong with the request"`
	// Allowed is [] at the end of an order's life and absent where it means nothing.
	Allowed []domain.Status `json:"allowed_transitions,omitzero" nullable:"false" doc:"where a step was refused: the steps that were possible"`

	retryAfter time.Duration
}

// Error returns the sentence for people.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType says what a problem is sent as.
func (p *problem) ContentType(string) string { return problemType }

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
	typePrefix  = "urn:order-tracking:problem:"
)

// statusOf is what each code is in HTTP: the one table of this door.
var statusOf = map[domain.Code]struct {
	status int
	title  string
}{
	domain.CodeMalformed:            {http.StatusBadRequest, "The request can't be read"},
	domain.CodeUnauthenticated:      {http.StatusUnauthorized, "Credentials are required"},
	domain.CodeForbidden:            {http.StatusForbidden, "This is not allowed"},
	domain.CodeNotFound:             {http.StatusNotFound, "There is nothing here"},
	domain.CodeMethodNotAllowed:     {http.StatusMethodNotAllowed, "This method is not possible here"},
	domain.CodeOrderNotFound:        {http.StatusNotFound, "There is no such order"},
	domain.CodeCourierNotFound:      {http.StatusNotFound, "There is no such courier"},
	domain.CodePositionNotFound:     {http.StatusNotFound, "No position is known yet"},
	domain.CodeCarrierNotFound:      {http.StatusNotFound, "There is no such delivery company"},
	domain.CodeShipmentNotFound:     {http.StatusNotFound, "The order has no shipment"},
	domain.CodeShipmentExists:       {http.StatusConflict, "The order has a shipment already"},
	domain.CodeIllegalTransition:    {http.StatusConflict, "The order can't take this step"},
	domain.CodeCancelAfterPickup:    {http.StatusConflict, "The order was handed over already"},
	domain.CodeOrderFinished:        {http.StatusConflict, "The order is finished"},
	domain.CodeNoCourierAvailable:   {http.StatusConflict, "No courier is available"},
	domain.CodeCourierBusy:          {http.StatusConflict, "The courier has no free capacity"},
	domain.CodeDuplicateExternalID:  {http.StatusConflict, "The external id is taken"},
	domain.CodeIdempotencyRunning:   {http.StatusConflict, "The first request with this key is still running"},
	domain.CodeVersionConflict:      {http.StatusPreconditionFailed, "The order has moved on"},
	domain.CodeTooLarge:             {http.StatusRequestEntityTooLarge, "The request is too large"},
	domain.CodeUnsupportedMediaType: {http.StatusUnsupportedMediaType, "The content type is not supported"},
	domain.CodeValidationFailed:     {http.StatusUnprocessableEntity, "The request is not valid"},
	domain.CodeIdempotencyReused:    {http.StatusUnprocessableEntity, "The key was used for another request"},
	domain.CodeImpossibleTime:       {http.StatusUnprocessableEntity, "The time is impossible"},
	domain.CodeAmbiguousReference:   {http.StatusUnprocessableEntity, "The reference names several orders"},
	domain.CodeRateLimited:          {http.StatusTooManyRequests, "Too many requests"},
	domain.CodeUnavailable:          {http.StatusServiceUnavailable, "The service is not available right now"},
	domain.CodeInternal:             {http.StatusInternalServerError, "Something went wrong here"},
}

// describe turns any error into a problem. What is not meant for the caller, the
// cause, stays out of it.
func describe(err error) *problem {
	var e *domain.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = domain.Unavailable("the answer", err)
	default:
		e = domain.Errorf(domain.CodeInternal, "an unexpected error; the log tells more under this request_id")
	}
	as, known := statusOf[e.Code]
	if !known {
		as = statusOf[domain.CodeInternal]
	}
	p := &problem{
		Type: typePrefix + string(e.Code), Title: as.title, Status: as.status, Detail: e.Message, Code: e.Code,
		Errors: e.Faults, Allowed: e.Allowed, retryAfter: e.RetryAfter,
	}
	if p.retryAfter <= 0 && (e.Code == domain.CodeUnavailable || e.Code == domain.CodeRateLimited) {
		p.retryAfter = time.Second
	}
	return p
}

// problemFor describes err as the answer to this request and sets the headers that
// belong to it. Causes are handed to the access log.
func problemFor(c *gin.Context, err error) *problem {
	p := describe(err)
	p.Instance, p.RequestID = c.Request.URL.Path, requestIDOf(c)
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

// fail answers a request with a problem.
func fail(c *gin.Context, err error) {
	p := problemFor(c, err)
	b, err := json.Marshal(p)
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	c.Abort()
	c.Data(p.Status, problemType, b)
}

// init makes huma answer with our problems. Its hook is a variable of its package,
// so this is the one place for it; every server shares it.
func init() {
	huma.DefaultArrayNullable = false // we send and take [], not null
	huma.NewError = func(status int, msg string, _ ...error) huma.StatusError {
		return &problem{Status: status, Detail: msg}
	}
	huma.NewErrorWithContext = func(hc huma.Context, _ int, msg string, errs ...error) huma.StatusError {
		return problemFor(humagin.Unwrap(hc), humaError(msg, errs))
	}
}

// humaError makes a domain error of what a handler returned, which huma passes
// through, and of what huma itself refuses: parameters of a wrong type and bodies
// that it can't read.
func humaError(msg string, errs []error) error {
	var faults []domain.Fault
	for _, err := range errs {
		var tooLarge *http.MaxBytesError
		var detail *huma.ErrorDetail
		switch {
		case errors.As(err, &tooLarge):
			return bodyTooLarge(tooLarge.Limit)
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
