package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
)

func frame(kind string, version int64) string {
	data := map[string]string{
		"snapshot": fmt.Sprintf(`{"id":"o1","version":%d,"courier_id":"c1","courier":{"id":"c1"}}`, version),
		"status":   fmt.Sprintf(`{"seq":%d,"version":%d,"type":"order.status_changed"}`, version, version),
		"position": `{"courier_id":"c1","lat":1,"lon":2}`,
		"eta":      `{"order_id":"o1","minutes_remaining":3}`,
		"end":      `{}`, "ping": `{}`, "error": `{"status":403,"code":"forbidden"}`,
		"notification": `{"notification_id":"n","channel":"live","text":"hi"}`,
	}[kind]
	v := ""
	if kind == "snapshot" || kind == "status" {
		v = fmt.Sprintf(`"version":%d,`, version)
	}
	return fmt.Sprintf(`{"type":%q,"order_id":"o1",%s"at":"2026-01-02T03:04:05Z","data":%s}`, kind, v, data)
}

// visit is one connection of a stream: what is said, then how it ends (a close code,
// or 0 for a cut, or an HTTP status when nothing is said).
type visit struct {
	frames []string
	end    int
}

// liveServer serves the visits one after the other over WebSocket and SSE.
type liveServer struct {
	gws.BuiltinEventHandler
	mu     sync.Mutex
	visits []visit
	since  []string
	auth   []string
}

func (d *liveServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	n := min(len(d.since), len(d.visits)-1)
	v := d.visits[n]
	d.since = append(d.since, r.URL.Query().Get("since"))
	d.auth = append(d.auth, r.Header.Get("Authorization"))
	d.mu.Unlock()
	switch {
	case v.frames == nil && v.end >= 100 && v.end < 600:
		w.WriteHeader(v.end)
		_, _ = fmt.Fprintf(w, `{"code":"code_%d"}`, v.end)
	case strings.HasSuffix(r.URL.Path, "/ws"):
		d.socket(w, r, v)
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		for _, f := range v.frames {
			_, _ = fmt.Fprintf(w, ": ping\n\nid: 7\ndata: %s\n\n", f)
		}
		w.(http.Flusher).Flush()
		if v.end == 0 {
			panic(http.ErrAbortHandler)
		}
	}
}

func (d *liveServer) socket(w http.ResponseWriter, r *http.Request, v visit) {
	conn, err := gws.NewUpgrader(d, nil).Upgrade(w, r)
	if err != nil {
		return
	}
	_ = conn.WritePing(nil)
	for _, f := range v.frames {
		_ = conn.WriteString(f)
	}
	if v.end == 0 {
		_ = conn.NetConn().Close()
		return
	}
	_ = conn.WriteClose(uint16(v.end), []byte("why"))
}

func (d *liveServer) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.since
}

func open(t *testing.T, d *liveServer, opts ...Option) *Client {
	t.Helper()
	srv := httptest.NewServer(d)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); srv.CloseClientConnections(); srv.Close() })
	opts = append([]Option{
		WithHTTPClient(&http.Client{Transport: transport}), WithPauses(time.Microsecond, time.Millisecond), WithKey("secret"),
	}, opts...)
	c, err := New(srv.URL, opts...)
	require.NoError(t, err)
	return c
}

// watch collects what a Watch yields as type:version.
func watch(ctx context.Context, c *Client, since int64) (got []string, err error) {
	for f, e := range c.Watch(ctx, "o1", since) {
		if e != nil {
			return got, e
		}
		got = append(got, fmt.Sprintf("%s:%d", f.Type, f.Version))
	}
	return got, nil
}

var transports = map[string][]Option{"events": nil, "socket": {WithWebSocket()}}

func TestWatchResumesAfterEveryCut(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			d := &liveServer{visits: []visit{
				{frames: []string{frame("snapshot", 1)}, end: 0},
				{end: 503},
				{frames: []string{frame("snapshot", 4), frame("ping", 0), frame("status", 2), frame("status", 3)}, end: 1001},
				{frames: []string{}, end: 4003},
				{frames: []string{
					frame("snapshot", 5), frame("status", 3), frame("status", 4), frame("position", 0), frame("status", 5), frame("end", 0),
				}, end: 1000},
			}}
			got, err := watch(t.Context(), open(t, d, opts...), FromNow)
			require.NoError(t, err)
			require.Equal(t, []string{
				"snapshot:1", "snapshot:4", "status:2", "status:3", "snapshot:5", "status:4", "position:0", "status:5", "end:0",
			}, got)
			require.Equal(t, []string{"", "1", "1", "3", "3"}, d.asked())
			require.Equal(t, "Bearer secret", d.auth[0])
		})
	}
}

func TestWatchSince(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			d := &liveServer{visits: []visit{
				{frames: []string{frame("snapshot", 9), frame("status", 1)}},
				{frames: []string{frame("snapshot", 9), frame("status", 2), frame("end", 0)}, end: 1000},
			}}
			_, err := watch(t.Context(), open(t, d, opts...), 0)
			require.NoError(t, err)
			require.Equal(t, []string{"0", "1"}, d.asked(), "a snapshot is not a change that was seen")
		})
	}
}

func TestWatchStopsWhenComingBackIsOfNoUse(t *testing.T) {
	first := []string{frame("snapshot", 1)}
	for _, tc := range []struct {
		visit visit
		code  string // of the problem; "-" is a good end
		only  string // the transport that has this end
	}{
		{visit{end: 401}, "code_401", ""},
		{visit{end: 404}, "code_404", ""},
		{visit{frames: []string{frame("snapshot", 1), frame("error", 0)}, end: 1000}, CodeForbidden, ""},
		{visit{frames: first, end: 4001}, CodeUnauthenticated, "socket"},
		{visit{frames: first, end: 4002}, CodeForbidden, "socket"},
		{visit{frames: first, end: 4400}, CodeMalformed, "socket"},
		{visit{frames: first, end: 1000}, "-", "socket"},
	} {
		for name, opts := range transports {
			if tc.only != "" && tc.only != name {
				continue
			}
			t.Run(fmt.Sprintf("%s %d %s", name, tc.visit.end, tc.code), func(t *testing.T) {
				d := &liveServer{visits: []visit{tc.visit}}
				_, err := watch(t.Context(), open(t, d, opts...), FromNow)
				if tc.code == "-" {
					require.NoError(t, err)
				} else {
					require.Equal(t, tc.code, CodeOf(err))
				}
				require.Len(t, d.asked(), 1)
			})
		}
	}
}

func TestWatchRefusesWhatIsNoFrame(t *testing.T) {
	for name, opts := range transports {
		for _, bad := range []string{`{`, `{"type":"snapshot","data":{}}`, `{"type":"status","data":[]}`} {
			d := &liveServer{visits: []visit{{frames: []string{bad}, end: 1001}}}
			_, err := watch(t.Context(), open(t, d, opts...), FromNow)
			require.ErrorContains(t, err, "not a frame", name+bad)
			require.Len(t, d.asked(), 1)
		}
	}
}

func TestWatchGivesUpOnAServerThatIsGone(t *testing.T) {
	for name, opts := range transports {
		d := &liveServer{visits: []visit{{end: 503}}}
		_, err := watch(t.Context(), open(t, d, append(opts, WithRetryFor(20*time.Millisecond))...), FromNow)
		require.Equal(t, "code_503", CodeOf(err), name)
		require.Greater(t, len(d.asked()), 1)
	}
}

func TestWatchEndsWithItsReaderOrContext(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			d := &liveServer{visits: []visit{{frames: []string{frame("snapshot", 1), frame("status", 2)}, end: 1001}}}
			c := open(t, d, opts...)
			for range c.Watch(t.Context(), "o1", FromNow) {
				break
			}
			require.Len(t, d.asked(), 1)
			ctx, cancel := context.WithCancel(t.Context())
			for f, err := range c.Watch(ctx, "o1", FromNow) {
				if err != nil {
					require.ErrorIs(t, err, context.Canceled)
					break
				}
				require.NotEmpty(t, f.Type)
				cancel()
			}
			cancel()
		})
	}
}

// A stream on which nothing comes, not even a ping, is dead and is taken up again.
func TestWatchLeavesASilentStream(t *testing.T) {
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			visits := 0
			d := &liveServer{visits: []visit{{frames: []string{frame("snapshot", 1), frame("end", 0)}, end: 1000}}}
			release := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				visits++
				n := visits
				mu.Unlock()
				if n > 1 {
					d.ServeHTTP(w, r)
					return
				}
				if strings.HasSuffix(r.URL.Path, "/ws") {
					if conn, err := gws.NewUpgrader(d, nil).Upgrade(w, r); err == nil {
						<-release
						_ = conn.NetConn().Close()
					}
					return
				}
				w.(http.Flusher).Flush()
				<-release
			}))
			transport := &http.Transport{}
			defer func() { close(release); transport.CloseIdleConnections(); srv.CloseClientConnections(); srv.Close() }()
			c, err := New(srv.URL, append(opts, WithSilence(50*time.Millisecond), WithHTTPClient(&http.Client{Transport: transport}))...)
			require.NoError(t, err)
			got, err := watch(t.Context(), c, FromNow)
			require.NoError(t, err)
			require.Equal(t, []string{"snapshot:1", "end:0"}, got)
		})
	}
}

func TestFramesAreTyped(t *testing.T) {
	for kind, field := range map[string]func(Frame) any{
		"snapshot":     func(f Frame) any { return f.Snapshot.ID + f.Snapshot.Courier.ID },
		"status":       func(f Frame) any { return f.Event.Type },
		"position":     func(f Frame) any { return f.Position.CourierID },
		"eta":          func(f Frame) any { return f.Estimate.MinutesRemaining },
		"notification": func(f Frame) any { return f.Notification.Text },
	} {
		f, err := decodeFrame([]byte(frame(kind, 2)))
		require.NoError(t, err)
		require.Equal(t, map[string]any{
			"snapshot": "o1c1", "status": "order.status_changed", "position": "c1", "eta": 3, "notification": "hi",
		}[kind], field(f))
		require.Equal(t, "o1", f.OrderID)
		require.False(t, f.At.IsZero())
	}
	f, err := decodeFrame([]byte(`{"type":"new","data":{"a":1}}`))
	require.NoError(t, err, "a type that is not known yet is passed on")
	require.JSONEq(t, `{"a":1}`, string(f.Data))
}

func TestScanEvents(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for in, want := range map[string][]string{
		"data: a\n\n":                             {"a"},
		"data:a\r\n\r\n: ping\n\ndata: b\n\n":     {"a", "b"},
		"id: 1\nevent: x\ndata: a\ndata: b\n\n":   {"a\nb"},
		"data: cut":                               nil,
		"data: " + long + "\n\n":                  {long},
		"retry: 1\n\n\n\ndata:  two spaces\n\n":   {" two spaces"},
		"data:\n\ndata: an empty one is none\n\n": {"an empty one is none"},
	} {
		var got []string
		err := scanEvents(strings.NewReader(in), func() {}, func(b []byte) error {
			got = append(got, string(b))
			return nil
		})
		require.ErrorIs(t, err, errClosed)
		require.Equal(t, want, got, in)
	}
	enough := errors.New("enough")
	require.ErrorIs(t, scanEvents(strings.NewReader("data: a\n\n"), func() {}, func([]byte) error { return enough }), enough)
	endless := bytes.NewReader(append([]byte("data: "), bytes.Repeat([]byte("x"), maxFrame+10_000)...))
	require.ErrorIs(t, scanEvents(endless, func() {}, nil), errTooLong)
}
