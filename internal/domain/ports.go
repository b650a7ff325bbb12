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
	// duplicate_external_id when (merchant_id, external_id) or the id exists, and ErrRecorded.
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
	// UpdateCourier runs the closure on the stored courier and commits, with the idempotency
	// record when it is set, whose answer is the courier; or courier_not_found. ErrRecorded as above.
	UpdateCourier(ctx context.Context, id string, idem *Idempotency, fn func(*Courier) error) (*Courier, error)
	// Courier returns the courier without its position, or courier_not_found.
	Courier(ctx context.Context, id string) (*Courier, error)
	// OrdersInHand returns the active orders of couriers, by the courier's id.
	OrdersInHand(ctx context.Context, courierIDs []string) (map[string][]*Order, error)
	// CouriersByID returns those of the couriers that exist, by id, without their positions.
	CouriersByID(ctx context.Context, ids []string) (map[string]*Courier, error)
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
	Shipping
	PhoneTokens
	Tickets
	Offers
	AccessStore

	// Purge deletes idempotency records, inbound ids and positions older than the given
	// times, and tickets and credentials that expired before theirs.
	Purge(ctx context.Context, idempotency, inbound, fixes, expired time.Time) error
	// Ping says whether the database answers and takes writes.
	Ping(ctx context.Context) error
	Close() error
}

// Outbox is the events that the bus has not acknowledged yet.
type Outbox interface {
	// Lead makes this process the one that relays, of all that share the outbox, and
	// returns the outbox to relay from: its methods fail with unavailable once another
	// may lead. The caller resigns when it stops or anything fails. It returns a nil
	// outbox while another process leads.
	Lead(ctx context.Context) (box Outbox, resign func(), err error)
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

// PhoneTokens remembers which phones may report which couriers' positions.
type PhoneTokens interface {
	// KeepToken commits a token, or fails with courier_not_found.
	KeepToken(ctx context.Context, t PhoneToken) error
	// Tokens returns a courier's tokens, newest first.
	Tokens(ctx context.Context, courierID string) ([]PhoneToken, error)
	// TokenOwner returns the courier of the token with this hash, or "".
	TokenOwner(ctx context.Context, hash [32]byte) (string, error)
	// DropTokens forgets a courier's token of the id, or all of them when id is empty,
	// and returns the ids of those that there were.
	DropTokens(ctx context.Context, courierID, id string, idem *Idempotency) ([]string, error)
}

// Offers finds the offers that orders hold, so that a crash loses none.
type Offers interface {
	// KeepOffers commits the references of offers that are about to be made.
	KeepOffers(ctx context.Context, refs []OfferRef) error
	// OfferOrder returns the order that holds the offer, or "".
	OfferOrder(ctx context.Context, offerID string) (orderID string, err error)
	// CourierOffers returns the references of a courier's offers, newest first, at most limit.
	CourierOffers(ctx context.Context, courierID string, limit int) ([]OfferRef, error)
	// DueOffers returns the references that are due, the longest due first, at most limit.
	DueOffers(ctx context.Context, now time.Time, limit int) ([]OfferRef, error)
	// NextOffer returns when the next reference is due, zero for none.
	NextOffer(ctx context.Context) (time.Time, error)
	// PutOffOffers makes references due at another time.
	PutOffOffers(ctx context.Context, ids []string, until time.Time) error
	// DropOffers forgets references.
	DropOffers(ctx context.Context, ids []string) error
}

// Tickets remembers tickets until they are used.
type Tickets interface {
	// KeepTicket commits a ticket.
	KeepTicket(ctx context.Context, t Ticket) error
	// TakeTicket forgets the ticket with this hash and returns it, or nil when there is
	// none: of several callers one gets it.
	TakeTicket(ctx context.Context, hash [32]byte) (*Ticket, error)
}

// AccessStore remembers who may do what, and who changed that.
type AccessStore interface {
	// ChangeAccess commits the change. It fails with not_found when the credential to drop
	// or to expire is not there, and with version_conflict when the document has moved on.
	ChangeAccess(ctx context.Context, c AccessChange) error
	// AccessEpoch grows with every change that takes something away from somebody, and with
	// every change of a document: what was read before may not be true any more.
	AccessEpoch(ctx context.Context) (int64, error)
	// CredentialByHash returns the credential with this hash, also when it has expired, or nil.
	CredentialByHash(ctx context.Context, hash [32]byte) (*Credential, error)
	// TakeCode forgets the code with this hash and returns it, or nil when there is none: of
	// several callers one gets it.
	TakeCode(ctx context.Context, hash [32]byte) (*Credential, error)
	// Credential returns the credential of the id, or nil.
	Credential(ctx context.Context, id string) (*Credential, error)
	// Credentials returns a page of the kind's credentials, newest first, those of an order
	// only when orderID is set, and the cursor of the next page, nil at the end.
	Credentials(ctx context.Context, kind CredentialKind, orderID string, p Page) ([]Credential, *Cursor, error)
	// KnownCredentials returns those of the credentials that exist, with when they expire, by id.
	KnownCredentials(ctx context.Context, ids []string) (map[string]*time.Time, error)
	// CredentialsUsed notes when credentials, by id, were used.
	CredentialsUsed(ctx context.Context, at map[string]time.Time) error
	// Document returns a document, or nil.
	Document(ctx context.Context, kind, id string) (*Document, error)
	// Documents returns those of a kind with an id after the given one, by id, at most limit.
	Documents(ctx context.Context, kind, after string, limit int) ([]Document, error)
	// Secret returns the installation's secret of the name; the first caller's proposal becomes it.
	Secret(ctx context.Context, name string, proposal []byte) ([]byte, error)
	// AuditEntries returns entries with a position below before, newest first, at most limit;
	// before is 0 for the newest of all.
	AuditEntries(ctx context.Context, f AuditFilter, before int64, limit int) ([]AuditEntry, error)
	// AuditAfter returns entries with a position above after, oldest first, at most limit.
	AuditAfter(ctx context.Context, after int64, limit int) ([]AuditEntry, error)
	// AuditSeals returns the seals with a number above after, oldest first, at most limit.
	AuditSeals(ctx context.Context, after int64, limit int) ([]AuditSeal, error)
	// SealAudit commits the next seal; of several callers with the same number one succeeds
	// (true).
	SealAudit(ctx context.Context, s AuditSeal) (bool, error)
}

// Router knows the roads. What it can't answer in time fails with unavailable, and its
// callers go on by the straight line.
type Router interface {
	// Table returns how long it takes by road from each place, a row each, to each of the
	// destinations; negative where there is no way.
	Table(ctx context.Context, from, to []Point) ([][]time.Duration, error)
	// Route returns the fastest way, or nil when there is none.
	Route(ctx context.Context, from, to Point) (*Road, error)
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
	// Positions returns the newest positions of those of the couriers that have one, by id.
	Positions(ctx context.Context, courierIDs []string) (map[string]*Position, error)
	// PutContact notes when and how a courier's phone was last heard of, Contacts returns it
	// of those of the couriers who were, by id.
	PutContact(ctx context.Context, courierID string, c Contact) error
	Contacts(ctx context.Context, courierIDs []string) (map[string]*Contact, error)
	// Nearest returns the newest fixes around a point, nearest first, that were
	// recorded after since, at most limit.
	Nearest(ctx context.Context, at Point, since time.Time, limit int) ([]Fix, error)
	// Fixes returns the newest fix of each courier that was recorded after since, in no order.
	Fixes(ctx context.Context, since time.Time) ([]Fix, error)
	// CachedOrder returns a copy of a recent version of an order, or nil.
	CachedOrder(ctx context.Context, id string) (*Order, error)
	// CacheOrder keeps the order unless a newer version is held.
	CacheOrder(ctx context.Context, o *Order) error
	// ForgetOlder drops the copies of orders that are older than these versions, and where
	// replicas share copies keeps older ones out for a while; for changes whose writer may
	// have been killed before it cached them.
	ForgetOlder(ctx context.Context, versions map[string]int64) error
}

// Audience is told what happened, after it was committed, to tell those who watch.
// It never blocks.
type Audience interface {
	// OrderChanged announces what a commit did to an order.
	OrderChanged(a Announcement)
	// CourierChanged announces that a courier, or which orders it has, was changed.
	CourierChanged(courierID string)
}

// Watchers are told where couriers are, beside what is stored. It never blocks.
type Watchers interface {
	// CourierMoved announces a courier's newest position and the orders in its custody.
	CourierMoved(fix Fix, orderIDs []string)
	// Estimated announces a changed estimate.
	Estimated(e Estimate)
}

// Chooser knows who should carry an order.
type Chooser interface {
	// Choose returns the courier, who is none of those, and why, in words; it fails with
	// no_courier_available.
	Choose(ctx context.Context, o *Order, not []string) (courierID, reason string, err error)
}

// Parcels ends the shipments of orders.
type Parcels interface {
	// Release ends the shipment of an order that is to be cancelled, which must have the
	// expected version unless that is zero: then the version was checked when the shipment
	// was given up, and the order may have changed since. It returns whether there was one.
	// It spends nothing: it fails with paid_cancel_required when the carrier charges for it,
	// with cancel_after_pickup when the parcel is too far on, with booking_unknown when a
	// person must say first whether there is a parcel, and with unavailable while the carrier
	// has not confirmed: then both are cancelled as soon as it does.
	Release(ctx context.Context, orderID string, expected int64) (ended bool, err error)
}

// Wakeups carries messages between replicas that watch the same things. What it loses,
// repeats or reorders costs its readers time and nothing else.
type Wakeups interface {
	// Publish hands a message to every replica that watches the topic, this one too. It
	// never blocks and never fails: a message that can't be sent is lost.
	Publish(topic string, message []byte)
	// Watch begins and Unwatch ends listening to a topic. Neither blocks; messages may
	// come a little later than that.
	Watch(topic string)
	Unwatch(topic string)
	// Receive calls fn with each message of a watched topic, one at a time for each topic,
	// until the context ends; it waits out whatever carries them. fn must not block.
	Receive(ctx context.Context, fn func(topic string, message []byte)) error
}

// Shipping remembers what is to be done about shipments, beside their orders
// (Change.Shipment), so that a crash delays it only.
type Shipping interface {
	// ShipmentJob returns what is remembered of an order's shipment, or nil.
	ShipmentJob(ctx context.Context, orderID string) (*ShipmentJob, error)
	// ShipmentOrder returns the order of a tracking number, or order_not_found; the
	// newest of several.
	ShipmentOrder(ctx context.Context, trackingNumber string) (string, error)
	// TakeShipments returns the account's shipments that are due, the longest due first,
	// at most limit, and makes them due again at until, so that nobody else takes them.
	TakeShipments(ctx context.Context, account CarrierAccount, now, until time.Time, limit int) ([]ShipmentJob, error)
	// NextShipment returns when the next of the account's shipments is due, zero for none.
	NextShipment(ctx context.Context, account CarrierAccount) (time.Time, error)
	// PutOffShipment stores when a shipment that was taken is due next (job.Due), with
	// job.Since, job.Looks and job.FailingSince, unless it was hastened or booked anew since
	// it was taken to be due at until.
	PutOffShipment(ctx context.Context, job ShipmentJob, until time.Time) error
	// HastenShipments makes the account's unfinished shipments that any of the names fits
	// due at the given time, and returns how many.
	HastenShipments(ctx context.Context, account CarrierAccount, refs []ShipmentRef, at time.Time) (int, error)
	// SendShipment notes that the carrier is about to hear of a shipment at that time. It
	// says false when it is to be cancelled, or was booked anew: then nothing must be sent.
	SendShipment(ctx context.Context, orderID, clientRef string, at time.Time) (bool, error)
	// NameShipment stores the names by which the carrier knows a shipment, unless it was
	// booked anew; with unsent also that the carrier has not heard of it.
	NameShipment(ctx context.Context, orderID string, ref ShipmentRef, unsent bool) error
	// CancelShipment notes that a shipment is to be cancelled, or no more, makes it due at
	// the given time, and says whether the carrier may have heard of it. It fails with
	// version_conflict, and notes nothing, when the order has not the version; any for zero.
	CancelShipment(ctx context.Context, orderID, clientRef string, cancelling bool, version int64, at time.Time) (sent bool, err error)

	// KeepHook stores what a carrier posted. TakeHooks returns the oldest, at most limit,
	// that nobody else has taken until now, and DropHook forgets one.
	KeepHook(ctx context.Context, h HookMessage) error
	TakeHooks(ctx context.Context, now, until time.Time, limit int) ([]HookMessage, error)
	DropHook(ctx context.Context, id string) error

	// KeepLabel stores a paper of shipments: the job that prints it, or the PDF once there
	// is one. Label returns it, or nil.
	KeepLabel(ctx context.Context, l Label) error
	Label(ctx context.Context, key string) (*Label, error)
}

// Carrier is an account with a delivery company. Beside this core it has those of the
// abilities below that it implements: ask by a type assertion, answer Unsupported when
// it fails. All of them fail with *CarrierError. Its Class says when to try again and
// never that a parcel has ended: only a snapshot's phase does.
type Carrier interface {
	// Account names the company and the contract with it.
	Account() CarrierAccount
	// Traits returns what callers must know of the company's ways.
	Traits() CarrierTraits
}

// CarrierQuoter knows prices.
type CarrierQuoter interface {
	// Quote returns an offer per tariff that can serve the way; validation when none can.
	Quote(ctx context.Context, r QuoteRequest) ([]Quote, error)
}

// CarrierShipper books shipments.
type CarrierShipper interface {
	// CreateShipment hands a booking in, once, and does not wait for the carrier to decide:
	// as a rule the answer is pending. A failure that is Unsent made no parcel, and one
	// that is Refused never will; after any other one the parcel may exist.
	CreateShipment(ctx context.Context, r ShipmentRequest) (ShipmentSnapshot, error)
	// CheckShipment returns, as validation_failed, what is wrong with a booking as far as can
	// be seen without asking: nothing of it is ever left out silently.
	CheckShipment(r ShipmentRequest) error
	// FindShipment looks for a shipment by the name that we gave it (ref.ClientRef); not_found
	// while the carrier shows none.
	FindShipment(ctx context.Context, ref ShipmentRef) (ShipmentSnapshot, error)
	// CancelTerms asks what cancelling a shipment takes, and changes nothing.
	CancelTerms(ctx context.Context, ref ShipmentRef) (CancelTerms, error)
	// CancelShipment cancels on the terms that were agreed: on free ones nothing that costs.
	// It fails with conflict when they hold no more.
	CancelShipment(ctx context.Context, ref ShipmentRef, agreed CancelTerms) (CancelOutcome, error)
}

// CarrierTracker knows where shipments are, also those booked elsewhere.
type CarrierTracker interface {
	TrackShipment(ctx context.Context, ref ShipmentRef) (ShipmentSnapshot, error)
}

// CarrierPerformer knows where whoever carries a shipment is now.
type CarrierPerformer interface {
	// PerformerPosition returns the position, or nil while nobody carries it.
	PerformerPosition(ctx context.Context, ref ShipmentRef) (*Position, error)
}

// CarrierWebhooks tells unasked.
type CarrierWebhooks interface {
	// VerifyHook says whether the company posted it, as far as can be told without
	// asking; nil for companies that sign nothing.
	VerifyHook(h HookMessage) error
	// ParseHook decodes what was posted to us.
	ParseHook(h HookMessage) ([]CarrierHook, error)
	// Affected returns the shipments that a hint is about.
	Affected(ctx context.Context, h CarrierHook) ([]ShipmentRef, error)
	// EnsureHooks sees to it that hints are sent to the URL, and to no other address that
	// ends in the same way, which was ours before; it returns which kinds are.
	EnsureHooks(ctx context.Context, url string) ([]string, error)
}

// CarrierLabeler prints.
type CarrierLabeler interface {
	// RequestLabel has a paper of several shipments printed.
	RequestLabel(ctx context.Context, refs []ShipmentRef, p Paper) (id string, err error)
	// FetchLabel returns the PDF, or nil while it is not ready; not_found when the carrier
	// has it no more, so that it must be printed anew.
	FetchLabel(ctx context.Context, id string, p Paper) ([]byte, error)
}

// CarrierIntakes sends couriers who collect.
type CarrierIntakes interface {
	// BookIntake asks for a courier; repeated for the same shipment it returns the intake
	// that is open.
	BookIntake(ctx context.Context, ref ShipmentRef, r IntakeRequest) (Intake, error)
	// TrackIntake returns what is known of one.
	TrackIntake(ctx context.Context, id string) (Intake, error)
	CancelIntake(ctx context.Context, id string) error
}

// CarrierEditor changes booked parcels, while it still can: conflict afterwards.
type CarrierEditor interface {
	EditShipment(ctx context.Context, ref ShipmentRef, e ShipmentEdit) error
}

// CarrierCollector takes money in.
type CarrierCollector interface {
	// Handovers returns what the carrier handed on of a day.
	Handovers(ctx context.Context, day time.Time) ([]Handover, error)
}

// CarrierPoints has offices.
type CarrierPoints interface {
	Points(ctx context.Context, q PointQuery) ([]DeliveryPoint, error)
}
