package domain

import (
	"slices"
	"time"
)

// Requirements are the capabilities a courier needs for an order; empty lists require nothing.
type Requirements struct {
	Skills  []string  `json:"skills,omitempty" maxItems:"50" doc:"the courier has all of them" example:"[\"fridge\"]"`
	Vehicle []Vehicle `json:"vehicle,omitempty" maxItems:"5" doc:"the courier has one of them" example:"[\"car\"]"`
}

// orNone returns nil for empty requirements.
func (r *Requirements) orNone() *Requirements {
	if r == nil || len(r.Skills)+len(r.Vehicle) == 0 {
		return nil
	}
	return r
}

// window checks a delivery window.
func (f *Faults) window(after, before *time.Time) {
	if after != nil && before != nil && !before.After(*after) {
		f.Add("/deliver_before", "conflict", "must be after deliver_after")
	}
}

// isTimezone accepts the names of the IANA database only.
func isTimezone(s string) bool {
	_, err := time.LoadLocation(s)
	return err == nil && s != "Local"
}

// Zone is the time zone of the order's customer; UTC when unknown.
func (o *Order) Zone() *time.Location {
	if zone, err := time.LoadLocation(o.Timezone); err == nil {
		return zone
	}
	return time.UTC
}

// MetBy reports whether a courier with this vehicle and these skills meets the requirements.
func (r Requirements) MetBy(v Vehicle, skills []string) bool {
	lacks := func(skill string) bool { return !slices.Contains(skills, skill) }
	return (len(r.Vehicle) == 0 || slices.Contains(r.Vehicle, v)) && !slices.ContainsFunc(r.Skills, lacks)
}
