package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wrongTypes returns JSON values of other types than kind.
var wrongTypes = map[string][]string{
	"string": {`7`, `true`, `{}`, `[]`}, "number": {`"7"`, `true`, `{}`, `[]`}, "integer": {`"7"`, `1.5`, `{}`},
	"object": {`7`, `"x"`, `[]`, `true`}, "array": {`7`, `"x"`, `{}`}, "time": {`7`, `"yesterday"`, `{}`, `"2026-13-01T00:00:00Z"`},
	"boolean": {`"true"`, `7`, `{}`},
}

// field is one field of a request: its type, and invalid values of that type.
type field struct {
	pointer, kind string
	bad           []string
}

func long(n int) string { return `"` + strings.Repeat("x", n+1) + `"` }

var point = []string{`{"lat":91,"lon":0}`, `{"lat":0,"lon":-181}`, `{"lat":1e999,"lon":0}`, `{"lat":0}`}

func placeFields(at string) []field {
	return []field{
		{at, "object", nil}, {at + "/address", "string", []string{long(500), `"a\u0000b"`}}, {at + "/notes", "string", []string{long(2000)}},
		{at + "/location", "object", point}, {at + "/location/lat", "number", []string{"-90.5"}}, {at + "/location/lon", "number", []string{"180.5"}},
	}
}

var createFields = append(append([]field{
	{"/external_id", "string", []string{long(128)}}, {"/merchant_id", "string", []string{long(128)}},
	{"/customer", "object", nil}, {"/customer/name", "string", []string{`""`, `"  "`, long(200)}},
	{"/customer/phone", "string", []string{`"x"`, `"123"`, long(40)}}, {"/customer/email", "string", []string{`"x"`, long(254)}},
	{"/customer/locale", "string", []string{`"d_e"`, long(35)}},
	{"/items", "array", nil}, {"/items/0", "object", nil}, {"/items/0/name", "string", []string{`""`, long(200)}},
	{"/items/0/sku", "string", []string{long(128)}}, {"/items/0/quantity", "integer", []string{`0`, `-1`, `1000001`}},
	{"/items/0/weight_g", "integer", []string{`-1`, `1000000001`}}, {"/items/0/price", "object", nil},
	{"/items/0/price/amount", "integer", []string{`-1`, `1e30`}}, {"/items/0/price/currency", "string", []string{`"XXQ"`, `"rub"`, `""`}},
	{"/total", "object", nil}, {"/total/amount", "integer", []string{`-5`}}, {"/total/currency", "string", []string{`"EURO"`}},
	{"/notes", "string", []string{long(2000)}}, {"/metadata", "object", nil}, {"/metadata/table", "string", []string{long(500)}},
	{"/ready_at", "time", []string{`"1969-01-01T00:00:00Z"`}}, {"/promised_at", "time", nil},
}, placeFields("/pickup")...), placeFields("/dropoff")...)

// with returns the object with the value at the pointer replaced by raw JSON.
func with(t testing.TB, base object, pointer, raw string) []byte {
	var root any
	require.NoError(t, json.Unmarshal(encode(t, base), &root))
	parts := strings.Split(pointer, "/")[1:]
	at := root
	for i, p := range parts {
		last := i == len(parts)-1
		switch v := at.(type) {
		case object:
			if last {
				v[p] = json.RawMessage(raw)
			} else if v[p] == nil {
				v[p] = object{}
			}
			at = v[p]
		case []any:
			if last {
				v[0] = json.RawMessage(raw)
			}
			at = v[0]
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	require.NoError(t, enc.Encode(root))
	return out.Bytes()
}

// refused requires a 4xx error with a fault at the pointer.
func refused(t *testing.T, resp *http.Response, body []byte, pointer string) {
	t.Helper()
	require.Contains(t, []int{400, 422}, resp.StatusCode, "%s", body)
	p := decode(t, body)
	for _, k := range []string{"type", "title", "status", "detail", "code", "request_id"} {
		require.NotEmpty(t, p[k], "%s of %s", k, body)
	}
	if resp.StatusCode == 400 {
		require.Equal(t, "malformed", p["code"])
		return
	}
	for _, e := range list(p["errors"]) {
		if at := str(e, "pointer"); at == pointer || strings.HasPrefix(at, pointer+"/") {
			require.NotEmpty(t, str(e, "code"))
			require.NotEmpty(t, str(e, "detail"))
			return
		}
	}
	t.Errorf("no fault at %s: %s", pointer, body)
}

// badFields sends every field with wrong types and invalid values, and an unknown field.
func badFields(t *testing.T, s *server, method, path string, base object, fields []field) {
	for _, f := range fields {
		for _, raw := range append(append([]string{}, wrongTypes[f.kind]...), f.bad...) {
			if json.Valid([]byte(raw)) {
				sent := with(t, base, f.pointer, raw)
				resp, body := s.rest(t, method, path, sent, nil)
				if resp.StatusCode < 400 {
					t.Errorf("%s %s took %s = %.80s", method, path, f.pointer, raw)
					continue
				}
				refused(t, resp, body, f.pointer)
			}
		}
	}
	resp, body := s.rest(t, method, path, with(t, base, "/surprise", `1`), nil)
	refused(t, resp, body, "/surprise")
}

func TestEveryFieldOfEveryOperation(t *testing.T) {
	s := start(t)
	d := s.api("REST")
	id, courier := create(t, d), s.courier(t, object{"name": "Boris"})
	order := without(draft, "external_id")
	t.Run("create", func(t *testing.T) {
		badFields(t, s, "POST", "/order", order, createFields)
		for _, name := range []string{"customer", "dropoff"} {
			resp, body := s.rest(t, "POST", "/order", encode(t, without(order, name)), nil)
			refused(t, resp, body, "/"+name)
		}
		metadata := object{}
		for i := range 51 {
			metadata[fmt.Sprint(i)] = "x"
		}
		resp, body := s.rest(t, "POST", "/order", encode(t, merged(order, object{"metadata": metadata})), nil)
		refused(t, resp, body, "/metadata")
		items := make([]any, 501)
		for i := range items {
			items[i] = object{"name": "x"}
		}
		resp, body = s.rest(t, "POST", "/order", encode(t, merged(order, object{"items": items})), nil)
		refused(t, resp, body, "/items")
	})
	t.Run("status", func(t *testing.T) {
		badFields(t, s, "PATCH", "/order/"+id+"/status", object{"status": "confirmed"}, append([]field{
			{"/status", "string", []string{`"teleported"`, `""`, `"assigned"`}}, {"/reason", "string", []string{long(2000)}},
			{"/occurred_at", "time", []string{`"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`}},
			{"/proof", "object", nil}, {"/proof/recipient", "string", []string{long(200)}}, {"/proof/code", "string", []string{long(128)}},
			{"/proof/note", "string", []string{long(2000)}}, {"/proof/photo_url", "string", []string{long(2000)}},
		}, field{"/location", "object", point}))
	})
	t.Run("cancel", func(t *testing.T) {
		badFields(t, s, "DELETE", "/order/"+id, object{}, []field{{"/reason", "string", []string{long(2000)}}})
	})
	t.Run("assign", func(t *testing.T) {
		badFields(t, s, "POST", "/order/"+id+"/assign-courier", object{}, []field{
			{"/courier_id", "string", []string{`"seven"`, `""`}}, {"/auto", "boolean", nil},
		})
	})
	t.Run("notify", func(t *testing.T) {
		badFields(t, s, "POST", "/order/"+id+"/notify", object{}, []field{
			{"/channel", "string", []string{`"pigeon"`}}, {"/template", "string", []string{`"love"`}}, {"/text", "string", []string{long(2000)}},
		})
	})
	t.Run("edit", func(t *testing.T) {
		badFields(t, s, "PATCH", "/order/"+id, object{}, append([]field{
			{"/notes", "string", []string{long(2000)}}, {"/promised_at", "time", nil}, {"/metadata", "object", nil},
			{"/exception", "object", nil}, {"/exception/code", "string", []string{`""`, long(128)}},
		}, placeFields("/dropoff")...))
	})
	courierFields := []field{
		{"/name", "string", []string{`""`, long(200)}}, {"/phone", "string", []string{`"x"`}}, {"/vehicle", "string", []string{`"rocket"`}},
		{"/capacity", "integer", []string{`0`, `1001`}}, {"/on_duty", "boolean", nil}, {"/metadata", "object", nil},
	}
	t.Run("courier", func(t *testing.T) {
		badFields(t, s, "POST", "/couriers", object{"name": "B"}, courierFields)
		badFields(t, s, "PATCH", "/courier/"+courier, object{}, courierFields)
	})
	t.Run("position", func(t *testing.T) {
		fields := []field{
			{"/lat", "number", []string{`91`, `-91`}}, {"/lon", "number", []string{`181`}}, {"/accuracy", "number", []string{`-1`}},
			{"/speed", "number", []string{`-1`}}, {"/heading", "number", []string{`361`}}, {"/battery", "number", []string{`101`}},
			{"/recorded_at", "time", nil},
		}
		badFields(t, s, "POST", "/courier/"+courier+"/location", object{"lat": 1, "lon": 1}, fields)
		resp, body := s.rest(t, "POST", "/courier/"+courier+"/location", []byte(`[{"lat":1,"lon":1},{"lat":91,"lon":1}]`), nil)
		refused(t, resp, body, "/1/lat")
	})
}

func TestBadRequests(t *testing.T) {
	s := start(t)
	id := create(t, s.api("REST"))
	type bad struct {
		method, path, body, contentType string
		status                          int
		code                            string
	}
	for name, b := range map[string]bad{
		"broken JSON":       {"POST", "/order", `{"customer":`, "application/json", 400, "malformed"},
		"two values":        {"POST", "/order", `{}{}`, "application/json", 400, "malformed"},
		"not an object":     {"POST", "/order", `"x"`, "application/json", 422, "validation_failed"},
		"no body":           {"POST", "/order", ``, "application/json", 422, "validation_failed"},
		"a form":            {"POST", "/order", `a=b`, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		"XML":               {"POST", "/order", `<a/>`, "application/xml", 415, "unsupported_media_type"},
		"huge":              {"POST", "/order", `{"notes":"` + strings.Repeat("x", 1<<20) + `"}`, "application/json", 413, "too_large"},
		"unknown route":     {"GET", "/nothing", ``, "", 404, "not_found"},
		"wrong method":      {"PUT", "/orders", ``, "", 405, "method_not_allowed"},
		"page_size of 0":    {"GET", "/orders?page_size=0", ``, "", 422, "validation_failed"},
		"page_size of 501":  {"GET", "/orders?page_size=501", ``, "", 422, "validation_failed"},
		"page_size of x":    {"GET", "/orders?page_size=x", ``, "", 400, "malformed"},
		"active of perhaps": {"GET", "/orders?active=perhaps", ``, "", 400, "malformed"},
		"page_token":        {"GET", "/orders?page_token=@@", ``, "", 400, "malformed"},
		"unknown status":    {"GET", "/orders?status=teleported", ``, "", 422, "validation_failed"},
		"created_from":      {"GET", "/orders?created_from=yesterday", ``, "", 400, "malformed"},
		"id in a path":      {"GET", "/order/seven", ``, "", 422, "validation_failed"},
		"illegal step":      {"PATCH", "/order/" + id + "/status", `{"status":"delivered"}`, "application/json", 409, "illegal_transition"},
		"since":             {"GET", "/order/" + id + "/stream?since=x", ``, "", 400, "malformed"},
		"a deep body":       {"POST", "/order", strings.Repeat(`{"customer":`, 20000), "application/json", 400, "malformed"},
		"invalid UTF-8":     {"POST", "/order", "{\"customer\":{\"name\":\"\xff\xfe\"},\"dropoff\":{\"address\":\"x\"}}", "application/json", 400, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if b.contentType != "" {
				h.Set("Content-Type", b.contentType)
			}
			var body []byte
			if b.body != "" {
				body = []byte(b.body)
			}
			resp, got := s.rest(t, b.method, b.path, body, h)
			require.Equal(t, b.status, resp.StatusCode, "%s", got)
			require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
			p := decode(t, got)
			require.Equal(t, b.code, p["code"])
			require.EqualValues(t, b.status, p["status"])
			require.Equal(t, resp.Header.Get("X-Request-Id"), p["request_id"])
			if b.status == 405 {
				require.Contains(t, resp.Header.Get("Allow"), "GET")
			}
		})
	}
}

// Input that is not HTTP only ends its own connection.
func TestGarbageOnEveryPort(t *testing.T) {
	s := start(t)
	for _, addr := range []string{s.http, s.grpc, s.kafka[0]} {
		for _, garbage := range []string{"\x00\x00\x00\x00", "\x7f\xff\xff\xff\x00\x00", "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02\x00\x01", strings.Repeat("\xff", 4096)} {
			c, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			_, _ = c.Write([]byte(garbage)) // it may be closed on us already
			_ = c.Close()
		}
	}
	create(t, s.api("REST"))
	create(t, s.api("gRPC"))
	id := create(t, s.api("REST"))
	feed(t, kafkaClient(t, s), id, []byte("still here"))
}
