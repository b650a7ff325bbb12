package domain

import (
	"slices"
	"time"
)

// OfferStatus is the status of an offer.
type OfferStatus string

// The statuses of offers; all but open are final.
const (
	OfferOpen      OfferStatus = "open"
	OfferAccepted  OfferStatus = "accepted"
	OfferDeclined  OfferStatus = "declined"
	OfferExpired   OfferStatus = "expired"
	OfferWithdrawn OfferStatus = "withdrawn"
)

// Offer is an order offered to a courier.
type Offer struct {
	ID        string      `json:"id" format:"uuid"`
	OrderID   string      `json:"order_id" format:"uuid"`
	CourierID string      `json:"courier_id" format:"uuid"`
	Status    OfferStatus `json:"status" enum:"open,accepted,declined,expired,withdrawn"`
	ExpiresAt time.Time   `json:"expires_at"`
	Reason    string      `json:"reason,omitempty" doc:"why it was declined"`
	// Pickup, Dropoff and PromisedAt are the order's: what a courier decides by. They are not stored with the offer.
	Pickup     *Place     `json:"pickup,omitempty" readOnly:"true" doc:"without the notes"`
	Dropoff    *Place     `json:"dropoff,omitempty" readOnly:"true" doc:"without the notes"`
	PromisedAt *time.Time `json:"promised_at,omitempty" readOnly:"true"`
}

// OfferRef locates an offer, whose status is in its order. It is processed again at DueAt.
type OfferRef struct {
	ID, OrderID, CourierID string
	DueAt                  time.Time
}

// Search is the rest of an order's search for a courier: it continues until Until, with couriers who have not had an offer yet.
type Search struct {
	Until time.Time `json:"until"`
	For   int       `json:"for"` // seconds that an offer is open
	Wide  bool      `json:"wide,omitempty"`
}

// waits fails if the order has a courier or needs none any more.
func (o *Order) waits() error {
	if o.CourierID != "" || !o.Status.CanMove(StatusAssigned) {
		return o.refuse(StatusAssigned)
	}
	return nil
}

// Offer makes offers to the given couriers; one with an open offer gets no other. It fails with illegal_transition.
func (o *Order) Offer(offers []Offer, by By) ([]Event, error) {
	if err := o.waits(); err != nil {
		return nil, err
	}
	var events []Event
	for _, f := range offers {
		has := func(old Offer) bool { return old.CourierID == f.CourierID && old.Status == OfferOpen }
		if slices.ContainsFunc(o.Bookkeeping.Offers, has) {
			continue
		}
		o.Bookkeeping.Offers = append(slices.Clone(o.Bookkeeping.Offers), f)
		events = append(events, o.Note(EventOfferMade, by, offerData(f)))
	}
	return events, nil
}

func offerData(f Offer) map[string]any {
	data := map[string]any{"offer_id": f.ID, "courier_id": f.CourierID, "expires_at": f.ExpiresAt}
	return given(data, map[string]string{"reason": f.Reason})
}

// OfferIn returns the offer that an entry of the history is about, as it stood then; false for other entries.
func OfferIn(e *Event) (Offer, bool) {
	f := Offer{OrderID: e.OrderID}
	for status, typ := range offerEvents {
		if typ == e.Type {
			f.Status = status
		}
	}
	if f.Status == "" {
		return f, false
	}
	f.ID, _ = e.Data["offer_id"].(string)
	f.CourierID, _ = e.Data["courier_id"].(string)
	f.Reason, _ = e.Data["reason"].(string)
	f.ExpiresAt = Or(instantOf(e.Data["expires_at"]), time.Time{})
	return f, true
}

func (o *Order) stored(offerID string) *Offer {
	return find(o.Bookkeeping.Offers, func(f *Offer) bool { return f.ID == offerID })
}

// OfferOf returns the offer with its current status, or nil. An open offer whose order has
// a courier, or whose time is over, counts as closed.
func (o *Order) OfferOf(id string, now time.Time) *Offer {
	stored := o.stored(id)
	if stored == nil {
		return nil
	}
	f := *stored
	f.Pickup, f.Dropoff, f.PromisedAt = o.Pickup.bare(), o.Dropoff.bare(), o.PromisedAt
	switch {
	case f.Status != OfferOpen:
	case o.waits() != nil:
		f.Status = OfferWithdrawn
	case !now.Before(f.ExpiresAt):
		f.Status = OfferExpired
	}
	return &f
}

// bare is the place without what only who goes there needs.
func (p *Place) bare() *Place {
	if p == nil {
		return nil
	}
	return &Place{Address: p.Address, Location: p.Location}
}

// AcceptOffer gives the order to the courier of the offer and withdraws all others. It
// fails with offer_gone. Accepting again changes nothing.
func (o *Order) AcceptOffer(id string, by By) ([]Event, error) {
	f := o.OfferOf(id, by.Now)
	switch {
	case f != nil && f.Status == OfferAccepted && f.CourierID == o.CourierID:
		return nil, nil
	case f == nil || f.Status != OfferOpen:
		return nil, offerGone(f)
	}
	events := []Event{o.closeOffer(id, OfferAccepted, "", by)}
	events = append(events, o.closeOffers(OfferWithdrawn, by, func(Offer) bool { return true })...)
	o.Bookkeeping.Search = nil
	assigned, err := o.Assign(f.CourierID, by)
	return append(events, assigned...), err
}

// DeclineOffer records that the courier declined the order, or fails with offer_gone.
func (o *Order) DeclineOffer(id, reason string, by By) ([]Event, error) {
	f := o.OfferOf(id, by.Now)
	switch {
	case f != nil && f.Status == OfferDeclined:
		return nil, nil
	case f == nil || f.Status != OfferOpen:
		return nil, offerGone(f)
	}
	return []Event{o.closeOffer(id, OfferDeclined, reason, by)}, nil
}

func offerGone(f *Offer) error {
	if f == nil {
		return Errorf(CodeOfferGone, "the offer is no longer available")
	}
	return Errorf(CodeOfferGone, "the offer is %s", f.Status)
}

// EndOffers closes expired offers, and all offers once the order does not wait any more.
func (o *Order) EndOffers(by By) []Event {
	if o.waits() != nil {
		o.Bookkeeping.Search = nil
		return o.closeOffers(OfferWithdrawn, by, func(Offer) bool { return true })
	}
	return o.closeOffers(OfferExpired, by, func(f Offer) bool { return !by.Now.Before(f.ExpiresAt) })
}

func (o *Order) closeOffers(to OfferStatus, by By, which func(Offer) bool) (events []Event) {
	for _, f := range o.Bookkeeping.Offers {
		if f.Status == OfferOpen && which(f) {
			events = append(events, o.closeOffer(f.ID, to, "", by))
		}
	}
	return events
}

var offerEvents = map[OfferStatus]EventType{
	OfferOpen: EventOfferMade, OfferAccepted: EventOfferAccepted, OfferDeclined: EventOfferDeclined, OfferExpired: EventOfferExpired, OfferWithdrawn: EventOfferWithdrawn,
}

func (o *Order) closeOffer(id string, to OfferStatus, reason string, by By) Event {
	o.Bookkeeping.Offers = slices.Clone(o.Bookkeeping.Offers)
	f := o.stored(id)
	f.Status, f.Reason = to, reason
	return o.Note(offerEvents[to], by, offerData(*f))
}
