package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lxzan/gws"
)

// socket reads one WebSocket. Its methods run in the goroutine of ReadLoop, which is the
// reader's: while the reader is busy nothing is read, so the server sees backpressure.
type socket struct {
	gws.BuiltinEventHandler
	w       *watcher
	silence time.Duration
	err     error // why it ended
}

// readSocket follows the order over one WebSocket.
func (c *Client) readSocket(ctx context.Context, orderID string, w *watcher) error {
	header := http.Header{}
	c.introduce(header)
	s := &socket{w: w, silence: c.silence}
	conn, resp, err := gws.NewClient(s, &gws.ClientOption{
		Addr:               "ws" + strings.TrimPrefix(c.url(orderPath(orderID, "/ws"), w.streamQuery()), "http"),
		RequestHeader:      header,
		ReadMaxPayloadSize: maxFrame,
		TlsConfig:          c.tls(),
		NewDialer:          func() (gws.Dialer, error) { return dialer{ctx}, nil },
	})
	if resp != nil {
		defer func() { _ = resp.Body.Close() }() // only a failed handshake has a body
	}
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // the part that arrived with the headers
			return problemOf(resp, body)
		}
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })()
	_ = conn.SetReadDeadline(time.Now().Add(c.silence))
	conn.ReadLoop()
	_ = conn.NetConn().Close()
	return s.err
}

// tls returns a copy of the HTTP client's TLS settings, nil where it has none.
func (c *Client) tls() *tls.Config {
	if t, ok := c.http.Transport.(*http.Transport); ok && t.TLSClientConfig != nil {
		return t.TLSClientConfig.Clone()
	}
	return nil
}

type dialer struct{ ctx context.Context }

func (d dialer) Dial(network, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(d.ctx, network, addr)
}

func (s *socket) OnMessage(conn *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }() // returns the buffer to the pool
	_ = conn.SetReadDeadline(time.Now().Add(s.silence))
	if s.err != nil {
		return
	}
	if s.err = s.w.take(m.Bytes()); s.err != nil {
		_ = conn.WriteClose(1000, nil) // best effort; the server may be gone
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(s.silence)) // the reader may have been slow
}

func (s *socket) OnPing(conn *gws.Conn, payload []byte) {
	s.w.heard = time.Now()
	_ = conn.SetReadDeadline(time.Now().Add(s.silence))
	_ = conn.WritePong(payload) // a failure shows in the next read
}

func (s *socket) OnClose(_ *gws.Conn, err error) {
	if s.err != nil {
		return
	}
	var ce *gws.CloseError
	if errors.As(err, &ce) {
		s.err = closed(ce.Code, string(ce.Reason))
		return
	}
	s.err = broken(err)
}
