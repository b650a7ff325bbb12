package transport

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	text, err := os.ReadFile("../domain/errors.go")
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?m)^\tCode\w+ +Code = "(\w+)"$`).FindAllSubmatch(text, -1)
	for _, d := range declared {
		code := domain.Code(d[1])
		require.Contains(t, statuses, code)
		require.NotEmpty(t, statuses[code].Title)
		require.GreaterOrEqual(t, statuses[code].HTTP, 400)
		require.NotEqual(t, codes.OK, statuses[code].GRPC, code)
	}
	require.Len(t, statuses, len(declared), "a code that the domain does not have")
	require.Equal(t, 500, StatusOf("brand_new").HTTP)
}

// The table as printed in the contract.
func TestStatusesOfTheContract(t *testing.T) {
	for _, row := range []struct {
		names string
		http  int
		grpc  codes.Code
	}{
		{"malformed", 400, codes.InvalidArgument},
		{"unauthenticated", 401, codes.Unauthenticated},
		{"forbidden", 403, codes.PermissionDenied},
		{"order_not_found courier_not_found position_not_found", 404, codes.NotFound},
		{"illegal_transition cancel_after_pickup order_finished no_courier_available courier_busy", 409, codes.FailedPrecondition},
		{"method_not_allowed", 405, codes.Unimplemented},
		{"request_timeout", 408, codes.DeadlineExceeded},
		{"upgrade_required", 426, codes.Unimplemented},
		{"headers_too_large", 431, codes.ResourceExhausted},
		{"duplicate_external_id", 409, codes.AlreadyExists},
		{"idempotency_in_progress", 409, codes.Aborted},
		{"version_conflict", 412, codes.Aborted},
		{"too_large", 413, codes.ResourceExhausted},
		{"unsupported_media_type", 415, codes.InvalidArgument},
		{"validation_failed idempotency_key_reused", 422, codes.InvalidArgument},
		{"rate_limited", 429, codes.ResourceExhausted},
		{"unavailable", 503, codes.Unavailable},
	} {
		for name := range strings.FieldsSeq(row.names) {
			s := StatusOf(domain.Code(name))
			require.Equal(t, row.http, s.HTTP, name)
			require.Equal(t, row.grpc, s.GRPC, name)
		}
	}
}

// The table of docs/api.md lists every code with its statuses.
func TestStatusesOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	documented := map[domain.Code]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z_`, ]+`) \\| (\\d{3}) \\| (\\w+) \\|").FindAllStringSubmatch(string(guide), -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			code := domain.Code(strings.Trim(name, "`"))
			documented[code] = true
			require.Contains(t, statuses, code)
			require.Equal(t, row[2], strconv.Itoa(statuses[code].HTTP), code)
			require.Equal(t, row[3], statuses[code].GRPC.String(), code)
		}
	}
	for code := range statuses {
		require.True(t, documented[code], "docs/api.md does not have %s", code)
	}
}

// Every end of a subscription has its own code on both transports.
func TestEndsOfStreams(t *testing.T) {
	for err, want := range map[error]End{
		push.ErrFinished: {Close: 1000}, push.ErrGoingAway: {Close: 1001, Code: domain.CodeUnavailable, Reason: "unavailable"},
		push.ErrFull:    {Close: 1001, Code: domain.CodeUnavailable, Reason: "unavailable"},
		push.ErrTooSlow: {Close: 4003, Code: domain.CodeRateLimited, Reason: "too_slow"},
		push.ErrRevoked: {Close: 4002, Code: domain.CodeUnauthenticated, Reason: "unauthenticated"},
	} {
		end, ok := EndOf(err)
		require.True(t, ok)
		require.NotEmpty(t, end.Text)
		end.Text = ""
		require.Equal(t, want, end, err)
	}
	end, ok := EndOf(push.ErrClosed)
	require.False(t, ok)
	require.Equal(t, uint16(1001), end.Close)
}

func TestExpectedVersion(t *testing.T) {
	for header, want := range map[string]int64{
		"": 0, "*": 0, `"v3"`: 3, `W/"v3"`: 3, `"v1", W/"v7"`: 7, `"v1", "v2"`: NoVersion, `"else"`: NoVersion,
	} {
		got, err := ExpectedVersion(header, func() (int64, error) { return 7, nil })
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
	_, err := ExpectedVersion("v3", nil)
	require.Equal(t, domain.CodeMalformed, domain.CodeOf(err))
}

func TestLoopback(t *testing.T) {
	for remote, want := range map[string]bool{
		"127.0.0.1:1": true, "127.1.2.3:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"10.0.0.1:80": false, "": false, "@": false, "127.0.0.1": false,
	} {
		require.Equal(t, want, Loopback(remote), remote)
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{"Bearer abc": "abc", "bearer  abc ": "abc", "Basic abc": "", "Bearer": "", "": ""} {
		require.Equal(t, want, Bearer(header), header)
	}
}

func TestParseIdempotencyKey(t *testing.T) {
	for _, tt := range []struct {
		header, key string
		ok          bool
	}{
		{`abc`, `abc`, true}, {`"abc"`, `abc`, true}, {` "a b" `, `a b`, true}, {`"a\"b\\c"`, `a"b\c`, true},
		{`0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80`, `0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80`, true}, {`a b`, `a b`, true},
		{``, ``, true}, {strings.Repeat(`a`, 256), ``, false}, {` `, ``, false}, {`""`, ``, false}, {`"abc`, ``, false}, {`abc"`, ``, false}, {`"a"b"`, ``, false},
		{`"a\x"`, ``, false}, {`"a\`, ``, false}, {"a\x01b", ``, false}, {`ключ`, ``, false},
	} {
		key, err := IdempotencyKey(tt.header)
		require.Equal(t, tt.ok, err == nil, tt.header)
		require.Equal(t, tt.key, key, tt.header)
	}
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{`abc`, `"a\"b"`, `"`, `"\`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := IdempotencyKey(s)
		if err == nil && s != "" && (key == "" || len(key) > len(s)) {
			t.Fatalf("%q became %q", s, key)
		}
	})
}

func TestParseETags(t *testing.T) {
	for _, tt := range []struct {
		header   string
		versions []int64
		any, ok  bool
	}{
		{`"v3"`, []int64{3}, false, true}, {` "v3" `, []int64{3}, false, true},
		{`"v1", "v22"`, []int64{1, 22}, false, true}, {`"v1","v2"`, []int64{1, 2}, false, true},
		{`*`, nil, true, true}, {`W/"v3"`, []int64{3}, false, true},
		{`W/"abc"`, []int64{NoVersion}, false, true}, {`"abc"`, []int64{NoVersion}, false, true},
		{`"v0"`, []int64{NoVersion}, false, true}, {`"v+1"`, []int64{NoVersion}, false, true},
		{`"v01"`, []int64{NoVersion}, false, true}, {`"v99999999999999999999"`, []int64{NoVersion}, false, true},
		{`""`, []int64{NoVersion}, false, true}, {`"v"`, []int64{NoVersion}, false, true},
		{`v3`, nil, false, false}, {`3`, nil, false, false}, {`"v3`, nil, false, false},
		{`"v3",`, nil, false, false}, {`"v3" "v4"`, nil, false, false}, {`"v 3"`, nil, false, false},
		{`w/"v3"`, nil, false, false}, {`*, "v3"`, nil, false, false}, {`,`, nil, false, false},
	} {
		versions, anyOf, ok := parseETags(tt.header)
		require.Equal(t, tt.ok, ok, tt.header)
		require.Equal(t, tt.any, anyOf, tt.header)
		require.Equal(t, tt.versions, versions, tt.header)
	}
}

func TestETagsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Min(1).Draw(t, "version")
		got, _, ok := parseETags(ETag(v))
		require.True(t, ok)
		require.Equal(t, []int64{v}, got)
		require.True(t, Unchanged(ETag(v), ETag(v)))
		require.False(t, Unchanged(ETag(v), ETag(v-1)))
	})
}

func FuzzETags(f *testing.F) {
	for _, s := range []string{`"v3"`, `W/"v3", *`, `"`, `,`, `"v1" , "v2"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		versions, anyOf, ok := parseETags(s)
		if ok != (anyOf || len(versions) > 0) {
			t.Fatalf("%q: %v %v %v", s, versions, anyOf, ok)
		}
	})
}

func TestTraceID(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for header, want := range map[string]string{
		"00-" + id + "-00f067aa0ba902b7-01":                       id,
		"00-" + id + "-00f067aa0ba902b7-01-future":                id,
		"ff-" + id + "-00f067aa0ba902b7-01":                       "",
		"00-" + id + "-0000000000000000-01":                       "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": "",
		"00-" + id[1:] + "-00f067aa0ba902b7-01":                   "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01": "",
		"": "", "garbage": "",
	} {
		require.Equal(t, want, TraceID(header), header)
	}
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := RequestID("not sane")
		require.Len(t, id, 24)
		require.False(t, seen[id])
		seen[id] = true
	}
}
