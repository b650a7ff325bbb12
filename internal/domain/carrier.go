package domain

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"
)

// Stop is an end of a shipment's way: an office of the carrier, or a place.
type Stop struct {
	Place
	City     string `json:"city,omitempty" maxLength:"200" doc:"a name, or the company's code of it"`
	Postcode string `json:"postcode,omitempty" maxLength:"40"`
	Point    string `json:"point,omitempty" maxLength:"128" doc:"the company's code of an office or parcel locker"`
}

// Package is one parcel. Absent measures are for the carrier's adapter to fill.
type Package struct {
	WeightG  int `json:"weight_g,omitempty" minimum:"0" maximum:"1000000" doc:"grams" example:"1500"`
	LengthCm int `json:"length_cm,omitempty" minimum:"0" maximum:"1000" doc:"centimetres"`
	WidthCm  int `json:"width_cm,omitempty" minimum:"0" maximum:"1000" doc:"centimetres"`
	HeightCm int `json:"height_cm,omitempty" minimum:"0" maximum:"1000" doc:"centimetres"`
}

// Packages returns the parcels to send these items in when nobody said: one that
// weighs what they weigh, or none when no weight is known.
func Packages(items []Item) []Package {
	weight := 0
	for _, it := range items {
		weight = min(weight+min(it.WeightG, MaxWeightG)*it.Quantity, MaxWeightG)
	}
	if weight == 0 {
		return nil
	}
	return []Package{{WeightG: weight}}
}

// QuoteRequest asks what sending packages costs; a tariff means that one only, without
// one all that fit.
type QuoteRequest = Booking

// Quote is one tariff's offer.
type Quote struct {
	Carrier string `json:"carrier"`
	Tariff  string `json:"tariff"` // the code to book with
	Name    string `json:"name"`
	Mode    string `json:"mode,omitempty"` // such as door-door, door-office
	Price   Money  `json:"price"`
	// The days that delivery takes, working ones when Working is set.
	DaysMin  int            `json:"days_min"`
	DaysMax  int            `json:"days_max"`
	Working  bool           `json:"working_days,omitempty"`
	Expected DeliveryPeriod `json:"expected"`
}

// The tariffs that a quote chooses.
const (
	TariffCheapest = "cheapest"
	TariffFastest  = "fastest"
)

// ChooseQuote returns the cheapest or fastest of the offers, the other measure and
// then the tariff's code breaking ties. Any other wish is a tariff's code. ok is
// false when no offer fits. Prices are compared as numbers: a carrier quotes in one currency.
func ChooseQuote(quotes []Quote, wish string) (q Quote, ok bool) {
	price := func(a, b Quote) int { return cmp.Compare(a.Price.Amount, b.Price.Amount) }
	speed := func(a, b Quote) int { return a.Expected.Latest.Compare(b.Expected.Latest) }
	first, second := price, speed
	switch wish {
	case TariffCheapest, "":
	case TariffFastest:
		first, second = speed, price
	default:
		quotes = slices.DeleteFunc(slices.Clone(quotes), func(q Quote) bool { return q.Tariff != wish })
	}
	if len(quotes) == 0 {
		return Quote{}, false
	}
	return slices.MinFunc(quotes, func(a, b Quote) int {
		return cmp.Or(first(a, b), second(a, b), cmp.Compare(a.Tariff, b.Tariff))
	}), true
}

// ShipmentRequest books a shipment.
type ShipmentRequest struct {
	// ClientRef names the shipment for ever: the same one never makes a second parcel.
	ClientRef string // at most 32 ASCII characters
	Tariff    string // a code of the carrier
	Sender    *Customer
	Recipient Customer
	From, To  Stop
	Packages  []Package
	Items     []Item // spread into the first package
	Comment   string
}

// CancelOutcome is what came of cancelling a shipment.
type CancelOutcome struct {
	Result CancelResult
	// Costs says that the carrier charges for it; Price is how much where it is known.
	Costs  bool
	Price  *Money
	Detail string // for people
}

// CancelResult is one of the ways in which a cancellation ends.
type CancelResult string

// The results.
const (
	CancelDone       CancelResult = "done"        // deleted: it will never travel
	CancelPending    CancelResult = "pending"     // deletion asked for; a look tells how it ended
	CancelWillReturn CancelResult = "will_return" // refused on the recipient's behalf: it comes back
	CancelImpossible CancelResult = "impossible"
)

// LabelKind is a paper to print for a shipment.
type LabelKind string

// The papers.
const (
	LabelBarcode LabelKind = "barcode" // to stick onto the parcel
	LabelWaybill LabelKind = "waybill" // to accompany it
)

// LabelJob is a paper being prepared.
type LabelJob struct {
	ID   string    `json:"id"`
	Kind LabelKind `json:"kind"`
}

// PointQuery looks for offices and parcel lockers.
type PointQuery struct {
	City  string // its name, or the carrier's code of it
	Near  *Point // sorts by distance; also finds the city when that is absent
	Code  string // one office
	Kind  PointKind
	Limit int
}

// PointKind is what kind of a delivery point it is.
type PointKind string

// The kinds.
const (
	PointOffice PointKind = "office"
	PointLocker PointKind = "locker"
)

// DeliveryPoint is where a carrier hands out or takes in parcels.
type DeliveryPoint struct {
	Carrier      string    `json:"carrier"`
	Code         string    `json:"code"`
	Kind         PointKind `json:"kind"`
	Name         string    `json:"name"`
	Address      string    `json:"address"`
	City         string    `json:"city,omitempty"`
	Location     *Point    `json:"location,omitempty"`
	Hours        string    `json:"hours,omitempty"` // in the carrier's words
	Phones       []string  `json:"phones,omitempty"`
	Notes        string    `json:"notes,omitempty"`
	HandsOut     bool      `json:"hands_out"`
	TakesIn      bool      `json:"takes_in"`
	Cash         bool      `json:"cash"`
	Cards        bool      `json:"cards"`
	MaxWeightG   int       `json:"max_weight_g,omitempty"`
	DistanceM    *float64  `json:"distance_m,omitempty"`
	FittingRooms bool      `json:"fitting_rooms,omitempty"`
}

// NearestPoints brings points into the order of their distance from a place, when
// there is one, and cuts the list; no limit for zero.
func NearestPoints(points []DeliveryPoint, near *Point, limit int) []DeliveryPoint {
	if near != nil {
		for i := range points {
			if at := points[i].Location; at != nil {
				d := at.DistanceM(*near)
				points[i].DistanceM = &d
			}
		}
		slices.SortStableFunc(points, func(a, b DeliveryPoint) int {
			return cmp.Compare(distance(a), distance(b))
		})
	}
	if limit > 0 && len(points) > limit {
		points = points[:limit]
	}
	return points
}

func distance(p DeliveryPoint) float64 {
	if p.DistanceM == nil {
		return math.Inf(1)
	}
	return *p.DistanceM
}

// Slot is a stretch of time.
type Slot struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// CarrierHook is what a carrier told unasked. It is a hint to look, never the truth:
// anybody may have sent it.
type CarrierHook struct {
	Event CarrierEvent
	// Shipments are those that it is about: of a return, also the parcel that comes
	// back. Empty when only the carrier can say (CarrierWebhooks.Affected).
	Shipments []ShipmentRef
	// About is the carrier's id of the paper or list that the hint is about, if it is one.
	About string
}

// ErrorClass says what to do about a carrier's failure.
type ErrorClass string

// The classes.
const (
	ClassRetryable   ErrorClass = "retryable" // later
	ClassAuth        ErrorClass = "auth"      // an operator must look at the account
	ClassNotFound    ErrorClass = "not_found"
	ClassValidation  ErrorClass = "validation" // what was asked for is wrong
	ClassConflict    ErrorClass = "conflict"   // it exists already, or is too far on
	ClassUnsupported ErrorClass = "unsupported"
	ClassPermanent   ErrorClass = "permanent"
)

// CarrierError is how the abilities of a carrier fail.
type CarrierError struct {
	Carrier   string
	Class     ErrorClass
	Code      string // the carrier's
	Message   string // the carrier's words
	RequestID string
	// RetryAfter, when positive, is when the carrier wants to be asked again.
	RetryAfter time.Duration
	// Unsent says that the request certainly did nothing, so that it can be sent again.
	Unsent bool
	Cause  error
}

// Error returns the carrier's words and code.
func (e *CarrierError) Error() string {
	text := e.Carrier + ": " + e.Message
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *CarrierError) Unwrap() error { return e.Cause }

// ClassOf returns the class of a carrier's failure: retryable for an error that has
// none, "" for nil.
func ClassOf(err error) ErrorClass {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*CarrierError](err); ok {
		return e.Class
	}
	return ClassRetryable
}

// Unsupported is the failure of an ability that the carrier has not.
func Unsupported(carrier, what string) error {
	return &CarrierError{Carrier: carrier, Class: ClassUnsupported, Message: what + " is not something it offers"}
}
