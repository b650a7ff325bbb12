package httpserver

import (
	"bytes"
	_ "embed" // for asyncSkeleton
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"go.yaml.in/yaml/v3"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// asyncSkeleton is the AsyncAPI document without the schemas generated from Go types.
//
//go:embed asyncapi.yaml
var asyncSkeleton []byte

const yamlType = "application/yaml"

// Payloads that no REST response has, as their senders encode them; the black-box tests compare real messages with them.
type (
	// orderEvent is the data of order_created and order_updated.
	orderEvent struct {
		domain.Event
		Order     *domain.Order `json:"order,omitempty" doc:"the order after the event; always present unless truncated"`
		Truncated bool          `json:"truncated,omitempty" doc:"true if the record would be too large for the brokers: the order is omitted; get it by GET /order/{order_id}"`
	}
	// courierLocation is the data of courier_location.
	courierLocation struct {
		domain.Fix
		OrderIDs []string `json:"order_ids,omitempty" doc:"the orders the courier has"`
	}
	// orderSnapshot is the first frame of an order.
	orderSnapshot struct {
		domain.Order
		push.Beside
	}
)

// asyncDocument adds the product's version and the schemas to the skeleton.
func asyncDocument(version string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(asyncSkeleton, &doc); err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	root := doc.Content[0]
	member(member(root, "info"), "version").Value = version
	encoded, err := json.Marshal(asyncSchemas().Map())
	if err != nil {
		return nil, err
	}
	var schemas yaml.Node
	if err := yaml.Unmarshal(encoded, &schemas); err != nil { // JSON is YAML
		return nil, err
	}
	plainStyle(&schemas)
	all := member(member(root, "components"), "schemas")
	all.Content = append(all.Content, schemas.Content[0].Content...)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	err = errors.Join(e.Encode(&doc), e.Close())
	return out.Bytes(), err
}

// asyncSchemas returns the schemas of the message types, with the domain's limits.
func asyncSchemas() huma.Registry {
	r := newSchemas()
	for _, t := range []reflect.Type{
		reflect.TypeFor[orderEvent](), reflect.TypeFor[courierLocation](), reflect.TypeFor[orderSnapshot](),
		reflect.TypeFor[push.CourierSnapshot](), reflect.TypeFor[push.FleetPositions](), reflect.TypeFor[domain.Event](), reflect.TypeFor[domain.Estimate](),
		reflect.TypeFor[problem](), reflect.TypeFor[domain.Report](), reflect.TypeFor[domain.Offer](), reflect.TypeFor[domain.Route](),
	} {
		r.Schema(t, true, "")
	}
	schemas := r.Map()
	limitMetadata(r)
	report := schemas["Report"]
	report.AdditionalProperties = true // unknown members are allowed
	for _, reference := range []string{"order_id", "external_id", "tracking_number"} {
		report.AnyOf = append(report.AnyOf, &huma.Schema{Required: []string{reference}})
	}
	schemas["Code"] = &huma.Schema{Type: huma.TypeString, Enum: enumOf(transport.Codes())}
	return r
}

// member returns the value of a key that must exist.
func member(object *yaml.Node, key string) *yaml.Node {
	i := slices.IndexFunc(object.Content, func(n *yaml.Node) bool { return n.Value == key })
	return object.Content[i+1]
}

// plainStyle resets nodes parsed from JSON to YAML's plain style.
func plainStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plainStyle(c)
	}
}
