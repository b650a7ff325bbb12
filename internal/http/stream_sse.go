package httpserver

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/internal/push"
)

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
