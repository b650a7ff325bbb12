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
	"slices"
	"strconv"
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
	if len(m) == 0 || m[1] == "ff" || strings.Trim(m[2], "0") == "" || strings.Trim(m[3], "0") == "" {
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

// NoVersion stands for an entity tag that matches no stored version, such as "v0".
const NoVersion = -1

// ETag returns the entity tag of a version.
func ETag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// ExpectedVersion returns the version that an If-Match header requires: 0 for any. Of
// several tags it picks the current version's if present.
func ExpectedVersion(ifMatch string, current func() (int64, error)) (int64, error) {
	if ifMatch == "" {
		return 0, nil
	}
	versions, anyOf, ok := parseETags(ifMatch)
	switch {
	case !ok:
		return 0, domain.Errorf(domain.CodeMalformed, `If-Match must be an ETag such as "v3", a list of them, or *`)
	case anyOf:
		return 0, nil
	case len(versions) == 1:
		return versions[0], nil
	}
	version, err := current()
	if err != nil || slices.Contains(versions, version) {
		return version, err
	}
	return NoVersion, nil
}

// Unchanged reports whether an If-None-Match header contains a version's ETag. An unreadable header matches nothing.
func Unchanged(ifNoneMatch, etag string) bool {
	if ifNoneMatch == "" {
		return false
	}
	versions, anyOf, ok := parseETags(ifNoneMatch)
	now, _, _ := parseETags(etag)
	return ok && (anyOf || len(now) == 1 && now[0] != NoVersion && slices.Contains(versions, now[0]))
}

// parseETags reads a list of entity tags or *. A foreign tag becomes NoVersion. Weak tags
// count as strong: proxies that compress answers turn "v7" into W/"v7".
func parseETags(s string) (versions []int64, anyOf, ok bool) {
	if strings.Trim(s, " \t") == "*" {
		return nil, true, true
	}
	for rest := s; ; {
		tag := strings.TrimPrefix(strings.TrimLeft(rest, " \t"), "W/")
		if !strings.HasPrefix(tag, `"`) {
			return nil, false, false
		}
		value, after, closed := strings.Cut(tag[1:], `"`)
		if !closed || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, false, false
		}
		versions = append(versions, versionOf(value))
		after = strings.TrimLeft(after, " \t")
		if after == "" {
			return versions, false, true
		}
		if rest, ok = strings.CutPrefix(after, ","); !ok {
			return nil, false, false
		}
	}
}

func versionOf(tag string) int64 {
	digits, ours := strings.CutPrefix(tag, "v")
	v, err := strconv.ParseInt(digits, 10, 64)
	if !ours || err != nil || v < 1 || digits[0] == '+' || digits[0] == '0' {
		return NoVersion
	}
	return v
}
