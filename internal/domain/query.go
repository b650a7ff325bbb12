package domain

import "time"

// OrderFilter narrows a list of orders; zero fields match everything.
type OrderFilter struct {
	Statuses      []Status
	CourierID     string
	MerchantID    string
	ExternalID    string
	CustomerPhone string // E.164
	// Search is words that are each part of the number, external id, customer's name or
	// phone, or an address; or all together part of a number, external id or phone. Words of
	// one or two characters are beginnings. Case, composition and е or ё make no difference, nor
	// do separators within a number.
	Search      string
	CreatedFrom time.Time
	CreatedTo   time.Time // exclusive
	Active      *bool
	// Exception is the code of the orders' exception; AnyException for those that have one.
	Exception string
	// Late selects the orders whose promise is or may well be broken, see RiskAt, as of Now;
	// false the others. Now is no part of what is asked for: page tokens go on with another.
	Late *bool
	Now  time.Time `json:"-"`
	// Incident selects the orders with an open incident; false the others.
	Incident     *bool
	PromisedFrom time.Time
	PromisedTo   time.Time // exclusive
}

// AnyException is the OrderFilter.Exception of all orders with an exception.
const AnyException = "true"

// OrderCounts is how many orders there are by the groups of the dispatcher's board.
type OrderCounts struct {
	Waiting  int `json:"waiting" doc:"without a courier: created, confirmed"`
	Assigned int `json:"assigned" doc:"assigned, at_pickup"`
	Moving   int `json:"moving" doc:"picked_up, in_transit, out_for_delivery, at_dropoff"`
	Ready    int `json:"ready" doc:"ready_for_pickup"`
	Trouble  int `json:"trouble" doc:"delivery_failed, returning, and unfinished orders with an exception"`
	Done     int `json:"done" doc:"finished; at most 10,000"`
	Open     int `json:"open" doc:"all that are not finished"`
	// These are among the open ones.
	Late   int  `json:"late" doc:"unfinished orders whose promise has passed or may well be broken"`
	Failed int  `json:"delivery_failed" doc:"unfinished orders whose last delivery attempt failed"`
	More   bool `json:"more,omitempty" doc:"there are more than the numbers say: more than 10,000 finished orders or, of a search, more than 1,000 matches"`
}

// How far CountOrders counts.
const (
	MaxCounted = 10_000
	MaxFound   = 1_000
)

// Add counts orders that have all this in common.
func (c *OrderCounts) Add(n int, s Status, exception, late bool) {
	if s.Terminal() {
		c.Done += n
		return
	}
	c.Open += n
	if late {
		c.Late += n
	}
	if s == StatusDeliveryFailed {
		c.Failed += n
	}
	switch {
	case exception || s == StatusDeliveryFailed || s == StatusReturning:
		c.Trouble += n
	case s == StatusReadyForPickup:
		c.Ready += n
	case s.InCustody():
		c.Moving += n
	case s == StatusAssigned || s == StatusAtPickup:
		c.Assigned += n
	default:
		c.Waiting += n
	}
}

// Cursor is the position of a page in a list, ordered by (created_at, id), newest first.
type Cursor struct {
	CreatedAt time.Time `json:"t"`
	ID        string    `json:"i"`
	// Finished is set in lists of a courier's orders, where active ones come first.
	Finished bool `json:"f,omitempty"`
	// Position is set in the audit log, which is ordered by it.
	Position int64 `json:"p,omitempty"`
}

// Page asks for at most Size entries after a cursor; a zero cursor is the start.
type Page struct {
	Size  int
	After Cursor
	// ActiveFirst puts unfinished orders before finished ones.
	ActiveFirst bool
}

// CourierFilter narrows a list of couriers; zero fields match everything.
type CourierFilter struct {
	OnDuty *bool
	Search string // parts of the name or phone, as in OrderFilter
}

// Idempotency is the record of an answered request, committed with its changes.
type Idempotency struct {
	Scope string // owner of the key
	Key   string
	Hash  string // of the operation and its input
	// Result is the answer, encoded by the use case.
	Result    []byte
	CreatedAt time.Time
}

// OutboxEntry is an event not yet acknowledged by the bus.
type OutboxEntry struct {
	// Position orders the entries; entries of one order are in version order.
	Position int64
	Event    Event
	// Order is the JSON of the order as it stood after the event.
	Order []byte
}

// Or returns what a pointer points to, or something else if it is nil.
func Or[T any](p *T, otherwise T) T {
	if p != nil {
		return *p
	}
	return otherwise
}

// find returns the first entry that is asked for, or nil.
func find[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

// Each returns what of makes of every value, in their order; never nil.
func Each[A, B any](values []A, of func(A) B) []B {
	out := make([]B, len(values))
	for i, v := range values {
		out[i] = of(v)
	}
	return out
}
