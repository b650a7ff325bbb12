package httpserver

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

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
