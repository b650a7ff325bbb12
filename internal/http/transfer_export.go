package httpdoor

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/usecase"
)

func (s *Server) exportOrders(ctx context.Context, in *exportIn) (*huma.StreamResponse, error) {
	if in.Format != "ndjson" && in.Format != "csv" {
		return nil, domain.Invalid("/format", "unknown_format", "must be ndjson or csv")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		c := humagin.Unwrap(hc)
		out := &exportRun{w: c.Writer, control: http.NewResponseController(c.Writer), csv: in.Format == "csv"}
		if c.Request.Method == http.MethodHead {
			out.header()
			return
		}
		err := s.UseCases.Orders.Export(ctx, in.filter(), out.row)
		switch {
		case err == nil:
			err = out.flush()
		case !c.Writer.Written():
			fail(c, err)
			return
		}
		if err != nil {
			_ = c.Error(err)
			panic(http.ErrAbortHandler) // so that the reader sees that it is not complete
		}
	}}, nil
}

// exportRun writes an export.
type exportRun struct {
	w       gin.ResponseWriter
	control *http.ResponseController
	csv     bool
	buf     bytes.Buffer
	cells   *csv.Writer
}

func (x *exportRun) header() {
	h, name := x.w.Header(), "orders.ndjson"
	h.Set("Content-Type", ndjsonType)
	if x.csv {
		h.Set("Content-Type", csvType+"; charset=utf-8")
		name = "orders.csv"
	}
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
}

// row takes a courier or an order into the answer.
func (x *exportRun) row(v usecase.Exported) error {
	var err error
	switch {
	case x.csv && v.Order != nil:
		err = x.csvRow(v)
	case x.csv: // it has no couriers
	case v.Courier != nil:
		var b []byte
		if b, err = json.Marshal(courierLine{v.Courier}); err == nil {
			x.buf.Write(append(b, '\n'))
		}
	default:
		err = x.jsonRow(v)
	}
	if err != nil || x.buf.Len() < exportChunk {
		return err
	}
	return x.flush()
}

// courierLine is a line with a courier.
type courierLine struct {
	Courier *domain.Courier `json:"courier"`
}

// jsonRow writes an order, which is encoded already, and its history into it.
func (x *exportRun) jsonRow(v usecase.Exported) error {
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

func (x *exportRun) csvRow(v usecase.Exported) error {
	if err := x.startCSV(); err != nil {
		return err
	}
	cells := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		cells[i] = c.get(&v)
	}
	return x.line(cells)
}

// startCSV writes the names of the columns, once.
func (x *exportRun) startCSV() error {
	if x.cells != nil {
		return nil
	}
	x.cells = csv.NewWriter(&x.buf)
	return x.line(csvHeader())
}

func (x *exportRun) line(cells []string) error {
	if err := x.cells.Write(cells); err != nil {
		return err
	}
	x.cells.Flush()
	return x.cells.Error()
}

// flush sends what was written. A reader that takes nothing for writeTimeout is given up.
func (x *exportRun) flush() error {
	if x.csv {
		if err := x.startCSV(); err != nil { // of no orders there is still a header
			return err
		}
	}
	if !x.w.Written() {
		_ = x.control.SetReadDeadline(time.Time{}) // the request is read; the answer may take longer than it might
		x.header()
	}
	err := x.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err = x.w.Write(x.buf.Bytes())
	x.buf.Reset()
	return err
}
