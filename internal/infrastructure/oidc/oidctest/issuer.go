// Package oidctest is an OpenID Connect provider for tests: a real HTTP server that signs
// tokens, publishes its keys, and can have a bad day.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Claims are those of a token.
type Claims map[string]any

// What the provider knows about the product.
const (
	ClientID     = "order-tracking"
	ClientSecret = "a secret of the client"
	Audience     = "https://track.example"
)

// Issuer is a running provider.
type Issuer struct {
	*httptest.Server
	// Now is the time that tokens are issued at.
	Now func() time.Time
	// Fetches counts requests for the keys.
	Fetches atomic.Int32

	mu     sync.Mutex
	keys   map[string]crypto.Signer // by kid
	kid    string                   // of the key in use
	broken http.HandlerFunc         // answers everything instead
	user   Claims
	codes  map[string]url.Values // the requests behind the codes
}

// New starts a provider with an RSA key named "first".
func New(t testing.TB, now func() time.Time) *Issuer {
	s := &Issuer{Now: now, keys: map[string]crypto.Signer{}, codes: map[string]url.Values{}}
	s.Add(t, "first", RSA(t))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.configuration)
	mux.HandleFunc("GET /keys", s.publish)
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		broken := s.broken
		s.mu.Unlock()
		if broken != nil {
			broken(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// RSA makes a key.
func RSA(t testing.TB) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// EC makes a key.
func EC(t testing.TB) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Add publishes a key and signs with it from now on.
func (s *Issuer) Add(_ testing.TB, kid string, key crypto.Signer) {
	s.mu.Lock()
	s.keys[kid], s.kid = key, kid
	s.mu.Unlock()
}

// Retire stops publishing a key.
func (s *Issuer) Retire(kid string) {
	s.mu.Lock()
	delete(s.keys, kid)
	s.mu.Unlock()
}

// Break lets a handler answer everything; nil ends it.
func (s *Issuer) Break(h http.HandlerFunc) {
	s.mu.Lock()
	s.broken = h
	s.mu.Unlock()
}

// SignIn sets the claims of who signs in at the provider's page.
func (s *Issuer) SignIn(user Claims) {
	s.mu.Lock()
	s.user = user
	s.mu.Unlock()
}

// Claims returns valid claims for the API, with changes; a nil removes one.
func (s *Issuer) Claims(changes Claims) Claims {
	now := s.Now()
	c := Claims{
		"iss": s.URL, "aud": Audience, "sub": "user-1", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token signs valid claims with changes.
func (s *Issuer) Token(t testing.TB, changes Claims) string {
	s.mu.Lock()
	kid, key := s.kid, s.keys[s.kid]
	s.mu.Unlock()
	return Sign(t, key, s.Claims(changes), map[string]any{"kid": kid})
}

// Sign signs claims with a key, as RS256 or ES256, and adds header members.
func Sign(t testing.TB, key crypto.Signer, claims Claims, header map[string]any) string {
	algorithm := jose.RS256
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		algorithm = jose.ES256
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, v := range header {
		options.WithHeader(jose.HeaderKey(name), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any(claims)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *Issuer) configuration(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": s.URL, "jwks_uri": s.URL + "/keys", "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
	})
}

func (s *Issuer) publish(w http.ResponseWriter, _ *http.Request) {
	s.Fetches.Add(1)
	s.mu.Lock()
	// A symmetric key and one of an unknown type must not disturb.
	keys := []any{map[string]string{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}, map[string]string{"kty": "new", "kid": "n"}}
	for kid, key := range s.keys {
		keys = append(keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"keys": keys})
}

// authorize is the provider's page: whoever comes is signed in and sent back with a code.
func (s *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q, code := r.URL.Query(), rand.Text()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "a bad request", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.codes[code] = q
	s.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {s.URL}, "session_state": {"x"}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // a test sends the browser back to itself
}

func (s *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	secret, err := url.QueryUnescape(secret)
	s.mu.Lock()
	asked, known := s.codes[r.PostFormValue("code")]
	delete(s.codes, r.PostFormValue("code"))
	user, kid, key := s.user, s.kid, s.keys[s.kid]
	s.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case err != nil || id != ClientID || secret != ClientSecret:
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	case !known || asked.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
		asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]):
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := s.Claims(Claims{"aud": ClientID, "nonce": asked.Get("nonce")})
	maps.Copy(claims, user)
	access := s.Claims(Claims{"sub": claims["sub"], "realm_access": user["access_roles"]})
	delete(claims, "access_roles")
	sign := func(c Claims) string { return Sign(noTest{}, key, c, map[string]any{"kid": kid}) }
	answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": sign(access), "id_token": sign(claims), "expires_in": 300})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// noTest is used where no test can fail: in the server.
type noTest struct{ testing.TB }

func (noTest) Fatal(args ...any) { panic(args) }
