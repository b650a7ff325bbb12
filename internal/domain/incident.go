package domain

import (
	"slices"
	"time"
)

// IncidentReport opens an incident.
type IncidentReport struct {
	ID         string     `json:"id,omitempty" format:"uuid" doc:"the client's own, a UUIDv7: a repeat gets the first answer, however late it comes"`
	Code       string     `json:"code" minLength:"1" maxLength:"64" doc:"such as not_there, wrong_address, cannot_find, damaged, refused" example:"not_there"`
	Text       string     `json:"text,omitempty" maxLength:"2000"`
	Photo      []byte     `json:"photo,omitempty" doc:"a JPEG or PNG image of at most 8 MiB, in base64"`
	OccurredAt *time.Time `json:"occurred_at,omitempty" doc:"when it happened; default now; at most 5 minutes in the future"`
}

// Incident is a problem with an order that somebody has to deal with.
type Incident struct {
	ID         string     `json:"id" format:"uuid"`
	OrderID    string     `json:"order_id" format:"uuid"`
	Code       string     `json:"code" example:"not_there"`
	Text       string     `json:"text,omitempty"`
	PhotoURL   string     `json:"photo_url,omitempty" doc:"path of the image"`
	CourierID  string     `json:"courier_id,omitempty" format:"uuid" doc:"the courier who reported it"`
	Actor      Actor      `json:"actor,omitzero" doc:"who reported it"`
	OccurredAt time.Time  `json:"occurred_at"`
	RecordedAt time.Time  `json:"recorded_at"`
	ClosedAt   *time.Time `json:"closed_at,omitempty" doc:"absent while it is open"`
	ClosedBy   *Actor     `json:"closed_by,omitempty"`
	Resolution string     `json:"resolution,omitempty" doc:"how it was closed"`
}

// CodePINTries is the code of the incident that a locked PIN opens.
const CodePINTries = "pin_locked"

// For returns the incident as the caller sees it; false when it is hidden: couriers see their own ones.
func (x Incident) For(c *Caller) (Incident, bool) {
	switch {
	case c.Staff():
		return x, true
	case c.Kind == RoleCourier && x.CourierID != c.CourierID, c.Kind != RoleCourier && c.Kind != RoleMerchant:
		return Incident{}, false
	}
	if x.Actor.Kind != RoleMerchant && x.Actor.Kind != RoleCourier { // staff identities are internal
		x.Actor.ID = ""
	}
	if x.ClosedBy != nil && x.ClosedBy.Kind != c.Kind {
		x.ClosedBy = &Actor{Kind: x.ClosedBy.Kind}
	}
	return x, true
}

// ForCourier reports whether a courier may see the event: not the incidents that others reported.
func (e *Event) ForCourier(id string) bool {
	return e.Type != EventIncidentOpened && e.Type != EventIncidentClosed || e.Data["courier_id"] == id
}

// OpenIncident reports whether any incident of the order is open.
func (o *Order) OpenIncident() bool {
	return slices.ContainsFunc(o.Bookkeeping.Incidents, func(x Incident) bool { return x.ClosedAt == nil })
}

// Incident returns the incident with the id, or nil.
func (o *Order) Incident(id string) *Incident {
	return find(o.Bookkeeping.Incidents, func(x *Incident) bool { return x.ID == id })
}

// AddIncident opens an incident that was checked; one whose id is there changes nothing. The
// order's id, who acted and the times are filled in here.
func (o *Order) AddIncident(x Incident, by By) ([]Event, error) {
	if o.Incident(x.ID) != nil {
		return nil, nil
	}
	if err := o.roomFor(len(o.Bookkeeping.Incidents), by); err != nil {
		return nil, err
	}
	x.OrderID, x.Actor, x.OccurredAt, x.RecordedAt = o.ID, by.Actor, by.occurred(), Timestamp(by.Now)
	o.Bookkeeping.Incidents = append(slices.Clone(o.Bookkeeping.Incidents), x)
	data := given(map[string]any{"incident_id": x.ID, "code": x.Code}, map[string]string{"text": x.Text, "courier_id": x.CourierID})
	return []Event{o.Note(EventIncidentOpened, by, data)}, nil
}

// CloseIncident closes an incident; a closed one stays as it is. It fails with not_found.
func (o *Order) CloseIncident(id, resolution string, by By) ([]Event, error) {
	x := o.Incident(id)
	switch {
	case x == nil:
		return nil, Errorf(CodeNotFound, "the order has no incident %s", id)
	case x.ClosedAt != nil:
		return nil, nil
	}
	o.Bookkeeping.Incidents = slices.Clone(o.Bookkeeping.Incidents)
	x, at := o.Incident(id), by.occurred()
	x.ClosedAt, x.ClosedBy, x.Resolution = &at, &by.Actor, resolution
	if o.Erased() {
		x.Resolution = ""
	}
	data := given(map[string]any{"incident_id": id, "code": x.Code}, map[string]string{"text": resolution, "courier_id": x.CourierID})
	return []Event{o.Note(EventIncidentClosed, by, data)}, nil
}
