package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Intake is a pickup by the carrier's courier.
type Intake struct {
	ID     string `json:"id"`               // the carrier's
	Number string `json:"number,omitempty"` // the one shown to people
	Date   string `json:"date"`             // 2006-01-02
	From   string `json:"from"`             // 15:04, at the place
	To     string `json:"to"`
	// Status is open, assigned, done, problem, cancelled or rejected, and StatusText what the carrier calls it.
	Status     IntakeStatus `json:"status"`
	StatusText string       `json:"status_text,omitempty"`
}

// IntakeStatus is the status of an intake.
type IntakeStatus string

// The statuses.
const (
	IntakeOpen      IntakeStatus = "open"
	IntakeAssigned  IntakeStatus = "assigned" // a courier has it
	IntakeDone      IntakeStatus = "done"
	IntakeProblem   IntakeStatus = "problem"
	IntakeCancelled IntakeStatus = "cancelled"
	IntakeRejected  IntakeStatus = "rejected"
)

// Live reports whether the intake may still happen.
func (i *Intake) Live() bool {
	return i != nil && (i.Status == IntakeOpen || i.Status == IntakeAssigned || i.Status == IntakeProblem)
}

// IntakeRequest requests a courier to collect a parcel.
type IntakeRequest struct {
	Date     string `json:"date" format:"date" doc:"at most 31 days ahead" example:"2026-05-05"`
	From     string `json:"from" maxLength:"5" doc:"15:04, at the place" example:"10:00"`
	To       string `json:"to" maxLength:"5" doc:"15:04; three hours later or more" example:"17:00"`
	Comment  string `json:"comment,omitempty" maxLength:"255" doc:"for the courier"`
	NeedCall bool   `json:"need_call,omitempty" doc:"the courier calls before"`
}

// Validate returns every fault of the request.
func (r IntakeRequest) Validate() error {
	var f Faults
	f.Check("", &r)
	_, err := time.Parse(time.DateOnly, r.Date)
	if err != nil {
		f.Add("/date", "invalid_date", "must be a date such as 2026-05-05")
	}
	from, errFrom := time.Parse("15:04", r.From)
	to, errTo := time.Parse("15:04", r.To)
	switch {
	case errFrom != nil:
		f.Add("/from", "invalid_time", "must be a time such as 10:00")
	case errTo != nil:
		f.Add("/to", "invalid_time", "must be a time such as 17:00")
	case !from.Before(to):
		f.Add("/to", "out_of_range", "must be after from")
	}
	return f.Err()
}

// WarnNoIntake is the code of the warning that a parcel has to be collected but no courier was requested.
const WarnNoIntake = "no_intake"

// KeepIntake stores the latest data of the shipment's intake. It causes no event when nothing is new.
func (o *Order) KeepIntake(i Intake, by By) []Event {
	if o.Shipment == nil || o.Shipment.Intake != nil && *o.Shipment.Intake == i {
		return nil
	}
	return o.changeShipment(EventIntakeChanged, by, given(map[string]any{"status": string(i.Status)}, map[string]string{
		"id": i.ID, "number": i.Number, "text": i.StatusText, "window": strings.TrimSpace(i.Date + " " + i.From + "-" + i.To),
	}), func(s *Shipment) {
		s.Intake = &i
		s.Warnings = slices.DeleteFunc(slices.Clone(s.Warnings), func(w CarrierMessage) bool { return w.Code == WarnNoIntake && i.Live() })
	})
}

// ShipmentEdit changes a booked parcel; absent fields stay unchanged.
type ShipmentEdit struct {
	Recipient *Customer `json:"recipient,omitempty"`
	To        *Stop     `json:"to,omitempty"`
	Comment   *string   `json:"comment,omitempty" maxLength:"255"`
	Payment   *Payment  `json:"payment,omitempty" doc:"what the recipient pays on delivery, in total; replaces what was asked before, the order's included"`
}

// Validate returns every fault of the edit, and normalizes the phone number.
func (e *ShipmentEdit) Validate(region string) error {
	var f Faults
	f.Check("", e)
	if e.Recipient != nil {
		f.Phone("/recipient/phone", &e.Recipient.Phone, region)
	}
	e.Payment.rules(&f)
	if len(e.fields()) == 0 {
		f.Add("", "required", "recipient, to, comment or payment is required")
	}
	return f.Err()
}

// fields names what an edit changes.
func (e *ShipmentEdit) fields() (names []string) {
	for name, set := range map[string]bool{"recipient": e.Recipient != nil, "to": e.To != nil, "comment": e.Comment != nil, "payment": e.Payment != nil} {
		if set {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// EditedShipment records in the history that the parcel was changed with the carrier.
func (o *Order) EditedShipment(e ShipmentEdit, by By) []Event {
	return o.changeShipment(EventShipmentChanged, by, map[string]any{"edited": e.fields()}, func(s *Shipment) {
		if e.Payment != nil {
			s.Payment, o.Payment = s.Payment.changed(e.Payment), o.Payment.changed(e.Payment)
		}
	})
}

// DeliveryInterval is a time of a day at the recipient's place.
type DeliveryInterval struct {
	Date string `json:"date" format:"date" example:"2026-05-05"`
	From string `json:"from" maxLength:"5" doc:"15:04, at the place" example:"10:00"`
	To   string `json:"to" maxLength:"5" doc:"15:04" example:"18:00"`
}

// DeliveryAgreement is a delivery interval agreed with the recipient.
type DeliveryAgreement struct {
	DeliveryInterval
	Comment string `json:"comment,omitempty" maxLength:"255" doc:"for the courier"`
}

// Validate returns every fault of the agreement.
func (a DeliveryAgreement) Validate() error {
	return IntakeRequest{Date: a.Date, From: a.From, To: a.To, Comment: a.Comment}.Validate()
}

// ShipmentReturn books the way back of delivered goods.
type ShipmentReturn struct {
	Tariff string `json:"tariff,omitempty" maxLength:"128" doc:"the company's code; default: that of the way there" example:"139"`
}

// AgreedDelivery records in the history that a delivery was agreed with the recipient.
func (o *Order) AgreedDelivery(a DeliveryAgreement, by By) []Event {
	agreed := strings.TrimSpace(a.Date + " " + a.From + "-" + a.To)
	return o.changeShipment(EventShipmentChanged, by, map[string]any{"agreed": agreed}, func(*Shipment) {})
}

// ReturnedByCustomer records that the customer's return was booked; its number may follow.
func (o *Order) ReturnedByCustomer(number string, by By) []Event {
	data := given(map[string]any{"customer_return": true}, map[string]string{"return_number": number})
	return o.changeShipment(EventShipmentChanged, by, data, func(s *Shipment) { s.ReturnNumber = cmp.Or(number, s.ReturnNumber) })
}

// changeShipment changes the order's shipment, if it has one, and tells it with the carrier as the source.
func (o *Order) changeShipment(t EventType, by By, data map[string]any, change func(*Shipment)) []Event {
	if o.Shipment == nil {
		return nil
	}
	next := *o.Shipment
	change(&next)
	o.Shipment, by.Source, data["carrier"] = &next, next.Carrier, next.Carrier
	return []Event{o.change(t, by, data)}
}
