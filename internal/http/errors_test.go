package httpdoor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range domain.Codes() {
		require.Contains(t, statusOf, code)
		require.NotEmpty(t, statusOf[code].title)
	}
	require.Len(t, statusOf, len(domain.Codes()), "a code that the domain does not have")
}

func TestDescribe(t *testing.T) {
	secret := errors.New("password=hunter2")
	t.Run("a cause is not shown", func(t *testing.T) {
		p := describe(domain.Unavailable("the database", secret))
		require.Equal(t, 503, p.Status)
		require.Equal(t, "the database is unavailable", p.Detail)
		require.Equal(t, time.Second, p.retryAfter)
	})
	t.Run("an unknown error is internal and says nothing", func(t *testing.T) {
		p := describe(secret)
		require.Equal(t, 500, p.Status)
		require.Equal(t, domain.CodeInternal, p.Code)
		require.NotContains(t, p.Detail, "hunter2")
	})
	t.Run("time that ran out is unavailable", func(t *testing.T) {
		require.Equal(t, domain.CodeUnavailable, describe(context.DeadlineExceeded).Code)
	})
	t.Run("a code that is not in the table is internal", func(t *testing.T) {
		require.Equal(t, 500, describe(domain.Errorf("brand_new", "x")).Status)
	})
}

func TestParseIdempotencyKey(t *testing.T) {
	for _, tt := range []struct {
		header, key string
		ok          bool
	}{
		{`abc`, `abc`, true}, {`"abc"`, `abc`, true}, {` "a b" `, `a b`, true}, {`"a\"b\\c"`, `a"b\c`, true},
		{`0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80`, `0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80`, true}, {`a b`, `a b`, true},
		{``, ``, false}, {`""`, ``, false}, {`"abc`, ``, false}, {`abc"`, ``, false}, {`"a"b"`, ``, false},
		{`"a\x"`, ``, false}, {`"a\`, ``, false}, {"a\x01b", ``, false}, {`ключ`, ``, false},
	} {
		key, ok := parseIdempotencyKey(tt.header)
		require.Equal(t, tt.ok, ok, tt.header)
		if ok {
			require.Equal(t, tt.key, key, tt.header)
		}
	}
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{`abc`, `"a\"b"`, `"`, `"\`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, ok := parseIdempotencyKey(s)
		if ok && (key == "" || len(key) > len(s)) {
			t.Fatalf("%q became %q", s, key)
		}
	})
}

func TestParseETags(t *testing.T) {
	for _, tt := range []struct {
		header   string
		weak     bool
		versions []int64
		any, ok  bool
	}{
		{`"v3"`, false, []int64{3}, false, true}, {` "v3" `, false, []int64{3}, false, true},
		{`"v1", "v22"`, false, []int64{1, 22}, false, true}, {`"v1","v2"`, false, []int64{1, 2}, false, true},
		{`*`, false, nil, true, true}, {`W/"v3"`, true, []int64{3}, false, true},
		{`W/"v3"`, false, []int64{noVersion}, false, true}, {`"abc"`, false, []int64{noVersion}, false, true},
		{`"v0"`, false, []int64{noVersion}, false, true}, {`"v+1"`, false, []int64{noVersion}, false, true},
		{`"v01"`, false, []int64{noVersion}, false, true}, {`"v99999999999999999999"`, false, []int64{noVersion}, false, true},
		{`""`, false, []int64{noVersion}, false, true}, {`"v"`, false, []int64{noVersion}, false, true},
		{`v3`, false, nil, false, false}, {`3`, false, nil, false, false}, {`"v3`, false, nil, false, false},
		{`"v3",`, false, nil, false, false}, {`"v3" "v4"`, false, nil, false, false}, {`"v 3"`, false, nil, false, false},
		{`w/"v3"`, false, nil, false, false}, {`*, "v3"`, false, nil, false, false}, {`,`, false, nil, false, false},
	} {
		versions, anyOf, ok := parseETags(tt.header, tt.weak)
		require.Equal(t, tt.ok, ok, tt.header)
		require.Equal(t, tt.any, anyOf, tt.header)
		require.Equal(t, tt.versions, versions, tt.header)
	}
}

func TestETagsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Min(1).Draw(t, "version")
		got, _, ok := parseETags(etag(v), false)
		require.True(t, ok)
		require.Equal(t, []int64{v}, got)
		require.True(t, unchanged(etag(v), v))
		require.False(t, unchanged(etag(v), v-1))
	})
}

func FuzzETags(f *testing.F) {
	for _, s := range []string{`"v3"`, `W/"v3", *`, `"`, `,`, `"v1" , "v2"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		versions, anyOf, ok := parseETags(s, true)
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
		require.Equal(t, want, traceID(header), header)
	}
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := requestID(nil)
		require.Len(t, id, 24)
		require.False(t, seen[id])
		seen[id] = true
	}
}
