package carrier

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// TokenTimeout bounds a token fetch, including retries.
const TokenTimeout = 30 * time.Second

// TokenLeeway is how long before its expiry a token is renewed; a fifth of its lifetime if
// that is shorter.
const TokenLeeway = time.Minute

// Tokens caches an access token: concurrent callers share one fetch, and it is renewed in
// the background before it expires, so only the first callers wait.
type Tokens struct {
	// Fetch gets a new token and its lifetime.
	Fetch func(ctx context.Context) (token string, lifetime time.Duration, err error)

	fetches singleflight.Group
	mu      sync.Mutex
	token   string
	renew   time.Time
	expires time.Time
}

// Header returns the header with a valid token.
func (t *Tokens) Header(ctx context.Context) (http.Header, error) {
	token, err := t.Get(ctx)
	return Bearer(token), err
}

// Refused drops a rejected token unless it has been renewed since, and reports that a retry
// makes sense.
func (t *Tokens) Refused(signature http.Header) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if "Bearer "+t.token == signature.Get("Authorization") {
		t.token = ""
	}
	return true
}

// Get returns a valid token.
func (t *Tokens) Get(ctx context.Context) (string, error) {
	token, fresh, valid := t.look()
	if fresh {
		return token, nil
	}
	fetched := t.fetches.DoChan("", func() (any, error) {
		// The first caller may give up; the others still need the token.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), TokenTimeout)
		defer cancel()
		return t.fetch(ctx)
	})
	if valid {
		return token, nil
	}
	select {
	case r := <-fetched:
		token, _ = r.Val.(string)
		return token, r.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// look returns the token, whether it needs no renewal yet, and whether it is still valid.
func (t *Tokens) look() (token string, fresh, valid bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	return t.token, t.token != "" && now.Before(t.renew), t.token != "" && now.Before(t.expires)
}

func (t *Tokens) fetch(ctx context.Context) (string, error) {
	if token, fresh, _ := t.look(); fresh { // another fetch has just finished
		return token, nil
	}
	token, lifetime, err := t.Fetch(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.token, t.expires = token, now.Add(lifetime)
	t.renew = t.expires.Add(-min(TokenLeeway, lifetime/5))
	return token, nil
}

// Signed returns the client with its own tokens, which it fetches through itself.
func (c *Client) Signed(fetch func(context.Context) (string, time.Duration, error)) *Client {
	signed := *c
	signed.Auth = &Tokens{Fetch: fetch}
	return &signed
}

// ClientCredentials fetches tokens by the OAuth 2 client credentials grant (RFC 6749, 4.4),
// with the secret in the body, so it never appears in access logs. c has no Auth of its
// own.
func ClientCredentials(c *Client, path, id, secret string) func(context.Context) (string, time.Duration, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	return func(ctx context.Context) (string, time.Duration, error) {
		n, err := c.JSON(ctx, Call{Op: "token", Method: http.MethodPost, Path: path, Body: form, Safe: true})
		if err == nil && n.Text("access_token") == "" {
			err = &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassRetryable, Message: "it gave no access token"}
		}
		return n.Text("access_token"), time.Duration(n.Int("expires_in")) * time.Second, err
	}
}
