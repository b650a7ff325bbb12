package domain

// Change is what one commit does to an order: the order, the events that it causes
// and the rows that must live or die with them.
type Change struct {
	// Order is the order as stored; change it by its methods only.
	Order  *Order
	Events []Event
	// Idempotency, when set, is recorded, also when nothing changed. A key that was
	// recorded before fails the change with ErrRecorded.
	Idempotency *Idempotency
	// InboundID, when set, is the id of an inbound message that is applied once,
	// also when it changes nothing. A repeat fails the change with ErrRecorded.
	InboundID string
	// Shipment, when set beside events, is what to remember of the order's shipment. One
	// of another client reference than remembered begins anew; of the same one only its
	// names are taken over.
	Shipment *ShipmentJob
	// Imported says that a new order comes with a history from elsewhere, which is no
	// news: its events are kept, and only the first one is published, with the order as
	// it stands. Its courier takes it without asking whether there is room.
	Imported bool
}

// Add records events that a method of the order returned.
func (c *Change) Add(events ...Event) { c.Events = append(c.Events, events...) }

// ErrRecorded says that the change's idempotency key or inbound id was committed
// before; nothing was changed.
var ErrRecorded = Errorf(CodeIdempotencyRunning, "this request was applied already")
