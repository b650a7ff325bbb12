package domain

// Change is what one commit does to an order: the order, the events it causes and the rows that are committed with them.
type Change struct {
	// Order is the order as stored; change it through its methods only.
	Order  *Order
	Events []Event
	// Idempotency, when set, is recorded even when nothing changed. A key that was
	// recorded before fails the change with ErrRecorded.
	Idempotency *Idempotency
	// InboundID, when set, is the id of an inbound message that is applied once, recorded
	// even when it changes nothing. A repeat fails the change with ErrRecorded.
	InboundID string
	// Shipment, when set together with events, is the job to store for the order's shipment. A different client reference
	// replaces the stored job; the same one only updates its names.
	Shipment *ShipmentJob
	// Deliveries are the messages that the events cause; without events they are not stored.
	Deliveries []Delivery
	// Images belong to what the events tell; without events they are not stored. One that exists stays.
	Images []Image
	// Imported is set for a new order that comes with a history from elsewhere. Its events are stored but only the first one
	// is published, with the order as it stands. Its courier takes it without a capacity check.
	Imported bool
}

// Add records events that a method of the order returned.
func (c *Change) Add(events ...Event) { c.Events = append(c.Events, events...) }

// ErrRecorded means that the change's idempotency key or inbound id was committed before; nothing was changed.
var ErrRecorded = Errorf(CodeIdempotencyRunning, "this request was applied already")
