package httpdoor

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/usecase"
)

// csvColumn is a column of imports and exports.
type csvColumn struct {
	name string
	get  func(*usecase.Exported) string
	// set takes over a cell that is not empty; its error says what is wanted.
	set func(*domain.Restored, string) error
}

// stepPrefix begins the names of the columns with the times of statuses.
const stepPrefix = "at."

// csvColumns are the columns in the order of an export.
var csvColumns = allColumns()

func allColumns() []csvColumn {
	text := func(name string, field func(*domain.Order) *string) csvColumn {
		return csvColumn{
			name, func(x *usecase.Exported) string { return *field(x.Order) },
			func(r *domain.Restored, cell string) error { *field(&r.Order) = cell; return nil },
		}
	}
	columns := []csvColumn{
		text("id", func(o *domain.Order) *string { return &o.ID }),
		text("number", func(o *domain.Order) *string { return &o.Number }),
		text("external_id", func(o *domain.Order) *string { return &o.ExternalID }),
		text("merchant_id", func(o *domain.Order) *string { return &o.MerchantID }),
		text("status", func(o *domain.Order) *string { return (*string)(&o.Status) }),
		text("customer.name", func(o *domain.Order) *string { return &o.Customer.Name }),
		text("customer.phone", func(o *domain.Order) *string { return &o.Customer.Phone }),
		text("customer.email", func(o *domain.Order) *string { return &o.Customer.Email }),
		text("customer.locale", func(o *domain.Order) *string { return &o.Customer.Locale }),
	}
	columns = append(columns, placeColumns("pickup", func(o *domain.Order, make bool) *domain.Place {
		if o.Pickup == nil && make {
			o.Pickup = &domain.Place{}
		}
		return o.Pickup
	})...)
	columns = append(columns, placeColumns("dropoff", func(o *domain.Order, _ bool) *domain.Place { return &o.Dropoff })...)
	columns = append(columns,
		jsonColumn("items", func(o *domain.Order) *[]domain.Item { return &o.Items }),
		moneyAmount(), moneyCurrency(),
		text("notes", func(o *domain.Order) *string { return &o.Notes }),
		jsonColumn("metadata", func(o *domain.Order) *map[string]string { return &o.Metadata }),
		text("courier_id", func(o *domain.Order) *string { return &o.CourierID }),
		timeColumn("ready_at", func(o *domain.Order) **time.Time { return &o.ReadyAt }),
		timeColumn("promised_at", func(o *domain.Order) **time.Time { return &o.PromisedAt }),
		csvColumn{
			"attempts", func(x *usecase.Exported) string { return strconv.Itoa(x.Order.Attempts) },
			func(r *domain.Restored, cell string) (err error) {
				r.Order.Attempts, err = strconv.Atoi(cell)
				return wanted(err, "must be a whole number")
			},
		},
		jsonColumn("exception", func(o *domain.Order) **domain.Exception { return &o.Exception }),
		plainTime("created_at", func(o *domain.Order) *time.Time { return &o.CreatedAt }),
		plainTime("updated_at", func(o *domain.Order) *time.Time { return &o.UpdatedAt }),
	)
	for _, s := range domain.Statuses() {
		if s != domain.StatusCreated { // created_at says that
			columns = append(columns, stepColumn(s))
		}
	}
	return columns
}

func wanted(err error, text string) error {
	if err != nil {
		return errors.New(text)
	}
	return nil
}

func placeColumns(name string, place func(o *domain.Order, make bool) *domain.Place) []csvColumn {
	text := func(member string, field func(*domain.Place) *string) csvColumn {
		return csvColumn{
			name + "." + member,
			func(x *usecase.Exported) string {
				if p := place(x.Order, false); p != nil {
					return *field(p)
				}
				return ""
			},
			func(r *domain.Restored, cell string) error { *field(place(&r.Order, true)) = cell; return nil },
		}
	}
	degrees := func(member string, field func(*domain.Point) *float64) csvColumn {
		return csvColumn{
			name + "." + member,
			func(x *usecase.Exported) string {
				if p := place(x.Order, false); p != nil && p.Location != nil {
					return strconv.FormatFloat(*field(p.Location), 'f', -1, 64)
				}
				return ""
			},
			func(r *domain.Restored, cell string) error {
				p := place(&r.Order, true)
				if p.Location == nil {
					p.Location = &domain.Point{Lat: unset, Lon: unset}
				}
				v, err := strconv.ParseFloat(cell, 64)
				*field(p.Location) = v
				return wanted(err, "must be a number of degrees")
			},
		}
	}
	return []csvColumn{
		text("address", func(p *domain.Place) *string { return &p.Address }),
		degrees("lat", func(p *domain.Point) *float64 { return &p.Lat }),
		degrees("lon", func(p *domain.Point) *float64 { return &p.Lon }),
		text("notes", func(p *domain.Place) *string { return &p.Notes }),
	}
}

// unset is a coordinate of which the row has only the other; the domain refuses it.
const unset = 1e9

func moneyAmount() csvColumn {
	return csvColumn{
		"total.amount", func(x *usecase.Exported) string {
			if x.Order.Total == nil {
				return ""
			}
			return strconv.FormatInt(x.Order.Total.Amount, 10)
		},
		func(r *domain.Restored, cell string) (err error) {
			total(r).Amount, err = strconv.ParseInt(cell, 10, 64)
			return wanted(err, "must be a whole number of minor units")
		},
	}
}

func moneyCurrency() csvColumn {
	return csvColumn{
		"total.currency", func(x *usecase.Exported) string {
			if x.Order.Total == nil {
				return ""
			}
			return x.Order.Total.Currency
		},
		func(r *domain.Restored, cell string) error { total(r).Currency = cell; return nil },
	}
}

func total(r *domain.Restored) *domain.Money {
	if r.Order.Total == nil {
		r.Order.Total = &domain.Money{}
	}
	return r.Order.Total
}

// jsonColumn holds JSON in its cells.
func jsonColumn[T any](name string, field func(*domain.Order) *T) csvColumn {
	return csvColumn{
		name, func(x *usecase.Exported) string {
			b, err := json.Marshal(field(x.Order))
			if err != nil || string(b) == "null" {
				return ""
			}
			return string(b)
		},
		func(r *domain.Restored, cell string) error {
			v, faults, err := decode[T](JSONBody{RawBody: []byte(cell)})
			if err != nil {
				return errors.New("must be JSON")
			}
			if len(faults) > 0 {
				return errors.New(faults[0].Pointer + " " + faults[0].Detail)
			}
			*field(&r.Order) = v
			return nil
		},
	}
}

func parseTime(cell string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, cell)
	return t, wanted(err, "must be a time such as 2026-05-04T12:30:00Z (RFC 3339)")
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func timeColumn(name string, field func(*domain.Order) **time.Time) csvColumn {
	return csvColumn{
		name, func(x *usecase.Exported) string {
			if t := *field(x.Order); t != nil {
				return formatTime(*t)
			}
			return ""
		},
		func(r *domain.Restored, cell string) error {
			t, err := parseTime(cell)
			*field(&r.Order) = &t
			return err
		},
	}
}

func plainTime(name string, field func(*domain.Order) *time.Time) csvColumn {
	return csvColumn{
		name, func(x *usecase.Exported) string { return formatTime(*field(x.Order)) },
		func(r *domain.Restored, cell string) (err error) {
			*field(&r.Order), err = parseTime(cell)
			return err
		},
	}
}

// stepColumn is when the order became s, the last time that it did.
func stepColumn(s domain.Status) csvColumn {
	name := stepPrefix + string(s)
	return csvColumn{
		name, func(x *usecase.Exported) string {
			for _, e := range slices.Backward(x.Events) {
				if e.Type == domain.EventStatusChanged && e.Status == s {
					return formatTime(e.OccurredAt)
				}
			}
			return ""
		},
		func(r *domain.Restored, cell string) error {
			t, err := parseTime(cell)
			r.Steps = append(r.Steps, domain.Step{Status: s, At: t, Pointer: "/" + name})
			return err
		},
	}
}

// csvHeader is the header of an export.
func csvHeader() []string {
	names := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		names[i] = c.name
	}
	return names
}

// csvReader reads a CSV import.
type csvReader struct {
	lines   *fileLines
	comma   rune
	columns []csvColumn
}

// newCSV reads the header, the first line. It fails with malformed, or with
// validation_failed for columns that are not known or missing.
func newCSV(body io.Reader) (*csvReader, error) {
	r := &csvReader{lines: newFileLines(body, 1), comma: ','}
	line, err := r.lines.next()
	switch {
	case errors.Is(err, io.EOF) || err == nil && line.blank():
		return nil, domain.Errorf(domain.CodeMalformed, "the file is empty; its first line names the columns")
	case err != nil:
		return nil, err
	}
	if bytes.Count(line.text, []byte(";")) > bytes.Count(line.text, []byte(",")) {
		r.comma = ';' // what spreadsheets write where the comma is the decimal sign
	}
	names, err := r.cells(line.text)
	if err != nil {
		return nil, domain.Errorf(domain.CodeMalformed, "the first line, which names the columns, is not CSV: %v", err)
	}
	var f domain.Faults
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		name := names[i]
		at := slices.IndexFunc(csvColumns, func(c csvColumn) bool { return c.name == name })
		switch {
		case at < 0:
			f.Add("/"+name, "unknown_column", "is not a column; they are %s", strings.Join(csvHeader(), ", "))
			continue
		case slices.Contains(names[:i], name):
			f.Add("/"+name, "duplicate", "is there twice")
		}
		r.columns = append(r.columns, csvColumns[at])
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	if !has("customer.name") {
		f.Add("/customer.name", "required", "is a column that must be there")
	}
	if !has("dropoff.address") && (!has("dropoff.lat") || !has("dropoff.lon")) {
		f.Add("/dropoff.address", "required", "must be there, or dropoff.lat and dropoff.lon")
	}
	return r, f.Err()
}

// cells reads one record.
func (r *csvReader) cells(text []byte) ([]string, error) {
	p := csv.NewReader(bytes.NewReader(text))
	p.Comma, p.FieldsPerRecord = r.comma, -1
	cells, err := p.Read()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return nil, wrong.Err
	}
	return cells, err
}

// A record may take several lines, when a cell in quotes does. This bounds how far the
// end of one is looked for, so that a single stray quote does not swallow the file.
const (
	maxRecordLines = 200
	maxRecordBytes = 64 << 10
)

// rows reads the records. One that can't be read costs its first line only: what
// follows is read anew.
func (r *csvReader) rows() iter.Seq2[usecase.ImportRow, error] {
	return func(yield func(usecase.ImportRow, error) bool) {
		for {
			line, err := r.lines.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(usecase.ImportRow{}, err)
				}
				return
			}
			if line.blank() {
				continue
			}
			row, err := r.row(line)
			if err != nil {
				yield(usecase.ImportRow{}, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r *csvReader) row(first fileLine) (usecase.ImportRow, error) {
	if first.tooLong {
		return first.refused(), nil
	}
	row := usecase.ImportRow{From: first.number, To: first.number}
	text, more, whole, err := r.record(first)
	if err != nil {
		return row, err
	}
	var cells []string
	if whole {
		cells, err = r.cells(text)
	} else {
		err = errors.New("a quote is not closed")
	}
	if err != nil {
		r.lines.putBack(more)
		row.Err = domain.Errorf(domain.CodeMalformed, "the row is not CSV: %v", err)
		return row, nil
	}
	row.To += int64(len(more))
	if len(cells) != len(r.columns) {
		row.Err = domain.Errorf(domain.CodeMalformed, "the row has %d cells, and there are %d columns", len(cells), len(r.columns))
		return row, nil
	}
	var f domain.Faults
	var v domain.Restored
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if err := r.columns[i].set(&v, cell); err != nil {
			f.Add("/"+r.columns[i].name, "invalid", "%s", err.Error())
		}
	}
	if row.Err = f.Err(); row.Err == nil {
		sortRow(&row, v)
	}
	return row, nil
}

// record joins the lines up to where every quote is closed. whole is false when that
// is nowhere near.
func (r *csvReader) record(first fileLine) (text []byte, more []fileLine, whole bool, err error) {
	text = first.text
	open := bytes.Count(text, []byte(`"`))%2 == 1
	for open && len(more) < maxRecordLines && len(text) < maxRecordBytes {
		line, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, false, err
		}
		more = append(more, line)
		if line.tooLong {
			break
		}
		text = append(append(text, '\n'), line.text...)
		open = open != (bytes.Count(line.text, []byte(`"`))%2 == 1)
	}
	return text, more, !open, nil
}
