package domain

import (
	"encoding/json"
	"slices"
	"time"
)

// Erased takes the place of a customer's text that must not be empty.
const Erased = "—"

// Erasure is an order whose customer's data is to be erased once the order is final. Mark
// is a keyed hash of the customer's phone number.
type Erasure struct {
	OrderID string
	Mark    string
}

// Erased reports whether the customer's data has been erased.
func (o *Order) Erased() bool { return o.Bookkeeping.ErasedAt != nil }

// Erase removes everything about the customer from a final order: names, numbers, addresses, places and all free text. Sums,
// statuses, times and ids stay. It changes nothing before the end and when repeated.
func (o *Order) Erase(by By) []Event {
	if o.Active() || o.Erased() {
		return nil
	}
	at := Timestamp(by.Now)
	o.Bookkeeping.ErasedAt = &at
	return []Event{o.change(EventChanged, by, map[string]any{"fields": []string{"customer"}, "erased": true})}
}

// anonymize lists what goes; a new field with customers' data belongs here. Erasing runs it
// again with every later change, such as a scan that a carrier still reports.
func (o *Order) anonymize() {
	o.Customer, o.Pickup, o.Dropoff = Customer{Name: Erased}, nil, Place{Address: Erased}
	for i := range o.Items {
		o.Items[i].Name, o.Items[i].SKU = Erased, ""
	}
	o.Notes, o.Instructions, o.Metadata = "", "", nil
	if o.Rating != nil {
		o.Rating = &Rating{Stars: o.Rating.Stars}
	}
	if x := o.Exception; x != nil {
		o.Exception = &Exception{Code: x.Code, Since: x.Since}
	}
	if o.ETA != nil {
		eta := *o.ETA
		eta.DistanceM = nil
		o.ETA = &eta
	}
	if o.Shipment != nil {
		o.Shipment = o.Shipment.anonymized()
	}
	o.anonymizeProofs()
	for i := range o.Bookkeeping.Offers {
		o.Bookkeeping.Offers[i].Reason = ""
	}
	o.wire = nil
}

func (s *Shipment) anonymized() *Shipment {
	out := &Shipment{
		Carrier: s.Carrier, Account: s.Account, TrackingNumber: s.TrackingNumber, Reference: s.Reference, CarrierStatus: s.CarrierStatus,
		Phase: s.Phase, Tariff: s.Tariff, Price: s.Price, Payment: s.Payment, ReturnNumber: s.ReturnNumber, Expected: s.Expected,
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, CarrierEvent{
			ID: e.ID, Kind: e.Kind, Code: e.Code, Status: e.Status, ReasonCode: e.ReasonCode, Exception: e.Exception,
			OccurredAt: e.OccurredAt, Unknown: e.Unknown, Retracted: e.Retracted,
		})
	}
	return out
}

// anonymize removes what people wrote and where it happened.
func (e *Event) anonymize() {
	e.Reason, e.Location, e.wire = "", nil, nil
	if data, _ := harmless(e.Data).(map[string]any); len(data) > 0 {
		e.Data = data
	} else {
		e.Data = nil
	}
}

// harmlessKeys are the members of data whose texts say nothing about a customer: ids, codes, times and sums.
var harmlessKeys = []string{
	"id", "order_id", "courier_id", "proof_id", "incident_id", "kinds", "offline", "previous_courier_id", "offer_id", "notification_id", "source_id",
	"fields", "erased", "stars", "status", "version", "seq", "at", "expires_at", "last_heard_at", "promised_at", "created_at", "updated_at",
	"carrier", "tracking_number", "carrier_status", "carrier_code", "phase", "tariff", "refusal", "ended", "edited", "registry", "retracted",
	"code", "reason_code", "channel", "template", "deliveries", "received", "due", "total", "price", "amount", "currency",
}

// harmless returns the part of decoded JSON that says nothing about a customer.
func harmless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, member := range v {
			if slices.Contains(harmlessKeys, key) {
				out[key] = harmless(member)
			}
		}
		return out
	case []any:
		return Each(v, harmless)
	}
	return v
}

// EraseOrderJSON erases the customer from a stored version of an order.
func EraseOrderJSON(data []byte) ([]byte, error) {
	var o Order
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, err
	}
	o.anonymize()
	return o.MarshalJSON()
}

// EraseEventJSON erases the customer from a stored event, and returns when it was recorded.
func EraseEventJSON(data []byte) (erased []byte, recorded time.Time, err error) {
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, recorded, err
	}
	e.anonymize()
	return e.AppendJSON(nil), e.RecordedAt, nil
}

// EraseAnswerJSON erases customers from the remembered answer to a request.
func EraseAnswerJSON(data []byte) ([]byte, error) {
	var order struct {
		Number  string         `json:"number"`
		Dropoff map[string]any `json:"dropoff"`
	}
	if json.Unmarshal(data, &order) == nil && order.Number != "" && order.Dropoff != nil {
		return EraseOrderJSON(data)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	return json.Marshal(harmless(v))
}
