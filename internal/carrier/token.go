package carrier

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// TokenTimeout bounds a fetch of a token, its retries included.
const TokenTimeout = 30 * time.Second

// TokenLeeway is how long before its end a token is renewed, or a fifth of its life
// when that is less.
const TokenLeeway = time.Minute

// Tokens keeps an access token: one fetch at a time however many ask, renewed in the
// background before it ends, so that nobody waits but at the start.
type Tokens struct {
	// Fetch gets a new token and how long it lives.
	Fetch func(ctx context.Context) (token string, lifetime time.Duration, err error)

	fetches singleflight.Group
	mu      sync.Mutex
	token   string
	renew   time.Time
	expires time.Time
}

// Get returns a token that is valid now.
func (t *Tokens) Get(ctx context.Context) (string, error) {
	t.mu.Lock()
	token, renew, expires := t.token, t.renew, t.expires
	t.mu.Unlock()
	now := time.Now()
	if token != "" && now.Before(renew) {
		return token, nil
	}
	fetched := t.fetches.DoChan("", func() (any, error) {
		// Whoever asked first may give up; the others still want it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), TokenTimeout)
		defer cancel()
		return t.fetch(ctx)
	})
	if token != "" && now.Before(expires) {
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

func (t *Tokens) fetch(ctx context.Context) (string, error) {
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

// Drop forgets a token that was refused, unless it has been renewed since.
func (t *Tokens) Drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}
