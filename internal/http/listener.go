package httpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Listener accepts the connections of a server that responds with problems even where
// net/http gives up before there is a request: headers that are too large or invalid. It holds
// at most perAddress connections of a public address, if not zero, and closes further ones.
func Listener(l net.Listener, perAddress int) net.Listener {
	return &listener{Listener: l, most: perAddress, open: map[netip.Addr]int{}}
}

type listener struct {
	net.Listener
	most int
	mu   sync.Mutex
	open map[netip.Addr]int
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, err
		}
		from := tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() //nolint:errcheck,forcetypeassert // of TCP
		if l.count(from, 1) {
			return &conn{TCPConn: tcp, closed: sync.OnceFunc(func() { l.count(from, -1) })}, nil
		}
		_ = tcp.Close()
	}
}

// count adds a connection from the address, unless it has too many, or removes one. Proxies,
// whose addresses are private, have those of all their clients.
func (l *listener) count(from netip.Addr, n int) bool {
	if l.most == 0 || from.IsPrivate() || from.IsLoopback() || from.IsLinkLocalUnicast() {
		return true
	}
	if from.Is6() { // one client has a whole network
		network, _ := from.WithZone("").Prefix(64) //nolint:errcheck // 64 fits
		from = network.Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.open[from] + n
	switch {
	case now > l.most:
		return false
	case now == 0:
		delete(l.open, from)
	default:
		l.open[from] = now
	}
	return true
}

// conn is a connection that turns net/http's own plain-text responses into problems.
type conn struct {
	*net.TCPConn
	closed func()
}

func (c *conn) Close() error {
	c.closed()
	return c.TCPConn.Close()
}

// theirs is what net/http writes between the status and a text that repeats it.
var theirs = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

func (c *conn) Write(p []byte) (int, error) {
	if len(p) > 300 || !bytes.HasPrefix(p, []byte("HTTP/1.1 4")) {
		return c.TCPConn.Write(p)
	}
	line, text, ok := bytes.Cut(p, theirs)
	if !ok || !bytes.HasPrefix(text, line[len("HTTP/1.1 "):]) {
		return c.TCPConn.Write(p)
	}
	status, _ := strconv.Atoi(string(text[:3]))
	err := domain.Errorf(domain.CodeMalformed, "the request can't be read: %s", text[len("400 "):])
	if status == http.StatusRequestHeaderFieldsTooLarge {
		err = domain.Errorf(domain.CodeHeadersTooLarge, "the headers have more than %d bytes", MaxHeaderBytes)
	}
	problem := describe(err)
	problem.RequestID = transport.RequestID("")
	body, _ := json.Marshal(problem) // strings always encode
	_, failed := fmt.Fprintf(c.TCPConn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		problem.Status, http.StatusText(problem.Status), problemType, headerRequestID, problem.RequestID, len(body), body)
	return len(p), failed
}
