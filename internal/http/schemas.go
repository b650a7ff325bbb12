package httpserver

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// enumeration is a domain type with a fixed set of values.
type enumeration struct {
	of, as reflect.Type
	values []any
}

var enumerations = []enumeration{
	valuesOf(domain.Statuses()), valuesOf(domain.Vehicles()), valuesOf(transport.Codes()),
	valuesOf([]domain.EstimateMethod{
		domain.MethodLive, domain.MethodRoute, domain.MethodHistory, domain.MethodCarrier,
		domain.MethodPromised, domain.MethodDefault, domain.MethodActual,
	}),
	valuesOf(domain.DeliveryStates()),
	valuesOf([]domain.ShipmentPhase{domain.PhasePending, domain.PhaseRegistered, domain.PhaseRejected, domain.PhaseCancelled}),
}

func valuesOf[T ~string](values []T) enumeration {
	return enumeration{reflect.TypeFor[T](), reflect.TypeFor[oneOf[T]](), enumOf(values)}
}

func enumOf[T ~string](values []T) []any {
	return domain.Each(values, func(v T) any { return string(v) })
}

// oneOf is the schema provider for T.
type oneOf[T ~string] struct{}

// Schema lists the values.
func (oneOf[T]) Schema(huma.Registry) *huma.Schema {
	i := slices.IndexFunc(enumerations, func(e enumeration) bool { return e.of == reflect.TypeFor[T]() })
	return &huma.Schema{Type: huma.TypeString, Enum: enumerations[i].values}
}

// newSchemas creates an empty registry. The types' tags hold the limits of fields.
func newSchemas() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	for _, e := range enumerations {
		r.RegisterTypeAlias(e.of, e.as)
	}
	return r
}

// limitMetadata adds the limits of entries to every string map.
func limitMetadata(r huma.Registry) {
	for _, schema := range r.Map() {
		for _, p := range schema.Properties {
			if entry, ok := p.AdditionalProperties.(*huma.Schema); ok && p.MaxProperties != nil {
				entry.MaxLength = new(domain.MaxValue)
			}
		}
	}
}

// completeSchemas adds what types can't express to the schemas that huma derived from them.
func (s *Server) completeSchemas() {
	limitMetadata(s.schemas())
	for name, rule := range s.rules {
		if err := rule.Decode(s.schemas().Map()[name]); err != nil {
			panic(err) // the file is embedded in the binary
		}
	}
	s.nullableInPatch()
	s.limitEntries()
}

// limitEntries adds the limits of strings in lists, which have no tags.
func (s *Server) limitEntries() {
	for _, schema := range s.schemas().Map() {
		for _, p := range schema.Properties {
			if entry := p.Items; entry != nil && entry.Type == huma.TypeString && entry.Format == "" && len(entry.Enum) == 0 && p.MaxItems != nil {
				entry.MinLength, entry.MaxLength = new(1), new(domain.MaxKey)
			}
		}
	}
}

// nullableInPatch marks the fields that null removes.
func (s *Server) nullableInPatch() {
	for name, fields := range map[string][]string{
		"Edit": {
			"pickup", "notes", "ready_at", "promised_at", "deliver_after", "deliver_before", "timezone", "priority", "requirements", "payment", "proof_required", "exception",
			"metadata",
		},
		"CourierEdit": {"phone", "skills", "base", "metadata"},
	} {
		patch := s.schemas().Map()[name]
		for _, field := range fields {
			if p := patch.Properties[field]; p.Ref == "" {
				p.Nullable = true
			} else {
				patch.Properties[field] = &huma.Schema{AnyOf: []*huma.Schema{p, {Type: "null"}}}
			}
		}
	}
}

// example builds a value from the examples of a schema's fields: of required fields and of
// those that have one. It is nil when there is none.
func example(r huma.Registry, schema *huma.Schema, request bool) any {
	switch {
	case len(schema.Examples) > 0:
		return schema.Examples[0]
	case schema.Ref != "":
		return example(r, r.SchemaFromRef(schema.Ref), request)
	case len(schema.OneOf)+len(schema.AllOf)+len(schema.AnyOf) > 0 && schema.Properties == nil:
		return example(r, slices.Concat(schema.OneOf, schema.AllOf, schema.AnyOf)[0], request)
	case schema.Type == huma.TypeArray:
		if entry := example(r, schema.Items, request); entry != nil {
			return []any{entry}
		}
	case schema.Type == huma.TypeObject && schema.Properties != nil:
		out := map[string]any{}
		for name, p := range schema.Properties {
			if request && p.ReadOnly {
				continue
			}
			v := example(r, p, request)
			if v == nil && slices.Contains(schema.Required, name) {
				v = anyOfType(p)
			}
			if v != nil {
				out[name] = v
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// anyOfType returns a value for a required field without an example.
func anyOfType(p *huma.Schema) any {
	switch {
	case len(p.Enum) > 0:
		return p.Enum[0]
	case p.Format == "date-time":
		return "2026-05-04T12:30:00Z"
	case p.Format == "uuid":
		return "0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"
	case p.Type == huma.TypeString:
		return "…"
	case p.Type == huma.TypeBoolean:
		return false
	case p.Type == huma.TypeArray:
		return []any{}
	case p.Type == huma.TypeObject || p.Ref != "":
		return map[string]any{}
	}
	return max(1, int(deref(p.Minimum)))
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// addExamples adds an example to every JSON body.
func (s *Server) addExamples() {
	r := s.schemas()
	for _, op := range s.everyOperation() {
		if op.RequestBody != nil {
			complete(r, op.RequestBody.Content[jsonType], true)
		}
		for _, response := range op.Responses {
			complete(r, response.Content[jsonType], false)
		}
	}
}

func complete(r huma.Registry, media *huma.MediaType, request bool) {
	if media != nil && media.Example == nil && media.Schema != nil {
		if media.Example = example(r, media.Schema, request); media.Example == nil {
			media.Example = anyOfType(media.Schema)
		}
	}
}

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
