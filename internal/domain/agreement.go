package domain

import (
	"cmp"
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
