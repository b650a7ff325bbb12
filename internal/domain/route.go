package domain

import "time"

// StopKind is the kind of a route stop.
type StopKind string

// The kinds of stops.
const (
	StopPickup  StopKind = "pickup"
	StopDropoff StopKind = "dropoff"
)

// Valid reports whether k is one of the kinds.
func (k StopKind) Valid() bool { return k == StopPickup || k == StopDropoff }

// RouteStop is a stop on a courier's route.
type RouteStop struct {
	OrderID  string     `json:"order_id" format:"uuid"`
	Kind     StopKind   `json:"kind" enum:"pickup,dropoff"`
	Location *Point     `json:"location,omitempty"`
	Address  string     `json:"address,omitempty"`
	Window   *Window    `json:"window,omitempty" doc:"time window at the stop"`
	ETA      *time.Time `json:"eta,omitempty" doc:"expected arrival"`
	Done     bool       `json:"done"`
}

// Window is a time window; either end may be open.
type Window struct {
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
}

// Route is the ordered list of a courier's stops.
type Route struct {
	CourierID string      `json:"courier_id" format:"uuid"`
	Version   int64       `json:"version" doc:"grows when a dispatcher reorders the stops"`
	Stops     []RouteStop `json:"stops"`
	UpdatedAt time.Time   `json:"updated_at"`
}
