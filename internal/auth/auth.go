// Package auth turns what a caller shows into the domain.Actor that the use cases
// see. It knows no protocol: each door fills in a Request.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/url"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Request is what a door knows of a caller.
type Request struct {
	Bearer         string // the token of the Authorization header, without "Bearer "
	Host           string // the Host or :authority that the caller asked for
	Origin         string // of a browser's call
	RemoteLoopback bool   // whether the caller's address is on this machine
}

// Guard decides who may come in.
type Guard struct {
	protected bool
	adminKey  [sha256.Size]byte
}

// New makes a guard. With an admin key everybody has to show it. Without one, local
// calls come in as admin: from this machine, asking for a loopback name, and not
// sent by a foreign web page through somebody's browser.
func New(adminKey string) *Guard {
	return &Guard{protected: adminKey != "", adminKey: sha256.Sum256([]byte(adminKey))}
}

// Protected says whether callers have to show a key.
func (g *Guard) Protected() bool { return g.protected }

// Authorize returns who the caller is, or unauthenticated or forbidden.
func (g *Guard) Authorize(r Request) (domain.Actor, error) {
	if g.protected {
		sum := sha256.Sum256([]byte(r.Bearer))
		if subtle.ConstantTimeCompare(sum[:], g.adminKey[:]) != 1 {
			return domain.Actor{}, domain.Errorf(domain.CodeUnauthenticated, "a valid key is required: Authorization: Bearer <key>")
		}
		return domain.Actor{Kind: domain.RoleAdmin, ID: "bootstrap"}, nil
	}
	switch {
	case !r.RemoteLoopback || !LoopbackHost(r.Host):
		return domain.Actor{}, domain.Errorf(domain.CodeForbidden,
			"without an admin key only local calls to a loopback name are let in; set BOOTSTRAP_ADMIN_KEY")
	case r.Origin != "" && !loopbackOrigin(r.Origin):
		return domain.Actor{}, domain.Errorf(domain.CodeForbidden, "calls from other web sites are refused")
	}
	return domain.Actor{Kind: domain.RoleAdmin, ID: "local"}, nil
}

// LoopbackHost says whether a host, with or without a port, is a name of this
// machine that no DNS server can point elsewhere.
func LoopbackHost(host string) bool {
	if port, ok := strings.CutPrefix(host, "127.0.0.1:"); ok && len(port) <= 5 && strings.Trim(port, "0123456789") == "" {
		return true // the usual one, on every request
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && LoopbackHost(u.Host)
}
