package httpserver

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Types of frames that the transport itself sends.
const (
	typeAck   = "ack"
	typeError = "error"
)

// streamRoutes registers the live streams and the tickets that open them.
func (s *Server) streamRoutes() {
	sockets := newUpgrader(s.Log)
	plain[OrderPath, struct{}](s, "watchOrder", s.streaming(sockets, s.watchOrder))
	plain[OrderPath, struct{}](s, "streamOrder", s.streaming(nil, s.streamOrder))
	s.api.OpenAPI().Paths["/order/{order_id}/stream"].Get.Responses["204"] = &huma.Response{Description: "The order is finished and was told to its end"}
	plain[struct{}, struct{}](s, "watchMany", s.streaming(sockets, s.watchMany))
	handle(s, "createTicket", func(ctx context.Context, _ *struct{}) (*ticketOut, error) {
		t, err := s.Tickets.Issue(ctx)
		return &ticketOut{"no-store", t}, err
	})
}

// parseSince parses the last version seen; "" means none.
func parseSince(since string) (*int64, error) {
	if since == "" {
		return nil, nil
	}
	v, err := strconv.ParseInt(since, 10, 64)
	if err != nil {
		return nil, domain.Errorf(domain.CodeMalformed, "since must be a version, an integer")
	}
	if v < 0 {
		return nil, domain.Invalid("/since", "out_of_range", "must be a version that was seen, or 0")
	}
	return &v, nil
}

// openOrder subscribes to the request's order, once the caller is authorized to see it.
func (s *Server) openOrder(ctx context.Context, c *gin.Context, since *int64, wake func()) (*push.Subscription, string, error) {
	caller, o, err := s.Orders.Reach(ctx, c.Param("order_id"))
	if err != nil {
		return nil, "", err
	}
	sub := s.openFor(caller, wake)
	if err := sub.Add(ctx, push.OrderTopic(o.ID), since); err != nil {
		sub.Close()
		if _, ended := transport.EndOf(err); ended {
			err = domain.Unavailable("the stream", err)
		}
		return nil, "", err
	}
	return sub, o.ID, nil
}

// openFor opens a subscription that ends when the caller loses access.
func (s *Server) openFor(caller *domain.Caller, wake func()) *push.Subscription {
	sub := s.Hub.OpenFor(caller.View(), wake)
	sub.OnClose(s.Guard.Hold(caller, func() { sub.End(push.ErrRevoked) }))
	return sub
}

// upgradable returns why a request can't become a WebSocket, or nil.
func (s *Server) upgradable(c *gin.Context) error {
	r := c.Request
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.Header.Get("Sec-Websocket-Version") != "13" ||
		!strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") || r.Header.Get("Sec-Websocket-Key") == "" {
		c.Header("Upgrade", "websocket")
		c.Header("Connection", "Upgrade")
		return domain.Errorf(domain.CodeUpgradeRequired, "this is a WebSocket (version 13) and needs an upgrade; /order/{id}/stream needs none")
	}
	if origin := r.Header.Get("Origin"); s.Guard.Protected() && !s.origins[origin] && !sameHost(origin, r.Host) {
		return domain.Errorf(domain.CodeForbidden, "pages of %s may not open streams here", origin)
	}
	return nil
}

// sameHost reports whether the calling page is from this server, or there is no Origin.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return origin == "" || err == nil && strings.EqualFold(u.Host, host)
}

type ticketOut struct {
	CacheControl string `header:"Cache-Control"`
	Body         *access.IssuedTicket
}

// streaming wraps a stream's handler in enter. A WebSocket with an invalid ticket is accepted and closed with a close code.
func (s *Server) streaming(up *gws.Upgrader, h func(context.Context, *gin.Context, *gws.Upgrader) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, err := s.enterStream(c)
		if err == nil {
			err = h(ctx, c, up)
		} else if up != nil && c.Query("ticket") != "" && domain.CodeOf(err) == domain.CodeUnauthenticated && s.upgradable(c) == nil {
			c.Status(http.StatusSwitchingProtocols)
			if conn, err := up.Upgrade(c.Writer, c.Request); err == nil {
				_ = conn.WriteClose(transport.CloseUnauthorized, []byte("the ticket is unknown, used or expired")) // the client may be gone
			}
			return
		}
		if err != nil {
			fail(c, err)
		}
	}
}

// enterStream is enter for callers that may use a ticket instead of a key.
func (s *Server) enterStream(c *gin.Context) (context.Context, error) {
	ctx, ticket := c.Request.Context(), c.Query("ticket")
	if ticket == "" || !s.Guard.Protected() { // in keyless mode a ticket does not admit remote callers either
		local, err := s.enter(c)
		if ticket == "" || err != nil {
			return local, err
		}
	}
	caller, err := s.Tickets.Redeem(ctx, ticket)
	if err == nil {
		err = access.Permit(caller, s.operationOf(c))
	}
	return domain.WithCaller(ctx, caller), err
}

// streamOrder serves one order as server-sent events until it is finished, the client leaves
// or falls behind, or the server stops.
func (s *Server) streamOrder(ctx context.Context, c *gin.Context, _ *gws.Upgrader) error {
	if err := onlyQuery(c.Request.URL, "since", "ticket", "token"); err != nil {
		return err
	}
	last := c.Request.Header.Get("Last-Event-ID")
	since, err := parseSince(cmp.Or(last, c.Query("since")))
	if err != nil {
		return err
	}
	if o, err := s.Orders.Get(ctx, c.Param("order_id")); last != "" && err == nil && o.Status.Terminal() && o.Version == *since {
		c.Status(http.StatusNoContent) // browsers stop reconnecting
		c.Writer.WriteHeaderNow()
		return nil
	}
	sub, _, err := s.openOrder(ctx, c, since, nil)
	if err != nil {
		return err
	}
	defer sub.Close()
	if c.Request.Method == http.MethodHead {
		return nil
	}
	open := s.metrics.streams.WithLabelValues("sse")
	open.Inc()
	defer open.Dec()
	out := newEventWriter(c, since)
	_ = sub.Serve(ctx, s.Config.PingEvery, out.frames, out.ping) // the client sees the end of the stream and reconnects
	return nil
}

// eventWriter writes server-sent events. It gives up on a client that accepts nothing for transport.WriteTimeout.
type eventWriter struct {
	w       gin.ResponseWriter
	control *http.ResponseController
	since   *int64
	buf     bytes.Buffer
}

func newEventWriter(c *gin.Context, since *int64) *eventWriter {
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // disables nginx's buffering
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(time.Time{}) // the request is read; the stream has no deadline
	out := &eventWriter{w: c.Writer, control: control, since: since}
	out.buf.WriteString("retry: 2000\n\n")
	return out
}

func (e *eventWriter) frames(frames []push.Frame) error {
	for _, f := range frames {
		if f.Type == push.TypeStatus || f.Type == push.TypeSnapshot {
			id := f.Version
			if f.Type == push.TypeSnapshot && e.since != nil {
				id = *e.since // the replay from that version is still to come
			}
			fmt.Fprintf(&e.buf, "id: %d\n", id)
		}
		fmt.Fprintf(&e.buf, "data: %s\n\n", f.JSON)
	}
	return e.flush()
}

func (e *eventWriter) ping() error {
	e.buf.WriteString(": ping\n\n")
	return e.flush()
}

func (e *eventWriter) flush() error {
	if e.buf.Len() == 0 {
		return nil
	}
	if err := send(e.w, e.control, &e.buf); err != nil {
		return err
	}
	return e.control.Flush()
}
