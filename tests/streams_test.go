package tests

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	ordertrackingv1 "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// stream is an open live stream. frames is closed when the stream ends; end is then the
// WebSocket's close code, or 1000 for any orderly end.
type stream struct {
	frames chan object
	end    chan uint16
	close  func()

	contract *contract
	address  string // of its channel in the AsyncAPI document
}

// take passes a frame on. A frame that violates the AsyncAPI document fails the test.
func (s *stream) take(raw []byte) object {
	var f object
	_, err := s.contract.frame(s.address, raw)
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	if err != nil {
		return object{"type": "broken", "error": err.Error()}
	}
	return f
}

// next returns the next frame that is not a ping.
func (s *stream) next(t testing.TB) object {
	t.Helper()
	tooLate := time.After(20 * time.Second) // in all, however many pings come
	for {
		select {
		case f, open := <-s.frames:
			require.True(t, open, "the stream has ended")
			require.NotEqual(t, "broken", f["type"], "%v", f["error"])
			if f["type"] != "ping" {
				return f
			}
		case <-tooLate:
			t.Fatal("no frame")
		}
	}
}

// until returns the next frame of a type and fails if it would skip a status.
func (s *stream) until(t testing.TB, kind string) object {
	t.Helper()
	for {
		f := s.next(t)
		if f["type"] == kind {
			return f
		}
		require.NotEqual(t, "status", f["type"], "%v", f)
	}
}

// streams opens an order's live stream by each of the three transports.
var streams = map[string]func(t testing.TB, s *server, id string, since int64) *stream{
	"WebSocket": webSocket, "SSE": sse, "WatchOrder": watchOrder,
}

type wsEvents struct {
	gws.BuiltinEventHandler
	out *stream
}

func (h wsEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	h.out.frames <- h.out.take(m.Bytes())
}

func (h wsEvents) OnPing(c *gws.Conn, b []byte) { _ = c.WritePong(b) }

func (h wsEvents) OnClose(_ *gws.Conn, err error) {
	var code uint16
	var closed *gws.CloseError
	if errors.As(err, &closed) {
		code = closed.Code
	}
	h.out.end <- code
	close(h.out.frames)
}

func dial(t testing.TB, s *server, path string) (*stream, *gws.Conn) {
	out := &stream{frames: make(chan object, 10_000), end: make(chan uint16, 1), contract: s.contract(t), address: "/ws"}
	if strings.HasPrefix(path, "/order/") {
		out.address = "/order/{order_id}/ws"
	}
	conn, _, err := gws.NewClient(wsEvents{out: out}, &gws.ClientOption{Addr: "ws://" + s.http + path})
	require.NoError(t, err)
	go conn.ReadLoop()
	out.close = func() { _ = conn.NetConn().Close() }
	t.Cleanup(out.close)
	return out, conn
}

func sinceQuery(since int64) string {
	if since < 0 {
		return ""
	}
	return fmt.Sprint("?since=", since)
}

func webSocket(t testing.TB, s *server, id string, since int64) *stream {
	out, _ := dial(t, s, "/order/"+id+"/ws"+sinceQuery(since))
	return out
}

func sse(t testing.TB, s *server, id string, since int64) *stream {
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/order/"+id+"/stream", nil)
	require.NoError(t, err)
	if since >= 0 {
		req.Header.Set("Last-Event-ID", fmt.Sprint(since))
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.Equal(t, "text/event-stream", strings.Split(resp.Header.Get("Content-Type"), ";")[0])
	out := &stream{
		frames: make(chan object, 10_000), end: make(chan uint16, 1), close: cancel,
		contract: s.contract(t), address: "/order/{order_id}/stream",
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		readSSE(resp.Body, out)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

func readSSE(body io.ReadCloser, out *stream) {
	defer func() { _ = body.Close() }()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var id string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			f := out.take([]byte(value))
			if v, _ := f["version"].(float64); f["type"] == "status" && id != fmt.Sprint(int64(v)) {
				f["type"] = "status without its id"
			}
			if first := f["type"] == "snapshot"; first && id == "" || !first && f["type"] != "status" && id != "" {
				f["type"] = "an id where none belongs"
			}
			id = ""
			out.frames <- f
		case "event":
			out.frames <- object{"type": "an event line"}
		}
	}
	out.end <- 1000
	close(out.frames)
}

func watchOrder(t testing.TB, s *server, id string, since int64) *stream {
	ctx, cancel := context.WithCancel(t.Context())
	req := &ordertrackingv1.WatchOrderRequest{OrderId: id}
	if since >= 0 {
		req.SinceVersion = &since
	}
	in, err := ordertrackingv1.NewOrderServiceClient(s.conn).WatchOrder(ctx, req)
	require.NoError(t, err)
	out := &stream{frames: make(chan object, 10_000), end: make(chan uint16, 1), close: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out.frames)
		for {
			m, err := in.Recv()
			if err != nil {
				if errors.Is(err, io.EOF) {
					out.end <- 1000
				}
				return
			}
			out.frames <- grpcFrame(m)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

// grpcFrame converts a WatchOrder frame to the other transports' JSON.
func grpcFrame(m *ordertrackingv1.WatchOrderResponse) object {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	var f object
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	if err != nil {
		return object{"type": "broken", "error": err.Error()}
	}
	f = tidy(f).(object)
	kind := str(f, "type")
	data, _ := f[kind].(object)
	switch kind {
	case "snapshot":
		data = merged(get(data, "order"), object{"courier": data["courier"], "position": data["position"]})
	case "position":
		data = merged(get(data, "position"), object{"courier_id": data["courier_id"]})
	}
	delete(f, kind)
	f["data"] = data
	return f
}

func merged(objects ...any) object {
	out := object{}
	for _, o := range objects {
		m, _ := o.(object)
		for k, v := range m {
			if v != nil {
				out[k] = v
			}
		}
	}
	return out
}

func eachStream(t *testing.T, scenario func(t *testing.T, s *server, open func(id string, since int64) *stream)) {
	for _, m := range modes() {
		for name, open := range streams {
			t.Run(m.name+"/"+name, func(t *testing.T) {
				s := start(t, m.args(t)...)
				scenario(t, s, func(id string, since int64) *stream { return open(t, s, id, since) })
			})
		}
	}
}

func TestStreamShowsAnOrderFromHereToTheEnd(t *testing.T) {
	eachStream(t, func(t *testing.T, s *server, open func(string, int64) *stream) {
		d := s.api("REST")
		id := create(t, d)
		st := open(id, -1)
		snap := st.next(t)
		require.Equal(t, "snapshot", snap["type"])
		require.Equal(t, id, str(snap, "data", "id"))
		require.Equal(t, "created", str(snap, "data", "status"))

		courier := s.courier(t, object{"name": "Boris"})
		s.locate(t, courier, 55.70, 37.50)
		ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": courier}}))
		f := st.until(t, "status")
		require.EqualValues(t, 2, f["version"])
		require.Equal(t, "assigned", str(f, "data", "status"))
		s.locate(t, courier, 55.71, 37.51) // nobody's business before custody
		move(t, d, id, "picked_up")
		f = st.next(t)
		require.Equal(t, "status", f["type"], "no position before custody: %v", f)
		require.EqualValues(t, 3, f["version"])

		s.locate(t, courier, 55.72, 37.52)
		f = st.until(t, "position")
		require.Equal(t, 55.72, get(f, "data", "lat"))
		require.Equal(t, courier, str(f, "data", "courier_id"))
		ok(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id, "text": "almost there"}}))
		f = st.until(t, "notification")
		require.Equal(t, "almost there", str(f, "data", "text"))

		move(t, d, id, "delivered")
		require.EqualValues(t, 4, st.until(t, "status")["version"])
		st.until(t, "end")
		require.EqualValues(t, 1000, <-st.end)
	})
}

func TestStreamResumesWithNoneMissingAndNoneTwice(t *testing.T) {
	eachStream(t, func(t *testing.T, s *server, open func(string, int64) *stream) {
		d := s.api("REST")
		id := create(t, d)
		ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": s.courier(t, object{"name": "B"})}}))
		move(t, d, id, "picked_up")
		move(t, d, id, "in_transit")
		versions := func(st *stream, n int) (out []float64) {
			require.Equal(t, "snapshot", st.next(t)["type"])
			for range n {
				out = append(out, st.until(t, "status")["version"].(float64))
			}
			return out
		}
		require.Equal(t, []float64{1, 2, 3, 4}, versions(open(id, 0), 4), "since 0 replays all")
		st := open(id, 2)
		require.Equal(t, []float64{3, 4}, versions(st, 2))
		move(t, d, id, "out_for_delivery")
		require.EqualValues(t, 5, st.until(t, "status")["version"])
		st.close()
		s.restart(t)
		d = s.api("REST")
		move(t, d, id, "at_dropoff")
		require.Equal(t, []float64{6}, versions(open(id, 5), 1), "after a restart")
		move(t, d, id, "delivered")
		st = open(id, 5)
		require.Equal(t, []float64{6, 7}, versions(st, 2), "finished")
		st.until(t, "end")
		require.EqualValues(t, 1000, <-st.end)
	})
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	s := start(t)
	id := create(t, s.api("REST"))
	st := webSocket(t, s, id, -1)
	require.Equal(t, "snapshot", st.next(t)["type"])
	other := sse(t, s, id, -1)
	require.Equal(t, "snapshot", other.next(t)["type"])
	s.down(t)
	require.EqualValues(t, 1001, <-st.end, "going away")
	<-other.end
}

func TestOneSocketWithManyTopics(t *testing.T) {
	s := start(t)
	d := s.api("REST")
	first, second := create(t, d), create(t, d)
	st, conn := dial(t, s, "/ws")
	require.NoError(t, conn.WriteMessage(gws.OpcodeText, encode(t, object{"subscribe": []string{"order:" + first, "order:" + second}, "since": object{"order:" + first: 0}})))
	seen := map[string]int{}
	for seen["ack"] == 0 || seen["snapshot"] < 2 || seen["status"] == 0 {
		f := st.next(t)
		seen[str(f, "type")]++
	}
	require.Equal(t, map[string]int{"ack": 1, "snapshot": 2, "status": 1}, seen)
	ok(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": second}}))
	f := st.until(t, "status")
	require.Equal(t, second, f["order_id"])
	require.Equal(t, second, st.until(t, "end")["order_id"])
	require.NoError(t, conn.WriteMessage(gws.OpcodeText, encode(t, object{"subscribe": []string{"order:" + newID()}})))
	require.Equal(t, "order_not_found", str(st.until(t, "error"), "data", "code"))
	require.NoError(t, conn.WriteMessage(gws.OpcodeText, []byte("{")))
	require.EqualValues(t, 4400, <-st.end)
}

func TestStreamsOfUnknownOrders(t *testing.T) {
	s := start(t)
	for path, code := range map[string]string{
		"/order/" + newID() + "/stream": "order_not_found", "/order/7/stream": "validation_failed",
		"/order/" + newID() + "/ws": "order_not_found",
	} {
		resp, body := s.rest(t, "GET", path, nil, nil)
		require.GreaterOrEqual(t, resp.StatusCode, 400, path)
		if !strings.HasSuffix(path, "/ws") { // a plain GET is no upgrade
			require.Equal(t, code, str(decode(t, body), "code"), path)
		}
	}
	_, resp, err := gws.NewClient(wsEvents{}, &gws.ClientOption{Addr: "ws://" + s.http + "/order/" + newID() + "/ws"})
	require.Error(t, err)
	require.Equal(t, 404, resp.StatusCode)
}
