package httpserver

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/lxzan/gws"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// maxMessage is the largest WebSocket message that a client may send.
const maxMessage = 4 << 10

// socket is one WebSocket. Only this file depends on gws.
//
// An idle socket costs its reading goroutine and little else: the hub wakes it when there is
// something to write, and the writers write until nothing is left.
type socket struct {
	server  *Server
	conn    *gws.Conn
	raw     syscall.RawConn // of conn, for writers; nil if unavailable
	writing sync.Mutex      // held from the first byte of a message to its last
	sub     *push.Subscription
	orderID string // for a socket on one order
	many    *many  // for a socket on several topics
	pending atomic.Int32
	ping    *time.Timer
}

// newUpgrader creates the WebSocket upgrader: small buffers, no compression.
func newUpgrader(log *zap.Logger) *gws.Upgrader {
	return gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadMaxPayloadSize: maxMessage,
		ReadBufferSize:     512,
		ParallelGolimit:    1,
		HandshakeTimeout:   transport.WriteTimeout,
		CheckUtf8Enabled:   false, // we send only encoded JSON, and decode strictly
		NewSession:         func() gws.SessionStorage { return new(session) },
		Recovery: func(gws.Logger) { // of message handlers
			if cause := recover(); cause != nil {
				log.Error("a WebSocket message handler panicked", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
			}
		},
	})
}

// watchOrder serves one order over a WebSocket.
func (s *Server) watchOrder(ctx context.Context, c *gin.Context, up *gws.Upgrader) error {
	if err := onlyQuery(c.Request.URL, "since", "ticket", "token"); err != nil {
		return err
	}
	since, err := parseSince(c.Query("since"))
	if err != nil {
		return err
	}
	if err := s.upgradable(c); err != nil {
		return err
	}
	k := s.newSocket()
	if k.sub, k.orderID, err = s.openOrder(ctx, c, since, k.wake); err != nil {
		return err
	}
	k.upgrade(c, up, "order")
	return nil
}

// newSocket creates a socket that ignores wakes until it is upgraded.
func (s *Server) newSocket() *socket {
	k := &socket{server: s}
	k.pending.Store(1) // as if it were writing
	return k
}

// upgrade takes over the connection. Nothing of the request is kept: the handler returns and its memory is freed.
func (k *socket) upgrade(c *gin.Context, up *gws.Upgrader, kind string) {
	c.Status(http.StatusSwitchingProtocols)
	conn, err := up.Upgrade(c.Writer, c.Request)
	if err != nil { // the connection is gone
		k.sub.Close()
		return
	}
	k.conn = conn
	conn.Session().(*session).socket = k
	if c, ok := conn.NetConn().(syscall.Conn); ok {
		k.raw, _ = c.SyscallConn()
	}
	k.server.sockets.Add(1)
	open := k.server.metrics.streams.WithLabelValues("ws_" + kind)
	open.Inc()
	k.alive()
	k.ping = time.AfterFunc(k.server.Config.PingEvery, k.sendPing)
	go func() {
		defer k.server.sockets.Done()
		defer open.Dec()
		k.server.writers.add(k)
		conn.ReadLoop()
		k.ping.Stop()
		k.sub.Close()
	}()
}

// wake is called by the hub when there is something to write. It does not block.
func (k *socket) wake() {
	if k.pending.Add(1) == 1 {
		k.server.writers.add(k)
	}
}

// send writes one frame of the transport's own. A client that accepts nothing for transport.WriteTimeout is disconnected.
func (k *socket) send(frame []byte) error { return k.say(gws.OpcodeText, frame) }

func (k *socket) say(code gws.Opcode, payload []byte) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.patiently(func() error { return k.conn.WriteMessage(code, payload) })
}

func (k *socket) close(code uint16, reason string) {
	k.writing.Lock()
	defer k.writing.Unlock()
	_ = k.patiently(func() error { return k.conn.WriteClose(code, []byte(reason)) })
}

// sendPing sends both a frame and a protocol ping: browsers answer the latter themselves but do not show it to the page.
func (k *socket) sendPing() {
	frame := push.Encode(transport.TypePing, k.orderID, 0, k.server.Clock.Now(), nil)
	if k.send(frame) == nil && k.say(gws.OpcodePing, nil) == nil {
		k.ping.Reset(k.server.Config.PingEvery)
	}
}

// alive extends the read deadline until the ping after the next.
func (k *socket) alive() {
	_ = k.conn.SetReadDeadline(time.Now().Add(k.server.Config.PingEvery*2 + transport.WriteTimeout))
}

// session links a connection to its socket. Nothing stores anything in it.
type session struct {
	gws.SessionStorage
	socket *socket
}

// events handles gws callbacks.
type events struct{ gws.BuiltinEventHandler }

func (events) socketOf(c *gws.Conn) *socket { return c.Session().(*session).socket }

// OnPing answers and counts as a sign of life.
func (e events) OnPing(c *gws.Conn, payload []byte) {
	k := e.socketOf(c)
	k.alive()
	_ = k.say(gws.OpcodePong, payload)
}

// OnPong counts as a sign of life.
func (e events) OnPong(c *gws.Conn, _ []byte) { e.socketOf(c).alive() }

// OnMessage passes messages to a socket with several topics. A socket for one order ignores them.
func (e events) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	k := e.socketOf(c)
	k.alive()
	if k.many != nil {
		k.many.message(m.Bytes())
	}
}

// now is the timestamp for frames.
func (k *socket) now() time.Time { return domain.Timestamp(k.server.Clock.Now()) }
