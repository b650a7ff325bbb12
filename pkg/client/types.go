package client

import (
	"encoding/json"
	"time"
)

// Status is the status of an order.
type Status string

// The statuses. The last four are final.
const (
	StatusCreated        Status = "created"
	StatusConfirmed      Status = "confirmed"
	StatusAssigned       Status = "assigned"
	StatusAtPickup       Status = "at_pickup"
	StatusPickedUp       Status = "picked_up"
	StatusInTransit      Status = "in_transit"
	StatusOutForDelivery Status = "out_for_delivery"
	StatusAtDropoff      Status = "at_dropoff"
	StatusReadyForPickup Status = "ready_for_pickup"
	StatusDeliveryFailed Status = "delivery_failed"
	StatusReturning      Status = "returning"
	StatusDelivered      Status = "delivered"
	StatusReturned       Status = "returned"
	StatusCancelled      Status = "cancelled"
	StatusFailed         Status = "failed"
)

// Statuses returns all of them, in the order of a delivery.
func Statuses() []Status {
	return []Status{
		StatusCreated, StatusConfirmed, StatusAssigned, StatusAtPickup, StatusPickedUp, StatusInTransit, StatusOutForDelivery,
		StatusAtDropoff, StatusReadyForPickup, StatusDeliveryFailed, StatusReturning, StatusDelivered, StatusReturned, StatusCancelled,
		StatusFailed,
	}
}

// Point is a place in degrees (WGS 84).
type Point struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

// Money is an amount in minor units (kopecks, cents) of an ISO 4217 currency.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Customer is the recipient of an order.
type Customer struct {
	Name   string `json:"name"`
	Phone  string `json:"phone,omitempty"` // E.164 in responses
	Email  string `json:"email,omitempty"`
	Locale string `json:"locale,omitempty"` // BCP 47
}

// Place is where goods are picked up or dropped off.
type Place struct {
	Address  string `json:"address,omitempty"`
	Location *Point `json:"location,omitempty"`
	Notes    string `json:"notes,omitempty"`
}

// Item is a line of an order.
type Item struct {
	Name     string `json:"name"`
	SKU      string `json:"sku,omitempty"`
	Quantity int    `json:"quantity,omitempty"` // absent in a request: 1
	Price    *Money `json:"price,omitempty"`    // of one
	WeightG  int    `json:"weight_g,omitempty"` // of one, grams
	LengthCm int    `json:"length_cm,omitempty"`
	WidthCm  int    `json:"width_cm,omitempty"`
	HeightCm int    `json:"height_cm,omitempty"`
}

// Rating is a customer's rating of a delivery.
type Rating struct {
	Stars int    `json:"stars"` // 1 to 5
	Text  string `json:"text,omitempty"`
}

// Payment is what the recipient pays on delivery.
type Payment struct {
	Due             *Money `json:"due,omitempty"`      // total for the goods
	Method          string `json:"method,omitempty"`   // prepaid, cash or card
	VATRate         string `json:"vat_rate,omitempty"` // percent, or none
	Delivery        *Money `json:"delivery,omitempty"` // delivery fee on top of the goods
	DeliveryVATRate string `json:"delivery_vat_rate,omitempty"`
	Received        *Money `json:"received,omitempty"` // amount collected; only in responses
	Registry        string `json:"registry,omitempty"` // number of the company's payment document
}

// PickupPoint is an office or parcel locker where a recipient collects a parcel.
type PickupPoint struct {
	Code      string     `json:"code"`
	Kind      string     `json:"kind,omitempty"` // office or locker
	Name      string     `json:"name,omitempty"`
	Address   string     `json:"address,omitempty"`
	Location  *Point     `json:"location,omitempty"`
	Hours     string     `json:"hours,omitempty"` // in the company's words
	Notes     string     `json:"notes,omitempty"`
	KeptUntil *time.Time `json:"kept_until,omitempty"`
}

// Draft is an order to create: customer.name and the drop-off's address or location
// are required.
type Draft struct {
	ExternalID    string            `json:"external_id,omitempty"`
	MerchantID    string            `json:"merchant_id,omitempty"`
	Customer      Customer          `json:"customer"`
	Pickup        *Place            `json:"pickup,omitempty"`
	Dropoff       *Place            `json:"dropoff,omitempty"`
	Items         []Item            `json:"items,omitempty"`
	Total         *Money            `json:"total,omitempty"`
	Payment       *Payment          `json:"payment,omitempty"`
	Notes         string            `json:"notes,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	ReadyAt       *time.Time        `json:"ready_at,omitempty"`
	PromisedAt    *time.Time        `json:"promised_at,omitempty"`
	DeliverAfter  *time.Time        `json:"deliver_after,omitempty"`
	DeliverBefore *time.Time        `json:"deliver_before,omitempty"`
	Timezone      string            `json:"timezone,omitempty"` // IANA, of the customer
	Priority      int               `json:"priority,omitempty"` // 0 to 9
	Requirements  *Requirements     `json:"requirements,omitempty"`
	ProofRequired []string          `json:"proof_required,omitzero"` // photo, signature, pin; nil: what the merchant requires
}

// Requirements a courier must meet to get an order.
type Requirements struct {
	Skills  []string `json:"skills,omitempty"`  // all of them
	Vehicle []string `json:"vehicle,omitempty"` // one of them: foot, bicycle, motorbike, car, van
}

// Order is one delivery.
type Order struct {
	ID            string            `json:"id"`
	Number        string            `json:"number"` // short, for people
	ExternalID    string            `json:"external_id,omitempty"`
	MerchantID    string            `json:"merchant_id,omitempty"`
	Status        Status            `json:"status"`
	Version       int64             `json:"version"` // grows by one with each change of the order
	Customer      Customer          `json:"customer"`
	Pickup        *Place            `json:"pickup,omitempty"`
	Dropoff       Place             `json:"dropoff"`
	Items         []Item            `json:"items,omitempty"`
	Total         *Money            `json:"total,omitempty"`
	Payment       *Payment          `json:"payment,omitempty"`
	Notes         string            `json:"notes,omitempty"`
	Instructions  string            `json:"instructions,omitempty"`
	Rating        *Rating           `json:"rating,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	CourierID     string            `json:"courier_id,omitempty"`
	Shipment      *Shipment         `json:"shipment,omitempty"` // its parcel at a delivery company
	ReadyAt       *time.Time        `json:"ready_at,omitempty"`
	PromisedAt    *time.Time        `json:"promised_at,omitempty"`
	DeliverAfter  *time.Time        `json:"deliver_after,omitempty"`
	DeliverBefore *time.Time        `json:"deliver_before,omitempty"`
	Timezone      string            `json:"timezone,omitempty"` // IANA, of the customer
	Priority      int               `json:"priority,omitempty"` // 0 to 9
	Requirements  *Requirements     `json:"requirements,omitempty"`
	ProofRequired []string          `json:"proof_required,omitempty"` // photo, signature, pin
	PIN           string            `json:"pin,omitempty"`            // only for a share link
	Contacts      []string          `json:"contacts,omitempty"`       // channels that the customer has connected; only for a share link
	ETA           *Estimate         `json:"eta,omitempty"`            // as of this version
	Attempts      int               `json:"attempts"`
	Exception     *Exception        `json:"exception,omitempty"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
	DeliveredAt   *time.Time        `json:"delivered_at,omitempty"`
	CancelledAt   *time.Time        `json:"cancelled_at,omitempty"`
}

// Exception is a problem with an order that is not a status.
type Exception struct {
	Code   string    `json:"code"`
	Detail string    `json:"detail,omitempty"`
	Since  time.Time `json:"since,omitzero"` // set by the server
}

// Shipment is an order's parcel at a delivery company.
type Shipment struct {
	Carrier           string           `json:"carrier"`           // the company's code
	Account           string           `json:"account,omitempty"` // the contract; empty for the default one
	TrackingNumber    string           `json:"tracking_number,omitempty"`
	Reference         string           `json:"reference,omitempty"`      // the server's name for it
	CarrierStatus     string           `json:"carrier_status,omitempty"` // the company's code
	CarrierStatusText string           `json:"carrier_status_text,omitempty"`
	Phase             string           `json:"phase"` // pending, registered, rejected or cancelled
	Tariff            string           `json:"tariff,omitempty"`
	Price             *Money           `json:"price,omitempty"`
	Payment           *Payment         `json:"payment,omitempty"`
	Pickup            *PickupPoint     `json:"pickup,omitempty"`
	Intake            *Intake          `json:"intake,omitempty"`
	ReturnNumber      string           `json:"return_number,omitempty"` // number of the return parcel
	LabelURL          string           `json:"label_url,omitempty"`
	Expected          *DeliveryPeriod  `json:"expected,omitempty"`
	Warnings          []CarrierMessage `json:"warnings,omitempty"`
	Events            []CarrierEvent   `json:"events,omitempty"` // oldest first
}

// Intake is a visit of the company's courier to collect a parcel.
type Intake struct {
	ID         string `json:"id"` // the company's
	Number     string `json:"number,omitempty"`
	Date       string `json:"date"`
	From       string `json:"from"` // 15:04
	To         string `json:"to"`
	Status     string `json:"status"` // open, assigned, done, problem, cancelled or rejected
	StatusText string `json:"status_text,omitempty"`
}

// DeliveryPeriod is a delivery company's planned time of delivery.
type DeliveryPeriod struct {
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
}

// CarrierMessage is a delivery company's warning or reason for rejection.
type CarrierMessage struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// CarrierEvent is one report of a delivery company about a parcel; codes, text and
// reason are the company's.
type CarrierEvent struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"` // scan, problem, estimate, modified, courier, agreement, document, office or other
	Code       string    `json:"code"`
	Text       string    `json:"text,omitempty"`
	Status     Status    `json:"status,omitempty"` // the order's status that it implies, if any
	Detail     string    `json:"detail,omitempty"`
	ReasonCode string    `json:"reason_code,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Exception  string    `json:"exception,omitempty"` // code of the exception that it raises
	OccurredAt time.Time `json:"occurred_at"`
	City       string    `json:"city,omitempty"`
	Value      string    `json:"value,omitempty"`     // new value; its meaning depends on Kind
	Unknown    bool      `json:"unknown,omitempty"`   // the code is not in the company's tables
	Retracted  bool      `json:"retracted,omitempty"` // withdrawn by the company
}

// Edit changes an order's fields; nil fields stay unchanged.
type Edit struct {
	Customer      *Customer     `json:"customer,omitempty"`
	Pickup        *Place        `json:"pickup,omitempty"`
	Dropoff       *Place        `json:"dropoff,omitempty"`
	Notes         *string       `json:"notes,omitempty"`
	ReadyAt       *time.Time    `json:"ready_at,omitempty"`
	PromisedAt    *time.Time    `json:"promised_at,omitempty"`
	DeliverAfter  *time.Time    `json:"deliver_after,omitempty"`
	DeliverBefore *time.Time    `json:"deliver_before,omitempty"`
	Timezone      *string       `json:"timezone,omitempty"`
	Priority      *int          `json:"priority,omitempty"`
	Requirements  *Requirements `json:"requirements,omitempty"`
	ProofRequired []string      `json:"proof_required,omitzero"` // photo, signature, pin
	Exception     *Exception    `json:"exception,omitempty"`
	// Metadata is merged into the order's; an empty value removes the entry.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Clear names fields to remove: pickup, notes, ready_at, promised_at, deliver_after,
	// deliver_before, timezone, priority, requirements, exception, metadata.
	Clear []string `json:"-"`
}

// MarshalJSON writes a field to remove as null.
func (e Edit) MarshalJSON() ([]byte, error) {
	type plain Edit
	b, err := json.Marshal(plain(e))
	if err != nil || len(e.Clear) == 0 {
		return b, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	for _, name := range e.Clear {
		fields[name] = json.RawMessage("null")
	}
	return json.Marshal(fields)
}

// StatusChange requests a status transition.
type StatusChange struct {
	Status     Status     `json:"status"`
	Reason     string     `json:"reason,omitempty"`
	OccurredAt *time.Time `json:"occurred_at,omitempty"` // nil: now
	Location   *Point     `json:"location,omitempty"`
	Proof      *Proof     `json:"proof,omitempty"`
	Received   *Money     `json:"received,omitempty"` // with delivered: the money that was collected
}

// Proof is the proof of a handover.
type Proof struct {
	ID           string `json:"id,omitempty"`    // the caller's own UUIDv7: a repeat stores it once
	Photo        []byte `json:"photo,omitempty"` // a JPEG or PNG
	Signature    []byte `json:"signature,omitempty"`
	PIN          string `json:"pin,omitempty"`
	Offline      bool   `json:"offline,omitempty"` // there was no network to check the PIN
	Recipient    string `json:"recipient,omitempty"`
	Code         string `json:"code,omitempty"`
	Note         string `json:"note,omitempty"`
	PhotoURL     string `json:"photo_url,omitempty"`
	SignatureURL string `json:"signature_url,omitempty"`
}

// OrderStatus is an order's status with the allowed transitions.
type OrderStatus struct {
	OrderID            string    `json:"order_id"`
	Status             Status    `json:"status"`
	Version            int64     `json:"version"`
	UpdatedAt          time.Time `json:"updated_at"`
	AllowedTransitions []Status  `json:"allowed_transitions"`
}
