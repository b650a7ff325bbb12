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

// maxMessage is the largest message that a client may send over a WebSocket.
const maxMessage = 4 << 10

// socket is one WebSocket. This file is the seam: nothing else knows gws.
//
// An idle socket costs its reading goroutine and little else: when there is something
// to write the hub wakes it, and the writers write until all is written.
type socket struct {
	server  *Server
	conn    *gws.Conn
	raw     syscall.RawConn // of conn, for writers; nil where there is none
	writing sync.Mutex      // held from the first byte of a message to its last
	sub     *push.Subscription
	orderID string // of a socket for one order
	many    *many  // of a socket for many topics
	pending atomic.Int32
	ping    *time.Timer
}

// newUpgrader makes what turns requests into sockets: small buffers, no compression.
func newUpgrader(log *zap.Logger) *gws.Upgrader {
	return gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadMaxPayloadSize: maxMessage,
		ReadBufferSize:     512,
		ParallelGolimit:    1,
		HandshakeTimeout:   transport.WriteTimeout,
		CheckUtf8Enabled:   false, // we only send what is encoded JSON, and decode strictly
		NewSession:         func() gws.SessionStorage { return new(session) },
		Recovery: func(gws.Logger) { // of what a message sets off
			if cause := recover(); cause != nil {
				log.Error("a WebSocket's message panicked", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
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

// newSocket makes a socket that is asleep until it is upgraded.
func (s *Server) newSocket() *socket {
	k := &socket{server: s}
	k.pending.Store(1) // as if it was writing
	return k
}

// upgrade takes the connection over. Nothing of the request is kept; the handler
// returns and its memory is free.
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

// send writes one frame of the transport's own. A client that accepts nothing for
// transport.WriteTimeout loses the connection.
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

// sendPing tells the client that we are here, in both languages: browsers answer
// the protocol's ping by themselves but do not show it to the page.
func (k *socket) sendPing() {
	frame := push.Encode(transport.TypePing, k.orderID, 0, k.server.Clock.Now(), nil)
	if k.send(frame) == nil && k.say(gws.OpcodePing, nil) == nil {
		k.ping.Reset(k.server.Config.PingEvery)
	}
}

// alive gives the client time until the ping after the next to show signs of life.
func (k *socket) alive() {
	_ = k.conn.SetReadDeadline(time.Now().Add(k.server.Config.PingEvery*2 + transport.WriteTimeout))
}

// session is how a socket is found from its connection.
type session struct{ socket *socket }

// Len is part of gws's session storage, of which only socket is used.
func (*session) Len() int { return 0 }

// Load finds nothing.
func (*session) Load(string) (any, bool) { return nil, false }

// Delete does nothing.
func (*session) Delete(string) {}

// Store does nothing.
func (*session) Store(string, any) {}

// Range finds nothing.
func (*session) Range(func(string, any) bool) {}

// events is what gws tells us.
type events struct{ gws.BuiltinEventHandler }

func (events) socketOf(c *gws.Conn) *socket { return c.Session().(*session).socket }

// OnPing answers; the client is alive.
func (e events) OnPing(c *gws.Conn, payload []byte) {
	k := e.socketOf(c)
	k.alive()
	_ = k.say(gws.OpcodePong, payload)
}

// OnPong is a sign of life.
func (e events) OnPong(c *gws.Conn, _ []byte) { e.socketOf(c).alive() }

// OnMessage hands messages to a socket with many topics. One for a single order has
// nothing to be told.
func (e events) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	k := e.socketOf(c)
	k.alive()
	if k.many != nil {
		k.many.message(m.Bytes())
	}
}

// now is the time for frames.
func (k *socket) now() time.Time { return domain.Timestamp(k.server.Clock.Now()) }
