package cdek

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// SchedulePickup asks for a courier to collect a shipment. One that was asked for
// before is a conflict, so that a second request does no harm.
func (c *Carrier) SchedulePickup(ctx context.Context, r domain.PickupRequest) (domain.Pickup, error) {
	from, to := r.Window.From.In(carrier.Moscow), r.Window.To.In(carrier.Moscow)
	n, err := c.client.JSON(ctx, carrier.Call{Op: "intake", Method: http.MethodPost, Path: "/intakes", Body: carrier.Body{
		"order_uuid": r.Shipment.ID, "cdek_number": r.Shipment.TrackingNumber, "comment": carrier.Clip(r.Comment, 255),
		"intake_date": from.Format(time.DateOnly), "intake_time_from": from.Format("15:04"), "intake_time_to": to.Format("15:04"),
	}})
	if err != nil {
		return domain.Pickup{}, err
	}
	p := decodePickup(n)
	p.Shipment, p.Window = r.Shipment, r.Window
	return p, nil
}

// Pickup tells how the collecting of a shipment stands.
func (c *Carrier) Pickup(ctx context.Context, id string) (domain.Pickup, error) {
	n, err := c.client.JSON(ctx, carrier.Get("intake", "/intakes/"+url.PathEscape(id), nil))
	return decodePickup(n), err
}

// CancelPickup calls the courier off.
func (c *Carrier) CancelPickup(ctx context.Context, id string) error {
	_, err := c.client.Do(ctx, carrier.Call{Op: "intake", Method: http.MethodDelete, Path: "/intakes/" + url.PathEscape(id), Safe: true})
	return err
}

func decodePickup(n carrier.Node) domain.Pickup {
	e := n.At("entity")
	p := domain.Pickup{
		ID: e.Text("uuid"), Number: e.Text("intake_number"), Warnings: carrier.Remarks(n.At("warnings")),
		Shipment: domain.ShipmentRef{ID: e.Text("order_uuid"), TrackingNumber: e.Text("cdek_number")},
	}
	zone := carrier.Zone(e.Text("from_location", "time_zone"))
	p.Window, _ = carrier.Window(e.Text("intake_date"), e.Text("intake_time_from"), e.Text("intake_time_to"), zone)
	for _, q := range n.At("requests").List() {
		p.Warnings = slices.Concat(p.Warnings, carrier.Remarks(q.At("errors")), carrier.Remarks(q.At("warnings")))
	}
	for _, st := range e.At("statuses").List() {
		m, known := intakes[st.Text("code")]
		at, _ := st.Time("date_time")
		p.Events = append(p.Events, domain.CarrierEvent{
			ID: carrier.EventID(p.ID, st.Text("code"), at, ""), Kind: domain.CarrierCourier, Code: st.Text("code"), Text: st.Text("name"),
			Status: m.Status, Exception: m.Exception, OccurredAt: at, Unknown: !known,
		})
	}
	p.Events = carrier.Timeline(p.Events, intakes)
	if last := len(p.Events) - 1; last >= 0 {
		p.Status, p.Text = p.Events[last].Code, p.Events[last].Text
	}
	return p
}

// Slots returns when the shipment can be brought to the recipient's door.
func (c *Carrier) Slots(ctx context.Context, ref domain.ShipmentRef) ([]domain.Slot, error) {
	q := url.Values{"order_uuid": {ref.ID}}
	if ref.ID == "" {
		q = url.Values{"cdek_number": {ref.TrackingNumber}}
	}
	n, err := c.client.JSON(ctx, carrier.Get("slots", "/delivery/intervals", q))
	return decodeSlots(n), err
}

func decodeSlots(n carrier.Node) []domain.Slot {
	var out []domain.Slot
	for _, d := range n.At("date_intervals").List() {
		for _, t := range d.At("time_intervals").List() {
			if w, ok := carrier.Window(d.Text("date"), t.Text("start_time"), t.Text("end_time"), carrier.Moscow); ok {
				out = append(out, w)
			}
		}
	}
	return out
}

// wantedHooks are the hints that shorten polls, the most useful first: CDEK may not
// allow all of them at a time.
var wantedHooks = []string{"ORDER_STATUS", "ORDER_MODIFIED", "DELIV_PROBLEM", "COURIER_INFO", "PREALERT_CLOSED"}

// EnsureHooks subscribes to what is not subscribed yet. Only a refused ORDER_STATUS is
// an error.
func (c *Carrier) EnsureHooks(ctx context.Context, target string) ([]string, error) {
	n, err := c.client.JSON(ctx, carrier.Get("hooks", "/webhooks", nil))
	if err != nil {
		return nil, err
	}
	var active []string
	for _, s := range n.List() {
		if s.Text("url") == target {
			active = append(active, s.Text("type"))
		}
	}
	return carrier.Subscribe(ctx, wantedHooks, active, func(ctx context.Context, kind string) error {
		_, err := c.client.Do(ctx, carrier.Call{Op: "subscribe", Method: http.MethodPost, Path: "/webhooks", Body: carrier.Body{"type": kind, "url": target}})
		return err
	})
}

// ParseHook decodes what CDEK posted.
func (c *Carrier) ParseHook(raw []byte) ([]domain.CarrierHook, error) {
	return c.client.ParseHooks(raw, decodeHook)
}

// Affected returns the shipments of a hint; of one about a paper, those that it lists.
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
	var out []domain.ShipmentRef
	for _, o := range n.At("entity", "orders").List() {
		out = append(out, domain.ShipmentRef{ID: o.Text("order_uuid"), TrackingNumber: o.Text("cdek_number"), ClientRef: o.Text("im_number")})
	}
	return out
}
