package yandex

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	currency   = "RUB"
	maxComment = 1000
	// optionalReturn is the only service: goods that can't be delivered stay with the courier.
	optionalReturn = "optional_return"
)

// Points of a claim; a claim of ours has one drop-off.
const (
	pointFrom = 1
	pointTo   = 2
)

// number sends a number as it was read, also beyond 2^53.
func number(text string) json.Number { return json.Number(cmp.Or(text, "0")) }

// unsupported adds a fault for everything that a claim cannot carry.
func unsupported(f *domain.Faults, r domain.ShipmentRequest) {
	for at, has := range map[string]bool{
		"/from/point": r.From.Point != "", "/to/point": r.To.Point != "", "/payment": r.Payment.Collects(),
		"/seller": r.Seller != nil, "/invoice": r.Invoice != nil,
		"/services": slices.ContainsFunc(r.Services, func(s domain.CarrierService) bool { return s.Code != optionalReturn }),
	} {
		if has {
			f.Add(at, "unsupported", "Yandex Delivery does not offer it with a claim")
		}
	}
	if r.Recipient.Phone == "" {
		f.Add("/recipient/phone", "required", "the courier calls the recipient: a phone number is required")
	}
	f.Text("/comment", r.Comment, maxComment)
}

// encodeOffers encodes a request for offers, which needs no names of people and goods.
func encodeOffers(from, to domain.Stop, packages []domain.Package, tariff string) carrier.Body {
	var items, points []carrier.Body
	for _, p := range carrier.Boxes(packages) {
		items = append(items, carrier.Body{
			"quantity": 1, "pickup_point": pointFrom, "dropoff_point": pointTo, "weight": float64(p.WeightG) / 1000,
			"size": carrier.Body{"length": metres(p.LengthCm), "width": metres(p.WidthCm), "height": metres(p.HeightCm)},
		})
	}
	for i, at := range []domain.Stop{from, to} {
		point := address(at)
		point["id"] = i + 1
		points = append(points, point)
	}
	b := carrier.Body{"items": items, "route_points": points}
	if tariff != "" {
		b["requirements"] = carrier.Body{"taxi_classes": []string{tariff}}
	}
	return b
}

// encodeClaim encodes a claim. Lengths are metres, weights kilograms.
func encodeClaim(r domain.ShipmentRequest, hook string) (carrier.Body, error) {
	packed, err := carrier.Pack(r.Packages, r.Items, carrier.PackLimits{
		Rows: 1000, Pieces: 1_000_000, SKU: 255, Currency: currency, Unnamed: "Товар", Part: "%s (место %d)",
	})
	if err != nil {
		return nil, err
	}
	boxes := carrier.Boxes(r.Packages)
	var items []carrier.Body
	for i, rows := range packed {
		for _, it := range rows {
			items = append(items, carrier.Body{
				"title": it.Name, "extra_id": it.SKU, "quantity": it.Quantity, "pickup_point": pointFrom, "dropoff_point": pointTo,
				"cost_value": string(carrier.FormatMoney(*it.Price)), "cost_currency": currency, "weight": float64(it.WeightG) / 1000,
				"size": carrier.Body{
					"length": metres(cmp.Or(it.LengthCm, boxes[i].LengthCm)), "width": metres(cmp.Or(it.WidthCm, boxes[i].WidthCm)),
					"height": metres(cmp.Or(it.HeightCm, boxes[i].HeightCm)),
				},
			})
		}
	}
	var sender domain.Customer
	if r.Sender != nil {
		sender = *r.Sender
	}
	to := point(pointTo, "destination", r.Recipient, r.To, carrier.Join(". ", r.To.Notes, r.Notes))
	to["external_order_id"] = r.ClientRef
	b := carrier.Body{
		"items": items, "route_points": []carrier.Body{point(pointFrom, "source", sender, r.From, r.From.Notes), to}, "comment": r.Comment,
	}
	if r.Tariff != "" {
		b["client_requirements"] = carrier.Body{"taxi_class": r.Tariff}
	}
	if len(r.Services) > 0 {
		b[optionalReturn] = true
	}
	if hook != "" {
		b["callback_properties"] = carrier.Body{"callback_url": hook}
	}
	return b, nil
}

func metres(cm int) float64 { return float64(cm) / 100 }

// point encodes an end of the way. An extension of a phone goes into the comment.
func point(id int, kind string, who domain.Customer, at domain.Stop, comment string) carrier.Body {
	phone, extension, _ := strings.Cut(who.Phone, domain.PhoneExtension)
	if extension != "" {
		comment = carrier.Join(". ", "доб. "+extension, comment)
	}
	where := address(at)
	where["comment"] = comment
	return carrier.Body{
		"point_id": id, "visit_order": id, "type": kind, "address": where,
		"contact": carrier.Body{"name": who.Name, "phone": phone, "email": who.Email},
	}
}

// address encodes where an end of the way is.
func address(at domain.Stop) carrier.Body {
	b := carrier.Body{"fullname": carrier.Join(", ", at.Region, at.City, at.Address)}
	if p := at.Location; p != nil {
		b["coordinates"] = []float64{p.Lon, p.Lat}
		if b["fullname"] == "" { // required, and better than nothing
			b["fullname"] = fmt.Sprintf("%.6f, %.6f", p.Lat, p.Lon)
		}
	}
	return b
}

// vehicles are the product's words for how couriers travel.
var vehicles = map[string]string{"car": "car", "pedestrian": "foot", "bicycle": "bicycle", "motorcycle": "motorbike"}

// reference returns our name for a claim, or "" for one that somebody else made.
func reference(n carrier.Node) string {
	for _, p := range n.At("route_points").List() {
		if ref := p.Text("external_order_id"); ref != "" {
			return ref
		}
	}
	return ""
}

// decodeClaim decodes a claim. It tells its current status only: the statuses that came
// before were told when they were current.
func decodeClaim(n carrier.Node) domain.ShipmentSnapshot {
	id, status := n.Text("id"), n.Text("status")
	m, known := statuses[status]
	s := domain.ShipmentSnapshot{
		Ref:    domain.ShipmentRef{ID: id, TrackingNumber: id, ClientRef: reference(n), Version: n.Text("version"), Phase: phase(m, known)},
		Status: status, Text: m.Text, Price: price(n), Errors: carrier.Remarks(n.At("error_messages")), Warnings: carrier.Remarks(n.At("warnings")),
	}
	at, dated := carrier.ParseTime(cmp.Or(n.Text("last_status_change_ts"), n.Text("updated_ts")))
	if status != "" && dated {
		ev := domain.CarrierEvent{
			ID: carrier.EventID(id, status, at, ""), Kind: domain.CarrierScan, Code: status, Text: m.Text, Status: m.Status,
			Detail: m.Detail, Exception: m.Exception, OccurredAt: at, Unknown: !known,
		}
		s.Events = append(s.Events, ev)
		if ev.Status == domain.StatusPickedUp { // nothing is scanned between the handover and the door
			ev.ID, ev.Status = carrier.EventID(id, status, at, "on the way"), domain.StatusOutForDelivery
			s.Events = append(s.Events, ev)
		}
	}
	if who := n.At("performer_info"); who.Text("courier_name") != "" && dated {
		value := carrier.Join(" ", who.Text("courier_name"), who.Text("transport_type"), who.Text("car_color"), who.Text("car_model"), who.Text("car_number"))
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(value))
		s.Events = append(s.Events, domain.CarrierEvent{
			ID: carrier.Clip(id, 64) + ":performer:" + strconv.FormatUint(uint64(sum.Sum32()), 16), Kind: domain.CarrierCourier, Code: "performer", Value: value, OccurredAt: at,
			Detail: vehicles[who.Text("transport_type")],
		})
	}
	for _, p := range n.At("route_points").List() {
		if due, ok := p.Time("visited_at", "expected"); ok && p.Text("type") == "destination" && s.Ref.Phase == domain.PhaseRegistered {
			s.Expected = &domain.DeliveryPeriod{Earliest: due, Latest: due}
		}
	}
	return s
}

// decodePosition decodes a place and its time, in seconds since 1970; nil without them.
func decodePosition(n carrier.Node) *domain.Position {
	p := &domain.Position{Lat: n.Float("lat"), Lon: n.Float("lon"), RecordedAt: time.Unix(int64(n.Int("timestamp")), 0)}
	if n.Int("timestamp") <= 0 || p.Point() == (domain.Point{}) {
		return nil
	}
	for name, to := range map[string]**float64{"speed": &p.Speed, "direction": &p.Heading, "accuracy": &p.Accuracy} {
		if n.Text(name) != "" {
			*to = new(n.Float(name))
		}
	}
	return p
}

// phase tells whether a claim is decided and alive: registered from its acceptance on.
func phase(m carrier.Meaning, known bool) domain.ShipmentPhase {
	switch {
	case m.Exception == domain.ExceptionRejected:
		return domain.PhaseRejected
	case m.Exception == domain.ExceptionCancelled:
		return domain.PhaseCancelled
	case known && m.Rank < statuses.Rank("accepted"):
		return domain.PhasePending
	}
	return domain.PhaseRegistered
}

// price is the final price, else that of the offer.
func price(n carrier.Node) *domain.Money {
	p := n.At("pricing")
	for _, text := range []string{p.Text("final_price"), p.Text("offer", "price_with_vat"), p.Text("offer", "price")} {
		if m := carrier.ParseMoney(text, cmp.Or(p.Text("currency"), currency)); m != nil {
			return m
		}
	}
	return nil
}

func decodeTerms(n carrier.Node) domain.CancelTerms {
	t := domain.CancelTerms{Kind: domain.CancelImpossible, Detail: "the courier has it: only Yandex's support can stop it"}
	switch n.Text("cancel_state") {
	case "free":
		t = domain.CancelTerms{Kind: domain.CancelFree, Detail: "the courier has not come yet"}
	case "paid":
		t = domain.CancelTerms{Kind: domain.CancelPaid, Detail: "the courier has come already"}
		t.Price = carrier.ParseMoney(cmp.Or(n.Text("price_with_vat"), n.Text("price")), cmp.Or(n.Text("currency"), currency))
		if t.Price == nil {
			t.Kind = domain.CancelUnknown
		}
	}
	return t
}

// decodeOffers decodes offers of a courier; tariff selects one.
func decodeOffers(n carrier.Node, tariff string) ([]domain.Quote, error) {
	var out []domain.Quote
	for _, o := range n.At("offers").List() {
		p := o.At("price")
		m := carrier.ParseMoney(cmp.Or(p.Text("total_price_with_vat"), p.Text("total_price")), cmp.Or(p.Text("currency"), currency))
		q := domain.Quote{Carrier: Code, Tariff: cmp.Or(o.Text("taxi_class"), tariff, "express"), Mode: "door-door"}
		if m == nil || tariff != "" && q.Tariff != tariff {
			continue
		}
		q.Name, q.Price = q.Tariff, *m
		q.Expected.Earliest, _ = o.Time("delivery_interval", "from")
		q.Expected.Latest, _ = o.Time("delivery_interval", "to")
		out = append(out, q)
	}
	if len(out) == 0 {
		return nil, &domain.CarrierError{Carrier: Code, Class: domain.ClassRetryable, Message: "it offers no courier now", Unsent: true}
	}
	return out, nil
}

// decodeJournal returns the claims of a journal, each once, and the next cursor.
func decodeJournal(n carrier.Node) (refs []domain.ShipmentRef, next string) {
	seen := map[string]bool{}
	for _, ev := range n.At("events").List() {
		if id := ev.Text("claim_id"); id != "" && !seen[id] {
			seen[id] = true
			refs = append(refs, domain.ShipmentRef{ID: id})
		}
	}
	return refs, n.Text("cursor")
}
