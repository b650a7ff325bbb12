package transport

import (
	"slices"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
