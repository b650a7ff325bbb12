//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// socket is the client's end of a WebSocket, as lean as it can be: what is measured is
// the server.
type socket struct {
	conn net.Conn
	r    *bufio.Reader
}

// dialSocket opens a WebSocket at a path.
func dialSocket(ctx context.Context, addr, path string) (*socket, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &socket{conn, bufio.NewReaderSize(conn, 512)}
	if _, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr); err == nil {
		var resp *http.Response
		if resp, err = http.ReadResponse(s.r, nil); err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("%s: %s", path, resp.Status)
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

const (
	opText  = 1
	opClose = 8
)

// next returns the next message, in buf when it fits; what is no text is skipped.
func (s *socket) next(buf []byte) ([]byte, error) {
	for {
		var head [10]byte
		if _, err := io.ReadFull(s.r, head[:2]); err != nil {
			return nil, err
		}
		n := int(head[1] & 127)
		switch n {
		case 126:
			if _, err := io.ReadFull(s.r, head[2:4]); err != nil {
				return nil, err
			}
			n = int(binary.BigEndian.Uint16(head[2:4]))
		case 127:
			if _, err := io.ReadFull(s.r, head[2:10]); err != nil {
				return nil, err
			}
			n = int(binary.BigEndian.Uint64(head[2:10]))
		}
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(s.r, buf); err != nil {
			return nil, err
		}
		switch head[0] & 15 {
		case opText:
			return buf, nil
		case opClose:
			return nil, errors.New("the server closed the socket")
		}
	}
}

// say sends a short message, masked with zeros.
func (s *socket) say(text string) error {
	head := []byte{0x80 | opText, 0x80 | byte(len(text)), 0, 0, 0, 0}
	if len(text) > 125 {
		head = []byte{0x80 | opText, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
	}
	_, err := s.conn.Write(append(head, text...))
	return err
}

// crowd is many sockets, each with a goroutine that reads.
type crowd struct {
	sockets []*socket
	readers sync.WaitGroup

	mu  sync.Mutex
	err error // the first, of a socket that was not closed by us
	off bool
}

// openCrowd opens n sockets, some at a time; path says where the i-th goes, hello what
// it says first ("" for nothing). heard is called for every message that follows the
// snapshot, of all sockets at once.
func openCrowd(ctx context.Context, addr string, n int, path func(i int) string, hello string, heard func(i int, message []byte)) (*crowd, error) {
	c := &crowd{sockets: make([]*socket, n)}
	errs := make([]error, 32)
	ready := make(chan struct{}, n)
	var opening sync.WaitGroup
	for w := range errs {
		opening.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				var s *socket
				if s, errs[w] = dialSocket(ctx, addr, path(i)); errs[w] != nil {
					return
				}
				c.sockets[i] = s
				if hello != "" {
					errs[w] = s.say(hello)
				}
				c.readers.Go(func() { c.read(i, ready, heard) })
			}
		})
	}
	opening.Wait()
	err := errors.Join(errs...)
	for range n {
		if err != nil {
			break
		}
		select {
		case <-ready:
		case <-time.After(time.Minute):
			err = errors.New("some sockets got no snapshot")
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		_ = c.close()
		return nil, err
	}
	return c, nil
}

var snapshotMark = []byte(`{"type":"snapshot"`)

func (c *crowd) read(i int, ready chan<- struct{}, heard func(int, []byte)) {
	var buf []byte
	begun := false
	for {
		message, err := c.sockets[i].next(buf)
		if err != nil {
			c.fail(fmt.Errorf("socket %d: %w", i, err))
			return
		}
		switch {
		case begun:
			heard(i, message)
		case bytes.HasPrefix(message, snapshotMark):
			begun = true
			ready <- struct{}{}
		}
		if buf = message[:0]; cap(buf) > 1<<14 {
			buf = nil
		}
	}
}

func (c *crowd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.off {
		c.err = err
	}
}

// close closes all sockets and says what went wrong with them until then.
func (c *crowd) close() error {
	c.mu.Lock()
	c.off = true
	err := c.err
	c.mu.Unlock()
	for _, s := range c.sockets {
		if s != nil {
			_ = s.conn.Close()
		}
	}
	c.readers.Wait()
	return err
}
