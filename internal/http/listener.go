package httpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Listener accepts the connections of a server that responds with problems even where
// net/http gives up before there is a request: headers that are too large or invalid.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return conn{tcp}, nil
	}
	return c, err
}

// conn is a connection that turns net/http's own plain-text responses into problems.
type conn struct{ *net.TCPConn }

// theirs is what net/http writes between the status and a text that repeats it.
var theirs = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

func (c conn) Write(p []byte) (int, error) {
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
