package httpserver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// raw sends a request in full, byte for byte, and only then reads the response.
func (d *testServer) raw(request string) *reply {
	d.t.Helper()
	c, err := net.Dial("tcp", d.Listener.Addr().String())
	require.NoError(d.t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, request)
	require.NoError(d.t, err)
	return d.answer(c)
}

func (d *testServer) answer(c net.Conn) *reply {
	d.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(d.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	return &reply{Response: resp, t: d.t, body: body}
}

// Clients that send the whole body before reading, as most do, get the rejection.
func TestEarlyRefusalsAreReadable(t *testing.T) {
	d := openWith(t, testConfig(), guardOf(strings.Repeat("k", 32)))
	key := "Authorization: Bearer " + strings.Repeat("k", 32) + "\r\n"
	for name, c := range map[string]struct {
		request, headers string
		status           int
		code             domain.Code
	}{
		"401": {"POST /order", "Content-Type: application/json\r\n", 401, domain.CodeUnauthenticated},
		"404": {"POST /nothing", key, 404, domain.CodeNotFound},
		"405": {"POST /orders", key, 405, domain.CodeMethodNotAllowed},
		"413": {"POST /order", key + "Content-Type: application/json\r\n", 413, domain.CodeTooLarge},
		"415": {"POST /orders/import", key + "Content-Type: text/plain\r\n", 415, domain.CodeUnsupportedMediaType},
		"422": {"POST /orders/import?nothing=1", key + "Content-Type: text/csv\r\n", 422, domain.CodeValidationFailed},
	} {
		for _, size := range []int{1_100_000, 5_000_000} {
			t.Run(fmt.Sprintf("%s of %d bytes", name, size), func(t *testing.T) {
				request := c.request + " HTTP/1.1\r\nHost: localhost\r\n" + c.headers + fmt.Sprintf("Content-Length: %d\r\n\r\n", size)
				(&testServer{Server: d.Server, t: t}).raw(request+strings.Repeat("x", size)).problem(c.status, c.code)
			})
		}
	}
}

// A client that waits for 100 Continue is rejected and sends no body.
func TestRefusedBeforeTheBodyIsSent(t *testing.T) {
	d := open(t)
	d.raw("POST /nothing HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n").problem(404, domain.CodeNotFound)
}

func TestCompressedBodies(t *testing.T) {
	cfg := testConfig()
	cfg.MaxBodyBytes = 10_000
	d := openWith(t, cfg, guardOf(""))
	gz := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	zs, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	post := func(coding string, body []byte) *reply {
		return d.do("POST", "/order", string(body), "Content-Encoding", coding)
	}
	post("gzip", gz(minimal)).ok(201)
	post("GZIP", gz(minimal)).ok(201)
	post("zstd", zs.EncodeAll([]byte(minimal), nil)).ok(201)
	post("identity", []byte(minimal)).ok(201)
	post("br", []byte(minimal)).problem(415, domain.CodeUnsupportedMediaType)
	post("gzip", []byte(minimal)).problem(400, domain.CodeMalformed)
	post("zstd", []byte(minimal)).problem(400, domain.CodeMalformed)
	post("gzip", gz(minimal)[:30]).problem(400, domain.CodeMalformed)
	bomb := strings.Repeat(" ", 1_000_000) + minimal
	post("gzip", gz(bomb)).problem(413, domain.CodeTooLarge)
	post("zstd", zs.EncodeAll([]byte(bomb), nil)).problem(413, domain.CodeTooLarge)
	require.Equal(t, int64(2), d.importsEncoded(t, gz(strings.Repeat(minimal+"\n", 2))).Created)
}

func (d *testServer) importsEncoded(t *testing.T, body []byte) *ImportTally {
	t.Helper()
	r := d.do("POST", "/orders/import", string(body), "Content-Type", ndjsonType, "Content-Encoding", "gzip")
	lines := strings.Split(strings.TrimSpace(string(r.body)), "\n")
	var last importReply
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last), string(r.body))
	require.True(t, last.Finished)
	return last.ImportTally
}

func TestLongAnswersAreCompressed(t *testing.T) {
	d := open(t)
	short := d.order()
	long := d.do("POST", "/order", `{"customer":{"name":"A"},"dropoff":{"address":"x"},"notes":"`+strings.Repeat("n", 1500)+`"}`).ok(201)["id"].(string)
	get := func(path, accept string) *reply { return d.do("GET", path, nil, "Accept-Encoding", accept) }
	plain := get("/order/"+long, "identity")
	require.Empty(t, plain.Header.Get("Content-Encoding"))
	require.Empty(t, get("/order/"+short, "gzip").Header.Get("Content-Encoding"), "it is short")
	require.Empty(t, get("/order/"+long, "gzip;q=0").Header.Get("Content-Encoding"))
	for _, path := range []string{"/order/" + long, "/orders", "/orders/export"} {
		r := d.unread("GET", path, "gzip")
		require.Equal(t, "gzip", r.Header.Get("Content-Encoding"), path)
		require.Contains(t, r.Header.Values("Vary"), "Accept-Encoding")
		z, err := gzip.NewReader(bytes.NewReader(r.body))
		require.NoError(t, err)
		got, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, string(get(path, "identity").body), string(got))
	}
	require.Equal(t, `"v1"`, d.unread("GET", "/order/"+long, "gzip").Header.Get("ETag"))
	require.Equal(t, 304, d.do("GET", "/order/"+long, nil, "Accept-Encoding", "gzip", "If-None-Match", `W/"v1"`).StatusCode)
}

// unread requests a response without transparent decompression.
func (d *testServer) unread(method, path, accept string) *reply {
	d.t.Helper()
	req, err := http.NewRequest(method, d.URL+path, nil)
	require.NoError(d.t, err)
	req.Header.Set("Accept-Encoding", accept)
	resp, err := d.Client().Do(req)
	require.NoError(d.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	return &reply{Response: resp, t: d.t, body: body}
}

// net/http's own error responses are problems too.
func TestHeadersThatAreTooLarge(t *testing.T) {
	d := open(t)
	for _, size := range []int{MaxHeaderBytes, 3 << 20} {
		c, err := net.Dial("tcp", d.Listener.Addr().String())
		require.NoError(t, err)
		go func() { // it may be cut off
			_, _ = io.WriteString(c, "GET /orders HTTP/1.1\r\nHost: localhost\r\nX-Big: "+strings.Repeat("x", size)+"\r\n\r\n")
		}()
		d.answer(c).problem(431, domain.CodeHeadersTooLarge)
		_ = c.Close()
	}
	p := d.raw("GET / HTTP/1.1\r\n\r\n").problem(400, domain.CodeMalformed)
	require.NotEmpty(t, p.RequestID)
	d.do("GET", "/orders", nil, "X-Big", strings.Repeat("x", MaxHeaderBytes-1000)).ok(200)
}

func TestASlowBodyIsATimeout(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout = 300 * time.Millisecond
	d := openWith(t, cfg, guardOf(""))
	for _, path := range []string{"POST /order", "PATCH /order/" + d.order()} {
		c, err := net.Dial("tcp", d.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(c, path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
		require.NoError(t, err)
		p := d.answer(c).problem(408, domain.CodeRequestTimeout)
		require.NotContains(t, p.Detail, "127.0.0.1")
		_ = c.Close()
	}
}

func TestAPlainGetOfASocket(t *testing.T) {
	d := open(t)
	for _, path := range []string{"/ws", "/order/" + d.order() + "/ws"} {
		r := d.do("GET", path, nil)
		r.problem(426, domain.CodeUpgradeRequired)
		require.Equal(t, "websocket", r.Header.Get("Upgrade"))
	}
}
