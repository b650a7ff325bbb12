package cdek

import (
	"context"
	"net/url"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// ReturnShipment makes a client return of a delivered order. CDEK numbers it later; until
// then its order tells nothing but its own id.
func (c *Carrier) ReturnShipment(ctx context.Context, ref domain.ShipmentRef, tariff string) (string, error) {
	if ref.ID == "" {
		return "", c.client.Fail(domain.ClassConflict, "the order's id is not known yet")
	}
	n, err := c.client.JSON(ctx, carrier.Post("client_return", "/orders/"+url.PathEscape(ref.ID)+"/clientReturn", carrier.Body{"tariff_code": carrier.Number(tariff)}))
	id := n.Text("entity", "uuid")
	if err == nil && id == "" {
		err = c.client.Fail(domain.ClassRetryable, "it did not take the return")
	}
	if err != nil {
		return "", err
	}
	made, err := c.order(ctx, domain.ShipmentRef{ID: id})
	if err != nil { // a later poll of the order has the number
		return "", nil
	}
	return made.Text("entity", "cdek_number"), nil
}

// Intervals returns when an order can be delivered.
func (c *Carrier) Intervals(ctx context.Context, ref domain.ShipmentRef) ([]domain.DeliveryInterval, error) {
	filter := url.Values{"order_uuid": {ref.ID}}
	if ref.ID == "" {
		filter = url.Values{"cdek_number": {ref.TrackingNumber}}
	}
	n, err := c.client.JSON(ctx, carrier.Get("intervals", "/delivery/intervals", filter))
	return decodeIntervals(n), err
}

func decodeIntervals(n carrier.Node) (out []domain.DeliveryInterval) {
	for _, day := range n.At("date_intervals").List() {
		for _, t := range day.At("time_intervals").List() {
			out = append(out, domain.DeliveryInterval{Date: day.Text("date"), From: clock(t.Text("start_time")), To: clock(t.Text("end_time"))})
		}
	}
	return out
}

// AgreeDelivery registers a delivery agreement; repeating it does no harm.
func (c *Carrier) AgreeDelivery(ctx context.Context, ref domain.ShipmentRef, a domain.DeliveryAgreement) error {
	body := carrier.Body{"order_uuid": ref.ID, "date": a.Date, "time_from": a.From, "time_to": a.To, "comment": a.Comment}
	if ref.ID == "" {
		body["cdek_number"] = ref.TrackingNumber
	}
	call := carrier.Post("agree", "/delivery", body)
	call.Safe = true
	_, err := c.client.Do(ctx, call)
	return err
}
