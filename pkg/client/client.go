package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls one server. Create it with New.
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

// Option configures a Client.
type Option func(*Client)

// WithKey sends the key, or a token, as Authorization: Bearer.
func WithKey(key string) Option { return func(c *Client) { c.key = key } }

// WithHTTPClient makes calls through h. Its Timeout would also end streams: limit
// single calls by their context instead.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithUserAgent sets the User-Agent.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// WithRetryFor sets how long after its start a call may be retried; zero or less means
// one attempt. The default is 15 seconds. The call ends earlier if its context does.
func WithRetryFor(d time.Duration) Option { return func(c *Client) { c.retryFor = d } }

// WithPauses sets the pause before the first retry and the longest one. The
// defaults are 100 milliseconds and 5 seconds; half of every pause is random.
func WithPauses(first, longest time.Duration) Option {
	return func(c *Client) { c.pause = backoff{first, longest} }
}

// WithWebSocket makes Watch use a WebSocket; otherwise it reads server-sent events.
// The socket uses the HTTP client's TLS settings and no proxy.
func WithWebSocket() Option { return func(c *Client) { c.websocket = true } }

// WithSilence sets how long a stream may be silent, without a frame or ping, before it counts as dead.
// The default is 75 seconds, three default ping intervals.
func WithSilence(d time.Duration) Option { return func(c *Client) { c.silence = d } }

// New creates a client of the server at base, such as http://127.0.0.1:8080; the default
// scheme is http. It makes no connection yet.
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

// CallOption configures a single call.
type CallOption func(*call)

// IfMatch makes a change conditional on the order's version; otherwise it fails with
// version_conflict.
func IfMatch(version int64) CallOption {
	return func(c *call) { c.header.Set("If-Match", fmt.Sprintf(`"v%d"`, version)) }
}

// IdempotencyKey sets a change's key, for callers who retry across their own restarts;
// by default each call generates one.
func IdempotencyKey(key string) CallOption {
	return func(c *call) { c.header.Set(headerKey, key) }
}

// RequestID sets the X-Request-Id under which the server logs the call.
func RequestID(id string) CallOption {
	return func(c *call) { c.header.Set("X-Request-Id", id) }
}
