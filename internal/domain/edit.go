package domain

import (
	"maps"
	"reflect"
	"strings"
	"time"
)

// Edit is a change of an order's particulars: a nil field stays as it is. Where a
// field can be taken away, Clear names it.
type Edit struct {
	Customer   *Customer
	Pickup     *Place
	Dropoff    *Place
	Notes      *string
	ReadyAt    *time.Time
	PromisedAt *time.Time
	Exception  *ExceptionEdit
	// Metadata is merged into the order's; an empty value removes the entry.
	Metadata map[string]string
	// Clear names fields to remove: pickup, notes, ready_at, promised_at, exception, metadata.
	Clear []string
}

// ExceptionEdit raises an exception.
type ExceptionEdit struct {
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// Edit applies the edit; one that changes nothing causes no event. It refuses with
// validation_failed, or order_finished when the order can't change any more.
func (o *Order) Edit(e Edit, region string, by By) ([]Event, error) {
	if err := e.normalize(region); err != nil {
		return nil, err
	}
	next := *o
	e.apply(&next, Timestamp(by.Now))
	if len(next.Metadata) > MaxMetadata {
		return nil, Invalid("/metadata", "too_many", "must have at most %d entries", MaxMetadata)
	}
	changed := changedFields(o, &next)
	if len(changed) == 0 {
		return nil, nil
	}
	if o.Status.Terminal() {
		return nil, Errorf(CodeOrderFinished, "an order that is %s can't be changed any more", o.Status)
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

func (e *Edit) normalize(region string) error {
	var f Faults
	if c := e.Customer; c != nil {
		copied := *c
		e.Customer = &copied
		f.required("/customer/name", copied.Name, MaxName)
		f.phone("/customer/phone", &e.Customer.Phone, region)
		f.email("/customer/email", copied.Email)
		f.locale("/customer/locale", copied.Locale)
	}
	f.place("/pickup", e.Pickup)
	if e.Dropoff != nil {
		f.dropoff(e.Dropoff)
	}
	if e.Notes != nil {
		f.Text("/notes", *e.Notes, MaxText)
	}
	f.optionalTime("/ready_at", e.ReadyAt)
	f.optionalTime("/promised_at", e.PromisedAt)
	f.metadata("/metadata", e.Metadata)
	if x := e.Exception; x != nil {
		f.required("/exception/code", x.Code, MaxKey)
		f.Text("/exception/detail", x.Detail, MaxText)
	}
	for _, field := range e.Clear {
		switch field {
		case "pickup", "notes", "ready_at", "promised_at", "exception", "metadata":
		default:
			f.Add("/"+escapePointer(field), "required", "can't be removed")
		}
	}
	return f.Err()
}

func (e *Edit) apply(o *Order, now time.Time) {
	if e.Customer != nil {
		o.Customer = *e.Customer
	}
	if e.Pickup != nil {
		o.Pickup = e.Pickup
	}
	if e.Dropoff != nil {
		o.Dropoff = *e.Dropoff
	}
	if e.Notes != nil {
		o.Notes = *e.Notes
	}
	if e.ReadyAt != nil {
		o.ReadyAt = timestamp(e.ReadyAt)
	}
	if e.PromisedAt != nil {
		o.PromisedAt = timestamp(e.PromisedAt)
	}
	if x := e.Exception; x != nil && (o.Exception == nil || o.Exception.Code != x.Code || o.Exception.Detail != x.Detail) {
		o.Exception = &Exception{Code: x.Code, Detail: x.Detail, Since: now}
	}
	o.Metadata = merge(o.Metadata, e.Metadata)
	for _, field := range e.Clear {
		switch field {
		case "pickup":
			o.Pickup = nil
		case "notes":
			o.Notes = ""
		case "ready_at":
			o.ReadyAt = nil
		case "promised_at":
			o.PromisedAt = nil
		case "exception":
			o.Exception = nil
		case "metadata":
			o.Metadata = nil
		}
	}
}

// merge returns a copy of into with the entries of m; an empty value removes one.
func merge(into, m map[string]string) map[string]string {
	if len(m) == 0 {
		return into
	}
	out := maps.Clone(into)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range m {
		if v == "" {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// changedFields names the visible fields in which the orders differ, by their JSON names.
func changedFields(a, b *Order) []string {
	var names []string
	va, vb := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range va.NumField() {
		field := va.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		if !reflect.DeepEqual(va.Field(i).Interface(), vb.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}
