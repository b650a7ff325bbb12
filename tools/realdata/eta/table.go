package eta

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// table is a CSV file with a header.
type table struct {
	name   string
	column map[string]int
	rows   [][]string
	err    error // the first value that could not be read
}

func readTable(name string) (*table, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	all, err := csv.NewReader(in).ReadAll()
	if err == nil && len(all) == 0 {
		err = errors.New("there is no header")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t := &table{name: name, column: map[string]int{}, rows: all[1:]}
	for i, c := range all[0] {
		t.column[c] = i
	}
	return t, nil
}

func (t *table) has(column string) bool {
	_, ok := t.column[column]
	return ok
}

// text is a value of a row, "" where the table has no such column.
func (t *table) text(row []string, column string) string {
	if i, ok := t.column[column]; ok {
		return row[i]
	}
	return ""
}

// number is NaN when the value is absent.
func (t *table) number(row []string, column string) float64 {
	s := t.text(row, column)
	if s == "" || s == "NA" {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.fail(row, column, err)
		return math.NaN()
	}
	return v
}

// orZero is a number, zero when it is absent.
func (t *table) orZero(row []string, column string) float64 {
	if v := t.number(row, column); !math.IsNaN(v) {
		return v
	}
	return 0
}

func (t *table) point(row []string, lat, lon string) *domain.Point {
	p := domain.Point{Lat: t.number(row, lat), Lon: t.number(row, lon)}
	if math.IsNaN(p.Lat) || math.IsNaN(p.Lon) {
		return nil
	}
	return &p
}

// time reads a time, zero when it is absent; without a zone it is the place's clock.
func (t *table) time(row []string, column string) time.Time {
	s := t.text(row, column)
	if s == "" || s == "NA" {
		return time.Time{}
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return time.UnixMicro(int64(v * 1e6)).UTC()
	}
	v, err := time.Parse(time.DateTime, s)
	if err != nil {
		if v, err = time.Parse(time.RFC3339, s); err != nil {
			if v, err = time.Parse(time.DateOnly, s); err != nil {
				t.fail(row, column, err)
			}
		}
	}
	return v
}

func (t *table) fail(row []string, column string, err error) {
	if t.err == nil {
		t.err = fmt.Errorf("%s: column %s of the row that begins with %q: %w", t.name, column, row[0], err)
	}
}
