package httpserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

func pointersOf(faults []domain.Fault) map[string]string {
	return problem{Errors: faults}.pointers()
}

func TestDecodeFindsEveryFault(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want map[string]string
	}{
		"nothing wrong": {minimal, map[string]string{}},
		"unknown fields": {
			`{"foo":1,"customer":{"name":"A","bar":{}},"items":[{"name":"x"},{"name":"y","baz":null}]}`,
			map[string]string{"/foo": "unknown_field", "/customer/bar": "unknown_field", "/items/1/baz": "unknown_field"},
		},
		"wrong types": {
			`{"customer":"Ann","dropoff":{"location":{"lat":"NaN","lon":true}},"items":[1,{"name":2,"quantity":"3"}],"metadata":{"a/b~c":1},"total":[]}`,
			map[string]string{
				"/customer": "invalid_type", "/dropoff/location/lat": "invalid_type", "/dropoff/location/lon": "invalid_type",
				"/items/0": "invalid_type", "/items/1/name": "invalid_type", "/items/1/quantity": "invalid_type",
				"/metadata/a~1b~0c": "invalid_type", "/total": "invalid_type",
			},
		},
		"numbers that do not fit": {
			`{"items":[{"name":"x","quantity":1.5,"weight_g":99999999999999999999}],"dropoff":{"location":{"lat":1e999,"lon":1}}}`,
			map[string]string{"/items/0/quantity": "out_of_range", "/items/0/weight_g": "out_of_range", "/dropoff/location/lat": "out_of_range"},
		},
		"times": {
			`{"ready_at":"yesterday","promised_at":17}`,
			map[string]string{"/ready_at": "invalid_time", "/promised_at": "invalid_type"},
		},
		"half a point": {
			`{"pickup":{"location":{"lat":91}},"dropoff":{"location":{"lon":null,"lat":1,"x":2}},"notes":7}`,
			map[string]string{
				"/pickup/location/lon": "required", "/dropoff/location/lon": "required", "/dropoff/location/x": "unknown_field",
				"/notes": "invalid_type",
			},
		},
		"no point": {
			`{"dropoff":{"location":{}}}`,
			map[string]string{"/dropoff/location/lat": "required", "/dropoff/location/lon": "required"},
		},
		"names in another case": {`{"Customer":{}}`, map[string]string{"/Customer": "unknown_field"}},
		"not an object":         {`[]`, map[string]string{"": "invalid_type"}},
		"null is absent":        {`{"items":null,"notes":null,"metadata":null,"ready_at":null}`, map[string]string{}},
		"null is no object": {
			`{"customer":null,"pickup":null,"items":[null,{"name":"x"}],"total":null,"dropoff":{"location":null}}`,
			map[string]string{
				"/customer": "invalid_type", "/pickup": "invalid_type", "/items/0": "invalid_type", "/total": "invalid_type",
				"/dropoff/location": "invalid_type",
			},
		},
		"nothing": {`null`, map[string]string{"": "invalid_type"}},
		"money without an amount": {`{"total":{"currency":"RUB"},"items":[{"price":{"currency":"RUB","amount":null}}]}`, map[string]string{
			"/total/amount": "required", "/items/0/price/amount": "required",
		}},
		"times as others write them": {`{"ready_at":"2016-12-31t23:59:60z","promised_at":"2026-05-04T12:30:00.5+03:00"}`, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults, err := decode[domain.Draft](JSONBody{RawBody: []byte(tt.body)})
			require.NoError(t, err)
			require.Equal(t, tt.want, pointersOf(faults))
			for _, f := range faults {
				require.NotEmpty(t, f.Detail)
				require.NotContains(t, f.Detail, "domain.", "Go's types are nobody's business")
			}
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	for _, body := range []string{
		`{`, `}`, `{"a":}`, `{"customer":{"name":"A"}} x`, `{}{}`, `{"notes":"a","notes":"b"}`, `nul`, `{"lat":NaN}`,
		"{\"notes\":\"\xff\"}", `{'a':1}`, "\x00", strings.Repeat("[", 20_000), " ",
	} {
		_, _, err := decode[domain.Draft](JSONBody{RawBody: []byte(body)})
		require.Equal(t, domain.CodeMalformed, domain.CodeOf(err), "%.40q: %v", body, err)
	}
}

func TestDecodeKeepsTheRest(t *testing.T) {
	d, faults, err := decode[domain.Draft](JSONBody{RawBody: []byte(`{"foo":1,"items":[7,{"name":"x"}],"notes":"n"}`)})
	require.NoError(t, err)
	require.Len(t, faults, 2)
	require.Equal(t, "n", d.Notes)
	require.Equal(t, domain.Item{Name: "x", Quantity: 1}, d.Items[1], "in its place, one of it")
}

// JSON Schema and some clients write whole numbers with a fraction or an exponent.
func TestDecodeReadsWholeNumbers(t *testing.T) {
	d, faults, err := decode[domain.Draft](JSONBody{RawBody: []byte(`{"items":[{"name":"x","quantity":2.0,"weight_g":1e3}],"total":{"amount":129900.00,"currency":"RUB"}}`)})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Equal(t, domain.Item{Name: "x", Quantity: 2, WeightG: 1000}, d.Items[0])
	require.Equal(t, int64(129900), d.Total.Amount)
}

func TestDecodeBoundsItsWork(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `"x%d":1,`, i)
	}
	_, faults, err := decode[domain.Draft](JSONBody{RawBody: []byte(`{` + b.String() + `"notes":"n"}`)})
	require.NoError(t, err)
	require.Greater(t, len(faults), 10)
	require.LessOrEqual(t, len(faults), maxFaults)
}

func TestAcceptableContentTypes(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "application/json;charset=UTF-8": true,
		"Application/JSON": true, "": true, "application/merge-patch+json": true,
		"text/plain": false, "application/x-www-form-urlencoded": false, "application/json; charset=latin1": false,
		"application/xml": false, ";": false, "application/jsonx": false,
	} {
		require.Equal(t, want, acceptable(contentType), contentType)
	}
}

func TestRefusalLeavesOutWhatFollows(t *testing.T) {
	faults := []domain.Fault{{Pointer: "/dropoff/location", Code: "invalid_type"}, {Pointer: "/customer/age", Code: "unknown_field"}}
	err := refusal(faults, domain.Invalid("/dropoff", "required", "x"), nil, domain.Invalid("/customer/name", "required", "x"))
	var e *domain.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, map[string]string{
		"/dropoff/location": "invalid_type", "/customer/age": "unknown_field", "/customer/name": "required",
	}, pointersOf(e.Faults))
	require.NoError(t, refusal(nil, nil))
	require.Equal(t, domain.CodeMalformed, domain.CodeOf(refusal(faults, domain.Errorf(domain.CodeMalformed, "x"))))
}

func TestDecodePositions(t *testing.T) {
	for body, want := range map[string]map[string]string{
		`{"lat":1,"lon":2}`:             {},
		`{"lat":1}`:                     {"/lon": "required"},
		`{}`:                            {"/lat": "required", "/lon": "required"},
		`{"lat":"1","lon":2}`:           {"/lat": "invalid_type"},
		`[{"lat":1,"lon":2},{"lon":1}]`: {"/1/lat": "required"},
		`[{"lat":1,"lon":2},7]`:         {"/1": "invalid_type"},
		` [{"lat":1,"lon":2,"x":1}]`:    {"/0/x": "unknown_field"},
		`[]`:                            {},
		`7`:                             {"": "invalid_type"},
	} {
		single := !strings.HasPrefix(strings.TrimSpace(body), "[")
		_, faults, err := decodePositions(JSONBody{RawBody: []byte(body)}, single)
		require.NoError(t, err)
		require.Equal(t, want, pointersOf(faults), body)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		minimal, `{"foo":[{}],"items":[{"quantity":"x"}]}`, `[{"lat":1}]`, `{"metadata":{"":1}}`, `{"a~b/c":null}`, `"x"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := JSONBody{RawBody: body}
		d, faults, err := decode[domain.Draft](in)
		if err == nil {
			_ = refusal(faults, func() error { _, err := d.Normalize("RU"); return err }())
		}
		for _, fault := range faults {
			if fault.Code == "" || fault.Detail == "" || (fault.Pointer != "" && fault.Pointer[0] != '/') {
				t.Fatalf("%q: %+v", body, fault)
			}
		}
		removed, rest := cutNulls[domain.Edit](body)
		edit, _, err := decode[domain.Edit](JSONBody{RawBody: rest})
		if err == nil {
			edit.Clear = removed
			_, _ = new(domain.Order).Edit(edit, "RU", domain.By{})
		}
		_, _, _ = decode[orders.StatusChange](in)
		_, _, _ = decodePositions(in, true)
		_, _, _ = decodePositions(in, false)
		_, _ = parseCommand(body)
	})
}

// Bytes are a text in base64, not a list of numbers.
func TestBytesThatAreNoTextAreAFault(t *testing.T) {
	type body struct {
		Photo []byte `json:"photo"`
	}
	for _, photo := range []string{`[null,null]`, `[1,2]`, `{}`, `7`, `"%"`} {
		_, faults, err := decode[body](JSONBody{ContentType: jsonType, RawBody: []byte(`{"photo":` + photo + `}`)})
		require.NoError(t, err, photo)
		require.Equal(t, []domain.Fault{{Pointer: "/photo", Code: "invalid_type", Detail: "must be bytes in base64"}}, faults, photo)
	}
}
