package domain

import (
	"encoding/base32"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Order is one delivery. Fields can be read freely and are written only by the methods of
// Order, each of which returns the events it caused.
type Order struct {
	ID            string            `json:"id" format:"uuid" example:"0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"`
	Number        string            `json:"number" doc:"short, for people" example:"7K2-9QF-M4X"`
	ExternalID    string            `json:"external_id,omitempty"`
	MerchantID    string            `json:"merchant_id,omitempty"`
	Status        Status            `json:"status" example:"created"`
	Version       int64             `json:"version" doc:"grows by one with every change of the order" example:"1"`
	Customer      Customer          `json:"customer"`
	Pickup        *Place            `json:"pickup,omitempty"`
	Dropoff       Place             `json:"dropoff"`
	Items         []Item            `json:"items,omitempty"`
	Total         *Money            `json:"total,omitempty"`
	Payment       *Payment          `json:"payment,omitempty" doc:"what the recipient pays on delivery"`
	Notes         string            `json:"notes,omitempty"`
	Instructions  string            `json:"instructions,omitempty" maxLength:"500" doc:"the customer's own, for the courier"`
	Rating        *Rating           `json:"rating,omitempty" doc:"the customer's"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	CourierID     string            `json:"courier_id,omitempty" format:"uuid"`
	Shipment      *Shipment         `json:"shipment,omitempty"`
	ReadyAt       *time.Time        `json:"ready_at,omitempty"`
	PromisedAt    *time.Time        `json:"promised_at,omitempty"`
	DeliverAfter  *time.Time        `json:"deliver_after,omitempty" doc:"not delivered before this time"`
	DeliverBefore *time.Time        `json:"deliver_before,omitempty" doc:"to be delivered by this time"`
	Timezone      string            `json:"timezone,omitempty" format:"timezone" doc:"the customer's (IANA)" example:"Europe/Moscow"`
	Priority      int               `json:"priority,omitempty" minimum:"0" maximum:"9" doc:"higher is first"`
	Requirements  *Requirements     `json:"requirements,omitempty"`
	ProofRequired []string          `json:"proof_required,omitempty" enum:"photo,signature,pin" nullable:"false" doc:"what the courier must bring to deliver it"`
	PIN           string            `json:"pin,omitempty" readOnly:"true" doc:"what the customer tells the courier; only in the answer to a share link"`
	Contacts      []string          `json:"contacts,omitempty" readOnly:"true" nullable:"false" doc:"the channels that the customer has connected; only in the answer to a share link" example:"[\"telegram\"]"`
	ETA           *Estimate         `json:"eta,omitempty" doc:"as of this version"`
	// Attempts counts delivery attempts: failed ones and the one that succeeded.
	Attempts    int        `json:"attempts"`
	Exception   *Exception `json:"exception,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	CancelledAt *time.Time `json:"cancelled_at,omitempty"`

	// Bookkeeping is the internal state that enforces the order's rules; stored, never shown.
	Bookkeeping Bookkeeping `json:"-"`

	wire []byte // the JSON of this version once frozen
}

// Bookkeeping is the internal state of an order behind its visible fields.
type Bookkeeping struct {
	// Seq is the seq of the newest event.
	Seq int64 `json:"seq"`
	// Reported is the newest occurred_at reported by each source.
	Reported map[string]time.Time `json:"reported,omitempty"`
	// AssignedAt is when the courier got the order.
	AssignedAt *time.Time `json:"assigned_at,omitempty"`
	// SilentSince is the courier's last contact before the most recent silence that was noted.
	SilentSince *time.Time `json:"silent_since,omitempty"`
	// CustodyAt is when the goods were handed over, the start of the order's trail.
	CustodyAt *time.Time `json:"custody_at,omitempty"`
	// EndedAt is when the order reached its final status.
	EndedAt *time.Time `json:"ended_at,omitempty"`
	// ErasedAt is when the customer's data was erased.
	ErasedAt *time.Time `json:"erased_at,omitempty"`
	// SentOnce marks the note entries that are not sent again until the courier changes.
	SentOnce map[string]bool `json:"told,omitempty"`
	// Contacts are the customer's addresses by channel that are not in Customer: chats, browsers; one per line.
	Contacts map[string]string `json:"contacts,omitempty"`
	// Offers are all offers so far, and Search is set while more are to come.
	Offers []Offer `json:"offers,omitempty"`
	// Proofs and Incidents are all so far; their images are stored beside the order.
	Proofs    []ProofRecord `json:"proofs,omitempty"`
	Incidents []Incident    `json:"incidents,omitempty"`
	Search    *Search       `json:"search,omitempty"`
	// First is the first estimate of more than a default; for a parcel the first with it.
	First *FirstEstimate `json:"first,omitempty"`
}

// FirstEstimate is what people were told first, for reports.
type FirstEstimate struct {
	ETA      time.Time `json:"eta"`
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
	Carrier  string    `json:"carrier,omitempty"`
}

// Customer is the recipient of the order.
type Customer struct {
	Name   string `json:"name" minLength:"1" maxLength:"200" example:"Anna Petrova"`
	Phone  string `json:"phone,omitempty" maxLength:"40" doc:"returned in E.164" example:"+79161234567"`
	Email  string `json:"email,omitempty" format:"email" maxLength:"254"`
	Locale string `json:"locale,omitempty" format:"locale" maxLength:"35" doc:"a language tag (BCP 47)" example:"ru"`
}

// Place is a pickup or drop-off location.
type Place struct {
	Address  string `json:"address,omitempty" maxLength:"500" example:"Tverskaya 7, Moscow"`
	Location *Point `json:"location,omitempty"`
	Notes    string `json:"notes,omitempty" maxLength:"2000" example:"the green door"`
}

// Item is a line of an order.
type Item struct {
	Name     string `json:"name" minLength:"1" maxLength:"200" example:"Pizza"`
	SKU      string `json:"sku,omitempty" maxLength:"128" example:"P-1"`
	Quantity int    `json:"quantity" required:"false" default:"1" minimum:"1" maximum:"1000000" example:"2"`
	Price    *Money `json:"price,omitempty" doc:"of one"`
	WeightG  int    `json:"weight_g,omitempty" minimum:"0" maximum:"1000000000" doc:"of one, in grams"`
	LengthCm int    `json:"length_cm,omitempty" minimum:"0" maximum:"1000" doc:"of one, in centimetres"`
	WidthCm  int    `json:"width_cm,omitempty" minimum:"0" maximum:"1000"`
	HeightCm int    `json:"height_cm,omitempty" minimum:"0" maximum:"1000"`
}

// UnmarshalJSON reads an absent quantity as one.
func (i *Item) UnmarshalJSON(data []byte) error {
	type plain Item
	v := plain{Quantity: 1}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*i = Item(v)
	return nil
}

// Exception is a problem that is not a status of its own: on hold, customs, wrong address, damaged.
type Exception struct {
	Code   string    `json:"code" minLength:"1" maxLength:"128" example:"wrong_address"`
	Detail string    `json:"detail,omitempty" maxLength:"2000"`
	Since  time.Time `json:"since"`
}

// Estimate is the expected delivery time. [Earliest, Latest] is an 80 % interval.
type Estimate struct {
	OrderID          string         `json:"order_id" format:"uuid"`
	ETA              time.Time      `json:"eta"`
	Earliest         time.Time      `json:"earliest"`
	Latest           time.Time      `json:"latest"`
	MinutesRemaining int            `json:"minutes_remaining" minimum:"0" example:"40"`
	DistanceM        *float64       `json:"distance_m,omitempty"`
	Method           EstimateMethod `json:"method" example:"route"`
	Confidence       float64        `json:"confidence" minimum:"0" maximum:"1"`
	ComputedAt       time.Time      `json:"computed_at"`
}

// An estimate is shown again when it has moved by this much: a tenth of the rest, but at least a minute, and at most three.
const (
	leastMove = time.Minute
	mostMove  = 3 * time.Minute
)

// Moved reports whether the estimate differs enough from an earlier one to be shown again.
func (e Estimate) Moved(from Estimate) bool {
	tenth := from.ETA.Sub(e.ComputedAt) / 10
	return e.ETA.Sub(from.ETA).Abs() >= min(max(tenth, leastMove), mostMove)
}

// EstimateMethod tells what an estimate is based on.
type EstimateMethod string

// The methods, most precise first; actual is the time of the delivery itself.
const (
	MethodLive     EstimateMethod = "live"
	MethodRoute    EstimateMethod = "route"
	MethodHistory  EstimateMethod = "history"
	MethodCarrier  EstimateMethod = "carrier"
	MethodPromised EstimateMethod = "promised"
	MethodDefault  EstimateMethod = "default"
	MethodActual   EstimateMethod = "actual"
)

// NewOrder makes an order from a draft returned by Normalize.
func NewOrder(d Draft, by By) (*Order, Event) {
	id := uuid.Must(uuid.NewV7())
	now := Timestamp(by.Now)
	o := &Order{
		ID: id.String(), Number: orderNumber(id), ExternalID: d.ExternalID, MerchantID: d.MerchantID,
		Status: StatusCreated, Customer: d.Customer, Pickup: d.Pickup, Dropoff: *d.Dropoff,
		Items: slices.Clone(d.Items), Total: d.Total, Payment: d.Payment.asked(), Notes: d.Notes, Metadata: maps.Clone(d.Metadata),
		ReadyAt: d.ReadyAt, PromisedAt: d.PromisedAt, DeliverAfter: d.DeliverAfter, DeliverBefore: d.DeliverBefore,
		Timezone: d.Timezone, Priority: d.Priority, Requirements: d.Requirements, ProofRequired: slices.Clone(d.ProofRequired),
		CreatedAt: now,
	}
	return o, o.change(EventCreated, by, nil)
}

// crockford is a base 32 alphabet without easily confused letters.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// orderNumber encodes 45 random bits of the id as nine characters.
func orderNumber(id uuid.UUID) string {
	var c [10]byte
	crockford.Encode(c[:], id[10:])
	return string(c[:3]) + "-" + string(c[3:6]) + "-" + string(c[6:9])
}

// Active reports whether the order can still change its status.
func (o *Order) Active() bool { return !o.Status.Terminal() }

// EndedAt returns when the order reached its final status; later changes, such as a rating,
// do not move it. Of an order that is not final it is the time of the last change.
func (o *Order) EndedAt() time.Time {
	for _, at := range []*time.Time{o.Bookkeeping.EndedAt, o.DeliveredAt, o.CancelledAt} {
		if at != nil {
			return *at
		}
	}
	return o.UpdatedAt
}

// change makes an event that changes the order: version and seq grow.
func (o *Order) change(t EventType, by By, data map[string]any) Event {
	o.Version++
	o.UpdatedAt = Timestamp(by.Now)
	return o.Note(t, by, data)
}

// Note adds a note entry to the history; the order stays unchanged.
func (o *Order) Note(t EventType, by By, data map[string]any) Event {
	o.wire = nil
	o.Bookkeeping.Seq++
	if o.Erased() { // nothing personal comes back
		o.anonymize()
		by.Reason, by.Location = "", nil
		data, _ = harmless(data).(map[string]any)
	}
	return Event{
		ID: NewID(), OrderID: o.ID, Seq: o.Bookkeeping.Seq, Version: o.Version, Type: t, Status: o.Status,
		OccurredAt: by.occurred(), RecordedAt: Timestamp(by.Now), Actor: by.Actor, Source: by.Source,
		Reason: by.Reason, Location: by.Location, Data: data, after: o.copied(),
	}
}

// Once marks a note as sent and reports whether this is the first time.
func (o *Order) Once(what string) (first bool) {
	if o.Bookkeeping.SentOnce[what] {
		return false
	}
	o.Bookkeeping.SentOnce = with(o.Bookkeeping.SentOnce, what, true)
	return true
}

// comingAgain lists the note entries that may be sent again at the next delivery attempt.
var comingAgain = []string{string(EventCourierNear), string(StatusAtDropoff)}

// forget removes sent-once marks.
func (o *Order) forget(said ...string) {
	told := maps.Clone(o.Bookkeeping.SentOnce)
	for _, what := range said {
		delete(told, what)
	}
	o.Bookkeeping.SentOnce = told
}

// NoteSilence records that the courier has been silent since a time, once per silence.
func (o *Order) NoteSilence(since time.Time, by By) []Event {
	if told := o.Bookkeeping.SilentSince; told != nil && !since.After(*told) {
		return nil
	}
	since = Timestamp(since)
	o.Bookkeeping.SilentSince = &since
	return []Event{o.Note(EventCourierSilent, by, map[string]any{"courier_id": o.CourierID, "last_heard_at": since})}
}

// NoteOnce is Note for entries that are sent once.
func (o *Order) NoteOnce(t EventType, by By, data map[string]any) []Event {
	if !o.Once(string(t)) {
		return nil
	}
	return []Event{o.Note(t, by, data)}
}

// LateAt is when the order's promise will have been broken without a note of it; zero for never.
func (o *Order) LateAt() time.Time {
	if !o.Active() || o.PromisedAt == nil || o.Bookkeeping.SentOnce[string(EventOrderLate)] {
		return time.Time{}
	}
	return *o.PromisedAt
}

// RiskAt is from when on the order counts as late: its promise, or the start of all times once the end of its estimate's window
// lies after that, if the estimate knows more than the promise. It is false for finished orders and those without a promise.
func (o *Order) RiskAt() (time.Time, bool) {
	switch {
	case !o.Active() || o.PromisedAt == nil:
		return time.Time{}, false
	case o.ETA != nil && o.ETA.Method != MethodPromised && o.ETA.Method != MethodDefault && o.ETA.Latest.After(*o.PromisedAt):
		return time.Unix(0, 0), true
	}
	return *o.PromisedAt, true
}

// NoteLate records, once, that the order is late: its promise has passed, or lies before the
// whole window of its estimate, so that it hardly can be kept.
func (o *Order) NoteLate(e *Estimate, by By) []Event {
	at := o.LateAt()
	if at.IsZero() || !by.Now.After(at) && !e.Misses(at) {
		return nil
	}
	return o.NoteOnce(EventOrderLate, by, map[string]any{"promised_at": o.PromisedAt})
}

// Misses reports whether the whole window, made from what is known of the delivery, lies after a promise.
func (e *Estimate) Misses(promised time.Time) bool {
	return e != nil && (e.Method == MethodLive || e.Method == MethodHistory) && e.Earliest.After(promised)
}

// with returns a copy of a map with one more entry.
func with[V any](m map[string]V, key string, value V) map[string]V {
	out := make(map[string]V, len(m)+1)
	maps.Copy(out, m)
	out[key] = value
	return out
}

// SetETA stores the estimate as of the version just made.
func (o *Order) SetETA(e *Estimate) {
	o.ETA = e
	o.wire = nil
	if e == nil || e.Method == MethodDefault || e.Method == MethodPromised || e.Method == MethodActual {
		return
	}
	carrier := ""
	if o.Shipment != nil {
		carrier = o.Shipment.Carrier
	}
	if first := o.Bookkeeping.First; first == nil || first.Carrier != carrier && carrier != "" {
		o.Bookkeeping.First = &FirstEstimate{ETA: e.ETA, Earliest: e.Earliest, Latest: e.Latest, Carrier: carrier}
	}
}

// Freeze encodes the order once for all readers; it must not change afterwards.
func (o *Order) Freeze() (wire []byte, err error) {
	if o.wire == nil {
		o.wire, err = o.MarshalJSON()
	}
	return o.wire, err
}

// Thaw decodes an order encoded by Freeze; data is retained and must not change.
func Thaw(data []byte, b Bookkeeping) (*Order, error) {
	o := new(Order)
	if err := json.Unmarshal(data, o); err != nil {
		return nil, err
	}
	o.Bookkeeping, o.wire = b, data
	return o, nil
}

// MarshalJSON encodes the order as defined in the contract, once when frozen.
func (o *Order) MarshalJSON() ([]byte, error) {
	if o.wire != nil {
		return o.wire, nil
	}
	return appendOrder(make([]byte, 0, 1024), o), nil
}
