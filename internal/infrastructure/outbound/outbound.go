// Package outbound sends HTTP requests to addresses that users name: webhook targets, push endpoints and the like. Such a
// request must not reach what only this machine or its network can reach (server-side request forgery).
//
// The decision is made on the IP address that is about to be dialled, after the name was resolved, so a name that resolves
// to something else the second time does not help. Permitted are the addresses of the public internet: all of IANA's
// special-purpose networks are refused (private, loopback, link-local, shared, multicast, documentation, and IPv6 forms that
// embed an IPv4 address: mapped, NAT64, 6to4, Teredo), except for networks that the administrator allows. Redirects are not
// followed, and no proxy is used, as a proxy would resolve the name again.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/net/idna"
)

var (
	// ErrMalformed is the error of a text that is not an address of a server.
	ErrMalformed = errors.New("must be an address such as https://shop.example/hook")
	// ErrRefused is the error of an address in a network that requests may not be sent to.
	// It is in the chain of the client's errors, too.
	ErrRefused = errors.New("is in a private or reserved network, which is not allowed")
	// ErrUnresolved is the error of a name that can't be resolved now.
	ErrUnresolved = errors.New("has a host whose address can't be found")
)

// wireServer is Azure's metadata and agent endpoint, which is not in a special network.
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

// Guard decides which addresses may be called. It is safe for concurrent use.
type Guard struct {
	guardian *ssrf.Guardian
	resolver *net.Resolver
}

// NewGuard returns a guard that permits public addresses and those in the given networks.
func NewGuard(allow ...netip.Prefix) *Guard {
	var v4, v6 []netip.Prefix
	for _, p := range allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return &Guard{resolver: net.DefaultResolver, guardian: ssrf.New(
		ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...), ssrf.WithDeniedV4Prefixes(wireServer),
	)}
}

// Check reports what is wrong with an http or https address that a user names, as an error that wraps ErrMalformed,
// ErrRefused or ErrUnresolved and completes a sentence about the address ("url is in a private ..."). It resolves the name:
// a host with one refused address is refused.
func (g *Guard) Check(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return ErrMalformed
	}
	host, err := canonical(u.Hostname())
	if port, bad := strconv.ParseUint(u.Port(), 10, 16); err != nil || u.Port() != "" && (bad != nil || port == 0) {
		return ErrMalformed
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return g.permits(ip.Unmap())
	}
	ips, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return ErrUnresolved
	}
	for _, ip := range ips {
		if err := g.permits(ip.Unmap()); err != nil {
			return err
		}
	}
	return nil
}

// toASCII maps as net/http does; names of local networks may have underscores.
var toASCII = idna.New(idna.MapForLookup(), idna.StrictDomainName(false))

// canonical returns the host as a request would use it: an IP address, or a name in ASCII. A name that ends in a number is
// an IP address to some resolvers and a name to others (2130706433, 0x7f.1, 127.1), so only the usual form is accepted.
func canonical(host string) (string, error) {
	if _, err := netip.ParseAddr(host); err == nil && !strings.Contains(host, "%") { // no zones
		return host, nil
	}
	name, err := toASCII.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return "", ErrMalformed
	}
	if _, err := netip.ParseAddr(name); err == nil && !strings.HasSuffix(host, ".") {
		return name, nil
	}
	last := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	if digits, hex := strings.CutPrefix(last, "0x"); strings.Trim(digits, "0123456789") == "" || hex && strings.Trim(digits, "0123456789abcdef") == "" {
		return "", ErrMalformed
	}
	return name, nil
}

func (g *Guard) permits(ip netip.Addr) error {
	if g.guardian.SafeAddr(ip) != nil {
		return ErrRefused
	}
	return nil
}

// Dialer returns a dialer that connects to permitted addresses only.
func (g *Guard) Dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: g.resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			if err := g.guardian.Safe(network, address, nil); err != nil {
				return fmt.Errorf("%w: %s", ErrRefused, address)
			}
			return nil
		},
	}
}

// Limits bounds a request.
type Limits struct {
	Timeout time.Duration // of all of it, the answer's body included; 0 is 15 s
	Answer  int64         // bytes of the answer's body, decompressed; 0 is 64 KiB
	PerHost int           // idle connections kept to each host; 0 is 4
}

// Client returns a client that connects to permitted addresses only. It returns a
// redirect as the answer instead of following it. Close it with CloseIdleConnections.
func (g *Guard) Client(l Limits) *http.Client {
	if l.Timeout <= 0 {
		l.Timeout = 15 * time.Second
	}
	if l.Answer <= 0 {
		l.Answer = 64 << 10
	}
	if l.PerHost <= 0 {
		l.PerHost = 4
	}
	return &http.Client{
		Timeout:       l.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &bounded{limit: l.Answer, Transport: &http.Transport{
			DialContext:            g.Dialer().DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  l.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    l.PerHost,
			IdleConnTimeout:        30 * time.Second,
		}},
	}
}

// bounded limits the bodies of answers: what reads on gets an http.MaxBytesError.
type bounded struct {
	*http.Transport
	limit int64
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, b.limit)
	return answer, nil
}
