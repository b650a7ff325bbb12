package messaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

const (
	// maxConns bounds the connections to the embedded broker.
	maxConns = 256
	// maxFrame bounds a frame with messages, maxSmall every other one.
	maxFrame = 16 * mib
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

// guard is a listener that lets nothing reach the broker but whole, bounded, parseable
// frames of the requests that the product offers.
type guard struct {
	net.Listener
	log    *zap.Logger
	opened chan struct{} // closed when connections may come in
	once   sync.Once
	// anywhere says that the listener is not bound to one address.
	anywhere bool
	closed   chan struct{}
	end      sync.Once

	mu     sync.Mutex
	conns  map[*guardedConn]struct{}
	groups map[string]bool // the consumer groups that were let in
}

func newGuard(inner net.Listener, log *zap.Logger) *guard {
	return &guard{
		anywhere: everywhere(inner),
		Listener: inner, log: log,
		opened: make(chan struct{}), closed: make(chan struct{}),
		conns: map[*guardedConn]struct{}{}, groups: map[string]bool{},
	}
}

// open lets connections in. Those that came before wait in the kernel's queue.
func (g *guard) open() { g.once.Do(func() { close(g.opened) }) }

// Accept implements net.Listener.
func (g *guard) Accept() (net.Conn, error) {
	select {
	case <-g.opened:
	case <-g.closed:
		return nil, net.ErrClosed
	}
	for failing := false; ; {
		conn, err := g.Listener.Accept()
		if err != nil {
			select {
			case <-g.closed:
				return nil, net.ErrClosed
			default:
			}
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			// Out of file descriptors, say: the broker would stop listening for good.
			if !failing {
				g.log.Warn("embedded Kafka broker: connections can't be accepted", zap.Error(err))
				failing = true
			}
			select {
			case <-g.closed:
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		c := &guardedConn{Conn: conn, guard: g}
		g.mu.Lock()
		full := len(g.conns) >= maxConns
		if !full {
			g.conns[c] = struct{}{}
		}
		g.mu.Unlock()
		if !full {
			return c, nil
		}
		conn.Close() //nolint:errcheck,gosec // nothing was said yet
		g.log.Warn("embedded Kafka broker: too many connections; one is refused", zap.Int("max", maxConns))
	}
}

// Close implements net.Listener.
func (g *guard) Close() error {
	g.end.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// closeAll closes what is still open.
func (g *guard) closeAll() {
	g.mu.Lock()
	conns := make([]*guardedConn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		c.Close() //nolint:errcheck,gosec // on the way out
	}
}

// guardedConn hands the broker one checked frame after the other.
type guardedConn struct {
	net.Conn
	guard *guard
	frame bytes.Reader // what of the current frame the broker has not read

	mu    sync.Mutex
	asked map[uint32]kmsg.Request // whose answers name the broker
}

// Read implements net.Conn. It returns bytes of frames that passed only.
func (c *guardedConn) Read(p []byte) (int, error) {
	for c.frame.Len() == 0 {
		b, err := c.next()
		if err != nil {
			if errors.Is(err, errRefused) {
				c.guard.log.Debug("embedded Kafka broker: a connection is closed",
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
func (c *guardedConn) Close() error {
	c.guard.mu.Lock()
	delete(c.guard.conns, c)
	c.guard.mu.Unlock()
	return c.Conn.Close()
}

// next reads and checks one frame, length included.
func (c *guardedConn) next() ([]byte, error) {
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
	key := int16(binary.BigEndian.Uint16(head[4:]))     //nolint:gosec // bits
	version := int16(binary.BigEndian.Uint16(head[6:])) //nolint:gosec // bits
	if err := admit(key, version, int(size)); err != nil {
		return nil, err
	}
	frame := bytes.NewBuffer(make([]byte, 0, min(4+int(size), chunk)))
	frame.Write(head[:])
	if _, err := io.CopyN(frame, c.Conn, int64(size)-minFrame); err != nil {
		return nil, err
	}
	checked, err := c.guard.check(frame.Bytes())
	if err != nil {
		return nil, err
	}
	c.remember(checked)
	return checked, nil
}

// Write implements net.Conn. The broker writes one whole answer at a time.
func (c *guardedConn) Write(p []byte) (int, error) {
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
