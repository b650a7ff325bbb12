package httpserver

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

func TestDocumentIsServed(t *testing.T) {
	d := open(t)
	r := d.do("GET", "/openapi.json", nil)
	doc := r.ok(200)
	require.Equal(t, "3.1.0", doc["openapi"])
	require.Equal(t, "1.2.3", doc["info"].(map[string]any)["version"])
	require.NotContains(t, string(r.body), "$schema")
	require.Less(t, bytes.Index(r.body, []byte(`"application/json":{"example":{"complete"`)), bytes.Index(r.body, []byte(`"application/geo+json"`)), "JSON comes first")
	operation := func(path, method string) map[string]any { return at(doc, "paths", path, method).(map[string]any) }
	require.Equal(t, []any{}, operation("/healthz", "get")["security"], "open")
	require.NotEmpty(t, operation("/orders", "get")["security"])
	require.Equal(t, true, at(operation("/order", "post"), "requestBody", "required"))
	require.NotEqual(t, true, at(operation("/order/{order_id}", "delete"), "requestBody", "required"), "every field is optional")
	for _, p := range operation("/order/{order_id}", "patch")["parameters"].([]any) {
		if at(p, "in") == "header" {
			pattern := regexp.MustCompile(at(p, "schema", "pattern").(string))
			require.True(t, pattern.MatchString(`"v3"`), at(p, "name"))
			require.False(t, pattern.MatchString(`"v`), at(p, "name"))
		}
	}
}

// Every route except pages is documented.
func TestEveryRouteIsDescribed(t *testing.T) {
	d := open(t)
	params := regexp.MustCompile(`:(\w+)`)
	pages := map[string]bool{
		"/": true, "/client.js": true, "/client/:part": true, "/docs": true, "/docs/*asset": true,
		"/assets/:hash/*file": true, "/licences": true, "/parts": true, "/t/:token": true, "/t/worker.js": true, "/map.pmtiles": true, "/brand/logo": true, "/welcome": true,
		"/courier-app": true, "/courier-app/manifest.json": true, "/courier-app/worker.js": true,
	}
	for _, r := range d.srv.engine.Routes() {
		if pages[r.Path] || r.Method == "HEAD" {
			continue
		}
		item := d.srv.api.OpenAPI().Paths[params.ReplaceAllString(r.Path, "{$1}")]
		require.NotNil(t, item, r.Path)
		op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "PUT": item.Put, "DELETE": item.Delete}[r.Method]
		require.NotNil(t, op, r.Method+" "+r.Path)
		require.NotEmpty(t, op.OperationID)
		require.NotEmpty(t, op.Summary)
		require.NotEmpty(t, op.Tags)
		for status, response := range op.Responses {
			require.NotEmpty(t, response.Description, r.Path+" "+status)
			if status >= "400" {
				require.NotEmpty(t, response.Content[problemType].Examples, r.Path+" "+status)
			}
		}
	}
}

// What changes something honours Idempotency-Key, but for what is listed here.
func TestChangesHaveIdempotencyKeys(t *testing.T) {
	without := map[string]string{
		"setRoute": "replaces the whole", "setShifts": "replaces the whole", "planDispatch": "changes nothing", "testWebhook": "changes nothing", "updateBot": "codes are used once", "previewNotification": "changes nothing", "optOut": "once is enough",
		"createTicket": "lasts half a minute", "createSession": "a cookie for the caller only", "deleteSession": "nothing is left to end",
		"ingestOsmand": "known positions are dropped", "ingestOwnTracks": "known positions are dropped", "receiveHook": "only asks the company sooner",
	}
	d := open(t)
	for path, item := range d.srv.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			has := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == "Idempotency-Key" })
			require.Equal(t, without[op.OperationID] == "", has, "%s %s", op.Method, path)
			delete(without, op.OperationID)
		}
	}
	require.Empty(t, without, "no such operations")
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// Examples match their schemas.
func TestExamplesAreValid(t *testing.T) {
	d := open(t)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("urn:openapi", any(d.do("GET", "/openapi.json", nil).ok(200))))
	check := func(where string, schema *huma.Schema, request bool, example any) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded(t, example)))
		require.NoError(t, err)
		text := string(encoded(t, schema))
		name := "urn:" + where
		alone, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.ReplaceAll(text, "#/components/", "urn:openapi#/components/")))
		require.NoError(t, err)
		require.NoError(t, compiler.AddResource(name, alone))
		compiled, err := compiler.Compile(name)
		require.NoError(t, err, where)
		if err := compiled.Validate(v); err != nil {
			// What only answers have may be required of them.
			require.True(t, request && strings.Contains(err.Error(), "received_at"), "%s: %v", where, err)
		}
	}
	operations := 0
	for path, item := range d.srv.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			operations++
			if op.RequestBody != nil && op.RequestBody.Content[ndjsonType] == nil {
				media := op.RequestBody.Content[jsonType]
				require.NotNil(t, media.Example, "%s %s", op.Method, path)
				check(op.OperationID, media.Schema, true, media.Example)
			}
			for status, response := range op.Responses {
				for contentType, media := range response.Content {
					if media.Example != nil && contentType == jsonType {
						check(op.OperationID+":"+status, media.Schema, false, media.Example)
					}
					for name, example := range media.Examples {
						check(op.OperationID+":"+status+":"+name, media.Schema, false, example.Value)
					}
				}
				if status < "300" && response.Content[jsonType] != nil && op.Tags[0] != "Operation" {
					require.NotNil(t, response.Content[jsonType].Example, op.OperationID)
				}
			}
		}
	}
	require.Greater(t, operations, 20)
}

// The document's limits are those that the domain checks: a value at the limit passes, one
// beyond it does not.
func TestLimitsAreTheDomains(t *testing.T) {
	d := open(t)
	draft := func(pointer string, value any) error {
		doc := map[string]any{
			"customer": map[string]any{"name": "A"}, "dropoff": map[string]any{"address": "x", "location": map[string]any{"lat": 1, "lon": 1}},
			"items": []any{map[string]any{"name": "x", "price": map[string]any{"amount": 1, "currency": "RUB"}}},
			"total": map[string]any{"amount": 1, "currency": "RUB"},
		}
		v, faults := decodeWith[domain.Draft](t, doc, pointer, value)
		_, err := v.Normalize("RU")
		return refusal(faults, err)
	}
	step := func(pointer string, value any) error {
		v, faults := decodeWith[orders.StatusChange](t, map[string]any{"status": "confirmed", "proof": map[string]any{}}, pointer, value)
		return refusal(faults, d.srv.Orders.CheckStatus(v))
	}
	edit := func(pointer string, value any) error {
		v, faults := decodeWith[domain.Edit](t, map[string]any{"exception": map[string]any{"code": "x"}}, pointer, value)
		return refusal(faults, d.srv.Orders.CheckEdit(v))
	}
	courier := func(pointer string, value any) error {
		v, faults := decodeWith[domain.CourierEdit](t, map[string]any{"name": "A"}, pointer, value)
		return refusal(faults, d.srv.Couriers.CheckEdit(v, false))
	}
	position := func(pointer string, value any) error {
		v, faults := decodeWith[domain.Position](t, map[string]any{"lat": 1, "lon": 1}, pointer, value)
		_, err := domain.NormalizePositions([]domain.Position{v}, true, wallClock{}.Now())
		return refusal(faults, err)
	}
	notice := func(pointer string, value any) error {
		v, faults := decodeWith[orders.Notice](t, map[string]any{}, pointer, value)
		return refusal(faults, d.srv.Orders.CheckNotice(v))
	}
	// Where a schema's fields are in a request, and what validates them.
	checked := map[string]struct {
		at    string
		check func(string, any) error
	}{
		"Draft": {"", draft}, "Customer": {"/customer", draft}, "Place": {"/dropoff", draft}, "Point": {"/dropoff/location", draft},
		"Item": {"/items/0", draft}, "Money": {"/total", draft}, "StatusChange": {"", step}, "Proof": {"/proof", step},
		"Edit": {"", edit}, "ExceptionEdit": {"/exception", edit}, "CourierEdit": {"", courier}, "NewCourier": {"", courier},
		"Position": {"", position}, "Notice": {"", notice},
	}
	tried := 0
	for name, c := range checked {
		for field, schema := range d.srv.schemas().Map()[name].Properties {
			if schema.ReadOnly || field == "currency" || field == "phone" || field == "email" || field == "locale" {
				continue
			}
			good, bad := samples(schema)
			for _, v := range good {
				require.NoError(t, c.check(c.at+"/"+field, v), "%s.%s", name, field)
			}
			for _, v := range bad {
				require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(c.check(c.at+"/"+field, v)), "%s.%s = %.50v", name, field, v)
				tried++
			}
		}
	}
	require.Greater(t, tried, 50)
}

// samples returns values at the limit and beyond it.
func samples(s *huma.Schema) (good, bad []any) {
	object := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[strings.Repeat("k", i+1)] = "v"
		}
		return m
	}
	array := func(n int) []any {
		a := make([]any, n)
		for i := range a {
			a[i] = map[string]any{"name": "x"}
			if s.Items.Type == huma.TypeString {
				a[i] = "x"
			}
			if known := s.Items.Enum; len(known) > 0 {
				a[i] = known[i%len(known)]
			}
		}
		return a
	}
	switch {
	case s.MaxProperties != nil:
		return []any{object(*s.MaxProperties)}, []any{object(*s.MaxProperties + 1)}
	case s.MaxItems != nil:
		return []any{array(*s.MaxItems)}, []any{array(*s.MaxItems + 1)}
	case s.MaxLength != nil:
		bad = []any{strings.Repeat("я", *s.MaxLength+1)}
		if s.MinLength != nil {
			bad = append(bad, "", " ")
		}
		return []any{strings.Repeat("я", *s.MaxLength)}, bad
	case s.Maximum != nil && s.Type == huma.TypeInteger:
		return []any{int64(*s.Minimum), int64(*s.Maximum)}, []any{int64(*s.Minimum) - 1, int64(*s.Maximum) + 1}
	case s.Maximum != nil:
		return []any{*s.Minimum, *s.Maximum}, []any{math.Nextafter(*s.Minimum, -math.MaxFloat64), math.Nextafter(*s.Maximum, math.MaxFloat64)}
	case s.Enum != nil:
		for _, v := range s.Enum {
			if v != string(domain.StatusAssigned) { // that one has an operation of its own
				good = append(good, v)
			}
		}
		return good, []any{"no such thing"}
	}
	return nil, nil
}

// decodeWith decodes a document with the value at a pointer replaced.
func decodeWith[T any](t *testing.T, doc any, pointer string, value any) (T, []domain.Fault) {
	t.Helper()
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(b, &tree))
	at := strings.LastIndex(pointer, "/")
	node := tree
	for _, token := range strings.Split(pointer[:at], "/")[1:] {
		if list, ok := node.([]any); ok {
			i, err := strconv.Atoi(token)
			require.NoError(t, err)
			node = list[i]
		} else {
			node = node.(map[string]any)[token]
		}
	}
	node.(map[string]any)[pointer[at+1:]] = value
	b, err = json.Marshal(tree)
	require.NoError(t, err)
	v, faults, err := decode[T](JSONBody{RawBody: b})
	require.NoError(t, err)
	return v, faults
}

func TestPageLimitsAreTheDomains(t *testing.T) {
	d := open(t)
	for _, p := range d.srv.api.OpenAPI().Paths["/orders"].Get.Parameters {
		switch p.Name {
		case "page_size":
			require.InDelta(t, domain.MaxPageSize, *p.Schema.Maximum, 0)
		case "page_token":
			require.Equal(t, domain.MaxPageToken, *p.Schema.MaxLength)
		case "q":
			require.Equal(t, domain.MaxSearch, *p.Schema.MaxLength)
		case "external_id", "merchant_id":
			require.Equal(t, domain.MaxKey, *p.Schema.MaxLength)
		case "customer_phone":
			require.Equal(t, 40, *p.Schema.MaxLength)
		}
	}
	for _, p := range d.srv.api.OpenAPI().Paths["/couriers/near"].Get.Parameters {
		if p.Name == "limit" {
			require.InDelta(t, tracking.MaxNear, *p.Schema.Maximum, 0)
		}
	}
	require.Equal(t, 10, tracking.DefaultNear)
	require.Equal(t, 50, domain.DefaultPage)
}
