package httpserver

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

const adminKey = "0123456789abcdef0123456789abcdef"

// ticket requests a ticket as the administrator.
func (d *testServer) ticket() string {
	d.t.Helper()
	d.key = adminKey
	defer func() { d.key = "" }()
	r := d.do("POST", "/ws/ticket", nil)
	require.Equal(d.t, "no-store", r.Header.Get("Cache-Control"))
	out := r.ok(200)
	expires, err := time.Parse(time.RFC3339, out["expires_at"].(string))
	require.NoError(d.t, err)
	require.WithinRange(d.t, expires, time.Now(), time.Now().Add(domain.TicketTTL))
	return out["ticket"].(string)
}

// protected starts a server that requires a key and creates an order.
func protected(t *testing.T) (d *testServer, orderID string) {
	d = openWith(t, testConfig(), guardOf(adminKey))
	d.key = adminKey
	orderID = d.order()
	d.key = ""
	return d, orderID
}

func TestATicketOpensOneStream(t *testing.T) {
	d, id := protected(t)
	for _, path := range []string{"/order/" + id + "/ws", "/ws"} {
		t.Run(path, func(t *testing.T) {
			ticket := d.ticket()
			w := d.watch(path+"?ticket="+ticket, "Origin", d.URL)
			if path == "/ws" {
				w.say(`{"subscribe":["order:` + id + `"]}`)
				w.next("ack")
			}
			w.next("snapshot")
			d.watch(path+"?ticket="+ticket, "Origin", d.URL).closing(transport.CloseUnauthorized)
			d.watch(path + "?ticket=invented").closing(transport.CloseUnauthorized)
		})
	}
	t.Run("server-sent events", func(t *testing.T) {
		ticket := d.ticket()
		d.stream("/order/" + id + "/stream?ticket=" + ticket).skipID().data("snapshot")
		d.do("GET", "/order/"+id+"/stream?ticket="+ticket, nil).problem(401, "unauthenticated")
	})
}

func TestATicketOpensNothingElse(t *testing.T) {
	d, id := protected(t)
	d.do("POST", "/ws/ticket", nil).problem(401, "unauthenticated")
	d.do("GET", "/order/"+id+"?ticket="+d.ticket(), nil).problem(401, "unauthenticated")
	d.do("GET", "/ws?ticket="+d.ticket(), nil, append(upgrade[:8:8], "Origin", "https://evil.example")...).problem(403, "forbidden")
	d.do("GET", "/ws?ticket=invented", nil).problem(401, "unauthenticated") // not a WebSocket request
}

func TestWhoIsNotLocalIsNotLetInByATicket(t *testing.T) {
	d := open(t)
	var out struct{ Ticket string }
	require.NoError(t, json.Unmarshal(d.do("POST", "/ws/ticket", nil).body, &out))
	d.do("GET", "/ws?ticket="+out.Ticket, nil, append(upgrade[:8:8], "Origin", "https://evil.example")...).problem(403, "forbidden")
	d.watch("/ws?ticket=" + out.Ticket).say(`{}`) // did not use up the ticket
}

func TestTooManyStreams(t *testing.T) {
	d := openHub(t, testConfig(), guardOf(""), push.Config{MaxSubscriptions: 2})
	id := d.order()
	w := d.watch("/ws")
	d.stream("/order/" + id + "/stream").skipID().data("snapshot")
	for _, path := range []string{"/ws", "/order/" + id + "/ws"} {
		r := d.do("GET", path, nil, upgrade...)
		r.problem(503, "unavailable")
		require.NotEmpty(t, r.Header.Get("Retry-After"))
	}
	d.do("GET", "/order/"+id+"/stream", nil).problem(503, "unavailable")
	_ = w.conn.NetConn().Close()
	require.Eventually(t, func() bool { return d.hub.Watchers() == 1 }, 20*time.Second, time.Millisecond)
	d.watch("/order/" + id + "/ws").next("snapshot")
}

func TestTheBrowsersClient(t *testing.T) {
	d, _ := protected(t)
	r := d.do("GET", "/client.js", nil) // without a key, which pages do not have
	require.Equal(t, 200, r.StatusCode)
	require.Contains(t, string(r.body), "export { watchOrder }")
	for _, part := range regexp.MustCompile(`from "\./(client/[^"]+)"`).FindAllStringSubmatch(string(r.body), -1) {
		p := d.do("GET", "/"+part[1], nil)
		require.Equal(t, 200, p.StatusCode, part[1])
		require.Equal(t, "*", p.Header.Get("Access-Control-Allow-Origin"))
	}
	require.Equal(t, 404, d.do("GET", "/client/nothing.js", nil).StatusCode)
	require.Equal(t, "text/javascript; charset=utf-8", r.Header.Get("Content-Type")) // browsers accept modules in no other type
	require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
	again := d.do("GET", "/client.js", nil, "If-None-Match", r.Header.Get("ETag"))
	require.Equal(t, 304, again.StatusCode)
	require.Empty(t, again.body)
}
