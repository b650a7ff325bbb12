package cdek

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// CDEK's limits for goods in a package and for texts.
const (
	maxRows    = 126
	maxPieces  = 999
	maxWareKey = 50
	maxComment = 255
	maxAddress = 255
)

// collected are the currencies in which CDEK collects money: the recipient's country's own.
var collected = map[string]string{"": "RUB", "RU": "RUB", "KZ": "KZT", "BY": "BYN", "AM": "AMD", "KG": "KGS"}

// currencies are CDEK's numbers of currencies for quotes.
var currencies = map[string]int{"RUB": 1, "KZT": 2, "USD": 3, "EUR": 4, "GBP": 5, "CNY": 6, "BYN": 7, "KGS": 9, "AMD": 10}

// place encodes an end of the route; city is its CDEK code, zero if unknown.
func place(s domain.Stop, city int) carrier.Body {
	b := carrier.Body{"code": city, "postal_code": s.Postcode, "region": s.Region, "country_code": s.Country, "address": s.Address}
	if carrier.Number(s.City) == 0 {
		b["city"] = carrier.CityName(s.City)
	}
	if p := s.Location; p != nil {
		b["longitude"], b["latitude"] = p.Lon, p.Lat
		if s.Address == "" { // required, and better than nothing
			b["address"] = fmt.Sprintf("%.6f, %.6f", p.Lat, p.Lon)
		}
	}
	return b
}

// parcels encodes packages; they are numbered in bookings.
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

// encodeOrder encodes a booking; from and to are city codes. It fails with
// validation_failed if something would have to be omitted.
func (c *Carrier) encodeOrder(r domain.ShipmentRequest, from, to int) (carrier.Body, error) {
	var f domain.Faults
	comment := carrier.Join(". ", r.Comment, r.To.Notes, r.Notes)
	f.Text("/comment", comment, maxComment)
	f.Text("/from/address", r.From.Address, maxAddress)
	f.Text("/to/address", r.To.Address, maxAddress)
	boxes := parcels(r.Packages, true)
	b := carrier.Body{
		"type": 1, "number": r.ClientRef, "tariff_code": carrier.Number(r.Tariff), "comment": comment,
		"shipment_point": r.From.Point, "delivery_point": r.To.Point, "recipient": person(r.Recipient), "packages": boxes,
	}
	if r.Sender != nil && r.Sender.Name != "" {
		b["sender"] = person(*r.Sender)
	}
	if r.From.Point == "" { // an office and a location are mutually exclusive
		b["from_location"] = place(r.From, from)
	}
	if r.To.Point == "" {
		b["to_location"] = place(r.To, to)
	}
	packed, err := carrier.Pack(r.Packages, r.Items, carrier.PackLimits{
		Rows: maxRows, Pieces: maxPieces, SKU: maxWareKey, Currency: c.cfg.Currency, Unnamed: "Товар", Part: "%s (место %d)",
	})
	f.Include("", err)
	extras(b, r)
	due := c.owed(&f, b, r.Payment, collected[r.To.Country])
	if c.cfg.Freight {
		b["type"] = 2
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	priced := carrier.Share(packed, due.Amount)
	for i, goods := range priced {
		if c.cfg.Freight {
			boxes[i]["comment"] = carrier.Contents(packed[i])
		} else { // a shop must list what every parcel holds
			boxes[i]["items"] = rows(goods, r.Payment, due.Currency)
		}
	}
	return b, nil
}

// owed encodes what the recipient pays beside the goods, in the currency that CDEK collects there, and returns what is due for them.
func (c *Carrier) owed(f *domain.Faults, b carrier.Body, p *domain.Payment, takes string) (due domain.Money) {
	if !p.Collects() {
		return due
	}
	if c.cfg.Freight {
		f.Add("/payment", "unsupported", "a contract of an ordinary kind takes in no money")
	}
	for at, m := range map[string]*domain.Money{"/payment/due": p.Due, "/payment/delivery": p.Delivery} {
		if m != nil && m.Currency != takes {
			f.Add(at, "wrong_currency", "CDEK collects the currency of the recipient's country (to.country, by default Russia), here %s", cmp.Or(takes, "none"))
		}
	}
	b["recipient_currency"] = takes
	if p.Delivery != nil {
		b["delivery_recipient_cost"] = cost(*p.Delivery, p.DeliveryVATRate)
	}
	if p.Due != nil {
		due = *p.Due
	}
	return due
}

// extras encodes the rarely used fields.
func extras(b carrier.Body, r domain.ShipmentRequest) {
	if s := r.Seller; s != nil {
		b["seller"] = carrier.Body{"name": s.Name, "inn": s.TIN, "phone": s.Phone, "ownership_form": s.Ownership, "address": s.Address}
	}
	if v := r.Invoice; v != nil {
		b["date_invoice"], b["shipper_name"], b["shipper_address"] = v.Date, v.Shipper, v.ShipperAddress
	}
	var list []carrier.Body
	for _, s := range r.Services {
		list = append(list, carrier.Body{"code": cmp.Or(services[s.Code], s.Code), "parameter": s.Parameter})
	}
	if list != nil {
		b["services"] = list
	}
}

// cost encodes an amount and the tax included in it.
func cost(m domain.Money, rate string) carrier.Body {
	b := carrier.Body{"value": carrier.FormatMoney(m)}
	if percent, err := strconv.ParseInt(rate, 10, 64); err == nil {
		b["vat_rate"] = json.Number(rate)
		b["vat_sum"] = carrier.FormatMoney(domain.Money{Amount: (m.Amount*percent + (100+percent)/2) / (100 + percent), Currency: m.Currency})
	}
	return b
}

// person encodes the sender or recipient, with a phone's extension separate from its
// number.
func person(c domain.Customer) carrier.Body {
	b := carrier.Body{"name": c.Name, "email": c.Email}
	if number, extension, _ := strings.Cut(c.Phone, domain.PhoneExtension); number != "" {
		b["phones"] = []carrier.Body{{"number": number, "additional": extension}}
	}
	return b
}

// rows encodes goods with the payment due per piece.
func rows(goods []carrier.Priced, p *domain.Payment, due string) []carrier.Body {
	rate := ""
	if p.Collects() {
		rate = p.VATRate
	}
	var out []carrier.Body
	for _, it := range goods {
		out = append(out, carrier.Body{
			"name": it.Name, "ware_key": it.SKU, "cost": carrier.FormatMoney(*it.Price), "marking": it.Mark,
			"payment": cost(domain.Money{Amount: it.Due, Currency: due}, rate), "weight": it.WeightG, "amount": it.Quantity,
		})
	}
	return out
}

// invalid wraps a validation error of a booking as a CarrierError.
func (c *Carrier) invalid(err error) error {
	if _, ok := errors.AsType[*domain.Error](err); !ok {
		return err
	}
	return &domain.CarrierError{Carrier: Code, Class: domain.ClassValidation, Message: err.Error(), Unsent: true, Refused: true}
}
