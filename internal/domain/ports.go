package domain

import (
	"context"
	"time"
)

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Store is the durable store. What a method has returned is on disk. Methods fail with an
// Error of code unavailable when the database does not respond.
//
// A caller may give up (its context ends) while a change is queued; once the change is running the caller waits for its outcome.
type Store interface {
	// CreateOrder commits a new order with its events and side rows. It fails with
	// duplicate_external_id when (merchant_id, external_id) or the id exists, and ErrRecorded.
	CreateOrder(ctx context.Context, c *Change) (*Order, error)
	// UpdateOrder loads the order, runs the closure and commits the result. The closure is pure and may run several times,
	// each time on a fresh Change; when it fails or panics nothing is stored and the caller gets its error. A change with
	// neither events nor side rows is not an error and returns the order unchanged. A courier's active_orders are updated
	// automatically: it fails with courier_busy when the new courier has no free capacity, and with courier_not_found when
	// it does not exist. It fails with order_not_found and ErrRecorded.
	UpdateOrder(ctx context.Context, id string, fn func(*Change) error) (*Order, error)
	// Order returns the newest committed version, or order_not_found.
	Order(ctx context.Context, id string) (*Order, error)
	// Orders returns a page, newest first, and the cursor of the next one, nil at the end.
	// A search finds what was committed before it, whether indexed or not; it fails with
	// unavailable when it would have to read too many orders that are not indexed yet.
	Orders(ctx context.Context, f OrderFilter, p Page) ([]*Order, *Cursor, error)
	// CountOrders counts the orders that match the filter by group. Finished orders are
	// counted up to MaxCounted, matches of a search up to MaxFound.
	CountOrders(ctx context.Context, f OrderFilter) (OrderCounts, error)
	// Events returns the order's entries with a seq above afterSeq, oldest first.
	Events(ctx context.Context, orderID string, afterSeq int64) ([]Event, error)
	// Versions returns the versions of those of the orders that exist.
	Versions(ctx context.Context, orderIDs []string) (map[string]int64, error)

	// CreateCourier commits a courier and, when set, the idempotency record; ErrRecorded as above.
	CreateCourier(ctx context.Context, c *Courier, idem *Idempotency) error
	// UpdateCourier runs the closure on the stored courier and commits, together with the idempotency record when set, whose
	// answer is the courier; or courier_not_found. ErrRecorded as above.
	UpdateCourier(ctx context.Context, id string, idem *Idempotency, fn func(*Courier) error) (*Courier, error)
	// Courier returns the courier without its position, or courier_not_found.
	Courier(ctx context.Context, id string) (*Courier, error)
	// OrdersInHand returns the couriers' active orders, by courier id.
	OrdersInHand(ctx context.Context, courierIDs []string) (map[string][]*Order, error)
	// LateOrders returns the ids of the unfinished orders that were promised before now and
	// have no note of it, longest overdue first, at most limit.
	LateOrders(ctx context.Context, now time.Time, limit int) ([]string, error)
	// BusyCouriers returns the ids of the couriers with active orders.
	BusyCouriers(ctx context.Context) ([]string, error)
	// CouriersByID returns the couriers that exist, by id, without their positions.
	CouriersByID(ctx context.Context, ids []string) (map[string]*Courier, error)
	// Couriers returns a page, newest first, and the cursor of the next one, nil at the end.
	Couriers(ctx context.Context, f CourierFilter, p Page) ([]*Courier, *Cursor, error)

	// AppendFixes stores positions as history, together with the idempotency record when
	// set; a (courier, recorded_at) that exists is skipped. It returns how many were new.
	AppendFixes(ctx context.Context, fixes []Fix, idem *Idempotency) (int, error)
	// Trail returns a courier's positions with from <= recorded_at <= to, oldest first, at most limit.
	Trail(ctx context.Context, courierID string, from, to time.Time, limit int) ([]Position, error)
	// LatestFixes returns the newest position of every courier recorded after since that is not secondary.
	LatestFixes(ctx context.Context, since time.Time) ([]Fix, error)

	// Recorded returns the record of an idempotency key, or nil.
	Recorded(ctx context.Context, scope, key string) (*Idempotency, error)
	Outbox
	SearchIndex
	Shipping
	PhoneTokens
	Tickets
	Offers
	Proofs
	Lessons
	Reports
	Places
	Leases
	AccessStore
	Deliveries
	Privacy

	// Purge deletes idempotency records, inbound ids and positions older than the given
	// times, and tickets and credentials that expired before theirs.
	Purge(ctx context.Context, idempotency, inbound, fixes, expired time.Time) error
	// Ping checks that the database responds and accepts writes.
	Ping(ctx context.Context) error
	Close() error
}

// Outbox holds the events that the bus has not acknowledged yet.
type Outbox interface {
	// Lead makes this process the leader of all that share the outbox, and returns the outbox to relay from: its methods
	// fail with unavailable once another process may lead. The caller resigns when it stops or anything fails. It returns a
	// nil outbox while another process leads.
	Lead(ctx context.Context) (box Outbox, resign func(), err error)
	// Pending returns the oldest unpublished events, at most limit, in order.
	Pending(ctx context.Context, limit int) ([]OutboxEntry, error)
	// Published removes the entries at these positions.
	Published(ctx context.Context, positions []int64) error
	// Republish makes every publishable event pending again; for a bus that lost its data.
	Republish(ctx context.Context) (int64, error)
	// Backlog returns how many events are pending.
	Backlog(ctx context.Context) (int64, error)
	// Committed receives a coalesced signal when events may be pending.
	Committed() <-chan struct{}
}

// SearchIndex makes searches fast. One process at a time feeds it.
type SearchIndex interface {
	// IndexSearch takes a step towards an index of all orders, and reports whether there is
	// more to do now. It does nothing while another process feeds the index.
	IndexSearch(ctx context.Context) (more bool, err error)
}

// Offers indexes the offers held by orders, so that a crash loses none.
type Offers interface {
	// KeepOffers commits the references of offers that are about to be made.
	KeepOffers(ctx context.Context, refs []OfferRef) error
	// OfferOrder returns the id of the order that holds the offer, or "".
	OfferOrder(ctx context.Context, offerID string) (orderID string, err error)
	// CourierOffers returns the references of a courier's offers, newest first, at most limit.
	CourierOffers(ctx context.Context, courierID string, limit int) ([]OfferRef, error)
	// DueOffers returns the references that are due, longest overdue first, at most limit.
	DueOffers(ctx context.Context, now time.Time, limit int) ([]OfferRef, error)
	// NextOffer returns when the next reference is due, zero for none.
	NextOffer(ctx context.Context) (time.Time, error)
	// PutOffOffers reschedules references.
	PutOffOffers(ctx context.Context, ids []string, until time.Time) error
	// DropOffers removes references.
	DropOffers(ctx context.Context, ids []string) error
}

// Proofs reads the images of orders, which are committed with their events (Change.Images), and counts wrong PINs.
type Proofs interface {
	// Image returns an image of a proof or an incident, or nil.
	Image(ctx context.Context, orderID, ownerID, kind string) ([]byte, error)
	// TryPIN counts a try of an order's PIN, and returns until when the PIN is locked: by the last of so many wrong ones in
	// a row until the given time; zero for not at all. A right one forgets the wrong ones before, unless it is locked.
	TryPIN(ctx context.Context, orderID string, right bool, most int, now, until time.Time) (locked time.Time, err error)
}

// Deliveries stores messages to receivers, which are committed with the change that causes
// them (Change.Deliveries). A receiver has one sender at a time.
type Deliveries interface {
	// KeepReceivers makes receivers known. DropReceiver forgets one and its deliveries.
	KeepReceivers(ctx context.Context, names []string) error
	DropReceiver(ctx context.Context, name string) error
	// LeaseReceivers makes the owner the only sender, until the given time, to the receivers
	// that have something due and no sender, but for some, and returns them.
	LeaseReceivers(ctx context.Context, owner string, except []string, now, until time.Time) ([]Receiver, error)
	// RenewReceivers moves the ends of the owner's leases and returns those that it still had.
	RenewReceivers(ctx context.Context, owner string, names []string, until time.Time) ([]string, error)
	// ReceiverFailing stores since when a receiver fails; zero for not at all.
	ReceiverFailing(ctx context.Context, name string, since time.Time) error
	// DueDeliveries returns a receiver's due deliveries, longest overdue first, at most limit.
	DueDeliveries(ctx context.Context, receiver string, now time.Time, limit int) ([]Delivery, error)
	// DeliveryContents returns what the deliveries tell, in their order.
	DeliveryContents(ctx context.Context, of []Delivery) ([]DeliveryContent, error)
	// SettleDeliveries stores how deliveries stand after a try. What was held meanwhile stays so, unless it was sent.
	SettleDeliveries(ctx context.Context, tried []Delivery) error
	// DeliveryLog returns a page of a webhook's deliveries, newest event first, and the next cursor.
	DeliveryLog(ctx context.Context, f DeliveryFilter, p Page) ([]Delivery, *Cursor, error)
	// OrderDeliveries returns the receivers' deliveries about an order, by seq.
	OrderDeliveries(ctx context.Context, orderID string, receivers []string) ([]Delivery, error)
	// RetryDeliveries makes the deliveries due at a time with all their tries ahead, and
	// returns how many. HoldDeliveries holds a receiver's waiting ones.
	RetryDeliveries(ctx context.Context, f DeliveryFilter, at time.Time) (int, error)
	HoldDeliveries(ctx context.Context, receiver string) error
	// CountMessage counts a message of a merchant on a day, or returns false when there have been as many as the limit.
	CountMessage(ctx context.Context, merchantID, channel, day string, limit int) (bool, error)
	// OptOut stores for ever that an address, as a keyed hash, gets no messages; OptedOut reports it.
	OptOut(ctx context.Context, mark string, at time.Time) error
	OptedOut(ctx context.Context, mark string) (bool, error)
	// DeliveryBacklog tells what waits. PurgeDeliveries deletes those about events before a time.
	DeliveryBacklog(ctx context.Context) (DeliveryBacklog, error)
	PurgeDeliveries(ctx context.Context, before time.Time) error
}

// Lessons stores what orders teach the estimates. A lesson is noted in the transaction that books a parcel or ends an order,
// once, worked out later, and then read by every replica in the same sequence.
type Lessons interface {
	// PendingLessons returns the lessons to work out, oldest orders first, at most limit.
	PendingLessons(ctx context.Context, limit int) ([]LessonRef, error)
	// KeepLessons commits worked-out lessons and gives them the next places, in order; those that have one already are skipped.
	KeepLessons(ctx context.Context, lessons []Lesson) error
	// LessonsAfter returns the lessons behind a place, in order, at most limit. What it has
	// passed stays complete: no lesson appears before one that was returned.
	LessonsAfter(ctx context.Context, place int64, limit int) ([]Lesson, error)
	// KeepBook commits a snapshot of what was learned up to a place, unless there is a later one; Book returns it, nil for none.
	KeepBook(ctx context.Context, place int64, data []byte) error
	Book(ctx context.Context) ([]byte, error)
	// EstimateReport returns how well first estimates held for the orders that ended in [from, to), by group: those whose
	// windows held least first, a few orders counting for little, at most limit. A merchant narrows it, unless empty.
	EstimateReport(ctx context.Context, by ReportBy, merchantID string, from, to time.Time, limit int) ([]EstimateGroup, error)
}

// Reports is the summary of days that reports are read from. An order adds its share in
// the transactions of SumOrders, after it ended, changed since, or had an offer.
type Reports interface {
	// SumOrders lets orders that changed add to the summary what the closure returns, instead of what they added before, and
	// reports whether there may be more of them. It does nothing while another process does it. The closure is pure and may
	// run several times; the history is read only of orders that were offered.
	SumOrders(ctx context.Context, limit int, shares func(o *Order, history []Event, before []ReportShare) []ReportShare) (more bool, err error)
	// Report adds up days by group: days and weeks in their order, else those with most
	// deliveries, offers and orders first, at most the filter's limit.
	Report(ctx context.Context, f ReportFilter) ([]ReportRow, error)
	// HoursOnDuty returns how long couriers were on duty in [from, to), by courier, longest first.
	HoursOnDuty(ctx context.Context, from, to time.Time) ([]OnDuty, error)
}

// Places stores what a geocoder answered.
type Places interface {
	// FoundPlace returns what was found for an address, or nil if it was not asked for.
	FoundPlace(ctx context.Context, address string) (*FoundPlace, error)
	// KeepPlace commits what was found for an address, instead of an earlier answer.
	KeepPlace(ctx context.Context, address string, p FoundPlace) error
}

// Leases stores who does what only one replica does at a time.
type Leases interface {
	// TakeLease takes a lease until a time, or extends the holder's own; false while
	// another has it. A holder gives it up by taking it until now.
	TakeLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error)
}

// Router computes routes by road. It fails with unavailable when it can't answer in time;
// callers then fall back to straight lines.
type Router interface {
	// Table returns driving times from each place (rows) to each destination; negative where there is no route.
	Table(ctx context.Context, from, to []Point) ([][]time.Duration, error)
	// Route returns the fastest route through the places in this order, or nil when there is none.
	Route(ctx context.Context, through []Point) (*Road, error)
}

// Geocoder finds addresses. It fails with unavailable when it can't answer in time.
type Geocoder interface {
	// Find returns the places that an address may mean, the most likely one first.
	Find(ctx context.Context, address string) ([]FoundPlace, error)
}

// Bus publishes messages. Publish returns nil once every message is durably acknowledged; messages with the same key keep
// their order. After an error any of them may or may not have been published: publish all again, oldest first.
type Bus interface {
	Publish(ctx context.Context, msgs []Message) error
}

// LiveStore holds the newest position of each courier and copies of hot orders. Nothing is
// decided by it: all its contents may be lost and are rebuilt.
type LiveStore interface {
	// PutFixes stores positions that are newer by device time than the stored ones, and reports for each whether it was.
	PutFixes(ctx context.Context, fixes []Fix) ([]bool, error)
	// Position returns the newest position of a courier, or nil.
	Position(ctx context.Context, courierID string) (*Position, error)
	// Positions returns the newest positions of the couriers that have one, by id.
	Positions(ctx context.Context, courierIDs []string) (map[string]*Position, error)
	// PutContact stores the last contact with a courier's phone; Contacts returns the stored ones of the couriers, by id.
	PutContact(ctx context.Context, courierID string, c Contact) error
	Contacts(ctx context.Context, courierIDs []string) (map[string]*Contact, error)
	// Nearest returns the newest fixes around a point that were recorded after since, nearest first, at most limit.
	Nearest(ctx context.Context, at Point, since time.Time, limit int) ([]Fix, error)
	// Fixes returns the newest fix of each courier that was recorded after since, unordered.
	Fixes(ctx context.Context, since time.Time) ([]Fix, error)
	// CachedOrder returns a copy of a recent version of an order, or nil.
	CachedOrder(ctx context.Context, id string) (*Order, error)
	// CacheOrder keeps the order unless a newer version is held.
	CacheOrder(ctx context.Context, o *Order) error
	// ForgetOlder drops copies of orders older than these versions, and where replicas share copies rejects older ones for a
	// while; for changes whose writer may have been killed before it cached them.
	ForgetOlder(ctx context.Context, versions map[string]int64) error
}

// Audience receives committed changes and passes them on to watchers. It never blocks.
type Audience interface {
	// OrderChanged announces what a commit did to an order.
	OrderChanged(a Announcement)
	// CourierChanged announces a change of a courier or of its orders.
	CourierChanged(courierID string)
}

// Watchers receives courier positions, which are not stored with orders. It never blocks.
type Watchers interface {
	// CourierMoved announces a courier's newest position and the orders in its custody; without an id it is a carrier's courier.
	CourierMoved(fix Fix, orders []Carried)
	// Estimated announces a changed estimate.
	Estimated(e Estimate)
}

// Notifier makes deliveries of events.
type Notifier interface {
	// Match adds to a change the deliveries that its events cause. It is quick, and called within the change.
	Match(ch *Change)
	// Committed announces deliveries that were just committed. It never blocks.
	Committed(list []Delivery)
	// Reach tells how the customer of an order is reached: by one channel, or by all when it is empty.
	Reach(o *Order, channel string) []Reach
	// Text returns the text of a template for the order's customer.
	Text(o *Order, template string) string
}

// Chooser picks couriers for orders.
type Chooser interface {
	// Choose returns a courier other than the given ones, and the reason in words; it fails with no_courier_available.
	Choose(ctx context.Context, o *Order, not []string) (courierID, reason string, err error)
}

// Tours plans the order in which a courier visits his stops.
type Tours interface {
	// Tour returns the remaining stops of a courier who has these orders, in the planned
	// order; none when his place is unknown. It does no I/O.
	Tour(c *Courier, orders []*Order, at *Position, now time.Time) []TourStop
}

// Experience is what deliveries have taught, and until then what is configured.
type Experience interface {
	// Drives returns how long drives take without a router, by what is known now. What it returns is for one goroutine.
	Drives(now time.Time) func(v Vehicle, from, to Point) time.Duration
	// Stays returns how long couriers stay at an order's pick-up, once it is ready, and at its door.
	Stays(o *Order, now time.Time) (pickup, door time.Duration)
}

// Parcels ends the shipments of orders.
type Parcels interface {
	// Release ends the shipment of an order that is to be cancelled and must have the expected version. Zero means that the
	// version was checked when the shipment was released; the order may have changed since. It reports whether there was a
	// shipment. It spends no money: it fails with paid_cancel_required when the carrier charges for it, with
	// cancel_after_pickup when the parcel is too far along, with booking_unknown when a person must first confirm whether
	// there is a parcel, and with unavailable while the carrier has not confirmed: then both are cancelled once it does.
	Release(ctx context.Context, orderID string, expected int64) (ended bool, err error)
}

// Wakeups carries messages between replicas that watch the same topics. Lost, repeated or
// reordered messages cost readers time and nothing else.
type Wakeups interface {
	// Publish sends a message to every replica that watches the topic, including this one.
	// It never blocks and never fails: a message that can't be sent is lost.
	Publish(topic string, message []byte)
	// Watch subscribes to a topic and Unwatch unsubscribes. Neither blocks; delivery may start a little later.
	Watch(topic string)
	Unwatch(topic string)
	// Watched reports whether any replica watches the topic; true while that can't be found out.
	Watched(ctx context.Context, topic string) bool
	// Receive calls fn with each message of a watched topic, one at a time per topic,
	// until the context ends; it waits out outages of the transport. fn must not block.
	Receive(ctx context.Context, fn func(topic string, message []byte)) error
}

// Shipping stores the jobs of shipments beside their orders (Change.Shipment), so that a crash only delays them.
type Shipping interface {
	// ShipmentJob returns the job of an order's shipment, or nil.
	ShipmentJob(ctx context.Context, orderID string) (*ShipmentJob, error)
	// ShipmentOrder returns the order with a tracking number, the newest of several, or order_not_found.
	ShipmentOrder(ctx context.Context, trackingNumber string) (string, error)
	// TakeShipments returns the account's due shipments, longest overdue first, at most
	// limit, and makes them due again at until, so that nobody else takes them.
	TakeShipments(ctx context.Context, account CarrierAccount, now, until time.Time, limit int) ([]ShipmentJob, error)
	// NextShipment returns when the account's next shipment is due, zero for none.
	NextShipment(ctx context.Context, account CarrierAccount) (time.Time, error)
	// PutOffShipment stores when a taken shipment is due next (job.Due), with job.Since, job.Looks, job.FailingSince and
	// job.Performer, unless it was hastened or rebooked since it was taken with this until.
	PutOffShipment(ctx context.Context, job ShipmentJob, until time.Time) error
	// HastenShipments makes the account's unfinished shipments that match any of the names
	// due at the given time, and returns how many.
	HastenShipments(ctx context.Context, account CarrierAccount, refs []ShipmentRef, at time.Time) (int, error)
	// HastenBookings makes the bookings that no carrier has answered yet due at the given time.
	HastenBookings(ctx context.Context, at time.Time) error
	// SendShipment records that the shipment is about to be sent to the carrier at that
	// time. It returns false when it is to be cancelled, or was rebooked: then nothing must be sent.
	SendShipment(ctx context.Context, orderID, clientRef string, at time.Time) (bool, error)
	// NameShipment stores the carrier's names of a shipment, unless it was rebooked; with
	// unsent also that the carrier has not received it.
	NameShipment(ctx context.Context, orderID string, ref ShipmentRef, unsent bool) error
	// CancelShipment sets or clears the wish to cancel a shipment, makes it due at the
	// given time, and reports whether the carrier may have received it. It fails with
	// version_conflict, and stores nothing, when the order does not have the version; zero matches any.
	CancelShipment(ctx context.Context, orderID, clientRef string, cancelling bool, version int64, at time.Time) (sent bool, err error)

	// KeepHook stores a webhook. TakeHooks returns the oldest, at most limit, that nobody
	// else has taken until now, and DropHook deletes one.
	KeepHook(ctx context.Context, h HookMessage) error
	TakeHooks(ctx context.Context, now, until time.Time, limit int) ([]HookMessage, error)
	DropHook(ctx context.Context, id string) error

	// KeepCarrierCursor stores how far the account's journal was read, and CarrierCursor returns it: "" for not at all.
	KeepCarrierCursor(ctx context.Context, account CarrierAccount, cursor string) error
	CarrierCursor(ctx context.Context, account CarrierAccount) (string, error)

	// KeepLabel stores a document of shipments: its print job, or the PDF once there is one. Label returns it, or nil.
	KeepLabel(ctx context.Context, l Label) error
	Label(ctx context.Context, key string) (*Label, error)
}
