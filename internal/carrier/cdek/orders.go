package cdek

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// CreateShipment books an order once. For shop contracts CDEK keeps our order name and
// rejects a duplicate, at once or later; for other contracts it does not.
func (c *Carrier) CreateShipment(ctx context.Context, r domain.ShipmentRequest) (domain.ShipmentSnapshot, error) {
	r.From, r.Sender = c.sender(r.From, r.Sender)
	body, err := c.encode(ctx, r)
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	made, err := c.client.JSON(ctx, carrier.Post("create", "/orders", body))
	if err == nil && made.Text("entity", "uuid") == "" { // regardless of the status
		e := fault(made)
		e.Carrier, e.Message, e.Unsent = Code, cmp.Or(e.Message, "its answer names no order"), e.Code != ""
		if e.Class == "" {
			e.Class = domain.ClassRetryable
			if e.Unsent {
				e.Class, e.Refused = domain.ClassValidation, true
			}
		}
		err = e
	}
	if err != nil {
		return refused(err, r.ClientRef)
	}
	snap := decodeOrder(made)
	snap.Ref.ClientRef, snap.Tariff = r.ClientRef, r.Tariff
	return snap, nil
}

// refused interprets a booking answer that contains no new order: CDEK's own error rejects
// the booking, anything else leaves the outcome unknown.
func refused(err error, ref string) (domain.ShipmentSnapshot, error) {
	e, ok := errors.AsType[*domain.CarrierError](err)
	if !ok {
		return domain.ShipmentSnapshot{}, err
	}
	if nameTaken(domain.CarrierMessage{Code: e.Code}) {
		return domain.ShipmentSnapshot{Duplicate: true, Ref: domain.ShipmentRef{ClientRef: ref, Phase: domain.PhasePending}}, nil
	}
	return domain.ShipmentSnapshot{}, e
}

// CheckShipment validates a booking without calling CDEK.
func (c *Carrier) CheckShipment(r domain.ShipmentRequest) error {
	_, err := c.encodeOrder(r, 0, 0)
	return err
}

// encode encodes a booking after resolving its city codes.
func (c *Carrier) encode(ctx context.Context, r domain.ShipmentRequest) (carrier.Body, error) {
	from, to, err := c.ends(ctx, r.From, r.To)
	if err != nil {
		return nil, err
	}
	body, err := c.encodeOrder(r, from, to)
	return body, c.invalid(err)
}

// ends returns both city codes. If the directory fails, nothing was sent; only an ambiguous
// town name rejects the booking.
func (c *Carrier) ends(ctx context.Context, a, b domain.Stop) (from, to int, err error) {
	from, to, err = c.cities.Ends(ctx, a, b)
	if e, ok := errors.AsType[*domain.CarrierError](err); ok {
		told := *e
		told.Carrier, told.Unsent, told.Refused = Code, true, len(e.Candidates) > 0
		err = &told
	}
	return from, to, err
}

// sender fills in the default sender and origin.
func (c *Carrier) sender(from domain.Stop, who *domain.Customer) (domain.Stop, *domain.Customer) {
	if from.Point == "" && from.Address == "" && from.Location == nil && from.City == "" {
		from = c.cfg.From
	}
	if who == nil {
		who = &c.cfg.Sender
	}
	return from, who
}

// FindShipment finds an order by our name for it. It ignores an answer about another order
// and orders rejected because the name is taken.
func (c *Carrier) FindShipment(ctx context.Context, ref domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	n, err := c.order(ctx, domain.ShipmentRef{ClientRef: ref.ClientRef})
	var snap domain.ShipmentSnapshot
	if err == nil {
		snap = decodeOrder(n)
	}
	if err == nil && (snap.Ref.ClientRef != ref.ClientRef || snap.Duplicate) {
		err = c.client.Fail(domain.ClassNotFound, "it knows no order of the number "+ref.ClientRef)
	}
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	return snap, nil
}

// order fetches an order by its most specific identifier.
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

// TrackShipment returns everything that CDEK knows. For an order being returned it also
// fetches the return order, whose end is the end of this one.
func (c *Carrier) TrackShipment(ctx context.Context, ref domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	n, err := c.order(ctx, ref)
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	snap := decodeOrder(n)
	for _, rel := range n.At("related_entities").List() {
		if rel.Text("type") != "return_order" || rel.Text("uuid") == "" {
			continue
		}
		// If the return cannot be fetched now, even with a 403, a later poll gets it.
		if back, err := c.order(ctx, domain.ShipmentRef{ID: rel.Text("uuid")}); err == nil {
			snap.Events = append(snap.Events, events(back.At("entity"), true, snap.Reverse)...)
		}
	}
	snap.Events = carrier.Timeline(snap.Events, statuses, statuses.Rank("POSTOMAT_RECEIVED"))
	c.client.CountUnknown(snap.Events...)
	if snap.Pickup != nil {
		snap.Pickup = c.pickup(ctx, *snap.Pickup)
	}
	return snap, nil
}

// pickup adds the details of an office or locker; without them only the code is known.
func (c *Carrier) pickup(ctx context.Context, p domain.PickupPoint) *domain.PickupPoint {
	found, err := c.Points(ctx, domain.PointQuery{Code: p.Code, Limit: 1})
	if err != nil || len(found) == 0 {
		return &p
	}
	at := found[0]
	p.Kind, p.Name, p.Location, p.Hours, p.Notes = at.Kind, at.Name, at.Location, at.Hours, at.Notes
	p.Address = carrier.Join(", ", at.City, at.Address)
	return &p
}

// Handovers returns the registries in which CDEK paid out collected money on a day. The
// names of their fields are not in the reference that the other conversions are tested
// against, and no recorded answer was at hand: another format yields no money, never a
// wrong one.
func (c *Carrier) Handovers(ctx context.Context, day time.Time) ([]domain.Handover, error) {
	n, err := c.client.JSON(ctx, carrier.Get("registries", "/registries", url.Values{"date": {day.In(carrier.Moscow).Format(time.DateOnly)}}))
	return decodeRegistries(n, c.cfg.Currency), err
}

func nameTaken(m domain.CarrierMessage) bool {
	return classOf(m.Code) == domain.ClassConflict
}

// CancelTerms checks where an order is: deleting one that has not moved is free. One that
// has moved can be refused on the recipient's behalf: it is returned, and CDEK charges for
// the return without announcing the price.
func (c *Carrier) CancelTerms(ctx context.Context, ref domain.ShipmentRef) (domain.CancelTerms, error) {
	snap, err := c.TrackShipment(ctx, ref)
	if err != nil {
		return domain.CancelTerms{}, err
	}
	return termsOf(snap), nil
}

func termsOf(snap domain.ShipmentSnapshot) domain.CancelTerms {
	switch {
	case !snap.Ref.Phase.Live():
		return domain.CancelTerms{Kind: domain.CancelEnded, Detail: "there is nothing to deliver: " + snap.Text}
	case snap.Status == "NOT_DELIVERED":
		return domain.CancelTerms{Kind: domain.CancelImpossible, Detail: "it was not handed over and comes back"}
	case statuses.Rank(snap.Status) >= statuses.Rank("POSTOMAT_RECEIVED"):
		return domain.CancelTerms{Kind: domain.CancelImpossible, Detail: "it has been handed over: " + snap.Text}
	case statuses.Between(snap.Events, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "REMOVED"):
		return domain.CancelTerms{Kind: domain.CancelUnknown, Detail: "it has moved: it can be refused in the recipient's name, comes back, and CDEK charges its way"}
	}
	return domain.CancelTerms{Kind: domain.CancelFree, Detail: "it has not moved"}
}

// CancelShipment deletes an order on free terms and refuses it on paid ones.
func (c *Carrier) CancelShipment(ctx context.Context, ref domain.ShipmentRef, agreed domain.CancelTerms) (domain.CancelOutcome, error) {
	n, err := c.order(ctx, ref)
	if err != nil {
		return domain.CancelOutcome{}, err
	}
	snap := decodeOrder(n)
	now := termsOf(snap)
	path := "/orders/" + url.PathEscape(snap.Ref.ID)
	switch {
	case now.Kind == domain.CancelEnded:
		return domain.CancelOutcome{Result: domain.CancelDone, Detail: now.Detail}, nil
	case agreed.Kind.Costs() && (snap.Status == "NOT_DELIVERED" || underWay(n, "CREATE_REFUSAL")): // an earlier attempt without an answer
		return domain.CancelOutcome{Result: domain.CancelWillReturn}, nil
	case now.Kind != agreed.Kind:
		return domain.CancelOutcome{}, c.client.Fail(domain.ClassConflict, now.Detail)
	case agreed.Kind.Costs():
		_, err = c.client.Do(ctx, carrier.Post("refuse", path+"/refusal", nil))
		return domain.CancelOutcome{Result: domain.CancelWillReturn}, err
	case underWay(n, "DELETE"):
		return domain.CancelOutcome{Result: domain.CancelPending}, nil
	}
	_, err = c.client.Do(ctx, carrier.Call{Op: "delete", Method: http.MethodDelete, Path: path, Safe: true})
	return domain.CancelOutcome{Result: domain.CancelPending, Detail: "its deletion was asked for, which costs nothing"}, err
}

// underWay reports whether a request of the kind is in progress or has succeeded.
func underWay(n carrier.Node, kind string) bool {
	return slices.ContainsFunc(n.At("requests").List(), func(q carrier.Node) bool {
		return q.Text("type") == kind && q.Text("state") != "INVALID"
	})
}
