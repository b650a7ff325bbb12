package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const noOrder = "0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"

func TestBadInput(t *testing.T) {
	d := open(t)
	order, courier := d.order(), d.courier()
	long := strings.Repeat("я", 3000)
	for name, tt := range map[string]struct {
		method, path string
		body         any
		status       int
		code         domain.Code
		want         map[string]string
	}{
		"create: nothing": {"POST", "/order", ``, 422, "validation_failed",
			map[string]string{"/customer/name": "required", "/dropoff": "required"}},
		"create: half a point": {"POST", "/order", `{"customer":{"name":"A"},"dropoff":{"location":{"lat":91}}}`, 422, "validation_failed",
			map[string]string{"/dropoff/location/lat": "out_of_range", "/dropoff/location/lon": "required"}},
		"create: empty object": {"POST", "/order", `{}`, 422, "validation_failed",
			map[string]string{"/customer/name": "required", "/dropoff": "required"}},
		"create: form and content at once": {"POST", "/order",
			`{"foo":1,"customer":{"name":7,"phone":"1","email":"x"},"dropoff":{"location":{"lat":91,"lon":0}},"items":[{"name":""}]}`,
			422, "validation_failed", map[string]string{
				"/foo": "unknown_field", "/customer/name": "invalid_type", "/customer/phone": "invalid_phone", "/customer/email": "invalid_email",
				"/dropoff/location/lat": "out_of_range", "/items/0/name": "required",
			}},
		"create: too long": {"POST", "/order", fmt.Sprintf(`{"customer":{"name":%q},"dropoff":{"address":%q},"notes":%q}`, long, long, long),
			422, "validation_failed", map[string]string{"/customer/name": "too_long", "/dropoff/address": "too_long", "/notes": "too_long"}},
		"create: broken":           {"POST", "/order", `{"customer":`, 400, "malformed", nil},
		"create: two documents":    {"POST", "/order", minimal + minimal, 400, "malformed", nil},
		"create: NaN":              {"POST", "/order", `{"dropoff":{"location":{"lat":NaN,"lon":0}}}`, 400, "malformed", nil},
		"create: unknown currency": {"POST", "/order", `{"customer":{"name":"A"},"dropoff":{"address":"x"},"total":{"amount":-1,"currency":"XYZ"}}`, 422, "validation_failed", map[string]string{"/total/amount": "out_of_range", "/total/currency": "invalid_currency"}},

		"get: bad id":          {"GET", "/order/42", nil, 422, "validation_failed", map[string]string{"/order_id": "invalid_id"}},
		"get: unknown order":   {"GET", "/order/" + noOrder, nil, 404, "order_not_found", nil},
		"get: unknown query":   {"GET", "/order/" + order + "?x=1", nil, 422, "validation_failed", map[string]string{"/x": "unknown_parameter"}},
		"get: broken query":    {"GET", "/order/" + order + "?%zz", nil, 400, "malformed", nil},
		"status: bad id":       {"GET", "/order/x/status", nil, 422, "validation_failed", map[string]string{"/order_id": "invalid_id"}},
		"track: unknown order": {"GET", "/order/" + noOrder + "/track", nil, 404, "order_not_found", nil},
		"events: bad id":       {"GET", "/order/x/events", nil, 422, "validation_failed", map[string]string{"/order_id": "invalid_id"}},
		"delivery-time: none":  {"GET", "/order/" + noOrder + "/delivery-time", nil, 404, "order_not_found", nil},

		"list: page_size of another type": {"GET", "/orders?page_size=ten", nil, 400, "malformed", map[string]string{"/page_size": "invalid_type"}},
		"list: page_size too large":       {"GET", "/orders?page_size=501", nil, 422, "validation_failed", map[string]string{"/page_size": "out_of_range"}},
		"list: page_size zero":            {"GET", "/orders?page_size=0", nil, 422, "validation_failed", map[string]string{"/page_size": "out_of_range"}},
		"list: bad token":                 {"GET", "/orders?page_token=abc", nil, 400, "malformed", nil},
		"list: several bad values": {"GET", "/orders?status=lost&courier_id=7&customer_phone=x", nil, 422, "validation_failed",
			map[string]string{"/status": "unknown_status", "/courier_id": "invalid_id", "/customer_phone": "invalid_phone"}},
		"list: bad time":          {"GET", "/orders?created_from=yesterday", nil, 400, "malformed", map[string]string{"/created_from": "invalid_type"}},
		"list: bad flag":          {"GET", "/orders?active=perhaps", nil, 400, "malformed", map[string]string{"/active": "invalid_type"}},
		"list: unknown parameter": {"GET", "/orders?statuses=created", nil, 422, "validation_failed", map[string]string{"/statuses": "unknown_parameter"}},

		"list: empty filters of promises": {"GET", "/orders/counts?late=&exception=&promised_to=", nil, 422, "validation_failed", map[string]string{"/late": "empty", "/exception": "empty", "/promised_to": "empty"}},
		"list: filters of promises twice": {"GET", "/orders?late=true&late=true&exception=a&exception=b", nil, 422, "validation_failed", map[string]string{"/late": "repeated", "/exception": "repeated"}},
		"list: bad promise":               {"GET", "/orders?promised_from=noon&late=very", nil, 400, "malformed", map[string]string{"/promised_from": "invalid_type", "/late": "invalid_type"}},
		"report: empty and twice":         {"GET", "/reports/deliveries?by=&merchant_id=a&merchant_id=b", nil, 422, "validation_failed", map[string]string{"/by": "empty", "/merchant_id": "repeated"}},
		"report: bad day":                 {"GET", "/reports/deliveries?from=2026-13-01", nil, 400, "malformed", map[string]string{"/from": "invalid_type"}},
		"report: too long":                {"GET", "/reports/deliveries?from=2024-01-01&to=2026-01-01&limit=501&by=hour", nil, 422, "validation_failed", map[string]string{"/by": "unknown", "/limit": "out_of_range", "/from": "out_of_range"}},
		"report: bad format":              {"GET", "/reports/eta?format=pdf", nil, 422, "validation_failed", map[string]string{"/format": "unknown_format"}},
		"report: days turned":             {"GET", "/reports/deliveries?from=2026-01-02&to=2026-01-01", nil, 422, "validation_failed", map[string]string{"/from": "out_of_range"}},
		"counts: of a page":               {"GET", "/orders/counts?page_size=1", nil, 422, "validation_failed", map[string]string{"/page_size": "unknown_parameter"}},

		"list: empty": {"GET", "/orders?courier_id=&q=", nil, 422, "validation_failed", map[string]string{"/courier_id": "empty", "/q": "empty"}},
		"list: twice": {"GET", "/orders?q=a&q=b&page_size=1&page_size=2", nil, 422, "validation_failed", map[string]string{"/q": "repeated", "/page_size": "repeated"}},
		"list: all of it": {"GET", "/orders?active=perhaps&x=1&page_size=0&status=lost&courier_id=", nil, 400, "malformed", map[string]string{
			"/active": "invalid_type", "/x": "unknown_parameter", "/page_size": "out_of_range", "/status": "unknown_status", "/courier_id": "empty",
		}},
		"phones: none is not all": {"DELETE", "/courier/" + noOrder + "/onboarding?id=", nil, 422, "validation_failed", map[string]string{"/id": "empty"}},
		"stream: empty since":     {"GET", "/order/" + order + "/stream?since=", nil, 422, "validation_failed", map[string]string{"/since": "empty"}},

		"step: nothing":        {"PATCH", "/order/" + order + "/status", ``, 422, "validation_failed", map[string]string{"/status": "unknown_status"}},
		"step: half a point":   {"PATCH", "/order/" + order + "/status", `{"status":"confirmed","location":{"lon":1}}`, 422, "validation_failed", map[string]string{"/location/lat": "required"}},
		"step: no status":      {"PATCH", "/order/" + order + "/status", `{}`, 422, "validation_failed", map[string]string{"/status": "unknown_status"}},
		"step: unknown status": {"PATCH", "/order/" + order + "/status", `{"status":"lost"}`, 422, "validation_failed", map[string]string{"/status": "unknown_status"}},
		"step: assigned":       {"PATCH", "/order/" + order + "/status", `{"status":"assigned"}`, 422, "validation_failed", map[string]string{"/status": "use_assign_courier"}},
		"step: future":         {"PATCH", "/order/" + order + "/status", `{"status":"confirmed","occurred_at":"2126-01-01T00:00:00Z"}`, 422, "validation_failed", map[string]string{"/occurred_at": "impossible_time"}},
		"step: bad id and bad body": {"PATCH", "/order/7/status", `{"status":"lost","reson":""}`, 422, "validation_failed",
			map[string]string{"/order_id": "invalid_id", "/status": "unknown_status", "/reson": "unknown_field"}},
		"step: unknown order": {"PATCH", "/order/" + noOrder + "/status", `{"status":"confirmed"}`, 404, "order_not_found", nil},

		"edit: bad": {"PATCH", "/order/" + order, `{"dropoff":null,"foo":null,"customer":{"name":""},"notes":1}`, 422, "validation_failed",
			map[string]string{"/dropoff": "required", "/foo": "unknown_field", "/customer/name": "required", "/notes": "invalid_type"}},
		"cancel: bad":        {"DELETE", "/order/" + order, `{"reason":7}`, 422, "validation_failed", map[string]string{"/reason": "invalid_type"}},
		"assign: no body":    {"POST", "/order/" + order + "/assign-courier", ``, 422, "validation_failed", map[string]string{"/courier_id": "required"}},
		"assign: nothing":    {"POST", "/order/" + order + "/assign-courier", `{}`, 422, "validation_failed", map[string]string{"/courier_id": "required"}},
		"assign: bad id":     {"POST", "/order/" + order + "/assign-courier", `{"courier_id":"7"}`, 422, "validation_failed", map[string]string{"/courier_id": "invalid_id"}},
		"assign: no courier": {"POST", "/order/" + order + "/assign-courier", `{"courier_id":"` + noOrder + `"}`, 404, "courier_not_found", nil},
		"assign: none near":  {"POST", "/order/" + order + "/assign-courier", `{"auto":true}`, 409, "no_courier_available", nil},
		"notify: bad": {"POST", "/order/" + order + "/notify", `{"channel":"pigeon","template":"x","text":1}`, 422, "validation_failed",
			map[string]string{"/channel": "unknown_channel", "/template": "unknown_template", "/text": "invalid_type"}},

		"courier: nothing":     {"POST", "/couriers", `{}`, 422, "validation_failed", map[string]string{"/name": "required"}},
		"courier: all bad":     {"POST", "/couriers", `{"name":"A","vehicle":"ufo","capacity":0,"phone":"x","on_duty":"yes","x":1}`, 422, "validation_failed", map[string]string{"/vehicle": "unknown_vehicle", "/capacity": "out_of_range", "/phone": "invalid_phone", "/on_duty": "invalid_type", "/x": "unknown_field"}},
		"courier: bad id":      {"GET", "/courier/7", nil, 422, "validation_failed", map[string]string{"/courier_id": "invalid_id"}},
		"courier: unknown":     {"GET", "/courier/" + noOrder, nil, 404, "courier_not_found", nil},
		"courier: edit":        {"PATCH", "/courier/7", `{"capacity":1001,"x":1}`, 422, "validation_failed", map[string]string{"/courier_id": "invalid_id", "/capacity": "out_of_range", "/x": "unknown_field"}},
		"courier: no report":   {"POST", "/courier/" + courier + "/location", ``, 422, "validation_failed", map[string]string{"/lat": "required", "/lon": "required"}},
		"courier: no position": {"GET", "/courier/" + courier + "/location", nil, 404, "position_not_found", nil},
		"courier: positions": {"POST", "/courier/" + courier + "/location", `[{"lat":91,"lon":0},{"lat":1},{"lat":1,"lon":1,"speed":-1,"x":1}]`, 422, "validation_failed",
			map[string]string{"/0/lat": "out_of_range", "/1/lon": "required", "/2/speed": "out_of_range", "/2/x": "unknown_field"}},
		"courier: orders' page": {"GET", "/courier/" + courier + "/orders?page_size=9999", nil, 422, "validation_failed", map[string]string{"/page_size": "out_of_range"}},
		"near: nothing":         {"GET", "/couriers/near", nil, 422, "validation_failed", map[string]string{"/lat": "required", "/lon": "required"}},
		"near: NaN":             {"GET", "/couriers/near?lat=NaN&lon=181&limit=0", nil, 422, "validation_failed", map[string]string{"/lat": "out_of_range", "/lon": "out_of_range", "/limit": "out_of_range"}},

		"unknown path":      {"GET", "/nothing", nil, 404, "not_found", nil},
		"unknown docs page": {"GET", "/docs/nothing", nil, 404, "not_found", nil},
		"trailing slash":    {"GET", "/orders/", nil, 404, "not_found", nil},
		"ws: no upgrade":    {"GET", "/order/" + order + "/ws", nil, 426, "upgrade_required", nil},
		"ws: bad since":     {"GET", "/order/" + order + "/ws?since=x", nil, 400, "malformed", nil},
		"stream: bad since": {"GET", "/order/" + order + "/stream?since=-1", nil, 422, "validation_failed", map[string]string{"/since": "out_of_range"}},
		"stream: unknown":   {"GET", "/order/" + noOrder + "/stream", nil, 404, "order_not_found", nil},
		"stream: bad id":    {"GET", "/order/7/stream", nil, 422, "validation_failed", map[string]string{"/order_id": "invalid_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := d.do(tt.method, tt.path, tt.body)
			r.t = t
			p := r.problem(tt.status, tt.code)
			require.Equal(t, strings.Split(tt.path, "?")[0], p.Instance)
			if tt.want != nil {
				require.Equal(t, tt.want, p.pointers())
			} else {
				require.Empty(t, p.Errors)
			}
		})
	}
	require.Zero(t, d.logs.FilterLevelExact(zap.ErrorLevel).Len(), "nothing of this is our fault")
}

func TestMediaTypes(t *testing.T) {
	d := open(t)
	d.do("POST", "/order", minimal, "Content-Type", "application/x-www-form-urlencoded").problem(415, "unsupported_media_type")
	d.do("POST", "/order", minimal, "Content-Type", "text/plain").problem(415, "unsupported_media_type")
	d.do("POST", "/order", minimal, "Content-Type", "application/json; charset=utf-8").ok(201)
	d.do("POST", "/order", minimal, "Content-Type", "").ok(201)
	d.do("DELETE", "/order/"+d.order(), "", "Content-Type", "text/plain").ok(200)
	for _, accept := range []string{"text/html", "application/problem+json", "*/*", "application/xml;q=0.9, */*;q=0.1"} {
		require.Equal(t, jsonType, d.do("GET", "/orders", nil, "Accept", accept).Header.Get("Content-Type"), accept)
		d.do("GET", "/orders?page_size=x", nil, "Accept", accept).problem(400, "malformed")
	}
}

func TestBodyLimit(t *testing.T) {
	cfg := testConfig()
	cfg.MaxBodyBytes = 1000
	d := openWith(t, cfg, guardOf(""))
	padded := func(n int) string { return minimal + strings.Repeat(" ", n-len(minimal)) }
	d.do("POST", "/order", padded(1000)).ok(201)
	d.do("POST", "/order", padded(1001)).problem(413, "too_large")
	chunked := func(n int) io.Reader { return io.MultiReader(strings.NewReader(padded(n))) } // of no known length
	d.do("POST", "/order", chunked(1000)).ok(201)
	d.do("POST", "/order", chunked(1001)).problem(413, "too_large")
	d.do("GET", "/orders", chunked(100_000)).ok(200) // the body is ignored
}

func TestMethods(t *testing.T) {
	d := open(t)
	id := d.order()
	r := d.do("PUT", "/order/"+id, nil)
	r.problem(405, "method_not_allowed")
	for _, m := range []string{"GET", "HEAD", "PATCH", "DELETE"} {
		require.Contains(t, r.Header.Get("Allow"), m)
	}
	d.do("OPTIONS", "/orders", nil).problem(405, "method_not_allowed")
	for _, path := range []string{"/order/" + id, "/orders", "/healthz", "/", "/docs", "/openapi.json", "/order/" + id + "/stream"} {
		r := d.do("HEAD", path, nil)
		require.Equal(t, 200, r.StatusCode, path)
		require.Empty(t, r.body)
	}
	require.Equal(t, `"v1"`, d.do("HEAD", "/order/"+id, nil).Header.Get("ETag"))
}

func TestSteps(t *testing.T) {
	d := open(t)
	id := d.order()
	p := d.do("PATCH", "/order/"+id+"/status", `{"status":"delivered"}`).problem(409, "illegal_transition")
	require.Equal(t, domain.StatusCreated.Next(), p.Allowed)
	require.Equal(t, float64(1), d.do("PATCH", "/order/"+id+"/status", `{"status":"created"}`).ok(200)["version"], "a no-op")
	require.Equal(t, "cancelled", d.do("DELETE", "/order/"+id, nil).ok(200)["status"])
	require.Equal(t, "cancelled", d.do("DELETE", "/order/"+id, `{"reason":"again"}`).ok(200)["status"])
	r := d.do("PATCH", "/order/"+id+"/status", `{"status":"confirmed"}`)
	r.problem(409, "illegal_transition")
	require.Contains(t, string(r.body), `"allowed_transitions":[]`)
	d.do("GET", "/order/"+id+"/delivery-time", nil).problem(409, "order_finished")
	d.do("PATCH", "/order/"+id, `{"notes":"x"}`).problem(409, "order_finished")

	carried := d.order()
	d.do("POST", "/order/"+carried+"/assign-courier", map[string]any{"courier_id": d.courier()}).ok(200)
	d.move(carried, domain.StatusPickedUp)
	p = d.do("DELETE", "/order/"+carried, nil).problem(409, "cancel_after_pickup")
	require.Equal(t, domain.StatusPickedUp.Next(), p.Allowed)
}

func TestEdit(t *testing.T) {
	d := open(t)
	id := d.order()
	path := "/order/" + id
	o := d.do("PATCH", path, `{"notes":"n","pickup":{"address":"p"},"metadata":{"a":"1","b":"2"},"exception":{"code":"customs"},"promised_at":"2026-05-04T15:30:00+03:00"}`).ok(200)
	require.Equal(t, "n", o["notes"])
	require.Equal(t, "2026-05-04T12:30:00Z", o["promised_at"])
	require.Equal(t, "customs", o["exception"].(map[string]any)["code"])
	o = d.do("PATCH", path, `{"metadata":{"a":null,"c":"3"}}`, "Content-Type", "application/merge-patch+json").ok(200)
	require.Equal(t, map[string]any{"b": "2", "c": "3"}, o["metadata"])
	require.Equal(t, "n", o["notes"], "absent stays")
	o = d.do("PATCH", path, `{"notes":null,"pickup":null,"metadata":null,"exception":null,"promised_at":null}`).ok(200)
	for _, field := range []string{"notes", "pickup", "metadata", "exception", "promised_at"} {
		require.NotContains(t, o, field)
	}
	require.Equal(t, o["version"], d.do("PATCH", path, `{}`).ok(200)["version"])
	require.Equal(t, o["version"], d.do("PATCH", path, ``).ok(200)["version"])
}

func TestVersions(t *testing.T) {
	d := open(t)
	id := d.order()
	path := "/order/" + id
	for header, status := range map[string]int{
		`"v1"`: 304, `W/"v1"`: 304, `"v7", "v1"`: 304, `*`: 304, `"v2"`: 200, `v1`: 200, `"x"`: 200,
	} {
		r := d.do("GET", path, nil, "If-None-Match", header)
		require.Equal(t, status, r.StatusCode, header)
		require.Equal(t, `"v1"`, r.Header.Get("ETag"))
		require.Equal(t, status == 304, len(r.body) == 0)
	}
	step := func(match string) *reply {
		return d.do("PATCH", path, map[string]any{"notes": match}, "If-Match", match)
	}
	step(`v1`).problem(400, "malformed")
	step(`"v2"`).problem(412, "version_conflict")
	step(`W/"v2"`).problem(412, "version_conflict")
	step(`"other"`).problem(412, "version_conflict")
	step(`"v7", "v8"`).problem(412, "version_conflict")
	step(`"v1"`).ok(200)
	step(`"v7", "v2"`).ok(200)
	step(`W/"v3"`).ok(200) // a proxy compressed the answer that had "v3"
	step(`*`).ok(200)
	d.do("DELETE", path, nil, "If-Match", `"v1"`).problem(412, "version_conflict")
	d.do("PATCH", path+"/status", `{"status":"confirmed"}`, "If-Match", `"v1"`).problem(412, "version_conflict")
	d.do("POST", path+"/assign-courier", `{"courier_id":"`+d.courier()+`"}`, "If-Match", `"v1"`).problem(412, "version_conflict")
	d.do("PATCH", "/order/"+noOrder, `{}`, "If-Match", `"v1", "v2"`).problem(404, "order_not_found")
}

func TestLists(t *testing.T) {
	d := open(t)
	require.Equal(t, `{"orders":[]}`, string(d.do("GET", "/orders", nil).body))
	require.Equal(t, `{"couriers":[]}`, string(d.do("GET", "/couriers", nil).body))
	var want []string
	for i := range 7 {
		id := d.do("POST", "/order", fmt.Sprintf(`{"external_id":"x%d","customer":{"name":"Ann"},"dropoff":{"address":"a"}}`, i)).ok(201)["id"].(string)
		want = append([]string{id}, want...)
	}
	var got []string
	for token := ""; ; {
		page := d.do("GET", "/orders?page_size=3"+token, nil).ok(200)
		for _, o := range page["orders"].([]any) {
			got = append(got, o.(map[string]any)["id"].(string))
		}
		next, more := page["next_page_token"].(string)
		if !more {
			break
		}
		token = "&page_token=" + next
		d.do("GET", "/orders?active=true"+token, nil).problem(400, "malformed")
	}
	require.Equal(t, want, got)
	first := d.do("GET", "/orders?page_size=1&status=confirmed&status=created&created_from=2020-01-01t00:00:00z", nil).ok(200)["next_page_token"].(string)
	d.do("GET", "/orders?page_size=1&status=created&status=confirmed&status=created&created_from=2020-01-01T00:00:00Z&page_token="+first, nil).ok(200)
	require.Len(t, d.do("GET", "/orders?external_id=x3", nil).ok(200)["orders"], 1)
	d.move(want[0], domain.StatusConfirmed)
	require.Len(t, d.do("GET", "/orders?status=confirmed&status=assigned&active=true", nil).ok(200)["orders"], 1)
	d.do("POST", "/order", `{"external_id":"x3","customer":{"name":"Ann"},"dropoff":{"address":"a"}}`).problem(409, "duplicate_external_id")
}

func TestCouriers(t *testing.T) {
	d := open(t)
	r := d.do("POST", "/couriers", `{"name":"Ivan","phone":"8 916 123-45-67","vehicle":"bicycle","capacity":1,"metadata":{"a":"1"}}`)
	c := r.ok(201)
	id := c["id"].(string)
	require.Equal(t, "/courier/"+id, r.Header.Get("Location"))
	require.Equal(t, "+79161234567", c["phone"])
	got := d.do("POST", "/courier/"+id+"/location", `[{"lat":55.75,"lon":37.61},{"lat":0,"lon":0}]`).ok(202)
	require.Equal(t, map[string]any{"accepted": 1.0, "dropped": 1.0}, got)
	at := d.do("GET", "/courier/"+id+"/location", nil).ok(200)
	require.Equal(t, 55.75, at["lat"])
	require.Equal(t, false, at["stale"])
	near := d.do("GET", "/couriers/near?lat=55.75&lon=37.62", nil).ok(200)["couriers"].([]any)
	require.Equal(t, id, near[0].(map[string]any)["id"])
	require.InDelta(t, 626, near[0].(map[string]any)["distance_m"], 1)
	require.Equal(t, false, d.do("PATCH", "/courier/"+id, `{"on_duty":false}`).ok(200)["on_duty"])
	require.Empty(t, d.do("GET", "/couriers/near?lat=55.75&lon=37.62", nil).ok(200)["couriers"])
	require.Len(t, d.do("GET", "/couriers?on_duty=false&q=iva", nil).ok(200)["couriers"], 1)
	require.Empty(t, d.do("GET", "/couriers?on_duty=true", nil).ok(200)["couriers"])
}

func TestRequestIDInAndOut(t *testing.T) {
	d := open(t)
	require.Equal(t, "my-id.1", d.do("GET", "/healthz", nil, "X-Request-Id", "my-id.1").Header.Get("X-Request-Id"))
	for _, bad := range []string{"", "a b", strings.Repeat("x", 129), `"q"`} {
		id := d.do("GET", "/healthz", nil, "X-Request-Id", bad).Header.Get("X-Request-Id")
		require.Len(t, id, 24)
	}
	p := d.do("GET", "/nothing", nil, "X-Request-Id", "trace-me").problem(404, "not_found")
	require.Equal(t, "trace-me", p.RequestID)
}

func TestAccess(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	open := []string{"/healthz", "/readyz", "/openapi.json", "/docs", "/"}
	closed := []string{"/metrics", "/debug/pprof/heap", "/orders", "/order/" + noOrder, "/order/" + noOrder + "/stream", "/ws", "/couriers"}
	t.Run("with a key", func(t *testing.T) {
		d := openWith(t, testConfig(), guardOf(key))
		for _, path := range open {
			require.Equal(t, 200, d.do("GET", path, nil).StatusCode, path)
		}
		for _, path := range closed {
			r := d.do("GET", path, nil)
			r.problem(401, "unauthenticated")
			require.Equal(t, "Bearer", r.Header.Get("WWW-Authenticate"))
			d.do("GET", path, nil, "Authorization", "Bearer wrong").problem(401, "unauthenticated")
			d.do("GET", path, nil, "Authorization", "Basic "+key).problem(401, "unauthenticated")
			require.NotEqual(t, 401, d.do("HEAD", path, nil, "Authorization", "bearer "+key).StatusCode)
		}
		d.do("POST", "/order", minimal).problem(401, "unauthenticated")
		d.do("POST", "/order", minimal, "Authorization", "Bearer "+key).ok(201)
		d.do("GET", "/nothing", nil).problem(404, "not_found")
		for _, entry := range d.logs.All() {
			require.NotContains(t, fmt.Sprint(entry.ContextMap()), key)
		}
	})
	t.Run("without a key", func(t *testing.T) {
		d := openWith(t, testConfig(), guardOf(""))
		d.do("GET", "/orders", nil).ok(200)
		d.do("GET", "/orders", nil, "Host", "evil.example").problem(403, "forbidden")
		d.do("GET", "/orders", nil, "Origin", "https://evil.example").problem(403, "forbidden")
		d.do("GET", "/orders", nil, "Origin", d.URL).ok(200)
	})
}

func TestCrossOrigin(t *testing.T) {
	cfg := testConfig()
	cfg.AllowedOrigins = []string{"https://shop.example"}
	d := openWith(t, cfg, guardOf(""))
	r := d.do("OPTIONS", "/order", nil, "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
	require.Equal(t, 204, r.StatusCode)
	require.Equal(t, "https://shop.example", r.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, r.Header.Get("Access-Control-Allow-Headers"), "Idempotency-Key")
	r = d.do("POST", "/order", minimal, "Origin", "https://shop.example")
	r.ok(201)
	require.Contains(t, r.Header.Get("Access-Control-Expose-Headers"), "ETag")
	require.Equal(t, "Origin", r.Header.Get("Vary"))
	r = d.do("OPTIONS", "/order", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
	d.do("POST", "/order", minimal, "Origin", "https://evil.example").problem(403, "forbidden")
}

func TestPanicsAreAnswered(t *testing.T) {
	d := open(t)
	d.srv.engine.GET("/boom", func(*gin.Context) { panic("secret of the house") })
	d.srv.engine.GET("/half", func(c *gin.Context) {
		_, _ = c.Writer.Write(bytes.Repeat([]byte("x"), 10_000))
		panic("late")
	})
	r := d.do("GET", "/boom", nil)
	r.problem(500, "internal")
	require.NotContains(t, string(r.body), "secret")
	entry := d.logs.FilterMessage("a request panicked").All()[0].ContextMap()
	require.Equal(t, "secret of the house", entry["panic"])
	require.Equal(t, r.Header.Get("X-Request-Id"), entry["request_id"])
	resp, err := d.Client().Get(d.URL + "/half")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	require.Error(t, err, "half an answer must not look whole")
	d.do("GET", "/healthz", nil).ok(200)
}

func TestReadiness(t *testing.T) {
	d := open(t)
	require.Equal(t, map[string]any{"status": "ok"}, d.do("GET", "/readyz", nil).ok(200))
	d.srv.Ready = func(context.Context) error { return errors.New("dsn=secret") }
	r := d.do("GET", "/readyz", nil)
	r.problem(503, "unavailable")
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	require.NotContains(t, string(r.body), "secret")
	hang := make(chan struct{})
	defer close(hang)
	d.srv.Ready = func(context.Context) error { <-hang; return nil } // ignores its context
	start := time.Now()
	d.do("GET", "/readyz", nil).problem(503, "unavailable")
	require.Less(t, time.Since(start), readyWithin+20*time.Second)
}

func TestTheCauseOf503IsLoggedOnceABurst(t *testing.T) {
	d := open(t)
	d.srv.Ready = func(context.Context) error { return errors.New("the disk is full") }
	for range 3 {
		d.do("GET", "/readyz", nil).problem(503, "unavailable")
	}
	logged := d.logs.FilterMessageSnippet("a request failed").All()
	require.Len(t, logged, 1)
	require.Equal(t, zap.WarnLevel, logged[0].Level)
	require.Contains(t, logged[0].ContextMap()["error"], "the disk is full")
}

func TestMetricsAndAccessLog(t *testing.T) {
	d := open(t)
	id := d.order()
	d.do("GET", "/order/"+id, nil, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").ok(200)
	d.do("GET", "/nothing?token=secret", nil).problem(404, "not_found")
	d.do("BREW", "/orders", nil)
	metrics := string(d.do("GET", "/metrics", nil).body)
	for _, line := range []string{
		`http_requests_total{method="GET",route="/order/:order_id",status="200"} 1`,
		`http_requests_total{method="POST",route="/order",status="201"} 1`,
		`http_requests_total{method="GET",route="unknown",status="404"} 1`,
		`http_requests_total{method="other",route="unknown",status="405"} 1`,
		`http_request_duration_seconds_count{method="GET",route="/order/:order_id"} 1`,
	} {
		require.Contains(t, metrics, line)
	}
	var logged []string
	for _, entry := range d.logs.FilterMessage("request").All() {
		f := entry.ContextMap()
		logged = append(logged, fmt.Sprint(f["method"], " ", f["route"], " ", f["status"], " ", f["trace_id"]))
		require.NotContains(t, fmt.Sprint(f), "secret")
		require.NotEmpty(t, f["request_id"])
		require.NotEmpty(t, f["remote"])
	}
	require.Contains(t, logged, "GET /order/:order_id 200 4bf92f3577b34da6a3ce929d0e0e4736")
	require.Contains(t, logged, "POST /order 201 <nil>")
}
