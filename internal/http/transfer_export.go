package httpserver

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/transport"
)

func (s *Server) exportOrders(ctx context.Context, in *exportIn) (*huma.StreamResponse, error) {
	if in.Format != "ndjson" && in.Format != "csv" {
		return nil, domain.Invalid("/format", "unknown_format", "must be ndjson or csv")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		c := humagin.Unwrap(hc)
		out := &exportRun{w: c.Writer, control: http.NewResponseController(c.Writer)}
		if in.Excel {
			out.excel = true
			out.buf.WriteString(byteOrderMark)
		}
		if in.Excel || in.Format == "csv" {
			out.cells = csv.NewWriter(&out.buf)
			_ = out.cells.Write(csvHeader()) // writing to a buffer never fails
		}
		if c.Request.Method == http.MethodHead {
			out.header()
			return
		}
		err := s.Orders.Export(ctx, in.filter(), out.row)
		switch {
		case err == nil:
			err = out.flush()
		case !c.Writer.Written():
			fail(c, err)
			return
		}
		if err != nil {
			_ = c.Error(err)
			panic(http.ErrAbortHandler) // so that the client sees that it is incomplete
		}
	}}, nil
}

// exportRun writes an export.
type exportRun struct {
	w       gin.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
	cells   *csv.Writer // into buf; nil for NDJSON
	excel   bool        // cells are escaped for spreadsheets
}

func (x *exportRun) header() {
	h, name := x.w.Header(), "orders.ndjson"
	h.Set("Content-Type", ndjsonType)
	if x.cells != nil {
		h.Set("Content-Type", csvType+"; charset=utf-8")
		name = "orders.csv"
	}
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
}

// row adds an order or a courier, which CSV omits, to the response.
func (x *exportRun) row(v orders.Exported) (err error) {
	switch {
	case x.cells != nil && v.Order != nil:
		cells := domain.Each(csvColumns, func(c csvColumn) string { return escapeCell(c.get(&v), x.excel) })
		err = x.cells.Write(cells)
	case x.cells != nil:
	case v.Courier != nil:
		err = json.NewEncoder(&x.buf).Encode(courierLine{v.Courier})
	default:
		err = x.jsonRow(v)
	}
	if err != nil || x.buf.Len() < exportChunk {
		return err
	}
	return x.flush()
}

// courierLine is a line that holds a courier.
type courierLine struct {
	Courier *domain.Courier `json:"courier"`
}

// jsonRow writes an order, which is already encoded, with its history inserted.
func (x *exportRun) jsonRow(v orders.Exported) error {
	order, err := v.Order.Freeze()
	if err != nil {
		return err
	}
	events, err := json.Marshal(v.Events)
	if err != nil {
		return err
	}
	x.buf.Write(order[:len(order)-1])
	x.buf.WriteString(`,"events":`)
	x.buf.Write(events)
	x.buf.WriteString("}\n")
	return nil
}

// flush sends the buffer.
func (x *exportRun) flush() error {
	if x.cells != nil {
		x.cells.Flush()
	}
	if !x.w.Written() {
		_ = x.control.SetReadDeadline(time.Time{}) // the request is read; the response may take longer than the read deadline
		x.header()
	}
	return send(x.w, x.control, &x.buf)
}

// send writes a buffer. It gives up on a client that accepts nothing for transport.WriteTimeout.
func send(w io.Writer, control *http.ResponseController, buf *bytes.Buffer) error {
	err := control.SetWriteDeadline(time.Now().Add(transport.WriteTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err = buf.WriteTo(w)
	return err
}
