package database

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// column is a column of a table that is written in bulk; kind is its PostgreSQL type.
type column struct{ name, kind string }

// table describes rows that are written in bulk, so that both engines write the
// same columns in the same order.
type table struct {
	name string
	cols []column
}

// The first column of orders is its key; an update writes all others.
var (
	ordersTable = table{"orders", []column{
		{"id", "uuid"}, {"created_at", "bigint"}, {"status", "text"}, {"finished", "boolean"}, {"version", "bigint"},
		{"courier_id", "uuid"}, {"merchant_id", "text"}, {"external_id", "text"}, {"customer_phone", "text"},
		{"ledger", "text"}, {"search", "text"}, {"data", "text"},
	}}
	eventsTable = table{"order_events", []column{
		{"order_id", "uuid"}, {"seq", "bigint"}, {"data", "text"}, {"order_data", "text"},
	}}
	idempotencyTable = table{"idempotency", []column{
		{"scope", "text"}, {"idem_key", "text"}, {"hash", "text"}, {"created_at", "bigint"}, {"result", "bytea"},
	}}
	inboundTable   = table{"inbound", []column{{"id", "text"}, {"recorded_at", "bigint"}}}
	positionsTable = table{"courier_positions", []column{
		{"courier_id", "uuid"}, {"recorded_at", "bigint"}, {"received_at", "bigint"},
		{"lat", "double precision"}, {"lon", "double precision"}, {"accuracy", "double precision"},
		{"speed", "double precision"}, {"heading", "double precision"}, {"altitude", "double precision"},
		{"battery", "double precision"}, {"attributes", "text"},
	}}
)

// names lists the columns as SQL does.
func (t table) names() string {
	names := make([]string, len(t.cols))
	for i, c := range t.cols {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// orderRow is an order as a row of its table.
type orderRow struct {
	id           string
	status       domain.Status
	courier      string
	version      int64
	data, ledger string
	values       []any // of every column
}

func newOrderRow(o *domain.Order) (*orderRow, error) {
	data, err := o.Freeze()
	if err != nil {
		return nil, err
	}
	ledger, err := json.Marshal(o.Ledger)
	if err != nil {
		return nil, err
	}
	r := &orderRow{
		id: o.ID, status: o.Status, courier: o.CourierID, version: o.Version,
		data: string(data), ledger: string(ledger),
	}
	r.values = []any{
		o.ID, micros(o.CreatedAt), string(o.Status), !o.Active(), o.Version,
		null(o.CourierID), o.MerchantID, null(o.ExternalID), null(o.Customer.Phone),
		r.ledger, orderSearch(o), r.data,
	}
	return r, nil
}

// order decodes the row into an object of its own.
func (r *orderRow) order() (*domain.Order, error) {
	var l domain.Ledger
	if err := json.Unmarshal([]byte(r.ledger), &l); err != nil {
		return nil, err
	}
	return domain.Thaw([]byte(r.data), l)
}

// load is the courier whose active_orders the order counts in, "" for none.
func (r *orderRow) load() string {
	if r == nil || r.status.Terminal() {
		return ""
	}
	return r.courier
}

// orderSearch is the text that OrderFilter.Search looks in. The parts are apart, so
// that nothing is found across two of them.
func orderSearch(o *domain.Order) string {
	parts := []string{o.Number, o.ExternalID, o.Customer.Name, o.Dropoff.Address}
	if o.Pickup != nil {
		parts = append(parts, o.Pickup.Address)
	}
	return searchText(parts...)
}

// searchText folds the case in Go: SQLite folds only ASCII.
func searchText(parts ...string) string { return strings.ToLower(strings.Join(parts, "\n")) }

// eventRow is an entry of the history as a row of its table.
type eventRow struct {
	domain.Event
	values []any
}

// newEventRow encodes an event; order is the order's JSON after it.
func newEventRow(e domain.Event, order string) eventRow {
	var published any
	if !e.Note() {
		published = order
	}
	return eventRow{e, []any{e.OrderID, e.Seq, string(e.AppendJSON(make([]byte, 0, 512))), published}}
}

func idempotencyValues(i *domain.Idempotency) []any {
	return []any{i.Scope, i.Key, i.Hash, micros(i.CreatedAt), i.Result}
}

func fixValues(f domain.Fix) []any {
	return []any{
		f.CourierID, micros(f.RecordedAt), micros(f.ReceivedAt), f.Lat, f.Lon,
		number(f.Accuracy), number(f.Speed), number(f.Heading), number(f.Altitude), number(f.Battery),
		attributesJSON(f.Attributes),
	}
}

// attributesJSON is NULL for none.
func attributesJSON(a domain.Attributes) any {
	if len(a) == 0 {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil // strings, finite numbers and booleans always encode
	}
	return string(b)
}

// null is NULL for an absent text.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func number(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
