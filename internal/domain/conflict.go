package domain

import (
	"slices"
	"time"
)

// Conflict describes how a resource has changed since the version that a caller knows (version_conflict).
type Conflict struct {
	CurrentVersion int64
	ChangedBy      Actor // of the newest change
	ChangedAt      time.Time
	// Changed are the members that have changed since, as far as that is known.
	Changed []string
}

// Expect fails when the document, nil if there is none yet, is not at the version that the
// caller has seen. Zero expects nothing, and a negative version is that of no document.
func (d *Document) Expect(version int64, caller *Caller) error {
	c := Conflict{}
	if d != nil {
		c = Conflict{CurrentVersion: d.Version, ChangedAt: d.UpdatedAt, ChangedBy: d.ChangedBy}
		if !caller.Staff() && d.ChangedBy.Kind != caller.Kind { // staff identities are internal
			c.ChangedBy.ID = ""
		}
	}
	if version == 0 || max(version, 0) == c.CurrentVersion {
		return nil
	}
	err := Errorf(CodeVersionConflict, "it has moved on to version %d", c.CurrentVersion)
	err.Conflict = &c
	return err
}

// Reassigned tells a courier who has an order now (order_reassigned).
type Reassigned struct {
	To string    `json:"to" doc:"first name" example:"Ivan"`
	At time.Time `json:"at"`
}

// ReassignedFor is how long a courier is told that an order went to another.
const ReassignedFor = 48 * time.Hour

// TakenFrom returns when the order was last taken from a courier, zero for never.
func TakenFrom(history []Event, courierID string) (at time.Time) {
	for _, e := range history {
		if e.Type == EventStatusChanged && courierID != "" && e.Data["previous_courier_id"] == courierID {
			at = e.RecordedAt
		}
	}
	return at
}

// ConflictSince describes the changes after a version, as the view shows who made them.
func ConflictSince(history []Event, version, current int64, v View) *Conflict {
	out := &Conflict{CurrentVersion: current}
	for _, e := range history {
		if e.Note() || e.Version <= version || e.Version > current {
			continue
		}
		if shown, ok := e.For(v); ok {
			e = shown
		}
		out.ChangedBy, out.ChangedAt = e.Actor, e.RecordedAt
		for _, name := range e.changes() {
			if !slices.Contains(out.Changed, name) {
				out.Changed = append(out.Changed, name)
			}
		}
	}
	slices.Sort(out.Changed)
	return out
}

// changes names the members of the order that the event changed.
func (e Event) changes() []string {
	switch e.Type {
	case EventStatusChanged:
		if e.Data["courier_id"] != nil || e.Data["previous_courier_id"] != nil {
			return []string{"status", "courier_id"}
		}
		return []string{"status"}
	case EventException:
		return []string{"exception"}
	case EventRated:
		return []string{"rating"}
	case EventPaymentReceived:
		return []string{"payment"}
	case EventShipmentBooked, EventShipmentChanged, EventIntakeChanged:
		return []string{"shipment"}
	}
	var out []string
	switch fields := e.Data["fields"].(type) {
	case []string:
		out = fields
	case []any: // read from the database
		for _, f := range fields {
			if name, ok := f.(string); ok {
				out = append(out, name)
			}
		}
	}
	return out
}
