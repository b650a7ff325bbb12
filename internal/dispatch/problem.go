package dispatch

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Job is an order that waits for a courier. Times that are zero are not known.
type Job struct {
	OrderID string
	// Place names where it is picked up: orders of one place and point can be taken together.
	Place           string
	Pickup, Dropoff domain.Point
	// PickupService and DropoffService are spent at the two places; the hand-over itself
	// is in the middle of each.
	PickupService, DropoffService time.Duration

	Placed        time.Time
	Ready         time.Time // not picked up before
	Promised      time.Time // later costs more
	DeliverAfter  time.Time // not dropped off before
	DeliverBefore time.Time // later costs much more
	Priority      int       // 0 to 9: its time counts 1 + Priority/2 times
	Vehicles      []domain.Vehicle
	Skills        []string
	Zone          *time.Location // of the times that reasons name; nil: UTC
}

// Courier is somebody who can carry orders, as he will be once he is done with what he has.
type Courier struct {
	ID       string
	Vehicle  domain.Vehicle
	Skills   []string
	Capacity int // orders on one trip
	Room     int // orders that he may be given now, beside those that he has
	// FreeAt is when he is done with what he has, or comes on duty, and At where.
	FreeAt time.Time
	At     domain.Point
	// Tour is the stops that he has, in their order, and Position where he is; without them
	// nothing is put into his tour.
	Tour     []Stop
	Position domain.Point
	// Until is the end of his shift: nothing is dropped off later, and when he has a base
	// he is back there. LastPickup, instead, ends picking up. Zero: no end.
	Until, LastPickup time.Time
	Base              *domain.Point
	Breaks            []Interval
}

// Interval is a time in which a courier drives no trip.
type Interval struct{ From, To time.Time }

// Travel says how long the way takes; negative where there is none. It must be pure.
type Travel func(v domain.Vehicle, from, to domain.Point) time.Duration

// Problem is what a plan is made of.
type Problem struct {
	Now      time.Time
	Jobs     []Job
	Couriers []Courier
	Travel   Travel
	// Demand is where orders have lately been picked up: a courier who ends up near is
	// worth a little more.
	Demand []domain.Point
}

// Config is how plans are made.
type Config struct {
	// Step is how long it takes until the next plan: who must leave earlier is given his orders.
	Step time.Duration
	// Bundle is how many orders one trip can have, Trips how many trips ahead are planned.
	Bundle, Trips int
	// Horizon is how soon a courier must be free to be planned with.
	Horizon time.Duration
	// Patience is how long a customer waits gladly when nothing was promised.
	Patience time.Duration
}

// DefaultConfig is measured on days of a food delivery service.
func DefaultConfig() Config {
	return Config{Step: 2 * time.Minute, Bundle: 3, Trips: 4, Horizon: 30 * time.Minute, Patience: time.Hour}
}

// Assignment is where a plan puts an order.
type Assignment struct {
	OrderID, CourierID string
	PickupAt           time.Time // the goods are handed to the courier
	DropoffAt          time.Time // and to the customer
	// StopsBefore is how many stops of this plan the courier has before the drop-off.
	StopsBefore int
	// LeaveAt is when the courier must leave at the latest for nothing to come later; the
	// order is to be given Now when that is before the next plan.
	LeaveAt time.Time
	Now     bool
	Reason  string // why him, in words
}

// Unassigned is an order that no courier gets, and why.
type Unassigned struct {
	OrderID string
	Code    Reason
	Reason  string // in words
}

// Reason is why an order is not assigned, for machines.
type Reason string

// The reasons.
const (
	ReasonNoLocation Reason = "no_location"   // it is not known where it goes
	ReasonNoCourier  Reason = "no_courier"    // nobody is on duty soon
	ReasonVehicle    Reason = "vehicle"       // nobody has the vehicle
	ReasonSkills     Reason = "skills"        // nobody has the skills
	ReasonNoWay      Reason = "no_way"        // no way leads there
	ReasonShiftEnd   Reason = "shift_end"     // nobody can finish it in his shift
	ReasonBusy       Reason = "couriers_busy" // all who could have their hands full
	ReasonNotWaiting Reason = "not_waiting"   // it waits for no courier
	ReasonEarly      Reason = "too_early"     // there is time enough
)

// Plan is who carries what: each job of the problem is in one of the two lists.
type Plan struct {
	Assignments []Assignment // of a courier in the order of his stops
	Unassigned  []Unassigned
}

// seconds is t after the start of the plan; what is zero becomes otherwise.
func seconds(t, start time.Time, otherwise float64) float64 {
	if t.IsZero() {
		return otherwise
	}
	return t.Sub(start).Seconds()
}

// never is a time that does not come and a cost that nothing is worth.
var never = math.Inf(1)
