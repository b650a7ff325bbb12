package httpserver

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// csvColumn is a column of imports and exports.
type csvColumn struct {
	name string
	get  func(*orders.Exported) string
	// set parses a non-empty cell; its error states what is expected.
	set func(*domain.Restored, string) error
}

// members are the columns of an order's own members, in export order, by their names in JSON; a place has its location's beside
// its own.
const members = "id number external_id merchant_id status customer.name customer.phone customer.email customer.locale " +
	"pickup.address pickup.lat pickup.lon pickup.notes dropoff.address dropoff.lat dropoff.lon dropoff.notes " +
	"items total.amount total.currency payment notes metadata courier_id ready_at promised_at deliver_after deliver_before " +
	"timezone priority requirements attempts exception created_at updated_at"

// stepPrefix is the prefix of the columns with the times of statuses.
const stepPrefix = "at."

// csvColumns are the columns in export order.
var csvColumns = allColumns()

func allColumns() (columns []csvColumn) {
	for name := range strings.FieldsSeq(members) {
		path := strings.Split(strings.NewReplacer(".lat", ".location.lat", ".lon", ".location.lon").Replace(name), ".")
		columns = append(columns, csvColumn{name, func(x *orders.Exported) string {
			return formatCell(memberOf(reflect.ValueOf(x.Order), path, false))
		}, func(r *domain.Restored, text string) error {
			return parseCell(memberOf(reflect.ValueOf(&r.Order), path, true), text)
		}})
	}
	for _, s := range domain.Statuses() {
		if s != domain.StatusCreated { // created_at has it
			columns = append(columns, stepColumn(s))
		}
	}
	return columns
}

// memberOf returns what an order has at a path of JSON names. What an absent value would hold is no value, unless create is set.
func memberOf(v reflect.Value, path []string, create bool) reflect.Value {
	for _, name := range path {
		if v = existing(v, create); !v.IsValid() {
			break
		}
		v = v.FieldByIndex(fieldsOf(v.Type())[name].Index)
	}
	return v
}

// unset stands for a missing coordinate when the row has the other one; the domain rejects it.
const unset = 1e9

// existing follows a pointer, to a new value if it is nil and create is set.
func existing(v reflect.Value, create bool) reflect.Value {
	if create && v.Kind() == reflect.Pointer && v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
		if p, ok := v.Interface().(*domain.Point); ok {
			*p = domain.Point{Lat: unset, Lon: unset}
		}
	}
	return reflect.Indirect(v)
}

func formatCell(v reflect.Value) string {
	if v = reflect.Indirect(v); !v.IsValid() {
		return ""
	}
	if t, ok := v.Interface().(time.Time); ok {
		return formatTime(t)
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	b, err := json.Marshal(v.Addr().Interface())
	if err != nil || string(b) == "null" {
		return ""
	}
	return string(b)
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// parseCell sets a value to what a cell holds; its error states what is expected.
func parseCell(v reflect.Value, text string) (err error) {
	expected := "JSON"
	switch at := v.Addr().Interface().(type) {
	case *string:
		*at = text
	case *domain.Status:
		*at = domain.Status(text)
	case *int:
		expected = "a whole number"
		*at, err = strconv.Atoi(text)
	case *int64:
		expected = "a whole number of minor units"
		*at, err = strconv.ParseInt(text, 10, 64)
	case *float64:
		expected = "a number of degrees"
		*at, err = strconv.ParseFloat(text, 64)
	case *time.Time, **time.Time:
		expected = "a time such as 2026-05-04T12:30:00Z (RFC 3339)"
		var t time.Time
		t, err = time.Parse(time.RFC3339, text)
		existing(v, true).Set(reflect.ValueOf(t))
	default:
		var faults []domain.Fault
		if faults, err = decodeInto(JSONBody{RawBody: []byte(text)}, at); err == nil && len(faults) > 0 {
			return errors.New(faults[0].Pointer + " " + faults[0].Detail)
		}
	}
	if err != nil {
		err = errors.New("must be " + expected)
	}
	return err
}

// stepColumn is the time at which the order last reached s, or that of an earlier step where
// it was said to have happened before: an import takes times in order only.
func stepColumn(s domain.Status) csvColumn {
	name := stepPrefix + string(s)
	return csvColumn{
		name, func(x *orders.Exported) string {
			at, last := "", x.Order.CreatedAt
			for _, e := range x.Events {
				if e.Type != domain.EventStatusChanged {
					continue
				}
				if e.OccurredAt.After(last) {
					last = e.OccurredAt
				}
				if e.Status == s {
					at = formatTime(last)
				}
			}
			return at
		},
		func(r *domain.Restored, cell string) error {
			var t time.Time
			err := parseCell(reflect.ValueOf(&t).Elem(), cell)
			r.Steps = append(r.Steps, domain.Step{Status: s, At: t, Pointer: "/" + name})
			return err
		},
	}
}

// formula reports whether a spreadsheet would read a cell as a formula once its leading apostrophes are removed.
func formula(cell string) bool {
	cell = strings.TrimLeft(cell, "'")
	return cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0]))
}

// escapeCell prefixes an apostrophe to cells from which unescapeCell would remove one and, for spreadsheets, to formulas.
func escapeCell(cell string, excel bool) string {
	if formula(cell) && (excel || cell[0] == '\'') {
		return "'" + cell
	}
	return cell
}

func unescapeCell(cell string) string {
	if formula(cell) {
		return strings.TrimPrefix(cell, "'")
	}
	return cell
}

// csvHeader returns the header of an export.
func csvHeader() []string { return domain.Each(csvColumns, func(c csvColumn) string { return c.name }) }

// csvReader reads a CSV import.
type csvReader struct {
	lines   *fileLines
	comma   rune
	columns []csvColumn
}

// newCSV reads the header, the first line. It fails with malformed, or with validation_failed for unknown or missing columns.
func newCSV(body io.Reader) (*csvReader, error) {
	r := &csvReader{lines: newFileLines(body, 1), comma: ','}
	line, err := r.lines.next()
	switch {
	case errors.Is(err, io.EOF) || err == nil && !line.tooLong && len(bytes.TrimSpace(line.text)) == 0:
		return nil, domain.Errorf(domain.CodeMalformed, "the file is empty; its first line names the columns")
	case err != nil:
		return nil, err
	}
	if bytes.Count(line.text, []byte(";")) > bytes.Count(line.text, []byte(",")) {
		r.comma = ';' // spreadsheets use it where the comma is the decimal separator
	}
	names, err := r.cells(line.text)
	if err != nil {
		return nil, domain.Errorf(domain.CodeMalformed, "the first line, which names the columns, is not CSV: %v", err)
	}
	var f domain.Faults
	for i, name := range names {
		name = strings.TrimSpace(name)
		names[i] = name
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

// cells parses one record.
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

// A quoted cell can make a record span several lines. These bound the search for the closing
// quote, so that a single stray quote does not swallow the file.
const (
	maxRecordLines = 200
	maxRecordBytes = 64 << 10
)

// row reads a record. An invalid record costs only its first line: the lines after it are read again as records of their own.
func (r *csvReader) row(first fileLine, row *orders.ImportRow) error {
	text, more, whole, err := r.record(first)
	if err != nil {
		return err
	}
	cells, err := r.cells(text)
	if !whole {
		err = errors.New("a quote is not closed")
	}
	if err != nil {
		r.lines.putBack(more)
		row.Err = domain.Errorf(domain.CodeMalformed, "the row is not CSV: %v", err)
		return nil
	}
	row.To += int64(len(more))
	if len(cells) != len(r.columns) {
		row.Err = domain.Errorf(domain.CodeMalformed, "the row has %d cells, and there are %d columns", len(cells), len(r.columns))
		return nil
	}
	var f domain.Faults
	var v domain.Restored
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if err := r.columns[i].set(&v, unescapeCell(cell)); err != nil {
			f.Add("/"+r.columns[i].name, "invalid", "%s", err.Error())
		}
	}
	if row.Err = f.Err(); row.Err == nil {
		sortRow(row, v)
	}
	return nil
}

// record joins lines until every quote is closed. whole is false when that does not happen within the limits.
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
