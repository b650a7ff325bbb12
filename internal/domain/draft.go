package domain

import (
	"strings"
	"time"
)

// Draft is a client's request to create an order.
type Draft struct {
	ExternalID    string            `json:"external_id,omitempty" maxLength:"128" doc:"the shop's own number; unique per merchant"`
	MerchantID    string            `json:"merchant_id,omitempty" maxLength:"128"`
	Customer      Customer          `json:"customer"`
	Pickup        *Place            `json:"pickup,omitempty"`
	Dropoff       *Place            `json:"dropoff,omitempty"`
	Items         []Item            `json:"items,omitempty" maxItems:"500"`
	Total         *Money            `json:"total,omitempty"`
	Payment       *Payment          `json:"payment,omitempty" doc:"what the recipient pays on delivery"`
	Notes         string            `json:"notes,omitempty" maxLength:"2000" example:"ring twice"`
	Metadata      map[string]string `json:"metadata,omitempty" maxProperties:"50" example:"{\"channel\":\"web\"}"`
	ReadyAt       *time.Time        `json:"ready_at,omitempty" doc:"when it can be picked up"`
	PromisedAt    *time.Time        `json:"promised_at,omitempty" doc:"time promised to the customer"`
	DeliverAfter  *time.Time        `json:"deliver_after,omitempty" doc:"not delivered before this time"`
	DeliverBefore *time.Time        `json:"deliver_before,omitempty" doc:"to be delivered by this time"`
	Timezone      string            `json:"timezone,omitempty" format:"timezone" doc:"the customer's (IANA)" example:"Europe/Moscow"`
	Priority      int               `json:"priority,omitempty" minimum:"0" maximum:"9" doc:"higher is first"`
	Requirements  *Requirements     `json:"requirements,omitempty"`
	ProofRequired []string          `json:"proof_required,omitzero" enum:"photo,signature,pin" nullable:"false" maxItems:"3" uniqueItems:"true" doc:"what the courier must bring to deliver it; absent: what the merchant requires; [] for none"`
}

// Normalize returns the draft with its phone number in E.164 and its times in the stores'
// precision, or all its faults. region is the country of phone numbers without a country code.
func (d Draft) Normalize(region string) (Draft, error) {
	var f Faults
	f.Check("", &d)
	f.dropoff(d.Dropoff)
	f.phone("/customer/phone", &d.Customer.Phone, region)
	d.Payment.rules(&f, "/payment")
	f.Listed("/proof_required", "proof", d.ProofRequired, ProofKinds())
	f.window(d.DeliverAfter, d.DeliverBefore)
	for _, t := range []**time.Time{&d.ReadyAt, &d.PromisedAt, &d.DeliverAfter, &d.DeliverBefore} {
		*t = timestamp(*t)
	}
	d.Requirements = d.Requirements.orNone()
	return d, f.Err()
}

// dropoff checks a place that has to be found by a courier.
func (f *Faults) dropoff(p *Place) {
	if p == nil || (strings.TrimSpace(p.Address) == "" && p.Location == nil) {
		f.Add("/dropoff", "required", "needs an address or a location")
	}
}

// given adds the non-empty strings to an event's data.
func given(data map[string]any, texts map[string]string) map[string]any {
	for k, v := range texts {
		if v != "" {
			data[k] = v
		}
	}
	return data
}

// Instructions are the customer's instructions for the courier.
type Instructions struct {
	Text string `json:"text" maxLength:"500" doc:"empty takes them away" example:"Entrance 3, code 42"`
}

// Rating is the customer's rating of the delivery.
type Rating struct {
	Stars int    `json:"stars" minimum:"1" maximum:"5" example:"5"`
	Text  string `json:"text,omitempty" maxLength:"1000"`
}

// Instruct stores the customer's instructions. It fails with order_finished when nobody
// would read them: after the end, and once the courier is near.
func (o *Order) Instruct(i Instructions, by By) ([]Event, error) {
	switch {
	case o.Instructions == i.Text:
		return nil, nil
	case o.Status.Terminal() || o.Status == StatusReturning || o.Status == StatusReadyForPickup:
		return nil, Errorf(CodeOrderFinished, "an order that is %s takes no instructions any more", o.Status)
	case o.Status == StatusAtDropoff || o.Bookkeeping.SentOnce[string(EventCourierNear)]:
		return nil, Errorf(CodeOrderFinished, "the courier is near: it is too late for instructions")
	}
	o.Instructions = i.Text
	return []Event{o.change(EventChanged, by, map[string]any{"fields": []string{"instructions"}})}, nil
}

// Rate stores the customer's rating of a delivered order; a later one replaces it. Any other order fails with illegal_transition.
func (o *Order) Rate(r Rating, by By) ([]Event, error) {
	if o.Status != StatusDelivered {
		return nil, Errorf(CodeIllegalTransition, "an order that is %s can't be rated: it was not delivered", o.Status)
	}
	if o.Rating != nil && *o.Rating == r {
		return nil, nil
	}
	o.Rating = &r
	return []Event{o.change(EventRated, by, map[string]any{"stars": r.Stars})}, nil
}

// SetContact stores where a channel reaches the customer; order_finished when nothing more is to be told.
func (o *Order) SetContact(channel, address string, by By) ([]Event, error) {
	switch {
	case o.Bookkeeping.Contacts[channel] == address:
		return nil, nil
	case o.Status.Terminal():
		return nil, Errorf(CodeOrderFinished, "an order that is %s sends no messages any more", o.Status)
	}
	o.Bookkeeping.Contacts = with(o.Bookkeeping.Contacts, channel, address)
	return []Event{o.change(EventChanged, by, map[string]any{"fields": []string{"contacts"}})}, nil
}
