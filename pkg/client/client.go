package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client speaks to one server. Make it with New.
type Client struct {
	base      *url.URL
	key       string
	agent     string
	http      *http.Client
	retryFor  time.Duration
	pause     backoff
	websocket bool
	silence   time.Duration
}

// Option changes a Client that New makes.
type Option func(*Client)

// WithKey sends the key, or a token, as Authorization: Bearer.
func WithKey(key string) Option { return func(c *Client) { c.key = key } }

// WithHTTPClient makes the calls through h. Its Timeout would also end streams: bound
// single calls by their context instead.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithUserAgent names the caller to the server.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// WithRetryFor says how long after its start a call may begin another try; zero or
// less tries once. The default is 15 seconds. A context that ends earlier ends the call.
func WithRetryFor(d time.Duration) Option { return func(c *Client) { c.retryFor = d } }

// WithPauses sets the pause before the first repetition and the longest one. The
// defaults are 100 milliseconds and 5 seconds; half of every pause is random.
func WithPauses(first, longest time.Duration) Option {
	return func(c *Client) { c.pause = backoff{first, longest} }
}

// WithWebSocket makes Watch use a WebSocket; otherwise it reads server-sent events.
// The socket takes its TLS settings from the HTTP client and no proxy.
func WithWebSocket() Option { return func(c *Client) { c.websocket = true } }

// WithSilence says after how long without a frame or ping a stream counts as dead.
// The default is 75 seconds, three pings of a server that keeps its default.
func WithSilence(d time.Duration) Option { return func(c *Client) { c.silence = d } }

// New makes a client of the server at base, such as http://127.0.0.1:8080; without a
// scheme it means http. It connects to nothing yet.
func New(base string, opts ...Option) (*Client, error) {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil {
		return nil, fmt.Errorf("the server's address: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the server's address must look like http://host:port")
	}
	c := &Client{
		base: u, agent: "order-tracking-client", http: http.DefaultClient,
		retryFor: 15 * time.Second, pause: backoff{100 * time.Millisecond, 5 * time.Second},
		silence: 75 * time.Second,
	}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// CallOption changes a single call.
type CallOption func(*call)

// IfMatch makes a change only while the order has this version; otherwise it fails
// with version_conflict. Such a call is not repeated: after a broken connection its
// own success would look like a conflict.
func IfMatch(version int64) CallOption {
	return func(c *call) {
		c.header.Set("If-Match", fmt.Sprintf(`"v%d"`, version))
		c.repeatable = false
	}
}

// IdempotencyKey is the key of a POST, for callers who repeat calls over restarts of
// their own; otherwise each call makes one.
func IdempotencyKey(key string) CallOption {
	return func(c *call) { c.header.Set(headerKey, key) }
}

// RequestID is the X-Request-Id under which the server logs the call.
func RequestID(id string) CallOption {
	return func(c *call) { c.header.Set("X-Request-Id", id) }
}
