package domain

import (
	"maps"
	"slices"
	"strings"
)

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

// maxContacts is how many addresses of a channel an order keeps, such as a phone and a laptop; the oldest one gives way.
const maxContacts = 5

// SetContact adds an address at which a channel reaches the customer, or removes it, or all of the channel when it is
// empty; order_finished when nothing more is to be told.
func (o *Order) SetContact(channel, address string, on bool, by By) ([]Event, error) {
	before := strings.Split(o.Bookkeeping.Contacts[channel], "\n")
	after := slices.DeleteFunc(slices.Clone(before), func(a string) bool { return a == "" || !on && (address == "" || a == address) })
	if on && !slices.Contains(before, address) {
		after = append(after, address)
	}
	list := strings.Join(after[max(0, len(after)-maxContacts):], "\n")
	switch {
	case o.Bookkeeping.Contacts[channel] == list:
		return nil, nil
	case on && o.Status.Terminal():
		return nil, Errorf(CodeOrderFinished, "an order that is %s sends no messages any more", o.Status)
	}
	o.Bookkeeping.Contacts = with(o.Bookkeeping.Contacts, channel, list)
	maps.DeleteFunc(o.Bookkeeping.Contacts, func(_, address string) bool { return address == "" })
	return []Event{o.change(EventChanged, by, map[string]any{"fields": []string{"contacts"}})}, nil
}
