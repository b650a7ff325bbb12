package httpserver

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// document encodes the document, with JSON first where several media types are offered: client generators take the first.
func (s *Server) document() ([]byte, error) {
	encoded, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(encoded, &doc); err != nil {
		return nil, err
	}
	for _, item := range doc["paths"].(map[string]any) {
		for _, op := range item.(map[string]any) {
			if op, ok := op.(map[string]any); ok && op["requestBody"] != nil && s.bodies[op["operationId"].(string)] {
				op["requestBody"].(map[string]any)["required"] = true // set earlier, huma would enforce it
			}
		}
	}
	return appendSorted(nil, doc)
}

// appendSorted appends a document with sorted members, except that JSON's media type comes first.
func appendSorted(b []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.SortedFunc(maps.Keys(v), jsonFirst) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(strconv.AppendQuote(b, name), ':')
			if b, err = appendSorted(b, v[name]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case []any:
		b = append(b, '[')
		for i, entry := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendSorted(b, entry); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	encoded, err := json.Marshal(v)
	return append(b, encoded...), err
}

func jsonFirst(a, b string) int {
	switch jsonType {
	case a:
		return -1
	case b:
		return 1
	}
	return cmp.Compare(a, b)
}

// optional is a query parameter that may be absent.
type optional[T any] struct {
	Value T
	Set   bool
}

// Schema is the value's schema.
func (o optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver returns the field that huma sets.
func (o *optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet is called by huma with whether the parameter is present.
func (o *optional[T]) OnParamSet(set bool, _ any) { o.Set = set }

// or is the value, or another one if the parameter is absent.
func (o optional[T]) or(other T) T {
	if o.Set {
		return o.Value
	}
	return other
}

func (o optional[T]) ptr() *T {
	if !o.Set {
		return nil
	}
	return &o.Value
}
