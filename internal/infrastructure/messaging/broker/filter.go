package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

const (
	// maxConns bounds the connections to the embedded broker.
	maxConns = 256
	// maxFrame limits a frame with messages, maxSmall any other frame.
	maxFrame = 16 * messaging.MiB
	maxSmall = 256 * 1024
	// minFrame is the fixed part of a request header: key, version, correlation id.
	minFrame = 8
	// idleTimeout is how long a connection may be idle, as in Kafka.
	idleTimeout = 10 * time.Minute
	// frameTimeout limits the time to receive a frame after its length.
	frameTimeout = 30 * time.Second
	// writeTimeout is how long a client may take to read a response.
	writeTimeout = 60 * time.Second
	// chunk is how much of a frame is read at a time, so that memory grows only with received data.
	chunk = 64 * 1024
)

// errRefused is the reason for closing a connection.
var errRefused = errors.New("refused")

// filter is a listener that passes only complete, size-limited, parseable frames of supported requests to the broker.
type filter struct {
	net.Listener
	log  *zap.Logger
	open func() // starts accepting; earlier connections wait in the kernel's queue
	// anywhere is set if the listener is bound to all addresses.
	anywhere bool
	opened   <-chan struct{}
	conns    atomic.Int32

	mu     sync.Mutex
	groups map[string]bool // the admitted consumer groups
}

func newFilter(inner net.Listener, log *zap.Logger) *filter {
	opened := make(chan struct{})
	return &filter{
		Listener: inner, log: log, anywhere: everywhere(inner), groups: map[string]bool{},
		opened: opened, open: sync.OnceFunc(func() { close(opened) }),
	}
}

// Accept implements net.Listener.
func (f *filter) Accept() (net.Conn, error) {
	<-f.opened
	for failing := false; ; {
		conn, err := f.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			// Such as no file descriptors left: on an error the broker would stop listening for good.
			if !failing {
				f.log.Warn("embedded Kafka broker: connections can't be accepted", zap.Error(err))
				failing = true
			}
			<-time.After(50 * time.Millisecond)
		case f.conns.Add(1) > maxConns:
			f.conns.Add(-1)
			conn.Close() //nolint:errcheck,gosec // nothing was sent yet
			f.log.Warn("embedded Kafka broker: too many connections; one was refused", zap.Int("max", maxConns))
		default:
			left := sync.OnceFunc(func() { f.conns.Add(-1) })
			return &filteredConn{Conn: conn, filter: f, left: left, asked: map[int32]kmsg.Request{}}, nil
		}
	}
}

// Close implements net.Listener.
func (f *filter) Close() error {
	f.open() // unblocks Accept
	return f.Listener.Close()
}

// filteredConn passes checked frames to the broker one by one.
type filteredConn struct {
	net.Conn
	filter *filter
	left   func()       // ends its count as a connection
	frame  bytes.Reader // the unread rest of the current frame

	mu    sync.Mutex
	asked map[int32]kmsg.Request // requests whose responses name the broker, by correlation id
}

// Read implements net.Conn. It returns only bytes of accepted frames.
func (c *filteredConn) Read(p []byte) (int, error) {
	for c.frame.Len() == 0 {
		b, err := c.next()
		if err != nil {
			if errors.Is(err, errRefused) {
				c.filter.log.Debug("embedded Kafka broker: a connection is closed",
					zap.Stringer("client", c.RemoteAddr()), zap.Error(err))
			}
			c.Close() //nolint:errcheck,gosec // err matters more
			return 0, err
		}
		c.frame.Reset(b)
	}
	return c.frame.Read(p)
}

// Close implements net.Conn.
func (c *filteredConn) Close() error {
	c.left()
	return c.Conn.Close()
}

// next reads and checks one frame, length included.
func (c *filteredConn) next() ([]byte, error) {
	var head [4 + minFrame]byte
	if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c.Conn, head[:4]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:4])
	if size < minFrame || size > maxFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes", errRefused, size)
	}
	if err := c.SetReadDeadline(time.Now().Add(frameTimeout)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c.Conn, head[4:]); err != nil {
		return nil, err
	}
	key := kmsg.Key(binary.BigEndian.Uint16(head[4:]))  //nolint:gosec // bits
	version := int16(binary.BigEndian.Uint16(head[6:])) //nolint:gosec // bits
	if err := admit(key, version, int(size)); err != nil {
		return nil, err
	}
	frame := bytes.NewBuffer(make([]byte, 0, min(4+int(size), chunk)))
	frame.Write(head[:])
	if _, err := io.CopyN(frame, c.Conn, int64(size)-minFrame); err != nil {
		return nil, err
	}
	return c.check(frame.Bytes())
}

// Write implements net.Conn. The broker writes one complete response at a time.
func (c *filteredConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	answer, err := c.advertise(p)
	if err != nil {
		return 0, err
	}
	if _, err := c.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A broker that listens on all addresses has no single address to advertise. The address by which a client connected works
// for that client, so responses that name the broker are rewritten to the connection's own address.

// advertise returns the response with the broker's address replaced by this connection's.
func (c *filteredConn) advertise(answer []byte) ([]byte, error) {
	const head = 8 // length and correlation id
	if !c.filter.anywhere || len(answer) < head {
		return answer, nil
	}
	id := int32(binary.BigEndian.Uint32(answer[4:])) //nolint:gosec // bits
	c.mu.Lock()
	req := c.asked[id]
	delete(c.asked, id)
	c.mu.Unlock()
	if req == nil {
		return answer, nil
	}
	resp := req.ResponseKind()
	body := head
	if resp.IsFlexible() {
		body++ // no tags
	}
	if err := resp.ReadFrom(answer[min(body, len(answer)):]); err != nil {
		return nil, errors.Join(errRefused, err)
	}
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		return nil, err
	}
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host = host
		}
	case *kmsg.FindCoordinatorResponse:
		resp.Host = host
		for i := range resp.Coordinators {
			resp.Coordinators[i].Host = host
		}
	case *kmsg.DescribeClusterResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host = host
		}
	}
	out := resp.AppendTo(append([]byte(nil), answer[:body]...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4)) //nolint:gosec // small
	return out, nil
}

// everywhere reports whether the listener is bound to all addresses.
func everywhere(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsUnspecified()
}
