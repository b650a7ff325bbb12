package domain

import (
	"bytes"
	"encoding/json"
	"maps"
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

// Trail is what a versioned resource keeps of its changes, to explain version conflicts.
type Trail struct {
	// ChangedBy is the author of the newest version.
	ChangedBy Actor `json:"changed_by"`
	// Members holds, by the name of a member, the version that changed it last.
	Members map[string]int64 `json:"members,omitempty"`
}

// Step returns the trail after the actor has made a version, was and is being the JSON of the
// versions before and after; changed reports whether they differ in a member.
func (t Trail) Step(version int64, by Actor, was, is []byte) (next Trail, changed bool) {
	var before, after map[string]json.RawMessage
	// What is not an object, such as no version at all, has no members.
	_ = json.Unmarshal(was, &before)
	_ = json.Unmarshal(is, &after)
	next = Trail{by, maps.Clone(t.Members)}
	note := func(name string) {
		if changed = true; next.Members == nil {
			next.Members = map[string]int64{}
		}
		next.Members[name] = version
	}
	for name, value := range after {
		if !bytes.Equal(before[name], value) {
			note(name)
		}
	}
	for name := range before {
		if after[name] == nil {
			note(name)
		}
	}
	return next, changed
}

// Moved returns the version_conflict of a resource that is at a version, made at a time, and
// not at the expected one. Others than staff are not told which member of the staff it was.
func (t Trail) Moved(version, expected int64, at time.Time, caller *Caller) *Error {
	err := Errorf(CodeVersionConflict, "it has moved on to version %d", version)
	err.Conflict = &Conflict{CurrentVersion: version, ChangedBy: t.ChangedBy, ChangedAt: at}
	if caller == nil || !caller.Staff() && t.ChangedBy.Kind != caller.Kind {
		err.Conflict.ChangedBy.ID = ""
	}
	for _, name := range slices.Sorted(maps.Keys(t.Members)) {
		if t.Members[name] > expected {
			err.Conflict.Changed = append(err.Conflict.Changed, name)
		}
	}
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
