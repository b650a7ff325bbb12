package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// fetchWithin bounds a request to the provider.
	fetchWithin = 5 * time.Second
	// pauseAfter is the least time between two fetches, and pauseDown while there is nothing to work with.
	pauseAfter = 10 * time.Second
	pauseDown  = 2 * time.Second
	// renewAfter is when what was fetched is fetched again in the background, and usableFor how long it is used when that fails.
	renewAfter = 15 * time.Minute
	usableFor  = 24 * time.Hour

	maxDocument = 1 << 20 // bytes
	maxKeys     = 64
	minRSA      = 2048 // bits
	// maxTries limits the keys that are tried for a token that does not name one.
	maxTries = 4
)

// published is what the provider publishes: its endpoints and its keys.
type published struct {
	Issuer  string   `json:"issuer"`
	JWKS    string   `json:"jwks_uri"`
	Login   string   `json:"authorization_endpoint"`
	Token   string   `json:"token_endpoint"`
	Methods []string `json:"token_endpoint_auth_methods_supported"`

	keys    []jose.JSONWebKey
	fetched time.Time
}

// fitting returns the keys that may have signed a token with the header.
func (p *published) fitting(h jose.Header) []jose.JSONWebKey {
	var out []jose.JSONWebKey
	for _, k := range p.keys {
		named := h.KeyID == "" || k.KeyID == h.KeyID
		if named && (k.Algorithm == "" || k.Algorithm == h.Algorithm) && suits(k.Key, h.Algorithm) && len(out) < maxTries {
			out = append(out, k)
		}
	}
	return out
}

// suits reports whether a key is of the algorithm's type. Symmetric and private keys, which
// a provider should not publish, suit none.
func suits(key any, algorithm string) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA && (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS"))
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}

// source fetches what the provider publishes, at most once at a time and every few seconds.
type source struct {
	issuer string
	client *http.Client
	clock  domain.Clock
	outage background.Outage

	mu      sync.Mutex
	current *published
	tried   time.Time
	running chan struct{} // closed when the fetch is over; nil if none runs
	failed  error         // of the last fetch
	closed  bool
}

// get returns what is known, fetching it first if nothing is.
func (s *source) get(ctx context.Context) (*published, error) {
	s.mu.Lock()
	now, known := s.clock.Now(), s.current
	if known != nil && now.Sub(known.fetched) < usableFor {
		if now.Sub(known.fetched) > renewAfter {
			s.begin()
		}
		s.mu.Unlock()
		return known, nil
	}
	s.mu.Unlock()
	return s.newer(ctx, known)
}

// newer returns something fetched later than what is known, or the same when it was
// fetched a moment ago; unavailable if there is nothing.
func (s *source) newer(ctx context.Context, known *published) (*published, error) {
	s.mu.Lock()
	if s.current == known {
		running := s.begin()
		s.mu.Unlock()
		if running != nil {
			select {
			case <-running:
			case <-ctx.Done():
				return nil, domain.Unavailable("the identity provider", ctx.Err())
			}
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	if s.current == nil || s.clock.Now().Sub(s.current.fetched) >= usableFor {
		return nil, domain.Unavailable("the identity provider", s.failed)
	}
	return s.current, nil
}

func (s *source) start() {
	s.mu.Lock()
	s.begin()
	s.mu.Unlock()
}

// begin starts a fetch unless one runs or was begun a moment ago; mu is held. It returns the running fetch.
func (s *source) begin() <-chan struct{} {
	now, pause := s.clock.Now(), pauseAfter
	if s.current == nil {
		pause = pauseDown
	}
	if s.running != nil || s.closed || !s.tried.IsZero() && now.Sub(s.tried) < pause {
		return s.running
	}
	s.tried, s.running = now, make(chan struct{})
	go s.fetch(now)
	return s.running
}

func (s *source) fetch(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*fetchWithin)
	defer cancel()
	got, err := s.discover(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		got.fetched, s.current = now, got
	}
	s.outage.Note(err, zap.String("issuer", s.issuer))
	s.failed = err
	close(s.running)
	s.running = nil
}

func (s *source) close() {
	s.mu.Lock()
	s.closed = true
	running := s.running
	s.mu.Unlock()
	if running != nil {
		<-running
	}
}

// discover fetches the provider's configuration and its keys.
func (s *source) discover(ctx context.Context) (*published, error) {
	p := &published{}
	if err := s.read(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", p); err != nil {
		return nil, err
	}
	if p.Issuer != s.issuer {
		return nil, fmt.Errorf("the provider calls itself %q", p.Issuer)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.read(ctx, p.JWKS, &set); err != nil {
		return nil, err
	}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey // of an unknown type is not an error
		if json.Unmarshal(raw, &k) == nil && k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig") && len(p.keys) < maxKeys {
			p.keys = append(p.keys, k)
		}
	}
	if len(p.keys) == 0 {
		return nil, errors.New("the provider publishes no keys")
	}
	return p, nil
}

func (s *source) read(ctx context.Context, url string, into any) error {
	// The keys decide who is let in: unencrypted only where the issuer itself is, which the
	// configuration permits on this machine.
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(s.issuer, "http://") {
		return fmt.Errorf("%q is not an https:// address", url)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = fmt.Errorf("%s answers more than %d bytes", url, maxDocument)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}
