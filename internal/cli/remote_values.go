package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// pointVar adds a flag for a place, LAT,LON.
func pointVar(fs *pflag.FlagSet, into **client.Point, name, usage string) {
	fs.Func(name, usage, func(text string) (err error) {
		*into, err = point(text)
		return err
	})
}

// point reads "LAT,LON".
func point(text string) (*client.Point, error) {
	lat, lon, _ := strings.Cut(text, ",")
	la, err1 := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	lo, err2 := strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if err1 != nil || err2 != nil {
		return nil, errors.New("must be LAT,LON in degrees, such as 55.7512,37.6184")
	}
	return &client.Point{Lat: la, Lon: lo}, nil
}

// given returns the value of a flag, nil when it was not set.
func given[T any](fs *pflag.FlagSet, name string, value *T) *T {
	if fs.Changed(name) {
		return value
	}
	return nil
}

// Formatting of values in tables.

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Join(strings.Fields(s), " ")
}

func coordinates(lat, lon float64) string { return fmt.Sprintf("%.6f,%.6f", lat, lon) }

func where(p *client.Place) string {
	switch {
	case p == nil:
		return "-"
	case p.Address != "":
		return dash(p.Address)
	case p.Location != nil:
		return coordinates(p.Location.Lat, p.Location.Lon)
	}
	return "-"
}

// field prints a line of a description; empty values are omitted.
func field(w io.Writer, name, value string) {
	if value = dash(value); value != "-" {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, value) // a tabwriter reports errors on Flush
	}
}

func fieldTime(w io.Writer, name string, t *time.Time) {
	if t != nil {
		field(w, name, clock(*t))
	}
}

func fieldPosition(w io.Writer, p *client.Position) {
	if p != nil {
		field(w, "Position", coordinates(p.Lat, p.Lon)+" at "+clock(p.RecordedAt))
	}
}
