package carrier

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// MaxReply is the maximum size of an answer, in bytes: the offices of one city are a few
// megabytes.
const MaxReply = 32 << 20

// Client calls a company's JSON API over HTTP.
type Client struct {
	Carrier   string
	Base      string // base URL, without a trailing slash
	HTTP      *http.Client
	Resilient *Resilient
	Auth      Auth // authenticates calls; nil for none
	// Fault decodes the error from an answer with status 400 or above. The client fills in
	// Carrier, RequestID, RetryAfter and, for 4xx answers, Unsent; a Class left empty is
	// derived from the status.
	Fault func(body Node) *domain.CarrierError

	unknown *Memo[bool]
}

// NewClient returns a client; the caller may set Auth.
func NewClient(carrier, base string, h *http.Client, r *Resilient, fault func(Node) *domain.CarrierError) *Client {
	return &Client{Carrier: carrier, Base: base, HTTP: cmp.Or(h, http.DefaultClient), Resilient: r, Fault: fault, unknown: &Memo[bool]{}}
}

// Call is one request.
type Call struct {
	Op     string // its name in metrics
	Method string
	Path   string // below the base; ids escaped
	Query  url.Values
	Body   any // sent as JSON; url.Values as a form
	// Safe means that the call can be repeated without harm.
	Safe bool
}

// Get is a read-only call.
func Get(op, path string, query url.Values) Call {
	return Call{Op: op, Method: http.MethodGet, Path: path, Query: query, Safe: true}
}

// Post is a call that may have side effects.
func Post(op, path string, body any) Call {
	return Call{Op: op, Method: http.MethodPost, Path: path, Body: body}
}

// JSON makes a call and parses its answer.
func (c *Client) JSON(ctx context.Context, call Call) (Node, error) {
	body, err := c.Do(ctx, call)
	if err != nil {
		return Node{}, err
	}
	n, err := Parse(body)
	if err != nil { // a proxy's page, or an empty answer
		return n, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassRetryable, Message: "its answer can't be read", Cause: err}
	}
	return n, nil
}

// Do makes a call, retries it where that is safe, and returns the answer's body. Rejected
// credentials are renewed once: such an answer proves that the call had no effect.
func (c *Client) Do(ctx context.Context, call Call) ([]byte, error) {
	if c.Auth == nil {
		return c.do(ctx, call, nil)
	}
	for renewed := false; ; renewed = true {
		signature, err := c.Auth.Header(ctx)
		if err != nil {
			if e, ok := errors.AsType[*domain.CarrierError](err); ok {
				unsent := *e
				unsent.Unsent = true // the call itself
				err = &unsent
			}
			return nil, err
		}
		body, err := c.do(ctx, call, signature)
		if domain.ClassOf(err) != domain.ClassAuth || renewed || !c.Auth.Refused(signature) {
			return body, err
		}
	}
}

// Fail returns an error that the adapter itself detected.
func (c *Client) Fail(class domain.ErrorClass, message string) error {
	return &domain.CarrierError{Carrier: c.Carrier, Class: class, Message: message, Unsent: class == domain.ClassValidation, Refused: class == domain.ClassValidation}
}

// CountUnknown reports codes missing from the adapter's tables to the hooks, once per
// event.
func (c *Client) CountUnknown(events ...domain.CarrierEvent) {
	for _, ev := range events {
		if hook := c.Resilient.hooks.Unknown; ev.Unknown && c.unknown.Put(ev.ID, true) && hook != nil {
			hook(c.Carrier, ev.Code)
		}
	}
}

func (c *Client) do(ctx context.Context, call Call, signature http.Header) ([]byte, error) {
	body, contentType, err := encode(call.Body)
	if err != nil {
		return nil, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the request can't be encoded", Cause: err}
	}
	target := c.Base + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	return c.Resilient.Do(ctx, call.Op, call.Safe, func(attempt context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(attempt, call.Method, target, bytes.NewReader(body))
		if err != nil {
			return nil, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the address is not valid", Unsent: true}
		}
		req.Header.Set("Accept", "application/json, application/pdf")
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		for name, values := range signature {
			req.Header[name] = values
		}
		return c.send(ctx, req)
	})
}

func encode(body any) (data []byte, contentType string, err error) {
	switch v := body.(type) {
	case nil:
		return nil, "", nil
	case url.Values:
		return []byte(v.Encode()), "application/x-www-form-urlencoded", nil
	}
	data, err = json.Marshal(body)
	return data, "application/json", err
}

// send makes one attempt. caller is the context without the attempt's timeout.
func (c *Client) send(caller context.Context, req *http.Request) ([]byte, error) {
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, c.broken(caller, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	if err != nil {
		return nil, c.broken(caller, err)
	}
	if len(body) > MaxReply {
		return nil, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the answer is too long"}
	}
	status := resp.StatusCode
	if status < 400 {
		return body, nil
	}
	told, _ := Parse(body) // if it is not JSON, the status decides
	fault := c.Fault(told)
	fault.Carrier, fault.Class = c.Carrier, cmp.Or(fault.Class, classOf(status))
	if fault.Code == "" && status == http.StatusConflict { // from a gateway, not a real conflict
		fault.Class = domain.ClassRetryable
	}
	fault.Message = cmp.Or(fault.Message, http.StatusText(status))
	fault.RequestID = resp.Header.Get("X-Request-Id")
	fault.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	// A 4xx answer means that nothing was done; only one in the company's own format means
	// that nothing will be.
	fault.Unsent = fault.Unsent || status < 500 && status != http.StatusRequestTimeout && status != http.StatusConflict
	fault.Refused = fault.Unsent && fault.Code != "" && fault.Class == domain.ClassValidation
	if status >= 500 && fault.Cause == nil {
		fault.Cause = errDown
	}
	return nil, fault
}

// classOf derives the class from a status when the answer says no more.
func classOf(status int) domain.ErrorClass {
	switch status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return domain.ClassRetryable
	case http.StatusUnauthorized:
		return domain.ClassAuth
	case http.StatusForbidden:
		return domain.ClassPermanent
	case http.StatusNotFound, http.StatusGone:
		return domain.ClassNotFound
	case http.StatusConflict:
		return domain.ClassConflict
	}
	if status >= 500 {
		return domain.ClassRetryable
	}
	return domain.ClassValidation
}

// broken returns the error for a request without an answer. One that was never sent can be
// repeated.
func (c *Client) broken(caller context.Context, err error) error {
	var address *url.Error
	if errors.As(err, &address) { // its query may contain data that must not be logged
		err = address.Err
	}
	e := &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassRetryable, Message: "it can't be reached", Cause: errors.Join(errDown, err)}
	var op *net.OpError
	e.Unsent = errors.As(err, &op) && op.Op == "dial"
	if caller.Err() != nil {
		e.Message, e.Cause = "the call was given up", caller.Err() // not the company's failure
	}
	return e
}

// maxRetryAfter caps the delay that a company may ask for.
const maxRetryAfter = time.Hour

// retryAfter parses the header in either of its forms.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second //nolint:gosec // at most an hour
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
