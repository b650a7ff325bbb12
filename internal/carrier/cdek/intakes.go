package cdek

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// BookIntake requests a courier. CDEK rejects a second one for an order: in that case, or
// if no answer came, the existing intake is returned.
func (c *Carrier) BookIntake(ctx context.Context, ref domain.ShipmentRef, r domain.IntakeRequest) (domain.Intake, error) {
	body := carrier.Body{
		"order_uuid": ref.ID, "intake_date": r.Date, "intake_time_from": r.From, "intake_time_to": r.To, "comment": r.Comment, "need_call": r.NeedCall,
	}
	if ref.ID == "" {
		body["cdek_number"] = ref.TrackingNumber
	}
	n, err := c.client.JSON(ctx, carrier.Post("intake", "/intakes", body))
	id := n.Text("entity", "uuid")
	if err == nil && id == "" {
		err = c.client.Fail(domain.ClassRetryable, "it did not take the request for a courier")
	}
	if class := domain.ClassOf(err); ref.ID != "" && (class == domain.ClassConflict || class == domain.ClassRetryable) {
		if open, found := c.openIntake(ctx, ref); found {
			return open, nil
		}
	}
	return domain.Intake{ID: id, Date: r.Date, From: r.From, To: r.To, Status: domain.IntakeOpen}, err
}

// openIntake finds an order's intake that is still pending.
func (c *Carrier) openIntake(ctx context.Context, ref domain.ShipmentRef) (domain.Intake, bool) {
	n, err := c.client.JSON(ctx, carrier.Get("intakes", "/orders/"+url.PathEscape(ref.ID)+"/intakes", nil))
	if err != nil {
		return domain.Intake{}, false
	}
	for _, one := range append(n.List(), n.At("entity").List()...) {
		if i := decodeIntake(one); i.Live() {
			return i, true
		}
	}
	return domain.Intake{}, false
}

// TrackIntake returns the state of an intake.
func (c *Carrier) TrackIntake(ctx context.Context, id string) (domain.Intake, error) {
	n, err := c.client.JSON(ctx, carrier.Get("intake_look", "/intakes/"+url.PathEscape(id), nil))
	if err == nil && n.Text("entity", "uuid") == "" {
		err = c.client.Fail(domain.ClassNotFound, "it knows no such request for a courier")
	}
	return decodeIntake(n.At("entity")), err
}

// CancelIntake cancels the courier's visit.
func (c *Carrier) CancelIntake(ctx context.Context, id string) error {
	_, err := c.client.Do(ctx, carrier.Call{Op: "intake_delete", Method: http.MethodDelete, Path: "/intakes/" + url.PathEscape(id), Safe: true})
	if domain.ClassOf(err) == domain.ClassNotFound {
		return nil
	}
	return err
}

// decodeIntake decodes an intake; its newest status counts.
func decodeIntake(e carrier.Node) domain.Intake {
	i := domain.Intake{
		ID: e.Text("uuid"), Number: e.Text("intake_number"), Date: e.Text("intake_date"),
		From: clock(e.Text("intake_time_from")), To: clock(e.Text("intake_time_to")), Status: domain.IntakeOpen,
	}
	var newest string
	for _, st := range e.At("statuses").List() {
		at, _ := st.Time("date_time")
		if stamp := at.Format("20060102150405"); stamp >= newest {
			newest = stamp
			i.StatusText = st.Text("name")
			i.Status = domain.IntakeStatus(intakes[strings.ToUpper(st.Text("code"))])
		}
	}
	if i.Status == "" { // unknown code: a courier may still come
		i.Status = domain.IntakeOpen
	}
	return i
}

// clock removes the seconds from a time of day.
func clock(s string) string { return s[:min(len(s), 5)] }

// EditShipment changes an order's recipient, address, comment or payment; nothing else is sent, so
// nothing else changes. A payment belongs to the goods: they are sent again as they are.
func (c *Carrier) EditShipment(ctx context.Context, ref domain.ShipmentRef, e domain.ShipmentEdit) error {
	body := carrier.Body{"uuid": ref.ID}
	if ref.ID == "" {
		body["cdek_number"] = ref.TrackingNumber
	}
	if e.Recipient != nil {
		body["recipient"] = person(*e.Recipient)
	}
	if e.Comment != nil {
		body["comment"] = *e.Comment
	}
	if e.To != nil && e.To.Point != "" {
		body["delivery_point"] = e.To.Point
	} else if e.To != nil {
		_, to, err := c.ends(ctx, domain.Stop{}, *e.To)
		if err != nil {
			return err
		}
		body["to_location"] = place(*e.To, to)
	}
	if e.Payment != nil {
		n, err := c.order(ctx, ref)
		if err == nil {
			err = c.repay(body, n.At("entity"), e.Payment)
		}
		if err != nil {
			return err
		}
	}
	_, err := c.client.Do(ctx, carrier.Call{Op: "edit", Method: http.MethodPatch, Path: "/orders", Body: body, Safe: true})
	return err
}

// repay encodes what the recipient of an order pays, spread over its goods as they are.
func (c *Carrier) repay(body carrier.Body, order carrier.Node, p *domain.Payment) error {
	var f domain.Faults
	body["delivery_recipient_cost"] = cost(domain.Money{}, "") // none, unless it says otherwise
	due := c.owed(&f, body, p, cmp.Or(order.Text("recipient_currency"), collected[order.Text("to_location", "country_code")]))
	if err := f.Err(); err != nil {
		return err
	}
	var boxes []carrier.Body
	var goods [][]carrier.Row
	for _, box := range order.At("packages").List() {
		boxes = append(boxes, carrier.Body{
			"package_id": box.Text("package_id"), "number": box.Text("number"), "comment": box.Text("comment"),
			"weight": box.Int("weight"), "length": box.Int("length"), "width": box.Int("width"), "height": box.Int("height"),
		})
		goods = append(goods, carrier.Each(box.At("items"), func(it carrier.Node) carrier.Row {
			return carrier.Row{Mark: it.Text("marking"), Item: domain.Item{
				Name: it.Text("name"), SKU: it.Text("ware_key"), Quantity: max(it.Int("amount"), 1), WeightG: it.Int("weight"),
				Price: cmp.Or(it.Money(c.cfg.Currency, "cost"), &domain.Money{Currency: c.cfg.Currency}),
			}}
		}))
	}
	for i, priced := range carrier.Share(goods, due.Amount) {
		boxes[i]["items"] = rows(priced, p, due.Currency)
	}
	body["packages"] = boxes
	return nil
}
