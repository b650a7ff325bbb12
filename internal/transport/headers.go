// Package transport is shared by the HTTP and gRPC servers: it maps error codes to each protocol, parses the headers that
// both use and decides how live streams end. It serves nothing itself.
package transport

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// RequestID returns the caller's X-Request-Id when it is safe to log and echo, else a new id.
func RequestID(given string) string {
	if sane(given) {
		return given
	}
	var raw [12]byte
	binary.BigEndian.PutUint64(raw[:], rand.Uint64())  //nolint:gosec // unique, not secret
	binary.BigEndian.PutUint32(raw[8:], rand.Uint32()) //nolint:gosec // unique, not secret
	var text [24]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

func sane(id string) bool {
	for i := range len(id) {
		b := id[i]
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && strings.IndexByte("-_.:/+=@~", b) < 0 {
			return false
		}
	}
	return id != "" && len(id) <= domain.MaxKey
}

// TraceID returns the trace id of a traceparent header (W3C Trace Context), or "".
func TraceID(traceparent string) string {
	m := trace.FindStringSubmatch(traceparent)
	if m == nil || m[1] == "ff" || strings.Trim(m[2], "0") == "" || strings.Trim(m[3], "0") == "" {
		return ""
	}
	return m[2]
}

var trace = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-|$)`)

// Bearer returns the token of an Authorization header, or "".
func Bearer(authorization string) string {
	if scheme, token, ok := strings.Cut(authorization, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// Credential returns the credential of an Authorization header: its bearer token, or for
// another scheme a value that never authenticates. An absent header is "".
func Credential(authorization string) string {
	if token := Bearer(authorization); token != "" || authorization == "" {
		return token
	}
	return "no bearer token" // keys have no spaces
}

// Loopback reports whether a caller's address (host:port) is on this machine.
func Loopback(remote string) bool {
	if strings.HasPrefix(remote, "127.0.0.1:") { // the usual address needs no parsing
		return true
	}
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// AddressOnly returns a caller's address without its port.
func AddressOnly(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// IdempotencyKey reads the Idempotency-Key header: a structured field string ("abc",
// RFC 9651) or a bare key of visible ASCII with inner spaces. An absent header is "".
func IdempotencyKey(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	key, ok := parseKey(strings.Trim(header, " \t"))
	switch {
	case !ok:
		return "", domain.Errorf(domain.CodeMalformed, "Idempotency-Key must be a quoted string or a bare word")
	case len(key) > domain.MaxIdempotency:
		return "", domain.Invalid("/idempotency_key", "too_long", "must be at most %d characters", domain.MaxIdempotency)
	}
	return key, nil
}

func parseKey(s string) (string, bool) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return "", false
		}
	}
	if !strings.HasPrefix(s, `"`) {
		return s, s != "" && !strings.Contains(s, `"`)
	}
	var key strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return key.String(), i == len(s)-1 && key.Len() > 0
		case '\\':
			if i++; i == len(s) || (s[i] != '"' && s[i] != '\\') {
				return "", false
			}
		}
		key.WriteByte(s[i])
	}
	return "", false
}

// burst is how long a repeated log message is suppressed.
const burst = time.Minute

// Bursts returns a logger for a cause that fails many requests at once, such as a dependency
// that is down: it writes each message at most once a minute.
func Bursts(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, burst, 1, 0)
	}))
}
