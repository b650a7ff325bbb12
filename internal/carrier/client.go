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

// MaxReply is the longest answer that is read, in bytes: a directory of offices of
// one city is a few megabytes.
const MaxReply = 32 << 20

// Client calls a company that speaks JSON over HTTP.
type Client struct {
	Carrier string
	Base    string // the URL before every path, without a slash at its end
	HTTP    *http.Client
	Guard   *Guard
	Auth    Auth // signs calls; nil for none
	// Fault reads what an answer of 400 and above says was wrong. Carrier, RequestID,
	// RetryAfter and, for 4xx answers, Unsent are filled in by the client, and a Class
	// that the adapter leaves empty follows from the status.
	Fault func(body Node) *domain.CarrierError

	unknown *Memo[bool]
}

// NewClient returns a client; Auth is the caller's to set.
func NewClient(carrier, base string, h *http.Client, g *Guard, fault func(Node) *domain.CarrierError) *Client {
	return &Client{Carrier: carrier, Base: base, HTTP: cmp.Or(h, http.DefaultClient), Guard: g, Fault: fault, unknown: &Memo[bool]{}}
}

// Call is one request.
type Call struct {
	Op     string // its name in metrics
	Method string
	Path   string // below the base; ids escaped
	Query  url.Values
	Body   any // sent as JSON; url.Values as a form
	// Safe says that sending it twice does no harm.
	Safe bool
}

// Get is a call that only reads.
func Get(op, path string, query url.Values) Call {
	return Call{Op: op, Method: http.MethodGet, Path: path, Query: query, Safe: true}
}

// Post is a call that may have an effect.
func Post(op, path string, body any) Call {
	return Call{Op: op, Method: http.MethodPost, Path: path, Body: body}
}

// JSON makes a call and reads its answer.
func (c *Client) JSON(ctx context.Context, call Call) (Node, error) {
	body, err := c.Do(ctx, call)
	if err != nil {
		return Node{}, err
	}
	n, err := Parse(body)
	if err != nil { // the page of a proxy, or nothing at all
		return n, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassRetryable, Message: "its answer can't be read", Cause: err}
	}
	return n, nil
}

// Do makes a call, again where that is safe, and returns the body of the answer. A
// refused credential is renewed once: such an answer proves that the call did nothing.
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

// Fail makes a failure that the adapter itself found.
func (c *Client) Fail(class domain.ErrorClass, message string) error {
	return &domain.CarrierError{Carrier: c.Carrier, Class: class, Message: message, Unsent: class == domain.ClassValidation, Refused: class == domain.ClassValidation}
}

// CountUnknown tells the hooks of codes that are in none of the adapter's tables, once per event.
func (c *Client) CountUnknown(events ...domain.CarrierEvent) {
	for _, ev := range events {
		if hook := c.Guard.hooks.Unknown; ev.Unknown && c.unknown.Put(ev.ID, true) && hook != nil {
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
	return c.Guard.Do(ctx, call.Op, call.Safe, func(attempt context.Context) ([]byte, error) {
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

// send makes one attempt. caller is the context without the attempt's own time limit.
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
	told, _ := Parse(body) // not JSON: the status must do
	fault := c.Fault(told)
	fault.Carrier, fault.Class = c.Carrier, cmp.Or(fault.Class, classOf(status))
	if fault.Code == "" && status == http.StatusConflict { // a gateway's, which knows nothing of conflicts
		fault.Class = domain.ClassRetryable
	}
	fault.Message = cmp.Or(fault.Message, http.StatusText(status))
	fault.RequestID = resp.Header.Get("X-Request-Id")
	fault.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	// An answer of 4xx says that nothing was done; only in the company's own words it says
	// that nothing will be.
	fault.Unsent = fault.Unsent || status < 500 && status != http.StatusRequestTimeout && status != http.StatusConflict
	fault.Refused = fault.Unsent && fault.Code != "" && fault.Class == domain.ClassValidation
	if status >= 500 && fault.Cause == nil {
		fault.Cause = errDown
	}
	return nil, fault
}

// classOf is what a status says when the answer does not say more.
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

// broken is a request that got no answer. One that never left can be sent again.
func (c *Client) broken(caller context.Context, err error) error {
	var address *url.Error
	if errors.As(err, &address) { // whose query may hold more than a log should
		err = address.Err
	}
	e := &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassRetryable, Message: "it can't be reached", Cause: errors.Join(errDown, err)}
	var op *net.OpError
	e.Unsent = errors.As(err, &op) && op.Op == "dial"
	if caller.Err() != nil {
		e.Message, e.Cause = "the call was given up", caller.Err() // which says nothing about the company
	}
	return e
}

// maxRetryAfter is how long a company is left alone at most, however long it asks for.
const maxRetryAfter = time.Hour

// retryAfter reads the header in either of its forms.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second //nolint:gosec // at most an hour
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
