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
