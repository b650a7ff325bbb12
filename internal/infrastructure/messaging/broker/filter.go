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
	// maxFrame bounds a frame with messages, maxSmall every other one.
	maxFrame = 16 * messaging.MiB
	maxSmall = 256 * 1024
	// minFrame is the fixed part of a request header: key, version, correlation id.
	minFrame = 8
	// idleTimeout is how long a connection may say nothing, as with Kafka.
	idleTimeout = 10 * time.Minute
	// frameTimeout is how long the rest of a frame may take after its length.
	frameTimeout = 30 * time.Second
	// writeTimeout is how long a client may take to read an answer.
	writeTimeout = 60 * time.Second
	// chunk is how much of a frame is read at a time: what has not arrived takes no memory.
	chunk = 64 * 1024
)

// errRefused is why a connection is closed.
var errRefused = errors.New("refused")

// filter is a listener that lets nothing reach the broker but whole, bounded, parseable
// frames of the requests that the product offers.
type filter struct {
	net.Listener
	log  *zap.Logger
	open func() // lets connections in; those that came before wait in the kernel's queue
	// anywhere says that the listener is not bound to one address.
	anywhere bool
	opened   <-chan struct{}
	conns    atomic.Int32

	mu     sync.Mutex
	groups map[string]bool // the consumer groups that were let in
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
			// Out of file descriptors, say: the broker would stop listening for good.
			if !failing {
				f.log.Warn("embedded Kafka broker: connections can't be accepted", zap.Error(err))
				failing = true
			}
			<-time.After(50 * time.Millisecond)
		case f.conns.Add(1) > maxConns:
			f.conns.Add(-1)
			conn.Close() //nolint:errcheck,gosec // nothing was said yet
			f.log.Warn("embedded Kafka broker: too many connections; one is refused", zap.Int("max", maxConns))
		default:
			left := sync.OnceFunc(func() { f.conns.Add(-1) })
			return &filteredConn{Conn: conn, filter: f, left: left, asked: map[int32]kmsg.Request{}}, nil
		}
	}
}

// Close implements net.Listener.
func (f *filter) Close() error {
	f.open() // so that Accept sees that it is closed
	return f.Listener.Close()
}

// filteredConn hands the broker one checked frame after the other.
type filteredConn struct {
	net.Conn
	filter *filter
	left   func()       // it counts no more
	frame  bytes.Reader // what of the current frame the broker has not read

	mu    sync.Mutex
	asked map[int32]kmsg.Request // whose answers name the broker, by correlation id
}

// Read implements net.Conn. It returns bytes of frames that passed only.
func (c *filteredConn) Read(p []byte) (int, error) {
	for c.frame.Len() == 0 {
		b, err := c.next()
		if err != nil {
			if errors.Is(err, errRefused) {
				c.filter.log.Debug("embedded Kafka broker: a connection is closed",
					zap.Stringer("client", c.RemoteAddr()), zap.Error(err))
			}
			c.Close() //nolint:errcheck,gosec // the error that matters is err
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

// Write implements net.Conn. The broker writes one whole answer at a time.
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
