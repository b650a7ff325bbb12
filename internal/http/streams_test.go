package httpserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// frame is a decoded frame of a stream.
type frame struct {
	Type    string          `json:"type"`
	OrderID string          `json:"order_id"`
	Version int64           `json:"version"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data"`
}

// watcher is a WebSocket client.
type watcher struct {
	gws.BuiltinEventHandler
	t      testing.TB
	conn   *gws.Conn
	frames chan frame
	pings  chan struct{}
	closed chan int
}

func (w *watcher) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var f frame
	if err := json.Unmarshal(m.Bytes(), &f); err != nil {
		w.t.Errorf("%s: %v", m.Bytes(), err)
	}
	w.frames <- f
}

func (w *watcher) OnPing(c *gws.Conn, payload []byte) {
	select {
	case w.pings <- struct{}{}:
	default:
	}
	_ = c.WritePong(payload)
}

func (w *watcher) OnClose(_ *gws.Conn, err error) {
	code := 1006
	var closed *gws.CloseError
	if errors.As(err, &closed) {
		code = int(closed.Code)
	}
	w.closed <- code
}

func (d *testServer) watch(path string, headers ...string) *watcher {
	d.t.Helper()
	w := &watcher{t: d.t, frames: make(chan frame, 1000), pings: make(chan struct{}, 1), closed: make(chan int, 1)}
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, _, err := gws.NewClient(w, &gws.ClientOption{Addr: "ws" + strings.TrimPrefix(d.URL, "http") + path, RequestHeader: h})
	require.NoError(d.t, err)
	w.conn = conn
	go conn.ReadLoop()
	d.t.Cleanup(func() { _ = conn.NetConn().Close() })
	return w
}

// next requires a frame of a type.
func (w *watcher) next(typ string) frame {
	w.t.Helper()
	select {
	case f := <-w.frames:
		require.Equal(w.t, typ, f.Type, string(f.Data))
		require.False(w.t, f.At.IsZero())
		return f
	case <-time.After(5 * time.Second):
		require.FailNow(w.t, "nothing came", typ)
	}
	return frame{}
}

func (w *watcher) closing(code int) {
	w.t.Helper()
	select {
	case got := <-w.closed:
		require.Equal(w.t, code, got)
	case <-time.After(5 * time.Second):
		require.FailNow(w.t, "not closed")
	}
}

func (w *watcher) say(message string) {
	w.t.Helper()
	require.NoError(w.t, w.conn.WriteString(message))
}

func TestWatchAnOrderToItsEnd(t *testing.T) {
	d := open(t)
	id := d.order()
	w := d.watch("/order/" + id + "/ws")
	snapshot := w.next("snapshot")
	require.Equal(t, id, snapshot.OrderID)
	require.Equal(t, int64(1), snapshot.Version)
	w.say(`{"subscribe":["fleet"]}`) // a socket for one order ignores commands
	d.move(id, domain.StatusConfirmed)
	var ev domain.Event
	f := w.next("status")
	require.NoError(t, json.Unmarshal(f.Data, &ev))
	require.Equal(t, domain.StatusConfirmed, ev.Status)
	require.Equal(t, int64(2), f.Version)
	d.do("POST", "/order/"+id+"/notify", `{"text":"hello"}`).ok(202)
	w.next("notification")
	d.do("DELETE", "/order/"+id, nil).ok(200)
	require.Equal(t, int64(3), w.next("status").Version)
	w.next("end")
	w.closing(1000)

	late := d.watch("/order/" + id + "/ws?since=1")
	require.Equal(t, int64(3), late.next("snapshot").Version)
	require.Equal(t, int64(2), late.next("status").Version)
	require.Equal(t, int64(3), late.next("status").Version)
	late.next("end")
	late.closing(1000)
	require.Eventually(t, func() bool { return d.hub.Watchers() == 0 }, 20*time.Second, time.Millisecond)
}

func TestPositionsReachTheWatcher(t *testing.T) {
	d := open(t)
	id, courier := d.order(), d.courier()
	d.do("POST", "/order/"+id+"/assign-courier", map[string]any{"courier_id": courier}).ok(200)
	d.move(id, domain.StatusPickedUp)
	w := d.watch("/order/" + id + "/ws")
	w.next("snapshot")
	d.do("POST", "/courier/"+courier+"/location", `{"lat":55.7,"lon":37.6}`).ok(202)
	for {
		f := <-w.frames
		if f.Type == "position" {
			require.Contains(t, string(f.Data), courier)
			return
		}
		require.Equal(t, "eta", f.Type)
	}
}

func TestPings(t *testing.T) {
	cfg := testConfig()
	cfg.PingEvery = 20 * time.Millisecond
	d := openWith(t, cfg, guardOf(""))
	id := d.order()
	w := d.watch("/order/" + id + "/ws")
	w.next("snapshot")
	for range 3 {
		require.Equal(t, id, w.next("ping").OrderID)
		<-w.pings
	}
	s := d.stream("/order/" + id + "/stream")
	s.skipID().data("snapshot")
	require.Equal(t, ": ping", s.line())
}

// A client that shows no sign of life is disconnected.
func TestDeadClientsAreDropped(t *testing.T) {
	d := open(t)
	w := d.watch("/order/" + d.order() + "/ws")
	w.next("snapshot")
	require.Equal(t, 1, d.hub.Watchers())
	require.NoError(t, w.conn.NetConn().Close())
	require.Eventually(t, func() bool { return d.hub.Watchers() == 0 }, 20*time.Second, time.Millisecond)
}

func TestManyTopics(t *testing.T) {
	d := open(t)
	one, two, courier := d.order(), d.order(), d.courier()
	d.move(one, domain.StatusConfirmed)
	topics := func(f frame) []string {
		var data struct{ Topics []string }
		require.NoError(t, json.Unmarshal(f.Data, &data))
		return data.Topics
	}
	w := d.watch("/ws")
	w.say(fmt.Sprintf(`{"subscribe":["order:%s","order:%s"],"since":{"order:%s":1}}`, one, two, one))
	require.Equal(t, []string{"order:" + one, "order:" + two}, topics(w.next("ack")))
	seen := map[string][]string{}
	for range 3 {
		f := <-w.frames
		seen[f.OrderID] = append(seen[f.OrderID], f.Type)
	}
	require.Equal(t, map[string][]string{one: {"snapshot", "status"}, two: {"snapshot"}}, seen)

	w.say(`{"subscribe":["order:` + noOrder + `","planet:7","courier:` + courier + `"]}`)
	var problems []domain.Code
	for range 2 {
		var p problem
		f := w.next("error")
		require.NoError(t, json.Unmarshal(f.Data, &p))
		problems = append(problems, p.Code)
	}
	require.Equal(t, []domain.Code{domain.CodeOrderNotFound, domain.CodeValidationFailed}, problems)
	require.Len(t, topics(w.next("ack")), 3)
	w.next("snapshot")

	w.say(`{"unsubscribe":["order:` + two + `"]}`)
	require.Equal(t, []string{"order:" + one, "courier:" + courier}, topics(w.next("ack")))
	d.move(two, domain.StatusConfirmed)
	d.do("DELETE", "/order/"+one, nil).ok(200)
	require.Equal(t, one, w.next("status").OrderID, "two is not watched any more")
	w.next("end")
	w.say(`{"unsubscribe":[]}`)
	require.Equal(t, []string{"courier:" + courier}, topics(w.next("ack")), "the socket goes on without the finished order")

	w.say(`{"subscribe":["fleet"]}`)
	require.Len(t, topics(w.next("ack")), 2)
	w.say(`{"sub":1}`)
	for {
		select {
		case <-w.frames: // of the fleet
		case code := <-w.closed:
			require.Equal(t, transport.CloseBadRequest, code)
			return
		}
	}
}

// A message that panics affects no other socket, and not its own either.
func TestPanicOfAMessage(t *testing.T) {
	d := open(t)
	courier := d.courier()
	couriers := d.srv.Couriers
	w := d.watch("/ws")
	d.srv.Couriers = nil
	w.say(`{"subscribe":["courier:` + courier + `"]}`)
	require.Eventually(t, func() bool { return d.logs.FilterMessageSnippet("panicked").Len() == 1 }, 20*time.Second, time.Millisecond)
	d.srv.Couriers = couriers
	w.say(`{"subscribe":["courier:` + courier + `"]}`)
	w.next("ack")
	w.next("snapshot")
}

func TestTopicsAreLimited(t *testing.T) {
	d := open(t)
	w := d.watch("/ws")
	names := make([]string, 0, maxTopics+2)
	for range maxTopics + 1 {
		names = append(names, `"courier:`+d.courier()+`"`)
	}
	for i := 0; i < len(names); i += 50 {
		w.say(`{"subscribe":[` + strings.Join(names[i:min(i+50, len(names))], ",") + `]}`)
	}
	for {
		f := <-w.frames
		if f.Type == typeError {
			require.Contains(t, string(f.Data), "too_many")
			return
		}
	}
}

func TestBadMessages(t *testing.T) {
	d := open(t)
	for _, message := range []string{`x`, `[]`, `{}`, `{"subscribe":"fleet"}`, `{"subscribe":[1]}`, `{"subscribe":[],"foo":1}`, `{"subscribe":[],"since":{"a":"x"}}`, "\xff"} {
		w := d.watch("/ws")
		w.say(message)
		w.closing(transport.CloseBadRequest)
	}
	w := d.watch("/ws")
	require.NoError(t, w.conn.WriteMessage(gws.OpcodeText, make([]byte, maxMessage+1)))
	w.closing(1009)
}

func TestGoingAway(t *testing.T) {
	d := open(t)
	id := d.order()
	w, s := d.watch("/order/"+id+"/ws"), d.stream("/order/"+id+"/stream")
	w.next("snapshot")
	s.skipID().data("snapshot")
	d.hub.Close()
	w.closing(1001)
	require.Equal(t, "EOF", s.line())
	d.do("GET", "/order/"+id+"/stream", nil).problem(503, "unavailable")
	d.do("GET", "/ws", nil, upgrade...).problem(503, "unavailable")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, d.srv.Wait(ctx))
}

// Each of many watchers sees every version once and in order.
func TestEveryWatcherSeesEveryVersion(t *testing.T) {
	const watchers, rounds = 50, 40
	d := open(t)
	id := d.order()
	d.do("POST", "/order/"+id+"/assign-courier", map[string]any{"courier_id": d.courier()}).ok(200)
	d.move(id, domain.StatusPickedUp)
	all := make([]*watcher, watchers)
	for i := range all {
		all[i] = d.watch("/order/" + id + "/ws?since=1")
	}
	for range rounds {
		d.move(id, domain.StatusInTransit, domain.StatusOutForDelivery)
	}
	d.move(id, domain.StatusDelivered)
	for _, w := range all {
		w.closing(1000)
		close(w.frames)
		want := int64(2)
		for f := range w.frames {
			if f.Type == "status" {
				require.Equal(t, want, f.Version)
				want++
			}
		}
		require.Equal(t, int64(3+2*rounds+2), want)
	}
}

// A reader that stalls learns so once it reads again, and reconnects for the rest.
func TestSlowReaders(t *testing.T) {
	d := openHub(t, testConfig(), guardOf(""), push.Config{Queue: 4})
	id := d.order()
	w := &watcher{t: t, frames: make(chan frame, 1000), pings: make(chan struct{}, 1), closed: make(chan int, 1)}
	conn, _, err := gws.NewClient(w, &gws.ClientOption{Addr: "ws" + strings.TrimPrefix(d.URL, "http") + "/order/" + id + "/ws"})
	require.NoError(t, err)
	text := strings.Repeat("x", domain.MaxText)
	for range 150 {
		d.do("POST", "/order/"+id+"/notify", map[string]any{"text": text}).ok(202)
	}
	d.move(id, domain.StatusConfirmed)
	go conn.ReadLoop()
	w.closing(4003)
	require.Less(t, len(w.frames), 150)
	back := d.watch("/order/" + id + "/ws?since=1")
	back.next("snapshot")
	for {
		if f := <-back.frames; f.Type == "status" {
			require.Equal(t, int64(2), f.Version)
			return
		}
	}
}

var upgrade = []string{
	"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
}

func TestUpgradesAreRefusedAsHTTP(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	d := openWith(t, testConfig(), guardOf(key))
	d.key = key
	id := d.order()
	d.do("GET", "/order/"+noOrder+"/ws", nil, upgrade...).problem(404, "order_not_found")
	d.do("GET", "/order/"+id+"/ws", nil, append(upgrade[:8:8], "Origin", "https://evil.example")...).problem(403, "forbidden")
	d.do("GET", "/ws", nil, append(upgrade[:8:8], "Origin", "https://evil.example")...).problem(403, "forbidden")
	d.do("GET", "/ws", nil, append(upgrade[:8:8], "Sec-WebSocket-Version", "8")...).problem(426, "upgrade_required")
	d.key = ""
	d.do("GET", "/ws", nil, upgrade...).problem(401, "unauthenticated")
	w := d.watch("/order/"+id+"/ws", "Authorization", "Bearer "+key, "Origin", d.URL)
	w.next("snapshot")
}

// sse is a reader of server-sent events.
type sse struct {
	t     testing.TB
	resp  *http.Response
	lines *bufio.Scanner
}

func (d *testServer) stream(path string, headers ...string) *sse {
	d.t.Helper()
	req, err := http.NewRequest("GET", d.URL+path, nil)
	require.NoError(d.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := d.Client().Do(req)
	require.NoError(d.t, err)
	require.Equal(d.t, 200, resp.StatusCode)
	d.t.Cleanup(func() { _ = resp.Body.Close() })
	s := &sse{t: d.t, resp: resp, lines: bufio.NewScanner(resp.Body)}
	require.Equal(d.t, "retry: 2000", s.line())
	require.Empty(d.t, s.line())
	return s
}

func (s *sse) line() string {
	if !s.lines.Scan() {
		return "EOF"
	}
	return s.lines.Text()
}

func (s *sse) data(typ string) frame {
	s.t.Helper()
	text, ok := strings.CutPrefix(s.line(), "data: ")
	require.True(s.t, ok)
	var f frame
	require.NoError(s.t, json.Unmarshal([]byte(text), &f))
	require.Equal(s.t, typ, f.Type)
	require.Empty(s.t, s.line())
	return f
}

func TestServerSentEvents(t *testing.T) {
	d := open(t)
	id := d.order()
	s := d.stream("/order/" + id + "/stream")
	require.Equal(t, "text/event-stream", s.resp.Header.Get("Content-Type"))
	require.Equal(t, "no", s.resp.Header.Get("X-Accel-Buffering"))
	require.Equal(t, "id: 1", s.line(), "a break before the first status loses nothing")
	s.data("snapshot")
	d.move(id, domain.StatusConfirmed)
	require.Equal(t, "id: 2", s.line())
	s.data("status")
	d.do("DELETE", "/order/"+id, nil).ok(200)
	require.Equal(t, "id: 3", s.line())
	s.data("status")
	s.data("end")
	require.Equal(t, "EOF", s.line())

	back := d.stream("/order/"+id+"/stream?since=0", "Last-Event-ID", "2") // the header is newer than the query
	require.Equal(t, "id: 2", back.line(), "the replay is still to come")
	back.data("snapshot")
	require.Equal(t, "id: 3", back.line())
	back.data("status")
	back.data("end")
	require.Equal(t, "EOF", back.line())

	told := d.do("GET", "/order/"+id+"/stream?since=0", nil, "Last-Event-ID", "3")
	require.Equal(t, 204, told.StatusCode, "told to the end")
	other := d.order()
	d.stream("/order/"+other+"/stream", "Last-Event-ID", "1").skipID().data("snapshot") // not finished
}

func (s *sse) skipID() *sse {
	s.t.Helper()
	require.True(s.t, strings.HasPrefix(s.line(), "id: "))
	return s
}

// Note entries, which change nothing in the order, reach watchers as notes.
func TestNotesReachWatchers(t *testing.T) {
	d := open(t)
	id := d.order()
	s := d.stream("/order/" + id + "/stream")
	s.skipID().data("snapshot")
	_, err := d.srv.Orders.Update(t.Context(), id, "", nil, func(ch *domain.Change) error {
		ch.Add(ch.Order.Note(domain.EventCourierNear, domain.By{Actor: domain.Actor{Kind: domain.RoleSystem}, Now: time.Now()}, nil))
		return nil
	})
	require.NoError(t, err)
	note := s.data("note")
	require.Zero(t, note.Version)
	require.Equal(t, id, note.OrderID)
	require.Contains(t, string(note.Data), `"type":"courier.near"`)
}
