package domain

import "time"

// StopKind is what a courier does at a stop.
type StopKind string

// The kinds of stops.
const (
	StopPickup  StopKind = "pickup"
	StopDropoff StopKind = "dropoff"
)

// Valid says whether k is one of the kinds.
func (k StopKind) Valid() bool { return k == StopPickup || k == StopDropoff }

// RouteStop is a place on a courier's route.
type RouteStop struct {
	OrderID  string     `json:"order_id" format:"uuid"`
	Kind     StopKind   `json:"kind" enum:"pickup,dropoff"`
	Location *Point     `json:"location,omitempty"`
	Address  string     `json:"address,omitempty"`
	Window   *Window    `json:"window,omitempty" doc:"time window at the stop"`
	ETA      *time.Time `json:"eta,omitempty" doc:"expected arrival"`
	Done     bool       `json:"done"`
}

// Window is from when until when something is to happen; either may be open.
type Window struct {
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
}

// Route is a courier's stops in their order.
type Route struct {
	CourierID string      `json:"courier_id" format:"uuid"`
	Version   int64       `json:"version" doc:"grows when a dispatcher reorders the stops"`
	Stops     []RouteStop `json:"stops"`
	UpdatedAt time.Time   `json:"updated_at"`
}
