package cdek

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Quote asks the calculator for one tariff or for all that match the ends: door delivery
// unless an office or locker is given.
func (c *Carrier) Quote(ctx context.Context, r domain.QuoteRequest) ([]domain.Quote, error) {
	if currencies[c.cfg.Currency] == 0 {
		return nil, c.client.Fail(domain.ClassUnsupported, "it quotes no prices in "+c.cfg.Currency)
	}
	r.From, _ = c.sender(r.From, nil)
	from, to, err := c.ends(ctx, r.From, r.To)
	if err != nil {
		return nil, err
	}
	body := carrier.Body{
		"type": 1, "currency": currencies[c.cfg.Currency], "lang": "rus", "packages": parcels(r.Packages, false), "tariff_code": carrier.Number(r.Tariff),
		"from_location": place(r.From, from), "to_location": place(r.To, to),
	}
	call := carrier.Call{Op: "quote", Method: http.MethodPost, Path: "/calculator/tarifflist", Body: body, Safe: true}
	if r.Tariff != "" {
		call.Path = "/calculator/tariff"
	}
	if c.cfg.Freight {
		body["type"] = 2
	}
	n, err := c.client.JSON(ctx, call)
	if err != nil {
		return nil, err
	}
	quotes, err := decodeQuotes(n, r.Tariff, c.cfg.Currency, c.cfg.Now())
	if err != nil || r.Tariff != "" {
		return quotes, err
	}
	ends := []string{"door", "door"}
	for i, point := range []string{r.From.Point, r.To.Point} {
		if point == "" {
			continue
		}
		found, err := c.Points(ctx, domain.PointQuery{Code: point, Limit: 1})
		if err == nil && len(found) == 0 {
			err = c.client.Fail(domain.ClassValidation, "it has no office or locker "+point)
		}
		if err != nil {
			return nil, err
		}
		ends[i] = string(found[0].Kind)
	}
	mode := strings.Join(ends, "-")
	quotes = slices.DeleteFunc(quotes, func(q domain.Quote) bool { return q.Mode != mode })
	if len(quotes) == 0 {
		err = c.client.Fail(domain.ClassValidation, "no tariff serves this way "+mode)
	}
	return quotes, err
}

// city searches the directory for towns.
func (c *Carrier) city(ctx context.Context, q carrier.CityQuery) ([]carrier.City, error) {
	path, filter := "/location/cities", url.Values{"size": {"100"}, "page": {"0"}, "country_codes": {cmp.Or(q.Country, "RU")}}
	for name, value := range map[string]string{"city": q.Name, "postal_code": q.Postcode} {
		if value != "" {
			filter.Set(name, value)
		}
	}
	switch {
	case q.Office != "":
		path, filter = "/deliverypoints", url.Values{"code": {q.Office}, "type": {"ALL"}}
	case q.At != nil:
		path, filter = "/location/coordinates", url.Values{"latitude": {fmt.Sprint(q.At.Lat)}, "longitude": {fmt.Sprint(q.At.Lon)}}
	}
	n, err := c.client.JSON(ctx, carrier.Get("city", path, filter))
	return decodeCities(n), err
}

// decodeCities decodes towns: a list, a single one, or those of offices.
func decodeCities(n carrier.Node) []carrier.City {
	list := n.List()
	if len(list) == 0 {
		list = []carrier.Node{n}
	}
	var out []carrier.City
	for _, one := range list {
		if code := cmp.Or(one.Int("location", "city_code"), one.Int("code")); code > 0 {
			out = append(out, carrier.City{
				Code: code, Name: cmp.Or(one.Text("city"), one.Text("location", "city")), Region: one.Text("region"), SubRegion: one.Text("sub_region"),
			})
		}
	}
	return out
}

// Points lists offices and lockers, nearest first if a location is given. A city is
// required: the full list is tens of megabytes.
func (c *Carrier) Points(ctx context.Context, q domain.PointQuery) ([]domain.DeliveryPoint, error) {
	kinds := map[domain.PointKind]string{domain.PointOffice: "PVZ", domain.PointLocker: "POSTAMAT"}
	filter := url.Values{"type": {cmp.Or(kinds[q.Kind], "ALL")}}
	if q.Code != "" {
		filter.Set("code", q.Code)
	} else {
		city, err := c.cities.Find(ctx, domain.Stop{City: q.City, Place: domain.Place{Location: q.Near}})
		if err != nil {
			return nil, err
		}
		if city == 0 {
			return nil, c.client.Fail(domain.ClassValidation, "a city that CDEK knows is needed")
		}
		filter.Set("city_code", strconv.Itoa(city))
	}
	points, err := c.listed(ctx, filter)
	if err != nil {
		return nil, err
	}
	points = slices.DeleteFunc(slices.Clone(points), func(p domain.DeliveryPoint) bool { return !q.Takes(p) })
	return domain.NearestPoints(points, q.Near, q.Limit), nil
}

// listed fetches offices and lockers, each list once a day as CDEK recommends; an empty one
// is not remembered.
func (c *Carrier) listed(ctx context.Context, filter url.Values) ([]domain.DeliveryPoint, error) {
	key := filter.Encode() + c.cfg.Now().Format(time.DateOnly)
	if points, known := c.points.Get(key); known {
		return points, nil
	}
	n, err := c.client.JSON(ctx, carrier.Get("points", "/deliverypoints", filter))
	if err != nil {
		return nil, err
	}
	points := carrier.Each(n, decodePoint)
	if len(points) > 0 {
		c.points.Put(key, points)
	}
	return points, nil
}

func decodePoint(n carrier.Node) domain.DeliveryPoint {
	p := domain.DeliveryPoint{
		Carrier: Code, Code: n.Text("code"), Kind: domain.PointOffice, Name: n.Text("name"), City: n.Text("location", "city"),
		Address: n.Text("location", "address"), Hours: n.Text("work_time"), Notes: strings.TrimSpace(n.Text("address_comment") + " " + n.Text("note")),
		HandsOut: n.True("is_handout") || n.Text("is_handout") == "", TakesIn: n.True("is_reception"), Cash: n.True("have_cash"), Cards: n.True("have_cashless"),
		MaxWeightG: int(n.Float("weight_max") * 1000), FittingRooms: n.True("is_dressing_room"),
	}
	if n.Text("type") != "PVZ" && n.Text("type") != "" {
		p.Kind = domain.PointLocker
	}
	at := domain.Point{Lat: n.Float("location", "latitude"), Lon: n.Float("location", "longitude")}
	if at != (domain.Point{}) && at.Valid() {
		p.Location = &at
	}
	p.COD = n.True("allowed_cod") || n.Text("allowed_cod") == "" && (p.Cash || p.Cards)
	p.Cells = carrier.Each(n.At("dimensions"), func(c carrier.Node) domain.Cell {
		return domain.Cell{LengthCm: c.Int("depth"), WidthCm: c.Int("width"), HeightCm: c.Int("height")}
	})
	p.Phones = carrier.Each(n.At("phones"), func(phone carrier.Node) string { return phone.Text("number") })
	return p
}

// papers maps label kinds to CDEK's print resources.
var papers = map[domain.LabelKind]string{domain.LabelBarcode: "/print/barcodes", domain.LabelWaybill: "/print/orders"}

// RequestLabel requests a printed label; printing it twice does no harm.
func (c *Carrier) RequestLabel(ctx context.Context, refs []domain.ShipmentRef, p domain.Paper) (string, error) {
	path, known := papers[p.Kind]
	if !known {
		return "", c.client.Fail(domain.ClassUnsupported, "printing a "+string(p.Kind)+" is not something it offers")
	}
	var orders []carrier.Body
	for _, ref := range refs {
		if ref.ID == "" {
			orders = append(orders, carrier.Body{"cdek_number": ref.TrackingNumber})
		} else {
			orders = append(orders, carrier.Body{"order_uuid": ref.ID})
		}
	}
	body := carrier.Body{"orders": orders, "copy_count": 1}
	if p.Kind == domain.LabelBarcode {
		body["format"] = cmp.Or(p.Format, "A6")
	}
	n, err := c.client.JSON(ctx, carrier.Call{Op: "print", Method: http.MethodPost, Path: path, Body: body, Safe: true})
	if err == nil && n.Text("entity", "uuid") == "" {
		err = c.client.Fail(domain.ClassRetryable, "it did not take the paper")
	}
	return n.Text("entity", "uuid"), err
}

// FetchLabel downloads a label once it is printed. The link in the answer is not followed:
// it may be plain http, and the token is sent only to CDEK's own address.
func (c *Carrier) FetchLabel(ctx context.Context, id string, p domain.Paper) ([]byte, error) {
	path := papers[p.Kind] + "/" + url.PathEscape(id)
	n, err := c.client.JSON(ctx, carrier.Get("printed", path, nil))
	if err != nil {
		return nil, err
	}
	if ready, err := decodeLabel(n); !ready || err != nil {
		return nil, err
	}
	pdf, err := c.client.Do(ctx, carrier.Get("download", path+".pdf", nil))
	if err == nil && !bytes.HasPrefix(pdf, []byte("%PDF")) {
		return nil, c.client.Fail(domain.ClassRetryable, "what it printed is no PDF")
	}
	return pdf, err
}

// decodeLabel reports whether a label is ready, or fails if it never will be and must be
// requested again.
func decodeLabel(n carrier.Node) (ready bool, err error) {
	seen := map[string]bool{}
	for _, st := range n.At("entity", "statuses").List() {
		seen[st.Text("code")] = true
	}
	if !seen["INVALID"] && !seen["REMOVED"] { // links live for an hour
		return seen["READY"], nil
	}
	e := &domain.CarrierError{Carrier: Code, Message: "the paper is not there any more"}
	for _, q := range n.At("requests").List() {
		if told := q.At("errors").List(); len(told) > 0 {
			e = refusal(told[0])
		}
	}
	e.Class = domain.ClassNotFound
	return false, e
}

// wantedHooks are the webhooks that trigger early polls, most useful first: CDEK may not
// allow all of them at once.
var wantedHooks = []string{"ORDER_STATUS", "ORDER_MODIFIED", "DELIV_PROBLEM", "COURIER_INFO", "PREALERT_CLOSED"}

// EnsureHooks removes subscriptions for our previous addresses and adds missing ones. Only
// a rejected ORDER_STATUS is an error.
func (c *Carrier) EnsureHooks(ctx context.Context, target string) ([]string, error) {
	n, err := c.client.JSON(ctx, carrier.Get("hooks", "/webhooks", nil))
	if err != nil {
		return nil, err
	}
	var active []string
	for _, s := range n.List() {
		switch at := s.Text("url"); {
		case at == target:
			active = append(active, s.Text("type"))
		case carrier.SameHook(at, target):
			gone := carrier.Call{Op: "unsubscribe", Method: http.MethodDelete, Path: "/webhooks/" + url.PathEscape(s.Text("uuid")), Safe: true}
			if _, err := c.client.Do(ctx, gone); err != nil && domain.ClassOf(err) != domain.ClassNotFound {
				return nil, err
			}
		}
	}
	return carrier.Subscribe(ctx, wantedHooks, active, func(ctx context.Context, kind string) error {
		_, err := c.client.Do(ctx, carrier.Post("subscribe", "/webhooks", carrier.Body{"type": kind, "url": target}))
		return err
	})
}

// VerifyHook accepts everything: CDEK does not sign webhooks, and they only trigger a poll.
func (c *Carrier) VerifyHook(domain.HookMessage) error { return nil }

// ParseHook decodes a CDEK webhook.
func (c *Carrier) ParseHook(h domain.HookMessage) ([]domain.CarrierHook, error) {
	return c.client.ParseHooks(h.Body, decodeHook)
}

// Affected returns the shipments of a webhook; if it is about a document, those listed in
// the document.
func (c *Carrier) Affected(ctx context.Context, h domain.CarrierHook) ([]domain.ShipmentRef, error) {
	if h.About == "" {
		return h.Shipments, nil
	}
	path := "/prealert"
	if h.Event.Code == "PRINT_FORM" {
		path = cmp.Or(papers[domain.LabelKind(h.Event.Detail)], "/print/orders")
	}
	n, err := c.client.JSON(ctx, carrier.Get("list", path+"/"+url.PathEscape(h.About), nil))
	return decodeListed(n), err
}

func decodeListed(n carrier.Node) []domain.ShipmentRef {
	return carrier.Each(n.At("entity", "orders"), func(o carrier.Node) domain.ShipmentRef {
		return domain.ShipmentRef{ID: o.Text("order_uuid"), TrackingNumber: o.Text("cdek_number"), ClientRef: o.Text("im_number")}
	})
}
