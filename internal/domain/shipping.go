package domain

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Booking is a request to send an order; missing fields are derived from the order.
type Booking struct {
	// Tariff is a code of the carrier, or cheapest or fastest.
	Tariff   string    `json:"tariff,omitempty" maxLength:"128" doc:"the company's code, cheapest or fastest" example:"cheapest"`
	From     Stop      `json:"from,omitzero"`
	To       Stop      `json:"to,omitzero"`
	Packages []Package `json:"packages,omitempty" maxItems:"255"`
	Comment  string    `json:"comment,omitempty" maxLength:"2000"`
	Sender   *Customer `json:"sender,omitempty" doc:"the sender, if not the one the company has on file"`
	// Payment is the cash on delivery; the order's when absent.
	Payment  *Payment         `json:"payment,omitempty" doc:"what the recipient pays on delivery; default: the order's"`
	Seller   *Seller          `json:"seller,omitempty" doc:"the actual seller, if not the sender"`
	Services []CarrierService `json:"services,omitempty" maxItems:"30" doc:"additional services"`
	Invoice  *Invoice         `json:"invoice,omitempty" doc:"makes it an international parcel"`
}

// Validate returns every fault of the booking.
func (b *Booking) Validate() error {
	var f Faults
	f.Check("", b)
	b.Rules(&f)
	return f.Err()
}

// Rules adds the faults that tags can't express.
func (b *Booking) Rules(f *Faults) {
	for at, s := range map[string]Stop{"/from": b.From, "/to": b.To} {
		if s.Country != "" && (len(s.Country) != 2 || strings.Trim(s.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
			f.Add(at+"/country", "invalid_country", "must be a country's two capital letters, such as KZ")
		}
	}
	b.Payment.rules(f)
	if b.Sender != nil {
		f.Phone("/sender/phone", &b.Sender.Phone, "RU")
	}
}

// ShipmentJob is the pending work on a shipment. It is stored beside the order and never shown.
type ShipmentJob struct {
	OrderID string
	Account CarrierAccount
	Ref     ShipmentRef // without its phase
	// Booking is the request to send; nil for a parcel that somebody else booked.
	Booking *Booking
	// SentAt is since when the carrier may have received it, zero when it can't have.
	SentAt time.Time
	// Cancelling is set when it is to be cancelled.
	Cancelling bool
	// Due is the time of the next poll, zero for never; Since that of the last news, and Looks the number of polls since.
	Due   time.Time
	Since time.Time
	Looks int
	// FailingSince is since when every poll has failed, zero when the last one succeeded.
	FailingSince time.Time
	// Performer is where the carrier's courier is while he carries the parcel; nil otherwise.
	Performer *Position
}

// HookMessage is a webhook as received, stored until it has been processed.
type HookMessage struct {
	ID         string
	Account    CarrierAccount
	ReceivedAt time.Time
	Header     map[string][]string
	Query      string // of the called URL, encoded
	Body       []byte
}

// MaxClientRef is the maximum length of a client reference: a limit of carriers.
const MaxClientRef = 32

// ClientRef makes the carrier's reference for a shipment of the order that is booked now:
// permanently unique, readable, letters, digits and dashes only.
func (o *Order) ClientRef(now time.Time) string {
	suffix := "-" + strings.ToUpper(strconv.FormatInt(now.UnixMilli(), 36))
	plain := strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-') {
			return r
		}
		return -1
	}, o.Number)
	if plain != o.Number || len(plain)+len(suffix) > MaxClientRef { // an imported number: others may be left with the same letters
		suffix = "-" + strings.ToUpper(o.ID[len(o.ID)-6:]) + suffix
		plain = plain[:min(len(plain), MaxClientRef-len(suffix))]
	}
	return strings.TrimLeft(plain+suffix, "-")
}

// Of returns the booking with its missing values taken from the order.
func (b Booking) Of(o *Order) Booking {
	if o.Pickup != nil {
		b.From.Place = fill(b.From.Place, *o.Pickup)
	}
	b.To.Place = fill(b.To.Place, o.Dropoff)
	if len(b.Packages) == 0 {
		b.Packages = Packages(o.Items)
	}
	if b.Payment == nil && o.Payment.Collects() {
		b.Payment = o.Payment
	}
	return b
}

// Request returns the booking as a carrier's request.
func (b Booking) Request(o *Order, clientRef string) ShipmentRequest {
	b = b.Of(o)
	return ShipmentRequest{
		ClientRef: clientRef, Tariff: b.Tariff, Sender: b.Sender, Recipient: o.Customer, From: b.From, To: b.To,
		Packages: b.Packages, Items: o.Items, Comment: b.Comment, Notes: o.Notes,
		Payment: b.Payment.asked(), Seller: b.Seller, Services: b.Services, Invoice: b.Invoice,
	}
}

// fill takes a place from the order when the booking has none.
func fill(p, of Place) Place {
	if p.Address == "" && p.Location == nil {
		return of
	}
	return p
}

// Book gives the order a shipment. It fails with order_finished, with shipment_exists while one is alive, and with
// illegal_transition when a new parcel is booked for goods already handed over; a parcel that is only tracked may be on its way.
func (o *Order) Book(s Shipment, follow bool, by By) ([]Event, error) {
	switch {
	case o.Status.Terminal():
		return nil, Errorf(CodeOrderFinished, "an order that is %s needs no shipment", o.Status)
	case o.Shipment != nil && o.Shipment.Phase.Live():
		return nil, Errorf(CodeShipmentExists, "the order has a shipment with %s already; cancel the order, or wait until the carrier ends it", o.Shipment.Carrier)
	case !follow && !o.Status.BeforeCustody():
		return nil, &Error{
			Code: CodeIllegalTransition, Allowed: o.Status.Next(),
			Message: "the goods of an order that is " + string(o.Status) + " were handed over already",
		}
	}
	o.Shipment = &s
	if x := o.Exception; x != nil && (x.Code == ExceptionRejected || x.Code == ExceptionCancelled) {
		o.Exception = nil // resolved by this booking
	}
	data := given(map[string]any{"carrier": s.Carrier}, map[string]string{"tariff": s.Tariff, "tracking_number": s.TrackingNumber})
	return []Event{o.change(EventShipmentBooked, by, data)}, nil
}

// DropShipment marks the shipment as cancelled, as part of the change that cancels its order; it causes no event of its own.
func (o *Order) DropShipment() {
	if o.Shipment != nil && o.Shipment.Phase.Live() {
		dropped := *o.Shipment
		dropped.Phase = PhaseCancelled
		o.Shipment, o.wire = &dropped, nil
	}
}

// The exceptions raised for the shipment itself.
const (
	ExceptionRejected  = "shipment_rejected"
	ExceptionCancelled = "shipment_cancelled"
	ExceptionRetracted = "delivery_retracted"
	// ExceptionBookingUnknown: only a person can find out whether the carrier has the booking.
	ExceptionBookingUnknown = "booking_unknown"
	// ExceptionSilent: the carrier has given no information on the parcel for an hour.
	ExceptionSilent = "carrier_silent"
	// ExceptionPaidCancel: it was to be cancelled, but that costs money.
	ExceptionPaidCancel = "paid_cancel_required"
)

// Doubt raises an exception about the order's shipment; a carrier's silence does not replace another one.
func (o *Order) Doubt(code, detail string, by By) []Event {
	if o.Shipment == nil || code == ExceptionSilent && o.Exception != nil {
		return nil
	}
	by.Source = o.Shipment.Carrier
	return o.raise(code, detail, by, map[string]any{"carrier": o.Shipment.Carrier})
}

// ResolveBooking stores a person's answer about a booking with an unknown outcome: the
// names to use from now on. It fails with illegal_transition when no answer is needed.
func (o *Order) ResolveBooking(ref ShipmentRef, by By) ([]Event, error) {
	asked := o.Exception != nil && (o.Exception.Code == ExceptionBookingUnknown || o.Exception.Code == ExceptionSilent)
	if o.Shipment == nil || o.Shipment.Phase != PhasePending || !asked {
		return nil, &Error{Code: CodeIllegalTransition, Allowed: o.Status.Next(), Message: "nothing about the order's shipment is to be resolved"}
	}
	next := *o.Shipment
	next.Reference, next.TrackingNumber = ref.ClientRef, ref.TrackingNumber
	o.Shipment = &next
	return o.settle(by, o.Exception.Code), nil
}

// RefuseShipment records that the shipment was refused on the recipient's behalf, for money.
func (o *Order) RefuseShipment(terms CancelTerms, by By) []Event {
	if o.Shipment == nil {
		return nil
	}
	by.Source = o.Shipment.Carrier
	data := map[string]any{"carrier": o.Shipment.Carrier, "refusal": string(terms.Kind)}
	if terms.Price != nil {
		data["price"] = *terms.Price
	}
	return append(o.settle(by, ExceptionPaidCancel), o.change(EventShipmentChanged, by, data))
}

// settle clears an exception that no longer holds.
func (o *Order) settle(by By, codes ...string) []Event {
	if o.Exception == nil || !slices.Contains(codes, o.Exception.Code) {
		return nil
	}
	ended := o.Exception.Code
	o.Exception = nil
	return []Event{o.change(EventException, by, map[string]any{"ended": ended, "carrier": o.Shipment.Carrier})}
}

// LearnShipment applies a carrier's snapshot to the order: scans are observed, problems become an exception, and a shipment that
// ended before the goods were handed over makes the order ready for another carrier. It causes no event when nothing is new.
func (o *Order) LearnShipment(snap ShipmentSnapshot, by By) []Event {
	if o.Shipment == nil {
		return nil
	}
	by.Source = o.Shipment.Carrier
	next := *o.Shipment
	// Events dated ahead of our clock are applied once their time has come.
	snap.Events = slices.DeleteFunc(slices.Clone(snap.Events), func(ev CarrierEvent) bool {
		return ev.OccurredAt.After(by.Now.Add(FutureTolerance))
	})
	fresh := next.Learn(snap)
	changed := !reflect.DeepEqual(*o.Shipment, next)
	moved := !reflect.DeepEqual(o.Shipment.Pickup, next.Pickup) // a new pickup point is added to the history
	ended := o.Shipment.Phase.Live() && !next.Phase.Live()
	o.Shipment = &next
	var out []Event
	for _, ev := range fresh {
		out = append(out, o.applyCarrierEvent(ev, snap.Reverse, by)...)
	}
	out = append(out, o.receive(snap.Received, snap.Registry, by, map[string]any{"carrier": next.Carrier})...)
	out = append(out, o.settle(by, ExceptionSilent, ExceptionBookingUnknown)...)
	if o.Status == StatusDelivered { // earlier problems are over
		out = append(out, o.settle(by, next.problems()...)...)
	}
	if ended {
		out = append(out, o.endShipment(snap, by)...)
	}
	// A change carries the shipment as it is now.
	if changed && !slices.ContainsFunc(out, func(ev Event) bool { return !ev.Note() }) || moved {
		data := map[string]any{
			"carrier": next.Carrier, "carrier_status": next.CarrierStatus, "phase": string(next.Phase), "tracking_number": next.TrackingNumber,
		}
		if next.Pickup != nil {
			data["pickup"] = *next.Pickup
		}
		out = append(out, o.change(EventShipmentChanged, by, data))
	}
	return out
}

// applyCarrierEvent applies one event of a carrier.
func (o *Order) applyCarrierEvent(ev CarrierEvent, reverse bool, by By) []Event {
	by.Reason = ev.Reason
	data := ev.data(o.Shipment.Carrier)
	if ev.Retracted {
		if ev.Status == "" || reverse {
			return nil
		}
		by.OccurredAt = ev.OccurredAt
		return append([]Event{o.Note(EventReportLate, by, data)}, o.raise(ExceptionRetracted, ev.Text, by, data)...)
	}
	var out []Event
	switch {
	case ev.Status == "" || reverse:
	case ev.Status == o.Status && o.newestOf(o.Shipment.Carrier, Timestamp(ev.OccurredAt)):
		// Another scan with the order's current status.
		by.OccurredAt = ev.OccurredAt
		out = append(out, o.change(EventShipmentChanged, by, data))
	default:
		out = o.Observe(Report{
			EventID: ev.ID, OrderID: o.ID, Status: ev.Status, OccurredAt: ev.OccurredAt,
			Source: o.Shipment.Carrier, Reason: ev.Reason, Data: data,
		}, by)
	}
	own := ev.Exception == ExceptionRejected || ev.Exception == ExceptionCancelled // reported by the phase
	if ev.Exception != "" && !own && o.Active() {
		out = append(out, o.raise(ev.Exception, cmp.Or(ev.Reason, ev.Text), by, data)...)
	}
	return out
}

// data returns the fields of a carrier's event that the history keeps, unchanged.
func (ev CarrierEvent) data(carrier string) map[string]any {
	m := given(map[string]any{"carrier": carrier, "code": ev.Code, "source_id": ev.ID}, map[string]string{
		"text": ev.Text, "detail": ev.Detail, "city": ev.City, "reason_code": ev.ReasonCode, "value": ev.Value,
	})
	if ev.Kind == CarrierCourier { // the courier's phone number has no place in the history
		delete(m, "value")
	}
	if ev.Retracted {
		m["retracted"] = true
	}
	return m
}

// raise sets an exception unless it is set already; a finished order can have one too.
func (o *Order) raise(code, detail string, by By, data map[string]any) []Event {
	if x := o.Exception; x != nil && x.Code == code && x.Detail == detail {
		return nil
	}
	o.Exception = &Exception{Code: code, Detail: detail, Since: Timestamp(by.Now)}
	told := map[string]any{}
	maps.Copy(told, data)
	if theirs, ok := data["code"]; ok {
		told["carrier_code"] = theirs
	}
	told["code"], told["detail"] = code, detail
	by.Reason, by.OccurredAt = "", time.Time{}
	return []Event{o.change(EventException, by, told)}
}

// endShipment applies to the order that its shipment was rejected or deleted. It never ends the order.
func (o *Order) endShipment(snap ShipmentSnapshot, by By) []Event {
	if !o.Status.BeforeCustody() {
		return nil
	}
	code, detail := ExceptionCancelled, snap.Text
	if o.Shipment.Phase == PhaseRejected {
		code = ExceptionRejected
	}
	if len(snap.Errors) > 0 {
		detail = cmp.Or(snap.Errors[0].Message, snap.Errors[0].Code)
	}
	out := o.raise(code, detail, by, map[string]any{"carrier": o.Shipment.Carrier})
	if o.Status.CanMove(StatusConfirmed) && o.CourierID == "" {
		out = append(out, o.enter(StatusConfirmed, by, map[string]any{"carrier": o.Shipment.Carrier}))
	}
	return out
}
