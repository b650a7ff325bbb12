package httpserver

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// limit is what the domain says of a field: the zero value of a member says nothing.
type limit struct {
	max      int     // characters of a string, entries of a list or map
	from, to float64 // of a number, when they differ
	enum     []any
	doc      string
	fallback any  // the default
	optional bool // it may be absent in a request, though every answer has it
	readOnly bool
}

func text(n int) limit { return limit{max: n} }

func between(from, to float64) limit { return limit{from: from, to: to} }

func enumOf[T ~string](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// limits are the domain's, by schema and field. Where it names them they are its very
// constants; a test holds all of them against what it does.
func limits() map[string]limit {
	statuses := limit{enum: enumOf(domain.Statuses())}
	vehicles := limit{enum: enumOf(domain.Vehicles())}
	out := map[string]limit{
		"Draft.external_id": {max: domain.MaxKey, doc: "the shop's own number; unique per merchant"},
		"Draft.merchant_id": text(domain.MaxKey), "Draft.items": {max: domain.MaxItems},
		"Draft.notes": text(domain.MaxText), "Draft.metadata": {max: domain.MaxMetadata},
		"Customer.name": text(domain.MaxName), "Customer.phone": {max: domain.MaxPhone, doc: "answers have it in E.164"},
		"Customer.email": text(domain.MaxEmail), "Customer.locale": {max: domain.MaxLocale, doc: "a language tag (BCP 47)"},
		"Place.address": text(domain.MaxAddress), "Place.notes": text(domain.MaxText),
		"Point.lat": between(-90, 90), "Point.lon": between(-180, 180),
		"Item.name": text(domain.MaxName), "Item.sku": text(domain.MaxKey),
		"Item.quantity": {from: 1, to: domain.MaxQuantity, fallback: 1, optional: true},
		"Item.weight_g": {to: domain.MaxWeightG, doc: "of one, in grams"},
		"Money.amount":  {to: domain.MaxAmount, doc: "in minor units: kopecks, cents"}, "Money.currency": {max: 3, doc: "ISO 4217"},
		"Order.status": statuses, "Order.version": {doc: "grows by one with every change of the order"},
		"Order.number": {doc: "for people"}, "Order.eta": {doc: "as of this version"},
		"OrderPatch.notes": text(domain.MaxText), "OrderPatch.metadata": {max: domain.MaxMetadata},
		"ExceptionEdit.code": text(domain.MaxKey), "ExceptionEdit.detail": text(domain.MaxText),
		"Cancellation.reason": text(domain.MaxText),
		"StatusChange.status": statuses, "StatusChange.reason": text(domain.MaxText),
		"StatusChange.occurred_at": {doc: "when it happened; absent: now; at most 5 minutes ahead"},
		"Proof.recipient":          text(domain.MaxName), "Proof.code": text(domain.MaxKey), "Proof.note": text(domain.MaxText),
		"Proof.photo_url": text(domain.MaxText), "Proof.signature_url": text(domain.MaxText),
		"Notice.channel": {enum: []any{orders.ChannelLive}}, "Notice.text": text(domain.MaxText),
		"Notice.template":     {enum: enumOf(orders.Templates())},
		"StatusAnswer.status": statuses, "Track.status": statuses, "Event.status": statuses, "Event.previous_status": statuses,
		"Courier.vehicle": vehicles, "Actor.kind": {doc: "a role"},
		"Estimate.confidence": between(0, 1),
		"Estimate.method": {enum: enumOf([]domain.EstimateMethod{
			domain.MethodLive, domain.MethodRoute, domain.MethodHistory, domain.MethodCarrier,
			domain.MethodPromised, domain.MethodDefault, domain.MethodActual,
		})},
		"Position.recorded_at": {optional: true, doc: "the device's clock; absent in a report: now"},
		"Position.received_at": {readOnly: true, doc: "our clock"},
		"Problem.code":         {enum: enumOf(domain.Codes())},
		"Fault.pointer":        {doc: "JSON pointer (RFC 6901) into the body, or to a parameter"},
	}
	for _, schema := range []string{"CourierEdit", "NewCourier"} {
		out[schema+".name"], out[schema+".phone"] = text(domain.MaxName), text(domain.MaxPhone)
		out[schema+".capacity"] = limit{from: 1, to: domain.MaxCapacity, doc: "active orders at a time"}
		out[schema+".vehicle"], out[schema+".metadata"] = vehicles, limit{max: domain.MaxMetadata}
	}
	for _, schema := range []string{"Position", "Located"} {
		out[schema+".lat"], out[schema+".lon"] = between(-90, 90), between(-180, 180)
		out[schema+".accuracy"] = limit{to: 1e7, doc: "metres"}
		out[schema+".speed"] = limit{to: 1e4, doc: "metres per second"}
		out[schema+".heading"] = limit{to: 360, doc: "degrees clockwise from north"}
		out[schema+".altitude"] = limit{from: -1e5, to: 1e6, doc: "metres"}
		out[schema+".battery"] = limit{to: 100, doc: "percent"}
		out[schema+".attributes"] = limit{readOnly: true, doc: "what a phone app said beside; strings, numbers and booleans"}
	}
	maps.Copy(out, shipmentLimits())
	return out
}

func shipmentLimits() map[string]limit {
	return map[string]limit{
		"ShipmentDraft.carrier":         {max: domain.MaxKey, doc: "the delivery company's code; may be absent where there is only one"},
		"ShipmentDraft.tracking_number": {max: domain.MaxKey, doc: "of a parcel that was booked elsewhere: it is followed"},
		"ShipmentDraft.tariff":          {max: domain.MaxKey, doc: "a code of the company's, cheapest or fastest"},
		"ShipmentDraft.packages":        {max: domain.MaxPackages}, "ShipmentDraft.comment": text(domain.MaxText),
		"Package.weight_g": {to: domain.MaxPackageG, doc: "grams"}, "Package.length_cm": {to: domain.MaxPackageCm, doc: "centimetres"},
		"Package.width_cm": {to: domain.MaxPackageCm, doc: "centimetres"}, "Package.height_cm": {to: domain.MaxPackageCm, doc: "centimetres"},
		"Stop.address": text(domain.MaxAddress), "Stop.notes": text(domain.MaxText),
		"Stop.city":  {max: domain.MaxName, doc: "a name, or the company's code of it"},
		"Stop.point": {max: domain.MaxKey, doc: "the company's code of an office or parcel locker"}, "Stop.postcode": text(domain.MaxPhone),
		"Shipment.phase": {enum: enumOf([]domain.ShipmentPhase{
			domain.PhasePending, domain.PhaseRegistered, domain.PhaseRejected, domain.PhaseCancelled,
		})},
	}
}

// completeSchemas adds to the schemas, which huma made of the types, what types
// can't say.
func (s *Server) completeSchemas() {
	for key, l := range limits() {
		schema, field, ok := s.property(key)
		if !ok {
			panic("the document has no field " + key) // the table and the types have parted
		}
		l.apply(schema, field)
	}
	for _, p := range s.api.OpenAPI().Paths["/orders"].Get.Parameters {
		if p.Name == "status" {
			p.Schema.Items.Enum = enumOf(domain.Statuses())
		}
	}
	s.requireDropoff()
	s.nullableInPatch()
}

// property finds the field of a key such as Order.status.
func (s *Server) property(key string) (schema *huma.Schema, field string, ok bool) {
	name, field, _ := strings.Cut(key, ".")
	schema = s.schemas().Map()[name]
	if schema == nil || schema.Properties[field] == nil {
		return nil, "", false
	}
	return schema, field, true
}

func (l limit) apply(schema *huma.Schema, field string) {
	p := schema.Properties[field]
	if l.doc != "" {
		p.Description = l.doc
	}
	if l.max > 0 {
		switch p.Type {
		case huma.TypeArray:
			p.MaxItems = &l.max
		case huma.TypeObject:
			p.MaxProperties = &l.max
		default:
			p.MaxLength = &l.max
		}
	}
	if l.from != l.to {
		p.Minimum, p.Maximum = &l.from, &l.to
	}
	if l.enum != nil {
		p.Enum = l.enum
	}
	p.Default = l.fallback
	p.ReadOnly = l.readOnly
	if l.optional {
		schema.Required = slices.DeleteFunc(schema.Required, func(name string) bool { return name == field })
	}
}

// requireDropoff says what Go's type can't: a draft needs a drop-off, and that an
// address or a location.
func (s *Server) requireDropoff() {
	draft := s.schemas().Map()["Draft"]
	draft.Required = append(draft.Required, "dropoff")
	draft.Properties["dropoff"] = &huma.Schema{
		AllOf: []*huma.Schema{
			draft.Properties["dropoff"],
			{AnyOf: []*huma.Schema{{Required: []string{"address"}}, {Required: []string{"location"}}}},
		},
	}
}

// nullableInPatch says which fields null removes.
func (s *Server) nullableInPatch() {
	patch := s.schemas().Map()["OrderPatch"]
	for _, field := range []string{"pickup", "notes", "ready_at", "promised_at", "exception", "metadata"} {
		if p := patch.Properties[field]; p.Ref == "" {
			p.Nullable = true
		} else {
			patch.Properties[field] = &huma.Schema{OneOf: []*huma.Schema{p, {Type: "null"}}}
		}
	}
}
