package domain

import (
	"slices"
	"time"
)

// Requirements is what a courier must have to get an order; empty lists ask for nothing.
type Requirements struct {
	Skills  []string  `json:"skills,omitempty" maxItems:"50" doc:"the courier has all of them" example:"[\"fridge\"]"`
	Vehicle []Vehicle `json:"vehicle,omitempty" maxItems:"5" doc:"the courier has one of them" example:"[\"car\"]"`
}

// orNone is nil for requirements that require nothing.
func (r *Requirements) orNone() *Requirements {
	if r == nil || len(r.Skills)+len(r.Vehicle) == 0 {
		return nil
	}
	return r
}

// window checks that a time to deliver in is one.
func (f *Faults) window(after, before *time.Time) {
	if after != nil && before != nil && !before.After(*after) {
		f.Add("/deliver_before", "conflict", "must be after deliver_after")
	}
}

// isTimezone knows the names of the IANA table, and no others.
func isTimezone(s string) bool {
	_, err := time.LoadLocation(s)
	return err == nil && s != "Local"
}

// Zone is the time zone of the order's customer; UTC when it is not known.
func (o *Order) Zone() *time.Location {
	if zone, err := time.LoadLocation(o.Timezone); err == nil {
		return zone
	}
	return time.UTC
}

// Suits is whether a courier has what an order requires.
func (c *Courier) Suits(r *Requirements) bool {
	if r == nil {
		return true
	}
	lacks := func(skill string) bool { return !slices.Contains(c.Skills, skill) }
	return (len(r.Vehicle) == 0 || slices.Contains(r.Vehicle, c.Vehicle)) && !slices.ContainsFunc(r.Skills, lacks)
}
