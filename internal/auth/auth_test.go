package auth

import (
	"strings"
	"testing"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestWithoutAKeyOnlyLocalCallsComeIn(t *testing.T) {
	g := New("")
	local := Request{Host: "127.0.0.1:8080", RemoteLoopback: true}
	for name, tc := range map[string]struct {
		change func(*Request)
		want   domain.Code
	}{
		"local":             {func(*Request) {}, ""},
		"localhost":         {func(r *Request) { r.Host = "LOCALHOST" }, ""},
		"IPv6":              {func(r *Request) { r.Host = "[::1]:8080" }, ""},
		"local page":        {func(r *Request) { r.Origin = "http://localhost:3000" }, ""},
		"rebound name":      {func(r *Request) { r.Host = "evil.example:8080" }, domain.CodeForbidden},
		"prefix of a name":  {func(r *Request) { r.Host = "localhost.evil.example" }, domain.CodeForbidden},
		"no host":           {func(r *Request) { r.Host = "" }, domain.CodeForbidden},
		"foreign page":      {func(r *Request) { r.Origin = "https://evil.example" }, domain.CodeForbidden},
		"sandboxed page":    {func(r *Request) { r.Origin = "null" }, domain.CodeForbidden},
		"from the network":  {func(r *Request) { r.RemoteLoopback = false }, domain.CodeForbidden},
		"a key is not read": {func(r *Request) { r.Bearer = "anything" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := local
			tc.change(&r)
			actor, err := g.Authorize(r)
			if domain.CodeOf(err) != tc.want {
				t.Fatalf("got %v, want code %q", err, tc.want)
			}
			if err == nil && actor.Kind != domain.RoleAdmin {
				t.Fatalf("got %v", actor)
			}
		})
	}
}

func TestWithAKeyEverybodyShowsIt(t *testing.T) {
	key := strings.Repeat("k", 32)
	g := New(key)
	for bearer, want := range map[string]domain.Code{
		key: "", "": domain.CodeUnauthenticated, key[1:]: domain.CodeUnauthenticated, key + "k": domain.CodeUnauthenticated,
	} {
		_, err := g.Authorize(Request{Bearer: bearer, Host: "127.0.0.1", RemoteLoopback: true})
		if domain.CodeOf(err) != want {
			t.Errorf("bearer %q: got %v, want %q", bearer, err, want)
		}
	}
	if _, err := g.Authorize(Request{Bearer: key, Host: "shop.example", Origin: "https://shop.example"}); err != nil {
		t.Errorf("the key opens from anywhere: %v", err)
	}
}
