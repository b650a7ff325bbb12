package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
)

const headerKey = "Idempotency-Key"

// maxReply limits a response in bytes; the server's longest is a page of orders.
const maxReply = 64 << 20

// call is one request with all its retries.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

func newCall(method, path string, in any, opts []CallOption) (*call, error) {
	k := &call{method: method, path: path, header: http.Header{}}
	k.header.Set("Accept", "application/json, application/problem+json")
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		k.body = b
		k.header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		k.header.Set(headerKey, uuid.NewString())
	}
	for _, o := range opts {
		o(k)
	}
	return k, nil
}

// do makes a call of the API and decodes the response.
func do[T any](ctx context.Context, c *Client, method, path string, in any, opts ...CallOption) (T, error) {
	var out T
	k, err := newCall(method, path, in, opts)
	if err != nil {
		return out, err
	}
	reply, err := c.run(ctx, k)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(reply, &out); err != nil {
		return out, fmt.Errorf("%s %s: the reply is not what was expected: %w", method, path, err)
	}
	return out, nil
}

// run retries the call until a response is final.
func (c *Client) run(ctx context.Context, k *call) ([]byte, error) {
	start := time.Now()
	for try := 0; ; try++ {
		reply, err := c.once(ctx, k)
		if err == nil || ctx.Err() != nil || !again(err) {
			return reply, err
		}
		wait := max(c.pause.wait(try), retryAfter(err))
		if time.Since(start)+wait > c.retryFor || !sleep(ctx, wait) {
			return nil, err
		}
	}
}

// again reports whether to retry. A change that may have been executed is safe to send
// again: its key gets the first response.
func again(err error) bool {
	var p *Problem
	if !errors.As(err, &p) {
		return true
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return p.Code == CodeIdempotencyInProgress
}

func (c *Client) once(ctx context.Context, k *call) ([]byte, error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s: reading the reply: %w", k.method, k.path, err)
	case len(reply) > maxReply:
		return nil, &Problem{Status: resp.StatusCode, Title: "Reply too large", Detail: "the reply is larger than this client takes"}
	case resp.StatusCode >= 300:
		return nil, problemOf(resp, reply)
	}
	return reply, nil
}

func (c *Client) request(ctx context.Context, k *call) (*http.Request, error) {
	u := c.url(k.path, k.query)
	req, err := http.NewRequestWithContext(ctx, k.method, u, nil)
	if err != nil {
		return nil, err
	}
	if k.body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(k.body)), int64(len(k.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(k.body)), nil }
	}
	req.Header = k.header.Clone()
	c.introduce(req.Header)
	return req, nil
}

func (c *Client) introduce(h http.Header) {
	h.Set("User-Agent", c.agent)
	if c.key != "" {
		h.Set("Authorization", "Bearer "+c.key)
	}
}

// url joins a path whose segments are already escaped.
func (c *Client) url(path string, query url.Values) string {
	u := c.base.String() + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	return u
}

// backoff doubles pauses from first to longest; half of each is random, so that clients
// disconnected together don't reconnect together.
type backoff struct{ first, longest time.Duration }

func (b backoff) wait(try int) time.Duration {
	d := b.longest
	if try < 30 {
		d = min(b.longest, b.first<<try)
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // it spreads load and hides nothing
}

// sleep waits; false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func retryAfter(err error) time.Duration {
	var p *Problem
	if errors.As(err, &p) {
		return p.RetryAfter
	}
	return 0
}

// parseRetryAfter reads both forms of the header: seconds and a date.
func parseRetryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 1e6 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
