package database

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// column is a column of a bulk-written table; kind is its PostgreSQL type.
type column struct{ name, kind string }

// uuids casts arrays of text to arrays of ids.
const uuids = "text[]::uuid"

// table describes a bulk-written table, so that both engines write the same columns in the same order.
type table struct {
	name string
	cols []column
	// fixed are more columns, which have the same values in every new row.
	fixed, values string
	// conflict is the ON CONFLICT clause of an INSERT whose rows may exist.
	conflict string
	// key is two text expressions that identify a row.
	key string
}

const skip = " ON CONFLICT DO NOTHING"

// The first column of orders is its key; an update writes all others.
var (
	ordersTable = &table{name: "orders", conflict: skip, key: "id::text, ''", cols: []column{
		{"id", uuids}, {"created_at", "bigint"}, {"status", "text"}, {"finished", "boolean"}, {"version", "bigint"},
		{"courier_id", uuids}, {"merchant_id", "text"}, {"external_id", "text"}, {"customer_phone", "text"}, {"erased", "boolean"},
		{"ledger", "text"}, {"search", "text"}, {"data", "text"}, {"watch_at", "bigint"},
		{"exception", "text"}, {"promised_at", "bigint"}, {"late_at", "bigint"}, {"incident", "boolean"},
	}}
	// An existing event is a bug, so the insert must fail.
	eventsTable = &table{name: "order_events", cols: []column{
		{"order_id", uuids}, {"seq", "bigint"}, {"data", "text"}, {"order_data", "text"},
	}}
	idempotencyTable = &table{name: "idempotency", conflict: skip, key: "scope, idem_key", cols: []column{
		{"scope", "text"}, {"idem_key", "text"}, {"hash", "text"}, {"created_at", "bigint"}, {"result", "bytea"},
	}}
	inboundTable = &table{name: "inbound", conflict: skip, key: "id, ''", cols: []column{
		{"id", "text"}, {"recorded_at", "bigint"},
	}}
	deliveriesTable = &table{name: "deliveries", conflict: skip, fixed: ", tries, code, error", values: ", 0, 0, ''", cols: []column{
		{"receiver", "text"}, {"order_id", uuids}, {"seq", "bigint"}, {"part", "bigint"}, {"event_id", uuids}, {"type", "text"},
		{"template", "text"}, {"state", "text"}, {"due_at", "bigint"},
	}}
	imagesTable = &table{name: "order_images", conflict: skip, cols: []column{
		{"order_id", uuids}, {"owner_id", uuids}, {"kind", "text"}, {"data", "bytea"}, {"created_at", "bigint"},
	}}
	positionsTable = &table{name: "courier_positions", conflict: skip, cols: []column{
		{"courier_id", uuids}, {"recorded_at", "bigint"}, {"received_at", "bigint"},
		{"lat", "double precision"}, {"lon", "double precision"}, {"accuracy", "double precision"},
		{"speed", "double precision"}, {"heading", "double precision"}, {"altitude", "double precision"},
		{"battery", "double precision"}, {"attributes", "text"},
	}}
	reportQueue  = &table{name: "report_queue", cols: []column{{"order_id", uuids}}}
	reportShares = &table{
		name: "report_orders", cols: []column{{"order_id", uuids}, {"shares", "text"}},
		conflict: " ON CONFLICT (order_id) DO UPDATE SET shares = excluded.shares",
	}
	reportDays  = newSums("report_days", domain.ReportColumns()...)
	lessonDays  = newSums("lesson_days", "orders", "off", "bias", "missed", "late")
	searchParts = &table{name: "search_parts", cols: []column{{"segment", "bigint"}, {"part", "bigint"}, {"data", "bytea"}}}
	searchQueue = &table{name: "search_queue", cols: []column{
		{"order_id", uuids}, {"created_at", "bigint"}, {"queued_at", "bigint"},
	}}
)

// inserts makes each table's INSERT from a source of rows.
func inserts(source func(*table) string) map[*table]string {
	out := map[*table]string{}
	for _, t := range []*table{ordersTable, eventsTable, idempotencyTable, inboundTable, positionsTable, deliveriesTable, imagesTable, searchParts, searchQueue, reportQueue, reportShares, reportDays, lessonDays} {
		out[t] = "INSERT INTO " + t.name + " (" + t.list("%[1]s") + t.fixed + ") " + source(t) + t.conflict
	}
	return out
}

// list formats each column with its name, number and kind.
func (t *table) list(format string) string {
	out := make([]string, len(t.cols))
	for i, c := range t.cols {
		out[i] = fmt.Sprintf(format, c.name, i+1, c.kind)
	}
	return strings.Join(out, ", ")
}

// rest is list without the first column.
func (t *table) rest(format string) string {
	_, rest, _ := strings.Cut(t.list(format), ", ")
	return rest
}

// orderRow is an order as a row of its table.
type orderRow struct {
	id           string
	status       domain.Status
	courier      string
	version      int64
	data, ledger string
	search       string
	key          doc
	values       []any // one per column
}

func newOrderRow(o *domain.Order) (*orderRow, error) {
	data, err := o.Freeze()
	if err != nil {
		return nil, err
	}
	ledger, err := json.Marshal(o.Bookkeeping)
	if err != nil {
		return nil, err
	}
	r := &orderRow{
		id: o.ID, status: o.Status, courier: o.CourierID, version: o.Version,
		data: string(data), ledger: string(ledger), search: orderSearch(o), key: docOf(o),
	}
	r.values = []any{
		o.ID, micros(o.CreatedAt), string(o.Status), !o.Active(), o.Version,
		null(o.CourierID), o.MerchantID, null(o.ExternalID), null(o.Customer.Phone), o.Erased(),
		r.ledger, r.search, r.data, nullTime(o.LateAt()), nil, nullInstant(o.PromisedAt), nil, o.OpenIncident(),
	}
	if o.Exception != nil {
		r.values[len(r.values)-4] = o.Exception.Code
	}
	if at, ok := o.RiskAt(); ok {
		r.values[len(r.values)-2] = micros(at)
	}
	return r, nil
}

// order decodes the row into a new object.
func (r *orderRow) order() (*domain.Order, error) { return thaw([]byte(r.data), []byte(r.ledger)) }

// load is the courier whose active_orders includes the order, "" for none.
func (r *orderRow) load() string {
	if r == nil || r.status.Terminal() {
		return ""
	}
	return r.courier
}

// published reports whether an event, as a row of its table, goes to the outbox.
func published(event []any) bool { return event[3] != nil }

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

// attributesJSON encodes attributes; NULL if there are none.
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

// null maps an empty string to NULL.
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

// instant reads a time stored in microseconds; NULL is the zero time.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	if us, ok := src.(int64); ok {
		*i.to = fromMicros(us)
		return nil
	}
	if *i.to = (time.Time{}); src != nil {
		return fmt.Errorf("%T is no time", src)
	}
	return nil
}

// encoded is a JSON column. NULL leaves the target unchanged, and is what a nil pointer is stored as.
type encoded struct{ to any }

// Value implements driver.Valuer.
func (e encoded) Value() (driver.Value, error) {
	if v := reflect.ValueOf(e.to); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, nil
	}
	b, err := json.Marshal(e.to)
	return string(b), err
}

// Scan implements sql.Scanner.
func (e encoded) Scan(src any) error {
	switch text := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(text), e.to)
	case []byte:
		return json.Unmarshal(text, e.to)
	}
	return fmt.Errorf("%T is no JSON", src)
}
