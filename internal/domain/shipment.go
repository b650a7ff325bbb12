package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Shipment is an order's parcel at a delivery company.
type Shipment struct {
	Carrier string `json:"carrier" minLength:"1" maxLength:"128" example:"cdek"`
	// Account is the contract it was booked with; absent for the default one.
	Account        string `json:"account,omitempty" maxLength:"128" doc:"the contract it was booked with; omitted for the default one"`
	TrackingNumber string `json:"tracking_number,omitempty" maxLength:"128" example:"1106094897"`
	// Reference is our name for it, shown by the carrier beside its own number.
	Reference string `json:"reference,omitempty"`
	// CarrierStatus is the carrier's own code and CarrierStatusText its text.
	CarrierStatus     string        `json:"carrier_status,omitempty"`
	CarrierStatusText string        `json:"carrier_status_text,omitempty"`
	Phase             ShipmentPhase `json:"phase" example:"registered"`
	Tariff            string        `json:"tariff,omitempty"`
	Price             *Money        `json:"price,omitempty"`
	// Payment is the cash on delivery, due and collected.
	Payment      *Payment         `json:"payment,omitempty"`
	Pickup       *PickupPoint     `json:"pickup,omitempty"`
	Intake       *Intake          `json:"intake,omitempty"`
	ReturnNumber string           `json:"return_number,omitempty"` // of the parcel that brings it back
	LabelURL     string           `json:"label_url,omitempty"`
	Expected     *DeliveryPeriod  `json:"expected,omitempty"`
	Warnings     []CarrierMessage `json:"warnings,omitempty"`
	Events       []CarrierEvent   `json:"events,omitempty"` // by time; those of one second in the carrier's order
}

// PickupPoint is the office or parcel locker where a recipient fetches a parcel.
type PickupPoint struct {
	Code      string     `json:"code"`
	Kind      PointKind  `json:"kind,omitempty"`
	Name      string     `json:"name,omitempty"`
	Address   string     `json:"address,omitempty"`
	Location  *Point     `json:"location,omitempty"`
	Hours     string     `json:"hours,omitempty"` // in the carrier's words
	Notes     string     `json:"notes,omitempty"` // how to find it
	KeptUntil *time.Time `json:"kept_until,omitempty" doc:"returned to the sender after this time"`
}

// ShipmentPhase is the status of the booking; the parcel's progress is the order's status.
type ShipmentPhase string

// The phases. Rejected and cancelled ones never travel.
const (
	PhasePending    ShipmentPhase = "pending" // requested; the carrier has not decided
	PhaseRegistered ShipmentPhase = "registered"
	PhaseRejected   ShipmentPhase = "rejected"
	PhaseCancelled  ShipmentPhase = "cancelled"
)

// Live reports whether a parcel in this phase exists or may come to exist.
func (p ShipmentPhase) Live() bool { return p == PhasePending || p == PhaseRegistered }

// ShipmentRef identifies a shipment to a carrier by any of its known names, the carrier's own id first.
type ShipmentRef struct {
	ID             string        `json:"id,omitempty"`              // the carrier's key
	TrackingNumber string        `json:"tracking_number,omitempty"` // shown to people
	ClientRef      string        `json:"client_ref,omitempty"`      // our name
	Sub            string        `json:"sub,omitempty"`             // the actual carrier behind an aggregator
	Version        string        `json:"version,omitempty"`         // of the carrier's record, where changes must name it
	Cursor         string        `json:"cursor,omitempty"`          // how far the carrier's journal of it was read
	Phase          ShipmentPhase `json:"phase,omitempty"`
}

// DeliveryPeriod is the carrier's planned delivery period.
type DeliveryPeriod struct {
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
}

// CarrierMessage is a carrier's warning or reason for a rejection.
type CarrierMessage struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// CarrierEventKind is the kind of a carrier's event.
type CarrierEventKind string

// The kinds of events. Only a scan can move an order.
const (
	CarrierScan      CarrierEventKind = "scan"      // a status of the parcel
	CarrierProblem   CarrierEventKind = "problem"   // an obstacle to the delivery
	CarrierEstimate  CarrierEventKind = "estimate"  // another delivery date, in Value
	CarrierModified  CarrierEventKind = "modified"  // another detail, its new value in Value
	CarrierCourier   CarrierEventKind = "courier"   // the courier who collects or delivers, in Value
	CarrierAgreement CarrierEventKind = "agreement" // a delivery window agreed with the recipient
	CarrierDocument  CarrierEventKind = "document"  // a document or picture, its address in Value
	CarrierOffice    CarrierEventKind = "office"    // an office opened or closed, its code in Value
	CarrierOther     CarrierEventKind = "other"     // not recognized; stored as received
)

// CarrierEvent is one event of a shipment reported by a carrier.
type CarrierEvent struct {
	// ID is the same however often and by whichever channel the event is reported.
	ID   string           `json:"id"`
	Kind CarrierEventKind `json:"kind"`
	Code string           `json:"code"`           // in the carrier's spelling
	Text string           `json:"text,omitempty"` // in the carrier's words
	// Status is the order status it stands for; absent when there is none.
	Status     Status    `json:"status,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	ReasonCode string    `json:"reason_code,omitempty"` // the carrier's
	Reason     string    `json:"reason,omitempty"`      // in the carrier's words
	Exception  string    `json:"exception,omitempty"`   // the exception that it raises
	OccurredAt time.Time `json:"occurred_at"`
	City       string    `json:"city,omitempty"`
	Value      string    `json:"value,omitempty"`
	// Unknown is set when the code is not in the carrier's tables.
	Unknown bool `json:"unknown,omitempty"`
	// Retracted is set when the carrier withdrew it.
	Retracted bool `json:"retracted,omitempty"`
}

// ShipmentSnapshot is everything a carrier knows about a shipment.
type ShipmentSnapshot struct {
	Ref      ShipmentRef     `json:"ref"`
	Tariff   string          `json:"tariff,omitempty"`
	Status   string          `json:"carrier_status,omitempty"` // the carrier's code of the current status
	Text     string          `json:"carrier_status_text,omitempty"`
	Price    *Money          `json:"price,omitempty"`
	Expected *DeliveryPeriod `json:"expected,omitempty"`
	LabelURL string          `json:"-"` // of ours; adapters leave it empty
	// Received is the amount collected from the recipient, and Registry the number of the remittance document.
	Received *Money `json:"received,omitempty"`
	Registry string `json:"registry,omitempty"`
	// Pickup is the point where the recipient collects the parcel.
	Pickup       *PickupPoint `json:"pickup,omitempty"`
	ReturnNumber string       `json:"return_number,omitempty"`
	// FromDoor is set when a courier must collect the parcel and has to be requested separately.
	FromDoor bool             `json:"-"`
	Warnings []CarrierMessage `json:"warnings,omitempty"`
	Errors   []CarrierMessage `json:"errors,omitempty"` // why it was rejected
	Events   []CarrierEvent   `json:"events,omitempty"` // in the order in which they apply
	// Duplicate is set when the carrier rejected it because a shipment with our name for
	// it exists already: that one belongs to the order.
	Duplicate bool `json:"-"`
	// Reverse is set when the parcel goes from the customer to the shop; it does not
	// affect the order, which was delivered before.
	Reverse bool `json:"reverse,omitempty"`
}

// Learn merges a snapshot and returns the events that are new or newly retracted, in the
// order in which they apply. A known price, period or label is kept when a response lacks it.
func (s *Shipment) Learn(snap ShipmentSnapshot) []CarrierEvent {
	s.Phase = cmp.Or(snap.Ref.Phase, s.Phase)
	s.TrackingNumber = cmp.Or(snap.Ref.TrackingNumber, s.TrackingNumber)
	s.Tariff = cmp.Or(snap.Tariff, s.Tariff)
	s.LabelURL = cmp.Or(snap.LabelURL, s.LabelURL)
	if snap.Status != "" {
		s.CarrierStatus, s.CarrierStatusText = snap.Status, snap.Text
	}
	s.ReturnNumber = cmp.Or(snap.ReturnNumber, s.ReturnNumber)
	s.Payment, _ = s.Payment.receive(snap.Received, snap.Registry)
	s.Pickup = s.Pickup.merged(snap.Pickup)
	s.Price = cmp.Or(snap.Price, s.Price)
	s.Expected = cmp.Or(snap.Expected, s.Expected)
	warnings := slices.Clone(s.Warnings)
	if snap.FromDoor && snap.Ref.Phase == PhaseRegistered && s.Intake == nil {
		snap.Warnings = append(slices.Clone(snap.Warnings), CarrierMessage{Code: WarnNoIntake, Message: "the parcel is collected at the door, and no courier was asked for: book an intake"})
	}
	for _, w := range slices.Concat(snap.Errors, snap.Warnings) {
		if !slices.Contains(warnings, w) {
			warnings = append(warnings, w)
		}
	}
	s.Warnings = warnings
	return s.record(snap.Events)
}

// Performer returns the first name and vehicle, by default a car, of the carrier's courier who brings the order, as last told; nil
// for none, or for one of whom only a phone number is known.
func (o *Order) Performer() *Courier {
	if o.Shipment == nil {
		return nil
	}
	for _, ev := range slices.Backward(o.Shipment.Events) {
		first, _ := utf8.DecodeRuneInString(ev.Value)
		if ev.Kind == CarrierCourier && ev.Status == "" && unicode.IsLetter(first) { // one who only collects it has a status
			c := &Courier{Vehicle: VehicleCar}
			c.Name, _, _ = strings.Cut(ev.Value, " ")
			if v := Vehicle(ev.Detail); v.Valid() {
				c.Vehicle = v
			}
			return c
		}
	}
	return nil
}

// merged returns the point after a response; missing details of the same point are kept.
func (p *PickupPoint) merged(now *PickupPoint) *PickupPoint {
	if now == nil || p == nil || now.Code != p.Code {
		return cmp.Or(now, p)
	}
	next := *now
	if next.Address == "" { // its details could not be fetched
		next = *p
	}
	next.KeptUntil = cmp.Or(now.KeptUntil, p.KeptUntil)
	return &next
}

// problems are the exceptions reported by couriers.
func (s *Shipment) problems() (codes []string) {
	for _, ev := range s.Events {
		if ev.Kind == CarrierProblem && ev.Exception != "" {
			codes = append(codes, ev.Exception)
		}
	}
	return codes
}

// record merges events into the timeline and returns those that are new or newly
// retracted. Events of the same second keep the carrier's order, after those it no longer reports.
func (s *Shipment) record(events []CarrierEvent) []CarrierEvent {
	timeline := slices.Clone(s.Events)
	var fresh, current []CarrierEvent
	for _, ev := range events {
		at := slices.IndexFunc(timeline, func(known CarrierEvent) bool { return known.ID == ev.ID })
		if at >= 0 {
			known := timeline[at]
			timeline = slices.Delete(timeline, at, at+1)
			if known.Retracted || !ev.Retracted {
				current = append(current, known)
				continue
			}
			known.Retracted = true
			ev = known
		} else if slices.ContainsFunc(current, func(known CarrierEvent) bool { return known.ID == ev.ID }) {
			continue
		}
		current, fresh = append(current, ev), append(fresh, ev)
	}
	timeline = append(timeline, current...)
	slices.SortStableFunc(timeline, func(a, b CarrierEvent) int { return a.OccurredAt.Compare(b.OccurredAt) })
	s.Events = timeline
	return fresh
}

// PollAfter returns the pause between a poll of a shipment and the next one, or zero when nothing more is to come. since is
// when the shipment last had any news, looks the number of polls since.
func (p Pace) PollAfter(o *Order, now, since time.Time, looks int) time.Duration {
	s := o.Shipment
	retracted := o.Exception != nil && o.Exception.Code == ExceptionRetracted
	switch {
	case !s.Phase.Live() || retracted && now.Sub(since) > 10*p.EndedFor:
		return 0
	case o.Status.Terminal() && !retracted:
		if now.Sub(since) > p.EndedFor {
			return 0
		}
		return p.Ended
	case s.Phase == PhasePending:
		return min(p.Pending<<min(looks, 10), p.PendingMax)
	case o.Status == StatusOutForDelivery || o.Status == StatusAtDropoff:
		return p.Delivering
	case o.Status.BeforeCustody() && s.Intake.Live() && now.Sub(since) > time.Hour:
		return p.Near
	case o.Status == StatusReadyForPickup || o.Status == StatusDeliveryFailed || s.Expected != nil && now.After(s.Expected.Earliest.Add(-12*time.Hour)):
		return p.Near
	case o.Status.BeforeCustody() && now.Sub(since) < time.Hour:
		return p.Fresh
	}
	return p.Transit
}
