package domain

import (
	"cmp"
	"slices"
	"time"
)

// Shipment is an order's parcel at a delivery company.
type Shipment struct {
	Carrier string `json:"carrier" minLength:"1" maxLength:"128" example:"cdek"`
	// Account is the contract that it was booked with; absent for the usual one.
	Account        string `json:"account,omitempty" maxLength:"128" doc:"the contract it was booked with; omitted for the default one"`
	TrackingNumber string `json:"tracking_number,omitempty" maxLength:"128" example:"1106094897"`
	// Reference is our name for it, which the carrier shows beside its own number.
	Reference string `json:"reference,omitempty"`
	// CarrierStatus is the carrier's own code and CarrierStatusText its own words.
	CarrierStatus     string        `json:"carrier_status,omitempty"`
	CarrierStatusText string        `json:"carrier_status_text,omitempty"`
	Phase             ShipmentPhase `json:"phase" example:"registered"`
	Tariff            string        `json:"tariff,omitempty"`
	Price             *Money        `json:"price,omitempty"`
	// Payment is what the carrier takes in, and what it has.
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

// ShipmentPhase is how far the paperwork with the carrier has come; where the
// parcel is, the order's status says.
type ShipmentPhase string

// The phases. Rejected and cancelled ones never travel.
const (
	PhasePending    ShipmentPhase = "pending" // asked for; the carrier has not decided
	PhaseRegistered ShipmentPhase = "registered"
	PhaseRejected   ShipmentPhase = "rejected"
	PhaseCancelled  ShipmentPhase = "cancelled"
)

// Live says whether a parcel of this phase exists or may come to exist.
func (p ShipmentPhase) Live() bool { return p == PhasePending || p == PhaseRegistered }

// ShipmentRef is how a carrier is asked about a shipment: by whichever of its
// names are known, its own id first.
type ShipmentRef struct {
	ID             string        `json:"id,omitempty"`              // the carrier's key
	TrackingNumber string        `json:"tracking_number,omitempty"` // what people are told
	ClientRef      string        `json:"client_ref,omitempty"`      // the name that we gave it
	Sub            string        `json:"sub,omitempty"`             // the carrier behind one that passes parcels on
	Version        string        `json:"version,omitempty"`         // of the carrier's record, where its changes must name one
	Cursor         string        `json:"cursor,omitempty"`          // how far the carrier's journal of it was read
	Phase          ShipmentPhase `json:"phase,omitempty"`
}

// DeliveryPeriod is when a carrier means to deliver.
type DeliveryPeriod struct {
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
}

// CarrierMessage is what a carrier remarked: a warning, or why it refused.
type CarrierMessage struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// CarrierEventKind says what a carrier's event is about.
type CarrierEventKind string

// The kinds of events. Only a scan can move an order.
const (
	CarrierScan      CarrierEventKind = "scan"      // a status of the parcel
	CarrierProblem   CarrierEventKind = "problem"   // something in the way of handing it over
	CarrierEstimate  CarrierEventKind = "estimate"  // another delivery date, in Value
	CarrierModified  CarrierEventKind = "modified"  // another particular, its new value in Value
	CarrierCourier   CarrierEventKind = "courier"   // who collects or brings it, in Value
	CarrierAgreement CarrierEventKind = "agreement" // a delivery window agreed with the recipient
	CarrierDocument  CarrierEventKind = "document"  // a paper or picture, its address in Value
	CarrierOffice    CarrierEventKind = "office"    // an office opened or closed, its code in Value
	CarrierOther     CarrierEventKind = "other"     // nothing that is understood here; kept as it came
)

// CarrierEvent is one thing that a carrier told about a shipment.
type CarrierEvent struct {
	// ID is the same however often and by whichever way the fact is told.
	ID   string           `json:"id"`
	Kind CarrierEventKind `json:"kind"`
	Code string           `json:"code"`           // as the carrier spells it
	Text string           `json:"text,omitempty"` // in the carrier's words
	// Status is what it means for the order; absent when nothing.
	Status     Status    `json:"status,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	ReasonCode string    `json:"reason_code,omitempty"` // the carrier's
	Reason     string    `json:"reason,omitempty"`      // in the carrier's words
	Exception  string    `json:"exception,omitempty"`   // the exception that it raises
	OccurredAt time.Time `json:"occurred_at"`
	City       string    `json:"city,omitempty"`
	Value      string    `json:"value,omitempty"`
	// Unknown says that the code is not in the carrier's tables.
	Unknown bool `json:"unknown,omitempty"`
	// Retracted says that the carrier took it back.
	Retracted bool `json:"retracted,omitempty"`
}

// ShipmentSnapshot is all that a carrier knows of a shipment.
type ShipmentSnapshot struct {
	Ref      ShipmentRef     `json:"ref"`
	Tariff   string          `json:"tariff,omitempty"`
	Status   string          `json:"carrier_status,omitempty"` // the carrier's code of where the parcel is now
	Text     string          `json:"carrier_status_text,omitempty"`
	Price    *Money          `json:"price,omitempty"`
	Expected *DeliveryPeriod `json:"expected,omitempty"`
	LabelURL string          `json:"-"` // of ours; adapters leave it empty
	// Received is what the carrier has taken in from the recipient, and Registry the number
	// of the paper with which it hands it on.
	Received *Money `json:"received,omitempty"`
	Registry string `json:"registry,omitempty"`
	// Pickup is where the recipient fetches it.
	Pickup       *PickupPoint `json:"pickup,omitempty"`
	ReturnNumber string       `json:"return_number,omitempty"`
	// FromDoor says that a courier must collect it, for whom nothing else asks.
	FromDoor bool             `json:"-"`
	Warnings []CarrierMessage `json:"warnings,omitempty"`
	Errors   []CarrierMessage `json:"errors,omitempty"` // why it was rejected
	Events   []CarrierEvent   `json:"events,omitempty"` // in the order in which they count
	// Duplicate says that the carrier refused it because it has a shipment of our name for
	// it already: that one is the order's.
	Duplicate bool `json:"-"`
	// Reverse says that the parcel goes from the customer to the shop; it tells
	// nothing about the order that was delivered before.
	Reverse bool `json:"reverse,omitempty"`
}

// Learn takes over what the carrier now knows and returns the events that are new
// or newly retracted, in the order in which they count. A price, period or label
// once known is not forgotten because an answer lacks it.
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
	s.Pickup = s.Pickup.told(snap.Pickup)
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

// told is what is known of the point after an answer: of the same one nothing is forgotten.
func (p *PickupPoint) told(now *PickupPoint) *PickupPoint {
	if now == nil || p == nil || now.Code != p.Code {
		return cmp.Or(now, p)
	}
	next := *now
	if next.Address == "" { // its particulars could not be asked for
		next = *p
	}
	next.KeptUntil = cmp.Or(now.KeptUntil, p.KeptUntil)
	return &next
}

// problems are the exceptions that couriers reported.
func (s *Shipment) problems() (codes []string) {
	for _, ev := range s.Events {
		if ev.Kind == CarrierProblem && ev.Exception != "" {
			codes = append(codes, ev.Exception)
		}
	}
	return codes
}

// record merges events into the timeline and returns those that told something. Those of
// one second stand as the carrier orders them, behind those that it does not tell any more.
func (s *Shipment) record(events []CarrierEvent) []CarrierEvent {
	timeline := slices.Clone(s.Events)
	var fresh, told []CarrierEvent
	for _, ev := range events {
		at := slices.IndexFunc(timeline, func(known CarrierEvent) bool { return known.ID == ev.ID })
		if at >= 0 {
			known := timeline[at]
			timeline = slices.Delete(timeline, at, at+1)
			if known.Retracted || !ev.Retracted {
				told = append(told, known)
				continue
			}
			known.Retracted = true
			ev = known
		} else if slices.ContainsFunc(told, func(known CarrierEvent) bool { return known.ID == ev.ID }) {
			continue
		}
		told, fresh = append(told, ev), append(fresh, ev)
	}
	timeline = append(timeline, told...)
	slices.SortStableFunc(timeline, func(a, b CarrierEvent) int { return a.OccurredAt.Compare(b.OccurredAt) })
	s.Events = timeline
	return fresh
}

// PollAfter returns how long after a look at a shipment the next one makes sense. It is
// zero when nothing more is to come. since is when the shipment last told anything new,
// looks how often it was looked at since.
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
