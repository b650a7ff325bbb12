package dispatch

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Job is an order waiting for a courier. Zero times are unknown.
type Job struct {
	OrderID string
	// Place names the pick-up: orders of one place and point can share a trip.
	Place           string
	Pickup, Dropoff domain.Point
	// PickupService and DropoffService are the service times at the two places; the hand-over is in the middle of each.
	PickupService, DropoffService time.Duration

	Placed        time.Time
	Ready         time.Time // earliest pick-up
	Promised      time.Time // promised drop-off; lateness costs more
	DeliverAfter  time.Time // earliest drop-off
	DeliverBefore time.Time // latest drop-off; lateness costs much more
	Priority      int       // 0 to 9: weight 1 + Priority/2
	Vehicles      []domain.Vehicle
	Skills        []string
	Zone          *time.Location // time zone of reasons; nil: UTC
}

// Courier is an available courier in the state after his current stops.
type Courier struct {
	ID       string
	Vehicle  domain.Vehicle
	Skills   []string
	Capacity int // orders on one trip
	Room     int // further orders that he may be assigned now
	// FreeAt is when he finishes his current stops or comes on duty; At is where.
	FreeAt time.Time
	At     domain.Point
	// Tour is his current stops in order, and Position his location; without them nothing is inserted into his tour.
	Tour     []Stop
	Position domain.Point
	// Until is the end of his shift: no drop-off is later, and he is back at his base if he
	// has one. LastPickup limits only the last pick-up. Zero: no end.
	Until, LastPickup time.Time
	Base              *domain.Point
	Breaks            []Break
}

// Travel returns the travel time; negative if there is no route. It must be pure.
type Travel func(v domain.Vehicle, from, to domain.Point) time.Duration

// Problem is the input of a plan.
type Problem struct {
	Now      time.Time
	Jobs     []Job
	Couriers []Courier
	Travel   Travel
	// Demand is where orders were recently picked up: ending a trip nearby is a small advantage.
	Demand []domain.Point
}

// Config configures the planner.
type Config struct {
	// Step is the time until the next plan: couriers who must leave before it are assigned their orders now.
	Step time.Duration
	// Bundle is the maximum number of orders per trip, Trips the number of trips planned ahead.
	Bundle, Trips int
	// Horizon is how soon a courier must be free to be included.
	Horizon time.Duration
	// Patience is the acceptable waiting time if nothing was promised.
	Patience time.Duration
}

// DefaultConfig was tuned on days of a food delivery service.
func DefaultConfig() Config {
	return Config{Step: 2 * time.Minute, Bundle: 3, Trips: 4, Horizon: 30 * time.Minute, Patience: time.Hour}
}

// Proposed is an order's place in a plan.
type Proposed struct {
	OrderID     string    `json:"order_id" format:"uuid"`
	CourierID   string    `json:"courier_id" format:"uuid"`
	PickupAt    time.Time `json:"pickup_at" doc:"when the courier picks it up"`
	DropoffAt   time.Time `json:"dropoff_at" doc:"when the customer gets it"`
	StopsBefore int       `json:"stops_before" doc:"number of the courier's stops before this drop-off"`
	// LeaveAt is the latest departure that delays nothing; the order is assigned Now if that is before the next plan.
	LeaveAt time.Time `json:"leave_at" doc:"when the courier must leave at the latest"`
	Now     bool      `json:"-"`
	Detail  string    `json:"detail" doc:"why this courier, in words"`
}

// Explained is an order without a courier, and the reason.
type Explained struct {
	OrderID string `json:"order_id" format:"uuid"`
	Reason  Reason `json:"reason" doc:"for machines" example:"no_location"`
	Detail  string `json:"detail" doc:"in words"`
}

// Reason is a machine-readable reason why an order is not assigned.
type Reason string

// The reasons.
const (
	ReasonNoLocation Reason = "no_location"   // the destination is unknown
	ReasonNoCourier  Reason = "no_courier"    // no courier is on duty soon
	ReasonVehicle    Reason = "vehicle"       // no courier has the vehicle
	ReasonSkills     Reason = "skills"        // no courier has the skills
	ReasonNoWay      Reason = "no_way"        // there is no route
	ReasonShiftEnd   Reason = "shift_end"     // no courier can finish it within the shift
	ReasonBusy       Reason = "couriers_busy" // all suitable couriers are full
	ReasonNotWaiting Reason = "not_waiting"   // it is not waiting for a courier
	ReasonEarly      Reason = "too_early"     // there is enough time
)

// Proposal is a plan: each job of the problem is in one of the two lists, which are never nil.
type Proposal struct {
	Assignments []Proposed  `json:"assignments"` // per courier in stop order
	Unassigned  []Explained `json:"unassigned"`
}

// seconds converts t to seconds since start; a zero t becomes otherwise.
func seconds(t, start time.Time, otherwise float64) float64 {
	if t.IsZero() {
		return otherwise
	}
	return t.Sub(start).Seconds()
}

// never is an infinite time or cost.
var never = math.Inf(1)
