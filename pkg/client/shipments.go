package client

import (
	"context"
	"net/http"
)

// Booking asks a delivery company to deliver an order; missing fields are derived from the order.
type Booking struct {
	Carrier  string    `json:"carrier,omitempty"` // default: the only configured one
	Tariff   string    `json:"tariff,omitempty"`  // the company's code, cheapest or fastest
	From     Stop      `json:"from,omitzero"`
	To       Stop      `json:"to,omitzero"`
	Packages []Package `json:"packages,omitempty"`
	Comment  string    `json:"comment,omitempty"`
}

// Stop is a place where a delivery company collects or delivers.
type Stop struct {
	Place
	City     string `json:"city,omitempty"` // its name or the company's code
	Postcode string `json:"postcode,omitempty"`
	Point    string `json:"point,omitempty"` // the company's code of an office or parcel locker
}

// Package is one parcel: grams and centimetres; the company estimates missing values.
type Package struct {
	WeightG  int `json:"weight_g,omitempty"`
	LengthCm int `json:"length_cm,omitempty"`
	WidthCm  int `json:"width_cm,omitempty"`
	HeightCm int `json:"height_cm,omitempty"`
}

// BookShipment books an order with a delivery company. The company's decision shows in the
// phase of the order's shipment shortly afterwards. Errors: carrier_not_found, validation_failed,
// order_finished, order_not_found.
func (c *Client) BookShipment(ctx context.Context, id string, b Booking, opts ...CallOption) (*Shipment, error) {
	return do[*Shipment](ctx, c, http.MethodPost, orderPath(id, "/shipment"), b, opts...)
}
