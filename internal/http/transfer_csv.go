package httpdoor

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
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
