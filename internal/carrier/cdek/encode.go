package cdek

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// maxRows is how many rows of goods a parcel may list.
const maxRows = 126

// place writes an end of the way; city is CDEK's code of it, zero when unknown.
func place(s domain.Stop, city int) carrier.Body {
	b := carrier.Body{"code": city, "postal_code": s.Postcode, "address": carrier.Clip(s.Address, 255)}
	if carrier.Number(s.City) == 0 {
		b["city"] = s.City
	}
	if p := s.Location; p != nil {
		b["longitude"], b["latitude"] = p.Lon, p.Lat
		if s.Address == "" { // required, and better than nothing
			b["address"] = fmt.Sprintf("%.6f, %.6f", p.Lat, p.Lon)
		}
	}
	return b
}

// parcels writes packages; numbered where they are booked.
func parcels(in []domain.Package, numbered bool) []carrier.Body {
	var out []carrier.Body
	for i, p := range carrier.Boxes(in) {
		b := carrier.Body{"weight": p.WeightG, "length": p.LengthCm, "width": p.WidthCm, "height": p.HeightCm}
		if numbered {
			b["number"] = strconv.Itoa(i + 1)
		}
		out = append(out, b)
	}
	return out
}

// encodeOrder writes a booking; from and to are the codes of the cities.
func encodeOrder(r domain.ShipmentRequest, freight bool, from, to int) carrier.Body {
	boxes := parcels(r.Packages, true)
	b := carrier.Body{
		"type": 1, "number": r.ClientRef, "tariff_code": carrier.Number(r.Tariff), "comment": carrier.Clip(r.Comment, 255),
		"shipment_point": r.From.Point, "delivery_point": r.To.Point, "recipient": person(r.Recipient), "packages": boxes,
	}
	if r.Sender != nil && r.Sender.Name != "" {
		b["sender"] = person(*r.Sender)
	}
	if r.From.Point == "" { // an office excludes a place
		b["from_location"] = place(r.From, from)
	}
	if r.To.Point == "" {
		b["to_location"] = place(r.To, to)
	}
	if freight {
		b["type"], boxes[0]["comment"] = 2, carrier.Contents(r.Items)
		return b
	}
	for i, box := range boxes { // a shop must list what every parcel holds
		goods := r.Items
		if i > 0 {
			goods = nil
		}
		box["items"] = rows(carrier.Goods(goods, box["weight"].(int), "RUB", maxRows))
	}
	return b
}

func person(c domain.Customer) carrier.Body {
	b := carrier.Body{"name": c.Name, "email": c.Email}
	if c.Phone != "" {
		b["phones"] = []carrier.Body{{"number": c.Phone}}
	}
	return b
}

// rows lists goods, which are paid for.
func rows(goods []domain.Item) []carrier.Body {
	var out []carrier.Body
	for _, it := range goods {
		out = append(out, carrier.Body{
			"name": it.Name, "ware_key": it.SKU, "cost": carrier.FormatMoney(*it.Price), "payment": carrier.Body{"value": json.Number("0")},
			"weight": it.WeightG, "amount": it.Quantity,
		})
	}
	return out
}
