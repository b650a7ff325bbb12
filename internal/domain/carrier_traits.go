package domain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DeliveryPoint is a place where a carrier hands out or accepts parcels.
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
	COD          bool      `json:"cod"` // accepts payment from recipients
	MaxWeightG   int       `json:"max_weight_g,omitempty"`
	Cells        []Cell    `json:"cells,omitempty"` // of a locker
	DistanceM    *float64  `json:"distance_m,omitempty"`
	FittingRooms bool      `json:"fitting_rooms,omitempty"`
}

// NearestPoints sorts points by distance from a place, if there is one, and by code, and cuts the list; zero is no limit.
func NearestPoints(points []DeliveryPoint, near *Point, limit int) []DeliveryPoint {
	if near != nil {
		for i := range points {
			if at := points[i].Location; at != nil {
				d := at.DistanceM(*near)
				points[i].DistanceM = &d
			}
		}
	}
	slices.SortFunc(points, func(a, b DeliveryPoint) int { return cmp.Compare(a.Key(), b.Key()) })
	if limit > 0 && len(points) > limit {
		points = points[:limit]
	}
	return points
}

// Key sorts points: by distance where that is known, then by code.
func (p DeliveryPoint) Key() string {
	metres := Or(p.DistanceM, 99_999_999) // further than any place on the globe
	return fmt.Sprintf("%012.3f %s", metres, p.Code)
}

// Handover is the money of one shipment that a carrier remitted.
type Handover struct {
	TrackingNumber string
	Registry       string // the carrier's number of the paper
	Received       *Money
}

// Slot is a time interval.
type Slot struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// CarrierAccount is a contract with a delivery company: a merchant may have one of its own.
type CarrierAccount struct {
	Carrier string // the company's code, such as cdek
	Name    string // our name of the contract; "" for the default one
}

// String returns carrier/name.
func (a CarrierAccount) String() string { return strings.TrimSuffix(a.Carrier+"/"+a.Name, "/") }

// CarrierTraits describe how a company's API behaves.
type CarrierTraits struct {
	// Zone is the time zone of the company's dates and times that have none.
	Zone *time.Location
	Pace Pace
	// KeepsReference is set when a shipment can be found by its ClientRef and the company
	// itself rejects a duplicate: a booking whose response was lost may be sent again.
	KeepsReference bool
	// Idempotent is set when booking again under the same ClientRef returns the first
	// parcel: a booking whose response was lost is sent again at once.
	Idempotent bool
	// Follows are the companies whose parcels an aggregator tracks: our word for them, as
	// detection uses it, and the aggregator's (ShipmentRef.Sub).
	Follows map[string]string
}

// NumberGuess is a company whose tracking number a text may be.
type NumberGuess struct {
	Company string // our word for it
	Number  string // in the company's form: without spaces, in its letter case
	// Certain is set when its form and check digit leave no other company.
	Certain bool
}

// Pace is the polling schedule: how long after one poll of a shipment the next one makes sense.
type Pace struct {
	// Pending is the first pause while the carrier decides, doubling up to PendingMax.
	Pending, PendingMax time.Duration
	Fresh               time.Duration // in the hour after the booking, until it is handed over
	Transit             time.Duration
	Near                time.Duration // half a day before the expected delivery, or awaiting the recipient, a retry or an intake
	Delivering          time.Duration // out for delivery
	// Ended applies for EndedFor: final reports can be retracted.
	Ended, EndedFor time.Duration
}

// UsualPace suits companies whose deliveries take days.
var UsualPace = Pace{
	Pending: time.Second, PendingMax: 2 * time.Minute, Fresh: 5 * time.Minute, Transit: 2 * time.Hour,
	Near: 30 * time.Minute, Delivering: 5 * time.Minute, Ended: 12 * time.Hour, EndedFor: 72 * time.Hour,
}

// CarrierHook is a decoded webhook. It is a hint to poll, never the truth: anybody may have sent it.
type CarrierHook struct {
	Event CarrierEvent
	// Shipments are the ones it is about; for a return also the parcel that comes back.
	// Empty when only the carrier can tell (CarrierWebhooks.Affected).
	Shipments []ShipmentRef
	// About is the carrier's id of the document or list that the hint is about, if any.
	About string
}

// ErrorClass tells how to handle a carrier's failure.
type ErrorClass string

// The classes.
const (
	ClassRetryable   ErrorClass = "retryable" // try again later
	ClassAuth        ErrorClass = "auth"      // an operator must look at the account
	ClassNotFound    ErrorClass = "not_found"
	ClassValidation  ErrorClass = "validation" // the request is wrong
	ClassConflict    ErrorClass = "conflict"   // it exists already, or is too far along
	ClassUnsupported ErrorClass = "unsupported"
	ClassPermanent   ErrorClass = "permanent"
)

// CarrierError is the error of every carrier operation.
type CarrierError struct {
	Carrier   string
	Class     ErrorClass
	Code      string // the carrier's
	Message   string // the carrier's words
	RequestID string
	// RetryAfter, when positive, is the pause that the carrier asked for.
	RetryAfter time.Duration
	// Unsent is set when the request certainly had no effect, so that it can be sent
	// again; Refused when the carrier itself explicitly rejected it.
	Unsent, Refused bool
	// Candidates are the carrier's interpretations of an ambiguous request.
	Candidates []string
	Cause      error
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

// ClassOf returns the class of a carrier's failure: retryable for an error without one, "" for nil.
func ClassOf(err error) ErrorClass {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*CarrierError](err); ok {
		return e.Class
	}
	return ClassRetryable
}

// Ability returns an optional interface of a carrier; unsupported, with what it is for in words, when it does not have it.
func Ability[T any](car Carrier, what string) (T, error) {
	able, ok := car.(T)
	if !ok {
		return able, &CarrierError{Carrier: car.Account().Carrier, Class: ClassUnsupported, Message: what + " is not something it offers"}
	}
	return able, nil
}
