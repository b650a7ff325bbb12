package httpdoor

import (
	"context"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/usecase"
)

// Types that inputs embed are exported because huma looks at exported fields only.

// Idempotent is the header of every operation that makes something.
type Idempotent struct {
	Key string `header:"Idempotency-Key" doc:"Makes retries safe: the same key with the same request gets the first answer again, for 24 hours. Bare or in double quotes." example:"\"order-1042-try\""`
}

// enter puts the request's key into the context.
func (h Idempotent) enter(ctx context.Context) (context.Context, *usecase.Idempotent, error) {
	i := &usecase.Idempotent{}
	if h.Key == "" {
		return ctx, i, nil
	}
	key, ok := parseIdempotencyKey(h.Key)
	if !ok {
		return ctx, i, domain.Errorf(domain.CodeMalformed, "Idempotency-Key must be a quoted string or a bare word")
	}
	i.Key = key
	return usecase.WithIdempotency(ctx, i), i, nil
}

// parseIdempotencyKey reads a structured field string ("abc", RFC 9651) or a bare
// key: visible ASCII and spaces inside. An empty key is not one.
func parseIdempotencyKey(s string) (string, bool) {
	s = strings.Trim(s, " \t")
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

// replayed is the value of Idempotent-Replayed: absent unless true.
func replayed(i *usecase.Idempotent) string {
	if i.Replayed {
		return "true"
	}
	return ""
}

// IfMatch is the header of every change of an order.
type IfMatch struct {
	Tags string `header:"If-Match" doc:"Change the order only if it still has this ETag; otherwise 412." example:"\"v3\""`
}

// expected returns the version that the caller insists on: 0 for any. Of several
// the order's own is taken, which current tells.
func (h IfMatch) expected(current func() (int64, error)) (int64, error) {
	if h.Tags == "" {
		return 0, nil
	}
	versions, anyOf, ok := parseETags(h.Tags, false)
	switch {
	case !ok:
		return 0, domain.Errorf(domain.CodeMalformed, `If-Match must be an ETag such as "v3", a list of them, or *`)
	case anyOf:
		return 0, nil
	case len(versions) == 1:
		return versions[0], nil
	}
	version, err := current()
	if err != nil {
		return 0, err
	}
	for _, v := range versions {
		if v == version {
			return v, nil
		}
	}
	return noVersion, nil
}

// noVersion stands for an ETag that no order has.
const noVersion = -1

// parseETags reads a list of entity tags or *. What is none of ours is noVersion, so
// is a weak one unless weak ones count, as they do in If-None-Match.
func parseETags(s string, weak bool) (versions []int64, anyOf, ok bool) {
	if strings.Trim(s, " \t") == "*" {
		return nil, true, true
	}
	for rest := s; ; {
		rest = strings.TrimLeft(rest, " \t")
		tag, isWeak := strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(tag, `"`) {
			return nil, false, false
		}
		value, after, closed := strings.Cut(tag[1:], `"`)
		if !closed || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, false, false
		}
		v := versionOf(value)
		if isWeak && !weak {
			v = noVersion
		}
		versions = append(versions, v)
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
		return noVersion
	}
	return v
}

// etag is the entity tag of an order's version.
func etag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// unchanged says whether If-None-Match names the version. A header that can't be
// read names nothing.
func unchanged(ifNoneMatch string, version int64) bool {
	if ifNoneMatch == "" {
		return false
	}
	versions, anyOf, ok := parseETags(ifNoneMatch, true)
	if !ok || anyOf {
		return ok
	}
	for _, v := range versions {
		if v == version {
			return true
		}
	}
	return false
}
