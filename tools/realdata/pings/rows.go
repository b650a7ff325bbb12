package pings

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"
)

// ping is a row of the file, moved in time.
type ping struct {
	cab      string
	at       time.Time
	lat, lon float64
	occupied bool
}

var columns = []string{"t", "cab", "lat", "lng", "occ"}

// readFile reads the first limit rows (0 is all) and moves them so that the last is at
// end.
func readFile(path string, limit int, end time.Time) ([]ping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	buffered := bufio.NewReaderSize(f, 1<<20)
	var r io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if r, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	pings, err := read(r, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	shift := end.Truncate(time.Second).Sub(pings[len(pings)-1].at)
	for i := range pings {
		pings[i].at = pings[i].at.Add(shift)
	}
	return pings, nil
}

func read(r io.Reader, limit int) ([]ping, error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(header, columns) {
		return nil, fmt.Errorf("the columns are %v, not %v", header, columns)
	}
	var out []ping
	for limit == 0 || len(out) < limit {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		p, err := parseRow(row)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, errors.New("no pings")
	}
	return out, nil
}

func parseRow(row []string) (ping, error) {
	t, err := strconv.ParseInt(row[0], 10, 64)
	lat, err1 := strconv.ParseFloat(row[2], 64)
	lon, err2 := strconv.ParseFloat(row[3], 64)
	return ping{cab: string([]byte(row[1])), at: time.Unix(t, 0).UTC(), lat: lat, lon: lon, occupied: row[4] == "1"},
		errors.Join(err, err1, err2)
}
