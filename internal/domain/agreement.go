package domain

import (
	"strings"
)

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
func (a *DeliveryAgreement) Validate() error {
	return (&IntakeRequest{Date: a.Date, From: a.From, To: a.To, Comment: a.Comment}).Validate()
}

// ShipmentReturn books the way back of delivered goods.
type ShipmentReturn struct {
	Tariff string `json:"tariff,omitempty" maxLength:"128" doc:"the company's code; default: that of the way there" example:"139"`
}

// Validate returns every fault of the request.
func (r *ShipmentReturn) Validate() error {
	var f Faults
	f.Check("", r)
	return f.Err()
}

// AgreedDelivery records in the history that a delivery was agreed with the recipient.
func (o *Order) AgreedDelivery(a DeliveryAgreement, by By) []Event {
	if o.Shipment == nil {
		return nil
	}
	by.Source = o.Shipment.Carrier
	return []Event{o.change(EventShipmentChanged, by, map[string]any{
		"carrier": o.Shipment.Carrier, "agreed": strings.TrimSpace(a.Date + " " + a.From + "-" + a.To),
	})}
}

// ReturnedByCustomer records that the customer's return was booked; its number may follow.
func (o *Order) ReturnedByCustomer(number string, by By) []Event {
	if o.Shipment == nil {
		return nil
	}
	next := *o.Shipment
	if number != "" {
		next.ReturnNumber = number
	}
	o.Shipment = &next
	by.Source = next.Carrier
	return []Event{o.change(EventShipmentChanged, by, given(map[string]any{"carrier": next.Carrier, "customer_return": true}, map[string]string{
		"return_number": number,
	}))}
}
