package cdek

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// CreateShipment books. CDEK has no key of idempotency, so the order's name is looked
// up before every attempt and after one whose answer was lost. A second order of the
// same name, should a look-up miss the first, is rejected by CDEK itself, and
// TrackShipment then finds the first.
func (c *Carrier) CreateShipment(ctx context.Context, r domain.ShipmentRequest) (domain.ShipmentSnapshot, error) {
	found, err := c.byReference(ctx, r.ClientRef)
	if domain.ClassOf(err) != domain.ClassNotFound {
		return found, err
	}
	r.From, r.Sender = c.sender(r.From, r.Sender)
	from, to, err := c.cities.Ends(ctx, r.From, r.To)
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	made, err := c.client.JSON(ctx, carrier.Post("create", "/orders", encodeOrder(r, c.cfg.Freight, from, to)))
	if domain.ClassOf(err) == domain.ClassRetryable {
		if found, lookup := c.byReference(ctx, r.ClientRef); lookup == nil {
			return found, nil
		}
	}
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	snap := decodeOrder(made)
	snap.Ref.ClientRef, snap.Tariff = r.ClientRef, r.Tariff
	return snap, nil
}

// sender fills in who sends and from where, when the order does not say.
func (c *Carrier) sender(from domain.Stop, who *domain.Customer) (domain.Stop, *domain.Customer) {
	if from.Point == "" && from.Address == "" && from.Location == nil && from.City == "" {
		from = c.cfg.From
	}
	if who == nil {
		who = &c.cfg.Sender
	}
	return from, who
}

// byReference finds an order by the name that we gave it; an answer about another is none.
func (c *Carrier) byReference(ctx context.Context, ref string) (domain.ShipmentSnapshot, error) {
	n, err := c.order(ctx, domain.ShipmentRef{ClientRef: ref})
	if err == nil && n.Text("entity", "number") != ref {
		err = c.client.Fail(domain.ClassNotFound, "it knows no order of the number "+ref)
	}
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	return decodeOrder(n), nil
}

// order reads an order by the best of its names.
func (c *Carrier) order(ctx context.Context, ref domain.ShipmentRef) (carrier.Node, error) {
	call := carrier.Get("order", "/orders", nil)
	switch {
	case ref.ID != "":
		call.Path = "/orders/" + url.PathEscape(ref.ID)
	case ref.TrackingNumber != "":
		call.Query = url.Values{"cdek_number": {ref.TrackingNumber}}
	case ref.ClientRef != "":
		call.Query = url.Values{"im_number": {ref.ClientRef}}
	default:
		return carrier.Node{}, c.client.Fail(domain.ClassValidation, "a shipment without any name can't be looked for")
	}
	n, err := c.client.JSON(ctx, call)
	if err == nil && n.Text("entity", "uuid") == "" {
		err = c.client.Fail(domain.ClassNotFound, "it knows no such order")
	}
	return n, err
}

// TrackShipment tells all that CDEK knows. Of an order that comes back it also asks
// for the order that brings it: its end is the end of this one.
func (c *Carrier) TrackShipment(ctx context.Context, ref domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	n, err := c.order(ctx, ref)
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	snap := decodeOrder(n)
	if snap.Ref.Phase == domain.PhaseRejected && slices.ContainsFunc(snap.Errors, nameTaken) {
		// By our own order, of which no answer reached us.
		if first, err := c.byReference(ctx, snap.Ref.ClientRef); err == nil && first.Ref.ID != snap.Ref.ID {
			snap = first
		}
	}
	for _, rel := range n.At("related_entities").List() {
		if rel.Text("type") != "return_order" || rel.Text("uuid") == "" {
			continue
		}
		back, err := c.order(ctx, domain.ShipmentRef{ID: rel.Text("uuid")})
		if err != nil && domain.ClassOf(err) != domain.ClassNotFound {
			return domain.ShipmentSnapshot{}, err
		}
		snap.Events = append(snap.Events, events(back.At("entity"), true, snap.Reverse)...)
	}
	snap.Events = carrier.Timeline(snap.Events, statuses)
	c.client.CountUnknown(snap.Events...)
	return snap, nil
}

func nameTaken(m domain.CarrierMessage) bool {
	return classOf(m.Code) == domain.ClassConflict
}

// CancelShipment deletes an order that has not moved, which is free, and otherwise
// refuses it in the recipient's name: it comes back, and its way there is charged.
func (c *Carrier) CancelShipment(ctx context.Context, ref domain.ShipmentRef) (domain.CancelOutcome, error) {
	snap, err := c.TrackShipment(ctx, ref)
	if err != nil {
		return domain.CancelOutcome{}, err
	}
	switch {
	case !snap.Ref.Phase.Live():
		return domain.CancelOutcome{Result: domain.CancelDone, Detail: "there is nothing to deliver: " + snap.Text}, nil
	case snap.Status == "NOT_DELIVERED":
		return domain.CancelOutcome{Result: domain.CancelWillReturn, Costs: true, Price: snap.Price, Detail: "it was not handed over and comes back"}, nil
	case statuses.Rank(snap.Status) >= statuses.Rank("POSTOMAT_RECEIVED"):
		return domain.CancelOutcome{Result: domain.CancelImpossible, Detail: "it has been handed over: " + snap.Text}, nil
	}
	path := "/orders/" + url.PathEscape(snap.Ref.ID)
	if !statuses.Between(snap.Events, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "REMOVED") { // it has not moved
		_, err := c.client.Do(ctx, carrier.Call{Op: "delete", Method: http.MethodDelete, Path: path, Safe: true})
		switch domain.ClassOf(err) {
		case "":
			return domain.CancelOutcome{Result: domain.CancelPending, Detail: "its deletion was asked for, which costs nothing"}, nil
		case domain.ClassConflict: // it has moved after all
		default:
			return domain.CancelOutcome{}, err
		}
	}
	if _, err := c.client.Do(ctx, carrier.Post("refuse", path+"/refusal", nil)); err != nil {
		return domain.CancelOutcome{}, err
	}
	return domain.CancelOutcome{
		Result: domain.CancelWillReturn, Costs: true, Price: snap.Price,
		Detail: "it had moved, so it was refused in the recipient's name: it comes back, and CDEK charges its way",
	}, nil
}
