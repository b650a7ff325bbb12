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
	// Fault reads an answer and returns what is wrong, nil when it is fine. Carrier,
	// RequestID, RetryAfter and, for 4xx answers, Unsent are filled in by the client.
	Fault func(status int, body []byte) *domain.CarrierError
}

// Call is one request.
type Call struct {
	Op     string // its name in metrics
	Method string
	Path   string // below the base; ids escaped
	Query  url.Values
	Body   any // sent as JSON; url.Values as a form
	Bearer string
	// Safe says that sending it twice does no harm.
	Safe bool
}

// Do sends the call, again where that is safe, and returns the body of the answer.
func (c *Client) Do(ctx context.Context, call Call) ([]byte, error) {
	body, contentType, err := encode(call.Body)
	if err != nil {
		return nil, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the request can't be encoded", Cause: err}
	}
	target := c.Base + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	reply, err := c.Guard.Do(ctx, call.Op, call.Safe, func(attempt context.Context) (Reply, error) {
		req, err := http.NewRequestWithContext(attempt, call.Method, target, bytes.NewReader(body))
		if err != nil {
			return Reply{}, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the address is not valid", Unsent: true}
		}
		req.Header.Set("Accept", "application/json, application/pdf")
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		if call.Bearer != "" {
			req.Header.Set("Authorization", "Bearer "+call.Bearer)
		}
		return c.send(ctx, req)
	})
	return reply.Body, err
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
func (c *Client) send(caller context.Context, req *http.Request) (Reply, error) {
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return Reply{}, c.broken(caller, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	if err != nil {
		return Reply{}, c.broken(caller, err)
	}
	r := Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if len(body) > MaxReply {
		return r, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the answer is too long"}
	}
	fault := c.Fault(r.Status, body)
	if fault == nil {
		return r, nil
	}
	fault.Carrier = c.Carrier
	fault.RequestID = cmp.Or(fault.RequestID, resp.Header.Get("X-Request-Id"))
	fault.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	fault.Unsent = fault.Unsent || r.Status >= 400 && r.Status < 500
	if r.Status >= 500 && fault.Cause == nil {
		fault.Cause = errDown
	}
	return r, fault
}

// broken is a request that got no answer. One that never left can be sent again.
func (c *Client) broken(caller context.Context, err error) error {
	e := &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassRetryable, Message: "it can't be reached", Cause: errors.Join(errDown, bare(err))}
	var op *net.OpError
	e.Unsent = errors.As(err, &op) && op.Op == "dial"
	if caller.Err() != nil {
		e.Message, e.Cause = "the call was given up", caller.Err() // which says nothing about the company
	}
	return e
}

// bare takes the address, whose query may hold more than a log should, off an error.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads the header in either of its forms.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil && seconds > 0 && seconds < 1<<31 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
