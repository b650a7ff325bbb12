package httpserver

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// imported is the response to an import: the codes and faults of rejected rows by line, and
// the last tally.
type imported struct {
	codes    map[int64]domain.Code
	pointers map[int64]map[string]string
	last     importReply
}

func (d *testServer) imports(contentType, body, query string, headers ...string) imported {
	d.t.Helper()
	r := d.do("POST", "/orders/import"+query, body, append([]string{"Content-Type", contentType}, headers...)...)
	require.Equal(d.t, 200, r.StatusCode, string(r.body))
	require.Equal(d.t, ndjsonType, r.Header.Get("Content-Type"))
	out := imported{codes: map[int64]domain.Code{}, pointers: map[int64]map[string]string{}}
	for line := range strings.Lines(string(r.body)) {
		v := importReply{}
		require.NoError(d.t, json.Unmarshal([]byte(line), &v), line)
		out.last = v
		if v.ImportTally == nil {
			require.NotContains(d.t, out.codes, v.Line, "a row is reported once")
			out.codes[v.Line] = v.Error.Code
			out.pointers[v.Line] = problem{Errors: v.Error.Errors}.pointers()
		}
	}
	require.NotNil(d.t, out.last.ImportTally, string(r.body))
	return out
}

func (i imported) tally() string {
	t := i.last.ImportTally
	return fmt.Sprintf("read %d created %d known %d failed %d finished %v", t.Read, t.Created, t.Known, t.Failed, t.Finished)
}

func (d *testServer) exports(query string) string {
	d.t.Helper()
	r := d.do("GET", "/orders/export"+query, nil)
	require.Equal(d.t, 200, r.StatusCode, string(r.body))
	return string(r.body)
}

// life creates orders with different histories.
func (d *testServer) life() {
	courier, off := d.courier(), d.courier()
	d.do("PATCH", "/courier/"+off, `{"on_duty":false,"metadata":{"shift":"night"}}`).ok(200)
	d.do("POST", "/courier/"+courier+"/location", `{"lat":1,"lon":2}`).ok(202)
	full := `{"external_id":"A-1","merchant_id":"m","customer":{"name":"Анна \"A\", Ltd","phone":"8 916 123-45-67","email":"a@b.ru","locale":"ru"},
		"pickup":{"address":"x","location":{"lat":-0.1,"lon":1e-7},"notes":"gate\n2"},"dropoff":{"address":"y","location":{"lat":55.7512345678,"lon":37.6}},
		"items":[{"name":"tea","sku":"T","quantity":2,"price":{"amount":100,"currency":"RUB"},"weight_g":10},{"name":"cup"}],
		"total":{"amount":200,"currency":"RUB"},"notes":"<b>&","metadata":{"a":"","b":"c;d"},"ready_at":"2026-05-04T12:30:00+03:00","promised_at":"2026-05-04T14:30:00.123456789Z"}`
	a := d.do("POST", "/order", full).ok(201)["id"].(string)
	d.do("POST", "/order/"+a+"/assign-courier", map[string]any{"courier_id": courier}).ok(200)
	d.do("PATCH", "/order/"+a+"/status", `{"status":"picked_up","occurred_at":"2026-05-04T12:40:00Z","location":{"lat":1,"lon":2}}`).ok(200)
	d.do("POST", "/order/"+a+"/notify", `{"text":"hello"}`).ok(202)
	d.do("PATCH", "/order/"+a, `{"exception":{"code":"customs","detail":"x"},"notes":"new"}`).ok(200)
	b := d.order()
	d.do("POST", "/order/"+b+"/assign-courier", map[string]any{"courier_id": courier}).ok(200)
	d.move(b, "picked_up", "out_for_delivery", "delivery_failed", "out_for_delivery", "delivered")
	c := d.order()
	d.do("DELETE", "/order/"+c, `{"reason":"ordered twice"}`).ok(200)
	d.order()
}

func TestImportOfAnExportIsTheSame(t *testing.T) {
	from, to := open(t), open(t)
	from.life()
	want := from.exports("")
	require.Equal(t, 6, strings.Count(want, "\n"))
	first := to.imports(ndjsonType, want, "")
	require.Empty(t, first.codes, first.pointers)
	require.Equal(t, "read 6 created 6 known 0 failed 0 finished true", first.tally())
	require.Equal(t, int64(6), first.last.Line)
	require.Empty(t, cmp.Diff(want, to.exports("")))
	require.Equal(t, "read 6 created 0 known 6 failed 0 finished true", to.imports(ndjsonType, want, "").tally())
	require.Equal(t, "read 6 created 0 known 6 failed 0 finished true", from.imports(ndjsonType, want, "").tally())

	// Couriers' loads follow, and orders continue as if they had always been there.
	couriers := to.do("GET", "/couriers", nil).ok(200)["couriers"].([]any)
	require.Len(t, couriers, 2)
	courier := couriers[1].(map[string]any)
	require.InDelta(t, 1, courier["active_orders"], 0)
	order := to.do("GET", "/orders?external_id=A-1", nil).ok(200)["orders"].([]any)[0].(map[string]any)
	to.move(order["id"].(string), "delivered")
	courier = to.do("GET", "/courier/"+courier["id"].(string), nil).ok(200)
	require.InDelta(t, 0, courier["active_orders"], 0)

	// An order that changed since is a conflict and is not overwritten.
	again := to.imports(ndjsonType, want, "")
	require.Equal(t, "read 6 created 0 known 5 failed 1 finished true", again.tally())
	require.Equal(t, map[int64]domain.Code{6: domain.CodeVersionConflict}, again.codes)
}

func TestExportOfAFilterBringsItsCouriers(t *testing.T) {
	from, to := open(t), open(t)
	from.life()
	part := from.exports("?external_id=A-1")
	require.Equal(t, 2, strings.Count(part, "\n"))
	require.True(t, strings.HasPrefix(part, `{"courier":`))
	require.Equal(t, "read 2 created 2 known 0 failed 0 finished true", to.imports(ndjsonType, part, "").tally())
	require.Empty(t, cmp.Diff(part, to.exports("?external_id=A-1")))
	from.do("GET", "/orders/export?format=xml", nil).problem(422, domain.CodeValidationFailed)
	from.do("GET", "/orders/export?status=lost", nil).problem(422, domain.CodeValidationFailed)
	from.do("GET", "/orders/export?x=1", nil).problem(422, domain.CodeValidationFailed)
	head := from.do("HEAD", "/orders/export?format=csv", nil)
	require.Equal(t, 200, head.StatusCode)
	require.Equal(t, "text/csv; charset=utf-8", head.Header.Get("Content-Type"))
}

func TestCSVKeepsOrdersAndTheirTimes(t *testing.T) {
	from, to := open(t), open(t)
	from.life()
	to.imports(ndjsonType, from.exports(""), "") // for the couriers
	want := from.exports("?format=csv")
	require.Equal(t, "read 4 created 0 known 4 failed 0 finished true", to.imports(csvType, want, "").tally())

	empty := open(t)
	for line := range strings.Lines(from.exports("")) {
		if strings.HasPrefix(line, `{"courier"`) {
			require.Equal(t, int64(1), empty.imports(ndjsonType, line, "").last.Created)
		}
	}
	got := empty.imports(csvType, want, "")
	require.Empty(t, got.codes, got.pointers)
	require.Equal(t, "read 4 created 4 known 0 failed 0 finished true", got.tally())
	require.Equal(t, int64(6), got.last.Line, "a cell has a line break")
	require.Empty(t, cmp.Diff(want, empty.exports("?format=csv")))
	require.Equal(t, "read 4 created 0 known 4 failed 0 finished true", empty.imports(csvType, want, "").tally())
}

func TestCSVForSpreadsheetsRunsNoFormulas(t *testing.T) {
	from, to := open(t), open(t)
	names := []string{"=1+1", "+7", "-x", "@SUM(A1)", "'=1", "''@", "'tis", "a=b"}
	for _, name := range names {
		from.do("POST", "/order", map[string]any{
			"external_id": name, "customer": map[string]any{"name": name, "phone": "+79161234567"},
			"dropoff": map[string]any{"address": name, "location": map[string]any{"lat": -1.5, "lon": 2}}, "notes": name,
		}).ok(201)
	}
	file := from.exports("?excel=true")
	require.True(t, strings.HasPrefix(file, "\xef\xbb\xbfid,"))
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(names)+1)
	for _, row := range rows[1:] {
		for _, cell := range row {
			require.False(t, cell != "" && strings.Contains("=+-@\t\r", cell[:1]), cell)
		}
	}
	plain := from.exports("?format=csv")
	require.Contains(t, plain, ",=1+1,")
	require.Empty(t, to.imports(csvType, file, "").codes)
	require.Empty(t, cmp.Diff(plain, to.exports("?format=csv")))
	require.Equal(t, "read 8 created 0 known 8 failed 0 finished true", from.imports(csvType, plain, "").tally())
}

func TestCSVBySpreadsheets(t *testing.T) {
	d := open(t)
	file := "\ufeffcustomer.name;dropoff.address;external_id;created_at;at.picked_up;at.delivered\r\n" +
		"Anna;\"Main; St\r\n1\";S-1;2026-05-04T12:00:00Z;;2026-05-04T13:00:00+01:00\r\n" +
		"\r\n" +
		"Ivan;Elm St 2;S-2;;;\r\n"
	got := d.imports("text/csv; charset=UTF-8", file, "")
	require.Empty(t, got.codes, got.pointers)
	require.Equal(t, "read 2 created 2 known 0 failed 0 finished true", got.tally())
	o := d.do("GET", "/orders?external_id=S-1", nil).ok(200)["orders"].([]any)[0].(map[string]any)
	require.Equal(t, "delivered", o["status"])
	require.Equal(t, "Main; St\n1", o["dropoff"].(map[string]any)["address"])
	require.Equal(t, "2026-05-04T12:00:00Z", o["delivered_at"])
	o = d.do("GET", "/orders?external_id=S-2", nil).ok(200)["orders"].([]any)[0].(map[string]any)
	require.Equal(t, "created", o["status"])
	require.Equal(t, "read 2 created 0 known 2 failed 0 finished true", d.imports(csvType, file, "").tally())
	d.imports(csvType, "customer.name,dropoff.address\n", "").last.tallyIs(t, 0)
}

func (r importReply) tallyIs(t *testing.T, read int64) {
	require.Equal(t, read, r.Read)
	require.True(t, r.Finished)
}

func TestEveryBrokenLineIsReportedOnce(t *testing.T) {
	d := open(t)
	exported := func() string {
		other := open(t)
		other.order()
		return strings.TrimSpace(other.exports(""))
	}
	good, elsewhere, spoilt := minimal, exported(), exported()
	draft := func(members string) string {
		return `{"customer":{"name":"Ann"},"dropoff":{"address":"x"},` + members + `}`
	}
	lines := []struct {
		text     string
		code     domain.Code
		pointers map[string]string
	}{
		{good, "", nil},
		{`{"customer":`, "malformed", nil},
		{`[]`, "malformed", nil},
		{`null`, "malformed", nil},
		{"{\"customer\":{\"name\":\"\xff\"}}", "malformed", nil},
		{good + good, "malformed", nil},
		{``, "", nil},
		{`{}`, "validation_failed", map[string]string{"/customer/name": "required", "/dropoff": "required"}},
		{draft(`"foo":1`), "validation_failed", map[string]string{"/foo": "unknown_field"}},
		{draft(`"items":[{"name":7}],"ready_at":"noon"`), "validation_failed", map[string]string{"/items/0/name": "invalid_type", "/ready_at": "invalid_time"}},
		{draft(`"total":{"amount":-1,"currency":"RUB"}`), "validation_failed", map[string]string{"/total/amount": "out_of_range"}},
		{draft(`"courier_id":"x","version":3`), "validation_failed", map[string]string{"/courier_id": "conflict", "/version": "conflict"}},
		{draft(`"external_id":"D-1"`), "", nil},
		{draft(`"external_id":"D-1","notes":"other"`), "duplicate_external_id", nil},
		{draft(`"status":"delivered","updated_at":"2026-01-01T00:00:00Z"`), "", nil},
		{draft(`"status":"delivered"`), "validation_failed", map[string]string{"/status": "conflict"}},
		{draft(`"created_at":"2026-01-01T00:00:00Z","courier_id":"` + noOrder + `"`), "validation_failed", map[string]string{"/courier_id": "courier_not_found"}},
		{draft(`"created_at":"2126-01-01T00:00:00Z"`), "validation_failed", map[string]string{"/created_at": "impossible_time", "/updated_at": "impossible_time"}},
		{elsewhere, "", nil},
		{strings.Replace(elsewhere, "High Street", "Low Street", 1), "version_conflict", nil},
		{strings.Replace(spoilt, `"seq":1`, `"seq":2`, 1), "validation_failed", map[string]string{"/events/0/seq": "not_contiguous"}},
		{strings.Replace(spoilt, `"status":"created"`, `"status":"confirmed"`, 1), "validation_failed", map[string]string{"/status": "conflict"}},
		{`{"courier":{"id":"x"}}`, "validation_failed", map[string]string{"/courier/id": "invalid_id", "/courier/name": "required", "/courier/vehicle": "unknown_vehicle", "/courier/capacity": "out_of_range", "/courier/created_at": "required", "/courier/updated_at": "required"}},
		{`{"courier":{"id":"` + noOrder + `","name":"K","vehicle":"van","capacity":1,"on_duty":true,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}`, "", nil},
		{`{"courier":{"id":"` + noOrder + `","name":"L","vehicle":"van","capacity":1,"on_duty":true,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}`, "version_conflict", nil},
		{draft(`"created_at":"2026-01-01T00:00:00Z","courier_id":"` + noOrder + `"`), "", nil},
		{draft(`"notes":"` + strings.Repeat("x", maxRow) + `"`), "too_large", nil},
		{good, "", nil},
	}
	var file strings.Builder
	want := imported{codes: map[int64]domain.Code{}, pointers: map[int64]map[string]string{}}
	rows, bad := 0, 0
	for i, l := range lines {
		file.WriteString(l.text + "\n")
		if l.text != "" {
			rows++
		}
		if l.code != "" {
			bad++
			want.codes[int64(i+1)] = l.code
			want.pointers[int64(i+1)] = map[string]string{}
			for k, v := range l.pointers {
				want.pointers[int64(i+1)][k] = v
			}
		}
	}
	got := d.imports(ndjsonType, strings.TrimSuffix(file.String(), "\n"), "")
	require.Empty(t, cmp.Diff(want.codes, got.codes))
	require.Empty(t, cmp.Diff(want.pointers, got.pointers))
	require.Equal(t, fmt.Sprintf("read %d created %d known 0 failed %d finished true", rows, rows-bad, bad), got.tally())
	require.Equal(t, int64(len(lines)), got.last.Line)
	require.Equal(t, rows-bad-1, strings.Count(d.exports("?format=csv"), "\n")-1, "good rows are kept; one is a courier")
}

func TestBrokenCSV(t *testing.T) {
	d := open(t)
	many := strings.Repeat("Ann,x,,\n", 300)
	file := "customer.name,dropoff.address,items,at.delivered\n" +
		"Ann,x,,\n" + // 2
		"Ann,\"x,,\n" + // 3: the quote is never closed
		"Ann,x,\n" + // 4: too few
		"Ann,x,,,\n" + // 5: too many
		"Ann,x,{,\n" + // 6
		"Ann,x,\"[{\"\"name\"\":\"\"tea\"\"}]\",yesterday\n" + // 7
		"Ann,x,\"[{\"\"naem\"\":\"\"tea\"\"}]\",\n" + // 8
		",x,,\n" + // 9
		"An\"n,x,,\n" + // 10: a stray quote
		"Ann,\"two\nlines\",,\n" + // 11 and 12
		"Ann,\"x\"y,,\n" + // 13
		"Ann,x,,2126-01-01T00:00:00Z\n" + // 14
		many
	got := d.imports(csvType, file, "")
	require.Equal(t, map[int64]domain.Code{
		3: "malformed", 4: "malformed", 5: "malformed", 6: "validation_failed", 7: "validation_failed", 8: "validation_failed",
		9: "validation_failed", 10: "malformed", 13: "malformed", 14: "validation_failed",
	}, got.codes)
	require.Equal(t, map[string]string{"/at.delivered": "invalid"}, got.pointers[7])
	require.Equal(t, "read 312 created 302 known 0 failed 10 finished true", got.tally())

	for body, pointers := range map[string]map[string]string{
		"customer.name,dropoff.address,colour\n":        {"/colour": "unknown_column"},
		"customer.name,customer.name,dropoff.address\n": {"/customer.name": "duplicate"},
		"dropoff.lat\n": {"/customer.name": "required", "/dropoff.address": "required"},
	} {
		p := d.do("POST", "/orders/import", body, "Content-Type", csvType).problem(422, domain.CodeValidationFailed)
		require.Equal(t, pointers, p.pointers())
	}
	d.do("POST", "/orders/import", "", "Content-Type", csvType).problem(400, domain.CodeMalformed)
	d.do("POST", "/orders/import", "{}", "Content-Type", jsonType).problem(415, domain.CodeUnsupportedMediaType)
	d.do("POST", "/orders/import?first_line=0", "", "Content-Type", csvType).problem(422, domain.CodeValidationFailed)
	d.do("POST", "/orders/import?first_line=x", "", "Content-Type", csvType).problem(400, domain.CodeMalformed)
	d.do("POST", "/orders/import?x=x", "", "Content-Type", csvType).problem(422, domain.CodeValidationFailed)
}

func TestFilesThatAreNoTextAreNamed(t *testing.T) {
	d := open(t)
	for begin, name := range map[string]string{
		"\xff\xfe{\x00": "UTF-16", "\xfe\xff\x00{": "UTF-16", "\x1f\x8b\x08": "gzip", "\x28\xb5\x2f\xfd": "zstd", "PK\x03\x04": "spreadsheet",
	} {
		for _, media := range []string{ndjsonType, csvType} {
			p := d.do("POST", "/orders/import", begin+minimal, "Content-Type", media).problem(415, domain.CodeUnsupportedMediaType)
			require.Contains(t, p.Detail, name)
		}
	}
	require.Equal(t, int64(1), d.imports(ndjsonType, "\ufeff"+minimal, "").last.Created)
	d.imports(ndjsonType, "", "").last.tallyIs(t, 0)
}

func TestRowsWithoutNamesComeOnceUnderAKey(t *testing.T) {
	d := open(t)
	timed := `{"customer":{"name":"B"},"dropoff":{"address":"x"},"created_at":"2026-01-01T00:00:00Z"}`
	file := minimal + "\n" + timed + "\n" + minimal + "\n"
	key := []string{"Idempotency-Key", `"k1"`}
	require.Equal(t, int64(3), d.imports(ndjsonType, file, "", key...).last.Created)
	require.Equal(t, int64(3), d.imports(ndjsonType, file, "", key...).last.Known)
	// From the middle, as after an interruption: lines keep their numbers.
	rest := strings.SplitAfterN(file, "\n", 2)[1]
	got := d.imports(ndjsonType, rest+minimal+"\n{\n", "?first_line=2", key...)
	require.Equal(t, "read 4 created 1 known 2 failed 1 finished true", got.tally())
	require.Equal(t, map[int64]domain.Code{5: "malformed"}, got.codes)
	require.Equal(t, int64(3), d.imports(ndjsonType, file, "", "Idempotency-Key", "k2").last.Created)
	cells := d.imports(csvType, "customer.name,dropoff.address\n,\nAnn,x\n", "?first_line=7", key...)
	require.Equal(t, map[int64]domain.Code{7: "validation_failed"}, cells.codes)
	require.Equal(t, int64(8), cells.last.Line)
}
