package httpserver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// maxRow is the largest row of an import in bytes; a longer row alone is rejected.
const maxRow = 4 << 20

// byteOrderMark marks a file as UTF-8 for spreadsheets.
const byteOrderMark = "\ufeff"

// plainText rejects files that are not UTF-8 text and names their format, which it detects from the first bytes.
func plainText(file io.Reader) (io.Reader, error) {
	r := bufio.NewReader(file)
	begin, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for magic, what := range map[string]string{
		"\xff\xfe": "in UTF-16; save it in UTF-8", "\xfe\xff": "in UTF-16; save it in UTF-8", "\x28\xb5\x2f\xfd": "compressed by zstd; unpack it, or send it with Content-Encoding: zstd",
		"\x1f\x8b": "compressed by gzip; unpack it, or send it with Content-Encoding: gzip", "PK\x03\x04": "a ZIP archive or a spreadsheet; save the sheet as CSV in UTF-8",
	} {
		if bytes.HasPrefix(begin, []byte(magic)) {
			return nil, domain.Errorf(domain.CodeUnsupportedMediaType, "the file is %s", what)
		}
	}
	return r, nil
}

// fileLine is a line of a file without its line ending.
type fileLine struct {
	number  int64 // from 1
	text    []byte
	tooLong bool // the text is only the beginning
}

// fileLines reads a file line by line and can take lines back.
type fileLines struct {
	r      *bufio.Reader
	number int64
	begun  bool
	back   []fileLine
}

// newFileLines reads lines, the first of which has this number. It skips a byte order mark.
func newFileLines(r io.Reader, first int64) *fileLines {
	return &fileLines{r: bufio.NewReaderSize(r, 64<<10), number: first - 1}
}

// next returns a line, or io.EOF after the last one.
func (l *fileLines) next() (fileLine, error) {
	if len(l.back) > 0 {
		line := l.back[0]
		l.back = l.back[1:]
		return line, nil
	}
	var line fileLine
	for {
		part, err := l.r.ReadSlice('\n')
		if room := maxRow - len(line.text); len(part) > room+2 { // not counting its line ending
			line.tooLong = true
		} else {
			line.text = append(line.text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line.text) == 0 && !line.tooLong):
			return fileLine{}, err
		}
		if !l.begun {
			line.text = bytes.TrimPrefix(line.text, []byte(byteOrderMark))
		}
		l.begun = true
		l.number++
		line.number = l.number
		line.text = bytes.TrimSuffix(bytes.TrimSuffix(line.text, []byte("\n")), []byte("\r"))
		return line, nil
	}
}

// putBack makes next return these lines again.
func (l *fileLines) putBack(lines []fileLine) { l.back = append(lines, l.back...) }

// importLine is a line of an NDJSON import: a courier, a new order, or an order in the API's form with its history.
type importLine struct {
	Courier *domain.Courier `json:"courier"`
	OrderFields
	Events []domain.Event `json:"events"`
}

// OrderFields is an order without its methods, so that it can be embedded next to other members. It is exported for the decoder.
type OrderFields domain.Order

// rows iterates over a file's rows; read fills one from each non-blank line.
func (l *fileLines) rows(read func(fileLine, *orders.ImportRow) error) iter.Seq2[orders.ImportRow, error] {
	return func(yield func(orders.ImportRow, error) bool) {
		for {
			line, err := l.next()
			if errors.Is(err, io.EOF) {
				return
			}
			row := orders.ImportRow{From: line.number, To: line.number}
			switch {
			case err != nil:
			case line.tooLong:
				row.Err = domain.Errorf(domain.CodeTooLarge, "the row has more than %d bytes", maxRow)
			case len(bytes.TrimSpace(line.text)) == 0:
				continue
			default:
				err = read(line, &row)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// jsonRow parses a line of an NDJSON import.
func jsonRow(line fileLine, row *orders.ImportRow) error {
	v, faults, err := decode[importLine](JSONBody{RawBody: line.text})
	switch {
	case err != nil:
		row.Err = err
	case bytes.TrimLeft(line.text, " \t")[0] != '{':
		row.Err = domain.Errorf(domain.CodeMalformed, "the row is not a JSON object")
	case len(faults) > 0:
		row.Err = refusal(faults)
	case v.Courier != nil:
		row.Courier = v.Courier
	default:
		sortRow(row, domain.Restored{Order: domain.Order(v.OrderFields), Events: v.Events})
	}
	return nil
}

// sortRow distinguishes new orders from existing ones: those have an id, a history, a time,
// or a status other than the initial one.
func sortRow(row *orders.ImportRow, r domain.Restored) {
	o := &r.Order
	begun := o.Status == "" || o.Status == domain.StatusCreated
	if o.ID == "" && begun && o.CreatedAt.IsZero() && len(r.Events) == 0 && len(r.Steps) == 0 {
		if err := onlyDraft(o); err != nil {
			row.Err = err
			return
		}
		draft := o.Draft()
		if o.Dropoff == (domain.Place{}) {
			draft.Dropoff = nil
		}
		row.Draft = &draft
		return
	}
	if len(r.Events) == 0 {
		r.Steps = lastStep(o, r.Steps)
	}
	row.Order = &r
}

// lastStep appends the step to the order's current status when its time is known.
func lastStep(o *domain.Order, steps []domain.Step) []domain.Step {
	at, pointer := &o.UpdatedAt, "/updated_at"
	switch {
	case o.DeliveredAt != nil && o.Status == domain.StatusDelivered:
		at, pointer = o.DeliveredAt, "/delivered_at"
	case o.CancelledAt != nil && o.Status == domain.StatusCancelled:
		at, pointer = o.CancelledAt, "/cancelled_at"
	}
	if o.Status == "" || o.Status == domain.StatusCreated || at.IsZero() {
		return steps
	}
	if slices.ContainsFunc(steps, func(s domain.Step) bool { return s.Status == o.Status }) {
		return steps
	}
	return append(steps, domain.Step{Status: o.Status, At: *at, Pointer: pointer})
}

// onlyDraft rejects fields that a new order can't have.
func onlyDraft(o *domain.Order) error {
	var f domain.Faults
	for pointer, present := range map[string]bool{
		"/number": o.Number != "", "/version": o.Version != 0, "/courier_id": o.CourierID != "", "/shipment": o.Shipment != nil,
		"/eta": o.ETA != nil, "/attempts": o.Attempts != 0, "/exception": o.Exception != nil, "/updated_at": !o.UpdatedAt.IsZero(),
		"/delivered_at": o.DeliveredAt != nil, "/cancelled_at": o.CancelledAt != nil,
	} {
		if present {
			f.Add(pointer, "conflict", "does not go with a new order; an order from elsewhere has an id or created_at")
		}
	}
	return f.Err()
}
