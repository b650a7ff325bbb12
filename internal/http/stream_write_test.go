package httpserver

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/push"
)

// A client that does not read for a while leaves messages partly written; pings become due
// meanwhile. Once it reads, all messages are complete and in order.
func TestMessagesStayWholeWhileTheClientWaits(t *testing.T) {
	cfg := testConfig()
	cfg.PingEvery = 5 * time.Millisecond
	const changes = 150
	d := openHub(t, cfg, guardOf(""), push.Config{Queue: 2 * changes})
	id := d.order()
	conn, r := d.dialSlow("/order/" + id + "/ws")
	defer func() { _ = conn.Close() }()
	detail := strings.Repeat("x", 1900)
	for i := range changes {
		d.do("PATCH", "/order/"+id, fmt.Sprintf(`{"exception":{"code":"c%d","detail":%q}}`, i, detail)).ok(200)
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	next, pings := int64(1), 0
	for next < changes+2 {
		opcode, message := readFrame(t, r)
		if opcode != 1 {
			require.EqualValues(t, 9, opcode)
			continue
		}
		var f frame
		require.NoError(t, json.Unmarshal(message, &f), string(message))
		if f.Type == "ping" {
			pings++
			continue
		}
		require.Equal(t, next, f.Version)
		next++
	}
	require.Positive(t, pings)
}

// dialSlow opens a WebSocket whose client has a small receive buffer.
func (d *testServer) dialSlow(path string) (net.Conn, *bufio.Reader) {
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	require.NoError(d.t, err)
	require.NoError(d.t, conn.(*net.TCPConn).SetReadBuffer(32<<10))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, d.Listener.Addr())
	require.NoError(d.t, err)
	r := bufio.NewReaderSize(conn, 16)
	resp, err := http.ReadResponse(r, nil)
	require.NoError(d.t, err)
	_ = resp.Body.Close()
	require.Equal(d.t, http.StatusSwitchingProtocols, resp.StatusCode)
	return conn, r
}

// readFrame reads a frame that is a complete server message.
func readFrame(t *testing.T, r io.Reader) (opcode byte, payload []byte) {
	var head [2]byte
	_, err := io.ReadFull(r, head[:])
	require.NoError(t, err)
	require.EqualValues(t, 0x80, head[0]&0xf0)
	n := int(head[1])
	if n == 126 {
		var length [2]byte
		_, err = io.ReadFull(r, length[:])
		require.NoError(t, err)
		n = int(binary.BigEndian.Uint16(length[:]))
	}
	require.NotEqual(t, 127, n)
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	require.NoError(t, err)
	return head[0] & 15, payload
}
