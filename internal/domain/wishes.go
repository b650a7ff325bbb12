package domain

// Instructions are what a customer tells the courier.
type Instructions struct {
	Text string `json:"text" maxLength:"500" doc:"empty takes them away" example:"Entrance 3, code 42"`
}

// Rating is what a customer thought of the delivery.
type Rating struct {
	Stars int    `json:"stars" minimum:"1" maximum:"5" example:"5"`
	Text  string `json:"text,omitempty" maxLength:"1000"`
}

// Instruct keeps what the customer tells the courier. It is refused with order_finished when
// nobody would read it: after the end, and from when the courier is near.
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

// Rate keeps the customer's rating of an order that was delivered; a later one takes the
// place of an earlier one. Any other order is refused with illegal_transition.
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
