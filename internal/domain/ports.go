package domain

import (
	"context"
	"time"
)

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Store keeps what must never be lost. What a method answered is on disk. Methods
// fail with an Error of code unavailable when the database does not answer.
//
// A caller may give up (its context ends) while a change waits for its turn; once
// the change is running the caller waits for its outcome.
type Store interface {
	// CreateOrder commits a new order with its events and side rows. It fails with
	// duplicate_external_id when (merchant_id, external_id) exists, and ErrRecorded.
	CreateOrder(ctx context.Context, c *Change) (*Order, error)
	// UpdateOrder loads the order, runs the closure and commits what it did. The
	// closure is pure and may run several times, each time on a fresh Change; when it
	// errs or panics nothing is stored and the caller gets its error. A change with
	// neither events nor side rows is not an error and returns the order as it is.
	// A courier's active_orders follow the order by themselves: when the new courier
	// has no free capacity it fails with courier_busy, when there is none of that id
	// with courier_not_found. It fails with order_not_found and ErrRecorded.
	UpdateOrder(ctx context.Context, id string, fn func(*Change) error) (*Order, error)
	// Order returns the newest committed version, or order_not_found.
	Order(ctx context.Context, id string) (*Order, error)
	// Orders returns a page, newest first, and the cursor of the next one, nil at the end.
	Orders(ctx context.Context, f OrderFilter, p Page) ([]*Order, *Cursor, error)
	// Events returns the order's entries with a seq above afterSeq, oldest first.
	Events(ctx context.Context, orderID string, afterSeq int64) ([]Event, error)
	// Versions returns the version of each of the orders that exist.
	Versions(ctx context.Context, orderIDs []string) (map[string]int64, error)

	// CreateCourier commits a courier and, when set, the idempotency record; ErrRecorded as above.
	CreateCourier(ctx context.Context, c *Courier, idem *Idempotency) error
	// UpdateCourier runs the closure on the stored courier and commits; or courier_not_found.
	UpdateCourier(ctx context.Context, id string, fn func(*Courier) error) (*Courier, error)
	// Courier returns the courier without its position, or courier_not_found.
	Courier(ctx context.Context, id string) (*Courier, error)
	// Couriers returns a page, newest first, and the cursor of the next one, nil at the end.
	Couriers(ctx context.Context, f CourierFilter, p Page) ([]*Courier, *Cursor, error)

	// AppendFixes keeps positions as history, together with the idempotency record
	// when set; a (courier, recorded_at) that exists is skipped. It returns how many were new.
	AppendFixes(ctx context.Context, fixes []Fix, idem *Idempotency) (int, error)
	// Trail returns a courier's positions with from <= recorded_at <= to, oldest first, at most limit.
	Trail(ctx context.Context, courierID string, from, to time.Time, limit int) ([]Position, error)
	// LatestFixes returns the newest position of every courier recorded after since.
	LatestFixes(ctx context.Context, since time.Time) ([]Fix, error)

	// Recorded returns the record of an idempotency key, or nil.
	Recorded(ctx context.Context, scope, key string) (*Idempotency, error)
	Outbox

	// Purge deletes idempotency records, inbound ids and positions older than the given times.
	Purge(ctx context.Context, idempotency, inbound, fixes time.Time) error
	// Ping says whether the database answers and takes writes.
	Ping(ctx context.Context) error
	Close() error
}

// Outbox is the events that the bus has not acknowledged yet.
type Outbox interface {
	// Pending returns the oldest unpublished events, at most limit, in order.
	Pending(ctx context.Context, limit int) ([]OutboxEntry, error)
	// Published forgets the entries at these positions.
	Published(ctx context.Context, positions []int64) error
	// Republish makes every event that is to be published pending again; for a bus that lost its data.
	Republish(ctx context.Context) (int64, error)
	// Backlog returns how many events are pending.
	Backlog(ctx context.Context) (int64, error)
	// Committed receives a signal, coalesced, when there may be something pending.
	Committed() <-chan struct{}
}

// Bus carries messages out. Publish returns nil once every message is acknowledged
// durably; messages of one key keep their order. On an error any of them may or may
// not have been published: publish all again, oldest first.
type Bus interface {
	Publish(ctx context.Context, msgs []Message) error
}

// LiveStore holds the newest position of each courier and copies of hot orders. It
// decides nothing: everything in it can be lost and comes back.
type LiveStore interface {
	// PutFixes stores positions where they are newer by the device's clock than what
	// is held, and says for each whether it was.
	PutFixes(ctx context.Context, fixes []Fix) ([]bool, error)
	// Position returns the newest position of a courier, or nil.
	Position(ctx context.Context, courierID string) (*Position, error)
	// Nearest returns the newest fixes around a point, nearest first, that were
	// recorded after since, at most limit.
	Nearest(ctx context.Context, at Point, since time.Time, limit int) ([]Fix, error)
	// CachedOrder returns a copy of a recent version of an order, or nil.
	CachedOrder(ctx context.Context, id string) (*Order, error)
	// CacheOrder keeps the order unless a newer version is held.
	CacheOrder(ctx context.Context, o *Order) error
}

// Audience is told what happened, after it was committed, to tell those who watch.
// It never blocks.
type Audience interface {
	// OrderChanged announces the events that made this version of the order.
	OrderChanged(o *Order, events []Event)
	// CourierMoved announces a courier's newest position and the orders in its custody.
	CourierMoved(fix Fix, orderIDs []string)
	// Estimated announces a changed estimate.
	Estimated(e Estimate)
}
