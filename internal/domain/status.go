package domain

import "slices"

// Status is the status of an order.
type Status string

// The statuses, in the order of the table.
const (
	StatusCreated        Status = "created"
	StatusConfirmed      Status = "confirmed"
	StatusAssigned       Status = "assigned"
	StatusAtPickup       Status = "at_pickup"
	StatusPickedUp       Status = "picked_up"
	StatusInTransit      Status = "in_transit"
	StatusOutForDelivery Status = "out_for_delivery"
	StatusAtDropoff      Status = "at_dropoff"
	StatusReadyForPickup Status = "ready_for_pickup"
	StatusDeliveryFailed Status = "delivery_failed"
	StatusReturning      Status = "returning"
	StatusDelivered      Status = "delivered"
	StatusReturned       Status = "returned"
	StatusCancelled      Status = "cancelled"
	StatusFailed         Status = "failed"
)

// Transition is one row of the status table: the statuses that may follow From.
type Transition struct {
	From Status
	To   []Status
}

// transitions is the status machine. Everything else about statuses is derived from it; docs/status.md is generated from it.
var transitions = []Transition{
	{StatusCreated, []Status{StatusConfirmed, StatusAssigned, StatusCancelled}},
	{StatusConfirmed, []Status{StatusAssigned, StatusCancelled}},
	// assigned to assigned is a change of courier, to confirmed is unassigned or declined.
	{StatusAssigned, []Status{StatusAssigned, StatusConfirmed, StatusAtPickup, StatusPickedUp, StatusCancelled}},
	{StatusAtPickup, []Status{StatusPickedUp, StatusConfirmed, StatusCancelled}},
	{StatusPickedUp, []Status{StatusInTransit, StatusOutForDelivery, StatusDelivered, StatusReturning, StatusFailed}},
	{StatusInTransit, []Status{StatusOutForDelivery, StatusReadyForPickup, StatusDelivered, StatusReturning, StatusFailed}},
	{StatusOutForDelivery, []Status{
		StatusInTransit, StatusAtDropoff, StatusReadyForPickup, StatusDelivered,
		StatusDeliveryFailed, StatusReturning, StatusFailed,
	}},
	{StatusAtDropoff, []Status{StatusDelivered, StatusDeliveryFailed, StatusReturning, StatusFailed}},
	{StatusReadyForPickup, []Status{StatusDelivered, StatusReturning, StatusFailed}},
	{StatusDeliveryFailed, []Status{StatusInTransit, StatusOutForDelivery, StatusReadyForPickup, StatusReturning, StatusFailed}},
	{StatusReturning, []Status{StatusReturned, StatusFailed}},
	{StatusDelivered, nil},
	{StatusReturned, nil},
	{StatusCancelled, nil},
	{StatusFailed, nil},
}

// Look-up tables built from the status table at start.
var (
	nextOf    = map[Status][]Status{}
	reachable = map[Status]map[Status]bool{}
)

func init() {
	for _, t := range transitions {
		nextOf[t.From] = t.To
	}
	for _, t := range transitions {
		seen := map[Status]bool{}
		for queue := slices.Clone(t.To); len(queue) > 0; queue = queue[1:] {
			if s := queue[0]; !seen[s] {
				seen[s] = true
				queue = append(queue, nextOf[s]...)
			}
		}
		reachable[t.From] = seen
	}
}

// Transitions returns the status table, a row per status, in table order.
func Transitions() []Transition { return slices.Clone(transitions) }

// Statuses returns every status in table order.
func Statuses() []Status {
	return Each(transitions, func(t Transition) Status { return t.From })
}

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool {
	_, ok := reachable[s]
	return ok
}

// Next returns the statuses that may follow s, in table order; empty, never nil, at the end.
func (s Status) Next() []Status { return append([]Status{}, nextOf[s]...) }

// Terminal reports whether s is final.
func (s Status) Terminal() bool { return s.Valid() && len(nextOf[s]) == 0 }

// CanMove reports whether the table has the step from s to to.
func (s Status) CanMove(to Status) bool { return slices.Contains(nextOf[s], to) }

// Leads reports whether a path of at least one step leads from s to to.
func (s Status) Leads(to Status) bool { return reachable[s][to] }

// BeforeCustody reports whether the goods are still with the sender; only such an order can be cancelled.
func (s Status) BeforeCustody() bool { return s.Leads(StatusPickedUp) }

// InCustody reports whether a courier or carrier holds the goods: from picked_up to the
// end. Watchers receive positions only then.
func (s Status) InCustody() bool { return s.Valid() && !s.BeforeCustody() && !s.Terminal() }
