package domain

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Draft is a client's request to create an order.
type Draft struct {
	ExternalID    string            `json:"external_id,omitempty" maxLength:"128" doc:"the shop's own number; unique per merchant"`
	MerchantID    string            `json:"merchant_id,omitempty" maxLength:"128"`
	Customer      Customer          `json:"customer"`
	Pickup        *Place            `json:"pickup,omitempty"`
	Dropoff       *Place            `json:"dropoff,omitempty"`
	Items         []Item            `json:"items,omitempty" maxItems:"500"`
	Total         *Money            `json:"total,omitempty"`
	Payment       *Payment          `json:"payment,omitempty" doc:"what the recipient pays on delivery"`
	Notes         string            `json:"notes,omitempty" maxLength:"2000" example:"ring twice"`
	Metadata      map[string]string `json:"metadata,omitempty" maxProperties:"50" example:"{\"channel\":\"web\"}"`
	ReadyAt       *time.Time        `json:"ready_at,omitempty" doc:"when it can be picked up"`
	PromisedAt    *time.Time        `json:"promised_at,omitempty" doc:"time promised to the customer"`
	DeliverAfter  *time.Time        `json:"deliver_after,omitempty" doc:"not delivered before this time"`
	DeliverBefore *time.Time        `json:"deliver_before,omitempty" doc:"to be delivered by this time"`
	Timezone      string            `json:"timezone,omitempty" format:"timezone" doc:"the customer's (IANA)" example:"Europe/Moscow"`
	Priority      int               `json:"priority,omitempty" minimum:"0" maximum:"9" doc:"higher is first"`
	Requirements  *Requirements     `json:"requirements,omitempty"`
	ProofRequired []string          `json:"proof_required,omitzero" enum:"photo,signature,pin" nullable:"false" maxItems:"3" uniqueItems:"true" doc:"what the courier must bring to deliver it; absent: what the merchant requires; [] for none"`
}

// Normalize returns the draft with its phone number in E.164 and its times in the stores'
// precision, or all its faults. region is the country of phone numbers without a country code.
func (d Draft) Normalize(region string) (Draft, error) {
	var f Faults
	f.Check("", &d)
	f.dropoff(d.Dropoff)
	f.Phone("/customer/phone", &d.Customer.Phone, region)
	d.Payment.rules(&f)
	f.Listed("/proof_required", "proof", d.ProofRequired, ProofKinds())
	f.window(d.DeliverAfter, d.DeliverBefore)
	for _, t := range []**time.Time{&d.ReadyAt, &d.PromisedAt, &d.DeliverAfter, &d.DeliverBefore} {
		*t = timestamp(*t)
	}
	d.Requirements = d.Requirements.orNone()
	return d, f.Err()
}

// dropoff checks a place that has to be found by a courier.
func (f *Faults) dropoff(p *Place) {
	if p == nil || (strings.TrimSpace(p.Address) == "" && p.Location == nil) {
		f.Add("/dropoff", "required", "needs an address or a location")
	}
}

// given adds the non-empty strings to an event's data.
func given(data map[string]any, texts map[string]string) map[string]any {
	for k, v := range texts {
		if v != "" {
			data[k] = v
		}
	}
	return data
}

// Edit changes an order's details: nil fields stay unchanged. Clear names the fields to remove.
type Edit struct {
	Customer      *Customer      `json:"customer,omitempty"`
	Pickup        *Place         `json:"pickup,omitempty"`
	Dropoff       *Place         `json:"dropoff,omitempty"`
	Notes         *string        `json:"notes,omitempty" maxLength:"2000" example:"ring twice"`
	ReadyAt       *time.Time     `json:"ready_at,omitempty"`
	PromisedAt    *time.Time     `json:"promised_at,omitempty" example:"2026-05-04T12:30:00Z"`
	DeliverAfter  *time.Time     `json:"deliver_after,omitempty" doc:"not delivered before this time"`
	DeliverBefore *time.Time     `json:"deliver_before,omitempty" doc:"to be delivered by this time"`
	Timezone      *string        `json:"timezone,omitempty" format:"timezone" doc:"the customer's (IANA)" example:"Europe/Moscow"`
	Priority      *int           `json:"priority,omitempty" minimum:"0" maximum:"9" doc:"higher is first"`
	Requirements  *Requirements  `json:"requirements,omitempty"`
	Payment       *Payment       `json:"payment,omitempty" doc:"what the recipient pays on delivery; not while a parcel carries it"`
	ProofRequired []string       `json:"proof_required,omitzero" enum:"photo,signature,pin" nullable:"false" maxItems:"3" uniqueItems:"true" doc:"what the courier must bring to deliver it; [] for none"`
	Exception     *ExceptionEdit `json:"exception,omitempty"`
	// Metadata is merged into the order's; an empty value removes the entry.
	Metadata map[string]string `json:"metadata,omitempty" maxProperties:"50"`
	// Clear names fields to remove: pickup, notes, ready_at, promised_at, deliver_after,
	// deliver_before, timezone, priority, requirements, payment, proof_required, exception, metadata.
	Clear []string `json:"-"`
}

// ExceptionEdit raises an exception.
type ExceptionEdit struct {
	Code   string `json:"code" minLength:"1" maxLength:"128"`
	Detail string `json:"detail,omitempty" maxLength:"2000"`
}

// Edit applies the edit; one that changes nothing causes no event. It fails with
// validation_failed, or with order_finished when the order can't change any more.
func (o *Order) Edit(e Edit, region string, by By) ([]Event, error) {
	if err := e.normalize(region); err != nil {
		return nil, err
	}
	next := *o
	e.apply(&next, Timestamp(by.Now))
	var f Faults
	f.Check("", &Edit{Metadata: next.Metadata}) // the merged map may be too large
	if f.window(next.DeliverAfter, next.DeliverBefore); f.Err() != nil {
		return nil, f.Err()
	}
	changed := changedFields(o, &next)
	if len(changed) == 0 {
		return nil, nil
	}
	if o.Status.Terminal() {
		return nil, Errorf(CodeOrderFinished, "an order that is %s can't be changed any more", o.Status)
	}
	if p := o.Shipment; p != nil && p.Phase.Live() && slices.Contains(changed, "payment") {
		return nil, &Error{Code: CodeIllegalTransition, Allowed: o.Status.Next(), Message: "the parcel at " + p.Carrier + " carries the payment: it can be changed before the booking"}
	}
	*o = next
	kind := EventChanged
	data := map[string]any{"fields": changed}
	if len(changed) == 1 && changed[0] == "exception" {
		kind = EventException
		if o.Exception != nil {
			data["code"], data["detail"] = o.Exception.Code, o.Exception.Detail
		}
	}
	return []Event{o.change(kind, by, data)}, nil
}

// normalize checks the edit's values by the rules of drafts.
func (e *Edit) normalize(region string) error {
	var f Faults
	f.Check("", e)
	if e.Customer != nil {
		e.Customer = new(*e.Customer)
		f.Phone("/customer/phone", &e.Customer.Phone, region)
	}
	if e.Dropoff != nil {
		f.dropoff(e.Dropoff)
	}
	e.Payment.rules(&f)
	f.Listed("/proof_required", "proof", e.ProofRequired, ProofKinds())
	for _, t := range []**time.Time{&e.ReadyAt, &e.PromisedAt, &e.DeliverAfter, &e.DeliverBefore} {
		*t = timestamp(*t)
	}
	for _, field := range e.Clear {
		if clearable[field] == nil {
			f.Add("/"+escapePointer(field), "required", "can't be removed")
		}
	}
	return f.Err()
}

// clearable has a function for each field that can be removed.
var clearable = map[string]func(*Order){
	"pickup":         func(o *Order) { o.Pickup = nil },
	"notes":          func(o *Order) { o.Notes = "" },
	"ready_at":       func(o *Order) { o.ReadyAt = nil },
	"promised_at":    func(o *Order) { o.PromisedAt = nil },
	"deliver_after":  func(o *Order) { o.DeliverAfter = nil },
	"deliver_before": func(o *Order) { o.DeliverBefore = nil },
	"timezone":       func(o *Order) { o.Timezone = "" },
	"priority":       func(o *Order) { o.Priority = 0 },
	"requirements":   func(o *Order) { o.Requirements = nil },
	"payment":        func(o *Order) { o.Payment = o.Payment.changed(nil) },
	"proof_required": func(o *Order) { o.ProofRequired = nil },
	"exception":      func(o *Order) { o.Exception = nil },
	"metadata":       func(o *Order) { o.Metadata = nil },
}

func (e *Edit) apply(o *Order, now time.Time) {
	set(&o.Customer, e.Customer)
	set(&o.Dropoff, e.Dropoff)
	set(&o.Notes, e.Notes)
	o.Pickup = cmp.Or(e.Pickup, o.Pickup)
	o.ReadyAt = cmp.Or(e.ReadyAt, o.ReadyAt)
	o.PromisedAt = cmp.Or(e.PromisedAt, o.PromisedAt)
	o.DeliverAfter = cmp.Or(e.DeliverAfter, o.DeliverAfter)
	o.DeliverBefore = cmp.Or(e.DeliverBefore, o.DeliverBefore)
	set(&o.Timezone, e.Timezone)
	set(&o.Priority, e.Priority)
	o.Requirements = cmp.Or(e.Requirements, o.Requirements).orNone()
	if e.Payment != nil {
		o.Payment = o.Payment.changed(e.Payment)
	}
	if e.ProofRequired != nil {
		o.ProofRequired = append([]string(nil), e.ProofRequired...) // none is nil
	}
	if x := e.Exception; x != nil && (o.Exception == nil || o.Exception.Code != x.Code || o.Exception.Detail != x.Detail) {
		o.Exception = &Exception{Code: x.Code, Detail: x.Detail, Since: now}
	}
	o.Metadata = merge(o.Metadata, e.Metadata)
	for _, field := range e.Clear {
		clearable[field](o)
	}
}

// set assigns a value that is given.
func set[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

// merge returns a copy of into with the entries of m; an empty value removes one.
func merge(into, m map[string]string) map[string]string {
	if len(m) == 0 {
		return into
	}
	out := make(map[string]string, len(into)+len(m))
	maps.Copy(out, into)
	maps.Copy(out, m)
	maps.DeleteFunc(out, func(k, v string) bool { _, given := m[k]; return given && v == "" })
	if len(out) == 0 {
		return nil
	}
	return out
}

// changedFields returns the JSON names of the visible fields in which the orders differ.
func changedFields(a, b *Order) []string {
	var names []string
	other := reflect.ValueOf(*b)
	for field, value := range reflect.ValueOf(*a).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" && !reflect.DeepEqual(value.Interface(), other.FieldByIndex(field.Index).Interface()) {
			names = append(names, name)
		}
	}
	return names
}

// Requirements are the capabilities a courier needs for an order; empty lists require nothing.
type Requirements struct {
	Skills  []string  `json:"skills,omitempty" maxItems:"50" doc:"the courier has all of them" example:"[\"fridge\"]"`
	Vehicle []Vehicle `json:"vehicle,omitempty" maxItems:"5" doc:"the courier has one of them" example:"[\"car\"]"`
}

// orNone returns nil for empty requirements.
func (r *Requirements) orNone() *Requirements {
	if r == nil || len(r.Skills)+len(r.Vehicle) == 0 {
		return nil
	}
	return r
}

// window checks a delivery window.
func (f *Faults) window(after, before *time.Time) {
	if after != nil && before != nil && !before.After(*after) {
		f.Add("/deliver_before", "conflict", "must be after deliver_after")
	}
}

// isTimezone accepts the names of the IANA database only.
func isTimezone(s string) bool {
	_, err := time.LoadLocation(s)
	return err == nil && s != "Local"
}

// Zone is the time zone of the order's customer; UTC when unknown.
func (o *Order) Zone() *time.Location {
	if zone, err := time.LoadLocation(o.Timezone); err == nil {
		return zone
	}
	return time.UTC
}

// MetBy reports whether a courier with this vehicle and these skills meets the requirements.
func (r Requirements) MetBy(v Vehicle, skills []string) bool {
	lacks := func(skill string) bool { return !slices.Contains(skills, skill) }
	return (len(r.Vehicle) == 0 || slices.Contains(r.Vehicle, v)) && !slices.ContainsFunc(r.Skills, lacks)
}
