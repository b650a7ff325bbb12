package domain_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestEventsAreEncodedAsTheLibraryDoes(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "plain", `"<&>\`, "Привет", "a\x00b", "\u2028", "\xff"}))
	value := rapid.OneOf(
		text.AsAny(), rapid.Float64Range(-1e6, 1e6).AsAny(), rapid.Bool().AsAny(), rapid.Int().AsAny(), rapid.Just[any](nil),
		rapid.SliceOf(text).AsAny(), rapid.Just[any]([]string(nil)), rapid.MapOf(text, text).AsAny(),
	)
	at := rapid.Map(rapid.Int64Range(0, 4e15), func(us int64) time.Time { return time.UnixMicro(us).UTC() })
	rapid.Check(t, func(t *rapid.T) {
		var e domain.Event
		fill(t, reflect.ValueOf(&e).Elem(), text, at)
		e.Data = rapid.MapOfN(text, value, -1, 12).Draw(t, "data")
		want, err := json.Marshal(e)
		require.NoError(t, err)
		require.Equal(t, string(want), string(e.AppendJSON(nil)))
	})
}

// fill sets every field of a struct to something, so that one which is new is noticed.
func fill(t *rapid.T, v reflect.Value, text *rapid.Generator[string], at *rapid.Generator[time.Time]) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case f.Type() == reflect.TypeFor[time.Time]():
			f.Set(reflect.ValueOf(at.Draw(t, name)))
		case f.Kind() == reflect.String:
			f.SetString(text.Draw(t, name))
		case f.Kind() == reflect.Int64:
			f.SetInt(rapid.Int64().Draw(t, name))
		case f.Kind() == reflect.Struct:
			fill(t, f, text, at)
		case f.Type() == reflect.TypeFor[*domain.Point]():
			if rapid.Bool().Draw(t, name) {
				f.Set(reflect.ValueOf(&domain.Point{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: 37}))
			}
		case f.Kind() != reflect.Map:
			t.Fatalf("a field of a new kind: %s", name)
		}
	}
}
