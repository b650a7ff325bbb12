package domain

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"time"
)

// Vehicle is how a courier travels.
type Vehicle string

// The vehicles.
const (
	VehicleFoot      Vehicle = "foot"
	VehicleBicycle   Vehicle = "bicycle"
	VehicleMotorbike Vehicle = "motorbike"
	VehicleCar       Vehicle = "car"
	VehicleVan       Vehicle = "van"
)

// Vehicles lists the vehicles, slowest first.
func Vehicles() []Vehicle {
	return []Vehicle{VehicleFoot, VehicleBicycle, VehicleMotorbike, VehicleCar, VehicleVan}
}

// Valid reports whether v is one of the vehicles.
func (v Vehicle) Valid() bool { return slices.Contains(Vehicles(), v) }

// DefaultCapacity is the default maximum number of active orders of a courier.
const DefaultCapacity = 10

// Courier carries orders.
type Courier struct {
	ID       string   `json:"id" required:"false" format:"uuid" example:"0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"`
	Name     string   `json:"name" minLength:"1" maxLength:"200" example:"Ivan Sokolov"`
	Phone    string   `json:"phone,omitempty" maxLength:"40" doc:"returned in E.164"`
	Vehicle  Vehicle  `json:"vehicle" example:"bicycle"`
	Capacity int      `json:"capacity" required:"false" minimum:"1" maximum:"1000" doc:"maximum number of active orders" example:"10"`
	Skills   []string `json:"skills,omitempty" maxItems:"50" doc:"skills that orders may require"`
	Base     *Point   `json:"base,omitempty" doc:"where the courier starts from and returns to"`
	OnDuty   bool     `json:"on_duty" required:"false"`
	// BreakSince is set during a break, when the courier is off duty for a while.
	BreakSince *time.Time `json:"break_since,omitempty" readOnly:"true" doc:"on a break since then, and off duty until it is over"`
	// ActiveOrders counts the orders in hand; the store updates it with each change of an order.
	ActiveOrders int       `json:"active_orders" required:"false"`
	Position     *Position `json:"position,omitempty"` // the newest known; not stored with the courier
	// LastContact is the last contact with the courier's phone; not stored with the courier.
	LastContact *Contact          `json:"last_contact,omitempty" readOnly:"true"`
	Metadata    map[string]string `json:"metadata,omitempty" maxProperties:"50"`
	Version     int64             `json:"version" required:"false" doc:"starts at 1 and increases with every change of the fields above" example:"1"`
	CreatedAt   time.Time         `json:"created_at" required:"false"`
	UpdatedAt   time.Time         `json:"updated_at" required:"false"`
	// Trail is stored with the courier and never shown.
	Trail Trail `json:"-"`
}

// Contact describes the last contact with a courier's phone.
type Contact struct {
	At   time.Time   `json:"at" doc:"by the server's clock"`
	Kind ContactKind `json:"kind" enum:"position,heartbeat" doc:"heartbeat: a message without a position"`
	// DroppedReason is why the last position was dropped.
	DroppedReason DropReason `json:"dropped_reason,omitempty" doc:"why the last position was dropped"`
	// ClockOffS is how far the phone's clock is ahead, in seconds.
	ClockOffS float64  `json:"clock_off_s,omitempty" doc:"how far the phone's clock is ahead, seconds"`
	Battery   *float64 `json:"battery,omitempty" doc:"percent"`
}

// ContactKind is the kind of a contact.
type ContactKind string

// The kinds of contacts.
const (
	ContactPosition  ContactKind = "position"
	ContactHeartbeat ContactKind = "heartbeat"
)

// MarshalJSON encodes the courier as defined in the contract; one without a capacity, as returned by For, has only its identity.
func (c *Courier) MarshalJSON() ([]byte, error) {
	if c.Capacity == 0 {
		return json.Marshal(struct {
			ID      string  `json:"id,omitempty"`
			Name    string  `json:"name"`
			Phone   string  `json:"phone,omitempty"`
			Vehicle Vehicle `json:"vehicle"`
		}{c.ID, c.Name, c.Phone, c.Vehicle})
	}
	type plain Courier
	return json.Marshal((*plain)(c))
}

// CourierEdit is a client's request to create or change a courier; nil fields stay unchanged.
type CourierEdit struct {
	Name     *string   `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Phone    *string   `json:"phone,omitempty" maxLength:"40" doc:"returned in E.164"`
	Vehicle  *Vehicle  `json:"vehicle,omitempty" example:"bicycle"`
	Capacity *int      `json:"capacity,omitempty" minimum:"1" maximum:"1000" doc:"maximum number of active orders"`
	Skills   *[]string `json:"skills,omitempty" maxItems:"50" doc:"skills that orders may require"`
	Base     *Point    `json:"base,omitempty" doc:"where the courier starts from and returns to"`
	OnDuty   *bool     `json:"on_duty,omitempty"`
	OnBreak  *bool     `json:"on_break,omitempty" doc:"true begins a break, which takes the courier off duty until on_duty is true"`
	// Metadata is merged into the courier's; an empty value removes the entry.
	Metadata map[string]string `json:"metadata,omitempty" maxProperties:"50"`
	// Clear names fields to remove: phone, skills, base, metadata.
	Clear []string `json:"-"`
}

// OnDutyOnly reports whether the edit changes nothing but on_duty and on_break.
func (e CourierEdit) OnDutyOnly() bool {
	e.OnDuty, e.OnBreak = nil, nil
	return reflect.ValueOf(e).IsZero()
}

// NewCourier makes a courier, by default on duty and in a car. The name is required. It fails with validation_failed.
func NewCourier(e CourierEdit, region string, now time.Time) (*Courier, error) {
	now = Timestamp(now)
	c := &Courier{
		ID: NewID(), Vehicle: VehicleCar, Capacity: DefaultCapacity, OnDuty: true,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	return c, c.edit(e, region, now)
}

// Edit applies the edit to a courier that must be at the expected version, if not zero, and
// fails with version_conflict or validation_failed. What changes nothing makes no version.
func (c *Courier) Edit(e CourierEdit, region string, expected int64, caller *Caller, now time.Time) error {
	if expected != 0 && expected != c.Version {
		return c.Trail.Moved(c.Version, expected, c.UpdatedAt, caller)
	}
	was, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := c.edit(e, region, Timestamp(now)); err != nil {
		return err
	}
	is, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if trail, changed := c.Trail.Step(c.Version+1, caller.Actor, was, is); changed {
		c.Version, c.UpdatedAt, c.Trail = c.Version+1, Timestamp(now), trail
	}
	return nil
}

// edit applies the edit or fails with validation_failed.
func (c *Courier) edit(e CourierEdit, region string, now time.Time) error {
	next := *c
	set(&next.Name, e.Name)
	set(&next.Phone, e.Phone)
	set(&next.Vehicle, e.Vehicle)
	set(&next.Capacity, e.Capacity)
	var f Faults
	if e.OnDuty != nil || e.OnBreak != nil {
		next.BreakSince = nil
	}
	set(&next.OnDuty, e.OnDuty)
	if e.OnBreak != nil && *e.OnBreak {
		if e.OnDuty != nil && *e.OnDuty {
			f.Add("/on_break", "conflict", "a break is off duty")
		}
		next.OnDuty, next.BreakSince = false, cmp.Or(c.BreakSince, &now)
	}
	set(&next.Skills, e.Skills)
	next.Base = cmp.Or(e.Base, c.Base)
	next.Metadata = merge(c.Metadata, e.Metadata)
	for _, field := range e.Clear {
		switch field {
		case "phone":
			next.Phone = ""
		case "skills":
			next.Skills = nil
		case "base":
			next.Base = nil
		case "metadata":
			next.Metadata = nil
		default:
			f.Add("/"+escapePointer(field), "required", "can't be removed")
		}
	}
	f.Check("", &next)
	f.Phone("/phone", &next.Phone, region)
	if err := f.Err(); err != nil {
		return err
	}
	*c = next
	return nil
}
