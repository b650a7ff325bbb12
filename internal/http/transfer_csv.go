package httpserver

import (
	"encoding/json"
	"errors"
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

// cell formats and parses values of a type.
type cell[T any] struct {
	format func(T) string
	parse  func(string) (T, error) // its error states what is expected
}

var (
	textCell    = cell[string]{func(s string) string { return s }, func(s string) (string, error) { return s, nil }}
	countCell   = cell[int]{strconv.Itoa, wanted("must be a whole number", strconv.Atoi)}
	amountCell  = cell[int64]{formatInt, wanted("must be a whole number of minor units", parseInt)}
	degreesCell = cell[float64]{formatFloat, wanted("must be a number of degrees", parseFloat)}
	timeCell    = cell[time.Time]{formatTime, wanted("must be a time such as 2026-05-04T12:30:00Z (RFC 3339)", parseTime)}
)

// wanted replaces parse's error with a readable statement of what a cell must be.
func wanted[T any](text string, parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) {
		v, err := parse(s)
		if err != nil {
			err = errors.New(text)
		}
		return v, err
	}
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func parseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

func parseTime(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// jsonCell holds JSON.
func jsonCell[T any]() cell[T] {
	return cell[T]{func(v T) string {
		b, err := json.Marshal(v)
		if err != nil || string(b) == "null" {
			return ""
		}
		return string(b)
	}, func(text string) (T, error) {
		v, faults, err := decode[T](JSONBody{RawBody: []byte(text)})
		switch {
		case err != nil:
			err = errors.New("must be JSON")
		case len(faults) > 0:
			err = errors.New(faults[0].Pointer + " " + faults[0].Detail)
		}
		return v, err
	}}
}

// finder returns a value of an order. An absent optional value is nil, or is created if make is set.
type finder[T any] func(o *domain.Order, make bool) *T

// orNew returns *p, which it creates first if it is nil and make is set.
func orNew[T any](p **T, make bool) *T {
	if *p == nil && make {
		*p = new(T)
	}
	return *p
}

func column[T any](name string, c cell[T], of finder[T]) csvColumn {
	return csvColumn{name, func(x *orders.Exported) string {
		if v := of(x.Order, false); v != nil {
			return c.format(*v)
		}
		return ""
	}, func(r *domain.Restored, text string) error {
		v, err := c.parse(text)
		*of(&r.Order, true) = v
		return err
	}}
}

// stepPrefix is the prefix of the columns with the times of statuses.
const stepPrefix = "at."

// csvColumns are the columns in export order.
var csvColumns = allColumns()

func allColumns() []csvColumn {
	text := func(name string, of func(*domain.Order) *string) csvColumn {
		return column(name, textCell, func(o *domain.Order, _ bool) *string { return of(o) })
	}
	total := func(o *domain.Order, make bool) *domain.Money { return orNew(&o.Total, make) }
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
	columns = append(columns, placeColumns("pickup", func(o *domain.Order, make bool) *domain.Place { return orNew(&o.Pickup, make) })...)
	columns = append(columns, placeColumns("dropoff", func(o *domain.Order, _ bool) *domain.Place { return &o.Dropoff })...)
	columns = append(columns,
		column("items", jsonCell[[]domain.Item](), func(o *domain.Order, _ bool) *[]domain.Item { return &o.Items }),
		column("total.amount", amountCell, part(total, func(m *domain.Money, _ bool) *int64 { return &m.Amount })),
		column("total.currency", textCell, part(total, func(m *domain.Money, _ bool) *string { return &m.Currency })),
		column("payment", jsonCell[*domain.Payment](), func(o *domain.Order, _ bool) **domain.Payment { return &o.Payment }),
		text("notes", func(o *domain.Order) *string { return &o.Notes }),
		column("metadata", jsonCell[map[string]string](), func(o *domain.Order, _ bool) *map[string]string { return &o.Metadata }),
		text("courier_id", func(o *domain.Order) *string { return &o.CourierID }),
		column("ready_at", timeCell, func(o *domain.Order, make bool) *time.Time { return orNew(&o.ReadyAt, make) }),
		column("promised_at", timeCell, func(o *domain.Order, make bool) *time.Time { return orNew(&o.PromisedAt, make) }),
		column("deliver_after", timeCell, func(o *domain.Order, make bool) *time.Time { return orNew(&o.DeliverAfter, make) }),
		column("deliver_before", timeCell, func(o *domain.Order, make bool) *time.Time { return orNew(&o.DeliverBefore, make) }),
		text("timezone", func(o *domain.Order) *string { return &o.Timezone }),
		column("priority", countCell, func(o *domain.Order, _ bool) *int { return &o.Priority }),
		column("requirements", jsonCell[*domain.Requirements](), func(o *domain.Order, _ bool) **domain.Requirements { return &o.Requirements }),
		column("attempts", countCell, func(o *domain.Order, _ bool) *int { return &o.Attempts }),
		column("exception", jsonCell[*domain.Exception](), func(o *domain.Order, _ bool) **domain.Exception { return &o.Exception }),
		column("created_at", timeCell, func(o *domain.Order, _ bool) *time.Time { return &o.CreatedAt }),
		column("updated_at", timeCell, func(o *domain.Order, _ bool) *time.Time { return &o.UpdatedAt }),
	)
	for _, s := range domain.Statuses() {
		if s != domain.StatusCreated { // created_at has it
			columns = append(columns, stepColumn(s))
		}
	}
	return columns
}

// part returns a value inside an optional value.
func part[A, T any](whole finder[A], of func(a *A, make bool) *T) finder[T] {
	return func(o *domain.Order, make bool) *T {
		if a := whole(o, make); a != nil {
			return of(a, make)
		}
		return nil
	}
}

func placeColumns(name string, place finder[domain.Place]) []csvColumn {
	location := part(place, func(p *domain.Place, make bool) *domain.Point {
		if p.Location == nil && make {
			p.Location = &domain.Point{Lat: unset, Lon: unset}
		}
		return p.Location
	})
	return []csvColumn{
		column(name+".address", textCell, part(place, func(p *domain.Place, _ bool) *string { return &p.Address })),
		column(name+".lat", degreesCell, part(location, func(p *domain.Point, _ bool) *float64 { return &p.Lat })),
		column(name+".lon", degreesCell, part(location, func(p *domain.Point, _ bool) *float64 { return &p.Lon })),
		column(name+".notes", textCell, part(place, func(p *domain.Place, _ bool) *string { return &p.Notes })),
	}
}

// unset stands for a missing coordinate when the row has the other one; the domain rejects it.
const unset = 1e9

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
			t, err := timeCell.parse(cell)
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
