package domain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// View is an audience of the data. What each audience sees is decided here, where the data is made, and not where it is sent.
type View uint8

// The views.
const (
	ViewStaff    View = iota // everything
	ViewMerchant             // its orders, and the identity of couriers
	ViewCourier              // the orders in hand, with what their delivery needs
	ViewPartner              // as a merchant, without phone numbers and e-mail addresses
	ViewCustomer             // one order, without the people who work on it
	Views        = iota
)

// View is what the caller sees.
func (c *Caller) View() View {
	switch c.Kind {
	case RoleMerchant:
		return ViewMerchant
	case RoleCourier:
		return ViewCourier
	case RolePartner:
		return ViewPartner
	case RoleAdmin, RoleDispatcher, RoleSystem:
		return ViewStaff
	}
	return ViewCustomer
}

// stage tells what an order's views show in a status, besides status, window and timeline, which they always show.
type stage struct {
	courier bool // the courier: customers see a first name and a vehicle
	place   bool // its position; for customers by the merchant's rule
}

// stages is the only table of what is visible when. A missing status shows neither.
var stages = map[Status]stage{
	StatusAssigned:       {courier: true},
	StatusAtPickup:       {courier: true},
	StatusPickedUp:       {courier: true, place: true},
	StatusInTransit:      {courier: true, place: true},
	StatusOutForDelivery: {courier: true, place: true},
	StatusAtDropoff:      {courier: true, place: true},
	StatusDeliveryFailed: {courier: true, place: true},
	StatusReturning:      {courier: true, place: true},
	StatusDelivered:      {courier: true},
}

// ShowsPlace reports whether an order's views show its courier's position in this status.
func (s Status) ShowsPlace() bool { return stages[s].place }

// MaxShownAge is the maximum age of a position shown in an order's views.
const MaxShownAge = 30 * time.Minute

// A position is stale once it is older than this many of the courier's usual intervals, and than staleFloor.
const (
	staleFloor     = time.Minute
	staleIntervals = 3
)

// ShowCourier is a merchant's rule for showing the courier's position to customers; the zero rule is custody.
type ShowCourier struct {
	name  string
	value float64
	drive func(from, to Point) time.Duration
}

// The names of rules.
const (
	showCustody        = "custody"
	showOutForDelivery = "out_for_delivery"
	showMetres         = "metres"
	showMinutes        = "minutes"
	showStops          = "stops_before"
)

// ParseShowCourier reads custody, out_for_delivery, metres:N, minutes:N or stops_before:N; "" is custody.
func ParseShowCourier(s string) (ShowCourier, error) {
	name, number, has := strings.Cut(s, ":")
	switch {
	case s == "" || s == showCustody:
		return ShowCourier{}, nil
	case s == showOutForDelivery:
		return ShowCourier{name: s}, nil
	case (name == showMetres || name == showMinutes) && has:
		if n, err := strconv.ParseFloat(number, 64); err == nil && n > 0 && n <= 1e6 {
			return ShowCourier{name: name, value: n}, nil
		}
	case name == showStops && has:
		if n, err := strconv.Atoi(number); err == nil && n >= 0 && n <= 1000 {
			return ShowCourier{name: name, value: float64(n)}, nil
		}
	}
	return ShowCourier{}, Invalid("/privacy/show_courier", "unknown_rule",
		"must be custody, out_for_delivery, metres:<number>, minutes:<number> or stops_before:<number>")
}

// By returns the rule with what estimates the drive between two places, which minutes:N needs: without it that rule never holds.
func (r ShowCourier) By(drive func(from, to Point) time.Duration) ShowCourier {
	r.drive = drive
	return r
}

// String is the inverse of ParseShowCourier.
func (r ShowCourier) String() string {
	switch r.name {
	case "":
		return showCustody
	case showMetres, showMinutes, showStops:
		return fmt.Sprintf("%s:%v", r.name, r.value)
	}
	return r.name
}

// CountsStops reports whether the rule depends on the courier's stops before the order's.
func (r ShowCourier) CountsStops() bool { return r.name == showStops }

// Holds reports whether customers may see a courier at a place while the order has the
// status, goes to dropoff and has this number of stops before it, nil if unknown.
func (r ShowCourier) Holds(s Status, at Point, dropoff *Point, stops *int) bool {
	switch {
	case !s.ShowsPlace():
		return false
	case r.name == showOutForDelivery:
		return s == StatusOutForDelivery || s == StatusAtDropoff
	case r.name == showMetres:
		return dropoff != nil && at.DistanceM(*dropoff) <= r.value
	case r.name == showMinutes:
		return dropoff != nil && r.drive != nil && r.drive(at, *dropoff).Minutes() <= r.value
	case r.name == showStops:
		return stops != nil && float64(*stops) <= r.value
	}
	return true
}

// Glimpse is the data that decides whether an order's views show its courier's position.
type Glimpse struct {
	Status    Status
	CustodyAt *time.Time
	Dropoff   *Point
	Rule      ShowCourier
	// Stops is how many stops the courier has before the order's drop-off now; nil: unknown.
	Stops *int
}

// Glimpse returns the order's, under the rule of its merchant.
func (o *Order) Glimpse(rule ShowCourier) Glimpse { return o.State().Glimpse(rule) }

// Position returns the part of the courier's position that the view shows, or nil: none
// before custody or recorded before it, none that is too old, for customers by the rule only.
func (g Glimpse) Position(v View, p *Position, now time.Time) *Position {
	if p == nil || !g.Status.ShowsPlace() || g.CustodyAt == nil || p.RecordedAt.Before(*g.CustodyAt) ||
		now.Sub(p.RecordedAt) > MaxShownAge {
		return nil
	}
	if v == ViewCustomer && !g.Rule.Holds(g.Status, p.Point(), g.Dropoff, g.Stops) {
		return nil
	}
	shown := *p
	shown.Stale = p.silentAt(now)
	shown.Attributes = nil // additional phone data is for dispatchers, not for customers
	if v == ViewCustomer {
		shown.Battery, shown.Altitude = nil, nil
	}
	return &shown
}

// Trail returns the positions that the view shows: while the order is under way those in custody, for customers those at
// which the rule held; how many stops were before the order then is not stored. After the end only staff see them.
func (g Glimpse) Trail(v View, trail []Position, history []Event) []Position {
	out := []Position{}
	if v != ViewStaff && (g.Status.Terminal() || !g.Status.ShowsPlace()) {
		return out
	}
	for _, p := range trail {
		if v == ViewCustomer && !g.Rule.Holds(statusAt(history, p.RecordedAt), p.Point(), g.Dropoff, nil) {
			continue
		}
		p.Attributes = nil
		if v == ViewCustomer {
			p.Battery, p.Altitude = nil, nil
		}
		out = append(out, p)
	}
	return out
}

// statusAt returns the order's status at a time, by occurrence.
func statusAt(history []Event, at time.Time) (s Status) {
	for _, e := range history {
		if !e.Note() && !e.OccurredAt.After(at) {
			s = e.Status
		}
	}
	return s
}

// For returns the order as the view shows it, possibly the order itself.
func (o *Order) For(v View) *Order {
	if v != ViewPartner && v != ViewCustomer {
		return o
	}
	if v == ViewPartner {
		shown := *o
		shown.wire = nil
		shown.Customer.Phone, shown.Customer.Email = "", ""
		if o.Shipment != nil { // its label has both, and what is told of its courier may have his number
			shipment := *o.Shipment
			shipment.LabelURL = ""
			shipment.Events = slices.Clone(shipment.Events)
			for i := range shipment.Events {
				if e := &shipment.Events[i]; e.Kind == CarrierCourier {
					e.Value = ""
				}
			}
			shown.Shipment = &shipment
		}
		return &shown
	}
	return o.forCustomer()
}

// forCustomer lists the visible fields explicitly, so that new fields stay hidden.
func (o *Order) forCustomer() *Order {
	c := o.Customer
	shown := &Order{
		ID: o.ID, Number: o.Number, ExternalID: o.ExternalID, MerchantID: o.MerchantID, Status: o.Status, Version: o.Version,
		Customer: Customer{Name: c.Name, Phone: MaskPhone(c.Phone), Email: MaskEmail(c.Email), Locale: c.Locale},
		Dropoff:  o.Dropoff, Items: o.Items, Total: o.Total, Attempts: o.Attempts, ProofRequired: o.ProofRequired,
		Instructions: o.Instructions, Rating: o.Rating, Payment: o.Payment, Contacts: slices.Sorted(maps.Keys(o.Bookkeeping.Contacts)),
		ReadyAt: o.ReadyAt, PromisedAt: o.PromisedAt, DeliverAfter: o.DeliverAfter, DeliverBefore: o.DeliverBefore,
		Timezone: o.Timezone, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, DeliveredAt: o.DeliveredAt, CancelledAt: o.CancelledAt,
	}
	if o.Pickup != nil {
		shown.Pickup = &Place{Address: o.Pickup.Address, Location: o.Pickup.Location}
	}
	if o.Exception != nil {
		shown.Exception = &Exception{Code: o.Exception.Code, Since: o.Exception.Since}
	}
	if o.Shipment != nil {
		shown.Shipment = o.Shipment.forCustomer()
	}
	if o.ETA != nil { // the distance reveals the position, too
		shown.ETA = new(o.ETA.For(ViewCustomer, false))
	}
	return shown
}

// forCustomer returns the customer's view of the parcel: its number, scans and expected
// time, without costs, contract and paperwork.
func (s *Shipment) forCustomer() *Shipment {
	shown := &Shipment{Carrier: s.Carrier, TrackingNumber: s.TrackingNumber, Phase: s.Phase, Expected: s.Expected, Pickup: s.Pickup}
	for _, e := range s.Events {
		if e.Kind == CarrierScan && !e.Retracted {
			shown.Events = append(shown.Events, CarrierEvent{
				ID: e.ID, Kind: e.Kind, Code: e.Code, Text: e.Text, Status: e.Status, OccurredAt: e.OccurredAt, City: e.City,
			})
		}
	}
	return shown
}

// forCustomers are the events visible to customers.
var forCustomers = []EventType{EventCreated, EventStatusChanged, EventCourierNear, EventOrderLate}

// For returns the event as the view shows it; false when it is hidden.
func (e Event) For(v View) (Event, bool) {
	if v == ViewStaff {
		return e, true
	}
	e.wire = nil
	if v == ViewPartner && (e.Type == EventIncidentOpened || e.Type == EventIncidentClosed) {
		return Event{}, false
	}
	if v == ViewCustomer {
		if !slices.Contains(forCustomers, e.Type) {
			return Event{}, false
		}
		e.Actor, e.Source, e.Reason, e.Location, e.Data = Actor{}, "", "", nil, nil
		return e, true
	}
	if e.Actor.Kind != RoleMerchant { // staff identities are internal
		e.Actor.ID = ""
	}
	return e, true
}

// History returns the events as the view shows them.
func History(events []Event, v View) []Event {
	if v == ViewStaff {
		return events
	}
	out := make([]Event, 0, len(events))
	for _, e := range events {
		if shown, ok := e.For(v); ok {
			out = append(out, shown)
		}
	}
	return out
}

// For returns the courier of an order in the status as the view shows it; nil when hidden.
func (c *Courier) For(v View, s Status) *Courier {
	if c == nil || v == ViewStaff {
		return c
	}
	if !stages[s].courier {
		return nil
	}
	shown := &Courier{Name: c.Name, Vehicle: c.Vehicle}
	switch v {
	case ViewMerchant, ViewCourier:
		shown.ID, shown.Phone = c.ID, c.Phone
	case ViewPartner:
		shown.ID = c.ID
	case ViewCustomer:
		shown.Name, _, _ = strings.Cut(strings.TrimSpace(c.Name), " ")
	}
	return shown
}

// For returns the estimate as the view shows it. Customers see the distance only while they see the position, as given by place.
func (e Estimate) For(v View, place bool) Estimate {
	if v == ViewCustomer && !place {
		e.DistanceM = nil
	}
	return e
}

// MaskPhone keeps the last two digits of a phone number.
func MaskPhone(s string) string {
	if len(s) <= 2 {
		return strings.Repeat("*", len(s))
	}
	return strings.Repeat("*", len(s)-2) + s[len(s)-2:]
}

// MaskEmail keeps the first character of an e-mail address and its domain.
func MaskEmail(s string) string {
	name, host, ok := strings.Cut(s, "@")
	if !ok || name == "" {
		return ""
	}
	first := []rune(name)[:1]
	return string(first) + "***@" + host
}
