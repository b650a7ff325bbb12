package domain

import "time"

// OrderFilter narrows a list of orders; zero fields do not.
type OrderFilter struct {
	Statuses      []Status
	CourierID     string
	MerchantID    string
	ExternalID    string
	CustomerPhone string // E.164
	Search        string // part of the number, external id, customer's name or address; any case
	CreatedFrom   time.Time
	CreatedTo     time.Time // exclusive
	Active        *bool
}

// Cursor is where a page of a list ended: lists go by (created_at, id), newest first.
type Cursor struct {
	CreatedAt time.Time `json:"t"`
	ID        string    `json:"i"`
	// Finished is set on a courier's orders, where active ones come first.
	Finished bool `json:"f,omitempty"`
	// Position is set in the audit, which goes by it.
	Position int64 `json:"p,omitempty"`
}

// Page asks for at most Size entries after a cursor; a zero cursor is the start.
type Page struct {
	Size  int
	After Cursor
	// ActiveFirst puts unfinished orders before finished ones.
	ActiveFirst bool
}

// CourierFilter narrows a list of couriers; zero fields do not.
type CourierFilter struct {
	OnDuty *bool
	Search string // part of the name or phone; any case
}

// Idempotency is the memory of an answered request, committed with what it did.
type Idempotency struct {
	Scope string // whose key it is
	Key   string
	Hash  string // of the operation and its input
	// Result is the answer, encoded by the use case.
	Result    []byte
	CreatedAt time.Time
}

// OutboxEntry is an event that the bus has not acknowledged yet.
type OutboxEntry struct {
	// Position orders the entries: those of one order by version.
	Position int64
	Event    Event
	// Order is the JSON of the order as it stood after the event.
	Order []byte
}
