package httpserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
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
	readable := make(chan struct{}, 1)
	sub, _, err := s.openOrder(ctx, c, since, func() { background.Wake(readable) })
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
	ping := time.NewTicker(s.Config.PingEvery)
	defer ping.Stop()
	var frames []push.Frame
	for {
		frames, err = sub.Drain(frames[:0])
		if out.frames(frames) != nil || err != nil {
			return nil // the client sees the end of the stream and reconnects
		}
		select {
		case <-readable:
		case <-ping.C:
			if out.comment("ping") != nil {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// eventWriter writes server-sent events. It gives up on a client that accepts nothing for transport.WriteTimeout.
type eventWriter struct {
	w       gin.ResponseWriter
	control *http.ResponseController
	since   *int64
	buf     []byte
}

func newEventWriter(c *gin.Context, since *int64) *eventWriter {
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // disables nginx's buffering
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(time.Time{}) // the request is read; the stream has no deadline
	return &eventWriter{w: c.Writer, control: control, since: since, buf: []byte("retry: 2000\n\n")}
}

func (e *eventWriter) frames(frames []push.Frame) error {
	for _, f := range frames {
		if f.Type == push.TypeStatus || f.Type == push.TypeSnapshot {
			id := f.Version
			if f.Type == push.TypeSnapshot && e.since != nil {
				id = *e.since // the replay from that version is still to come
			}
			e.buf = append(strconv.AppendInt(append(e.buf, "id: "...), id, 10), '\n')
		}
		e.buf = append(append(e.buf, "data: "...), f.JSON...)
		e.buf = append(e.buf, "\n\n"...)
	}
	return e.flush()
}

func (e *eventWriter) comment(text string) error {
	e.buf = append(append(append(e.buf, ": "...), text...), "\n\n"...)
	return e.flush()
}

func (e *eventWriter) flush() error {
	if len(e.buf) == 0 {
		return nil
	}
	err := e.control.SetWriteDeadline(time.Now().Add(transport.WriteTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err = e.w.Write(e.buf)
	if e.buf = e.buf[:0]; err != nil {
		return err
	}
	return e.control.Flush()
}
