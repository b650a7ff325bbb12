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

// plainOrder is an order encoded by the library.
type plainOrder domain.Order

func TestEventsAndOrdersAreEncodedAsTheLibraryDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e domain.Event
		fill(t, reflect.ValueOf(&e).Elem(), "event")
		want, err := json.Marshal(e)
		require.NoError(t, err)
		require.Equal(t, string(want), string(e.AppendJSON(nil)))

		var o domain.Order
		fill(t, reflect.ValueOf(&o).Elem(), "order")
		want, err = json.Marshal(plainOrder(o))
		require.NoError(t, err)
		got, err := o.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}

var (
	anyText = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "plain", `"<&>\`, "Привет", "a\x00b", "\u2028", "\xff"}))
	anyData = rapid.MapOfN(anyText, rapid.OneOf(
		anyText.AsAny(), rapid.Float64Range(-1e6, 1e6).AsAny(), rapid.Bool().AsAny(), rapid.Int().AsAny(), rapid.Just[any](nil),
		rapid.SliceOf(anyText).AsAny(), rapid.Just[any]([]string(nil)), rapid.MapOf(anyText, anyText).AsAny(),
	), -1, 12)
	anyTime   = rapid.Map(rapid.Int64Range(0, 4e15), func(us int64) time.Time { return time.UnixMicro(us).UTC() })
	anyNumber = rapid.OneOf(rapid.Float64Range(-1e22, 1e22), rapid.Float64Range(-180, 180), rapid.Float64Range(-1e-6, 1e-6))
)

// fill sets every field to some value, so that new fields are noticed.
func fill(t *rapid.T, v reflect.Value, name string) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(anyTime.Draw(t, name)))
	case v.Type() == reflect.TypeFor[map[string]any]():
		v.Set(reflect.ValueOf(anyData.Draw(t, name)))
	case v.Kind() == reflect.String:
		v.SetString(anyText.Draw(t, name))
	case v.Kind() == reflect.Int64 || v.Kind() == reflect.Int:
		v.SetInt(rapid.Int64().Draw(t, name))
	case v.Kind() == reflect.Float64:
		v.SetFloat(anyNumber.Draw(t, name))
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case v.Kind() == reflect.Pointer:
		if rapid.Bool().Draw(t, name) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 3).Draw(t, name), 3))
		for i := range v.Len() {
			fill(t, v.Index(i), name)
		}
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range rapid.SliceOfN(anyText, 0, 3).Draw(t, name) {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(t, value, name)
			v.SetMapIndex(reflect.ValueOf(key), value)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(t, v.Field(i), f.Name)
			}
		}
	default:
		t.Fatalf("%s is of a new kind", name)
	}
}
