package domain

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Restored is an order from another system: in the product's format, with its whole
// history or with the times at which it reached its statuses.
type Restored struct {
	Order Order
	// Events is the whole history, oldest first. It must lead to the order.
	Events []Event
	// Steps are the known times when there are no events; a history is built from them.
	Steps []Step
}

// Step is a status that an order reached. Pointer locates it in the input.
type Step struct {
	Status  Status
	At      time.Time
	Pointer string
}

// SourceImport is the source of a history built from times.
const SourceImport = "import"

// Restore returns the change that stores the order as it was, or all its faults. A missing id and number are generated.
// region is the country of phone numbers without a country code; by describes the importer and the time.
func (r Restored) Restore(region string, by By) (*Change, error) {
	var f Faults
	o := r.Order
	o.wire, o.Bookkeeping, o.PIN = nil, Bookkeeping{}, ""
	o.name(&f)
	o.particulars(&f, region)
	var events []Event
	if len(r.Events) > 0 {
		events = slices.Clone(r.Events)
		f.history(&o, events, by.Now)
	} else {
		events = r.history(&o, &f, by)
	}
	o.state(&f, by.Now)
	if err := f.Err(); err != nil {
		return nil, err
	}
	o.remember(events)
	return &Change{Order: &o, Events: events, Imported: true}, nil
}

// name checks the order's identifiers.
func (o *Order) name(f *Faults) {
	o.ID = cmp.Or(o.ID, NewID())
	f.ID("/id", &o.ID)
	id, _ := uuid.Parse(o.ID) // an invalid one was reported already
	o.Number = cmp.Or(o.Number, orderNumber(id))
	f.Required("/number", o.Number, MaxKey)
	if o.CourierID != "" {
		f.ID("/courier_id", &o.CourierID)
	}
}

// particulars checks what a draft has too, by the same rules.
func (o *Order) particulars(f *Faults, region string) {
	d, err := o.Draft().Normalize(region)
	if err != nil {
		f.Include("", err)
		return
	}
	o.Customer, o.Pickup, o.Dropoff = d.Customer, d.Pickup, *d.Dropoff
	o.ReadyAt, o.PromisedAt, o.DeliverAfter, o.DeliverBefore = d.ReadyAt, d.PromisedAt, d.DeliverAfter, d.DeliverBefore
	o.Requirements = d.Requirements
}

// Draft returns a draft with the order's details.
func (o *Order) Draft() Draft {
	return Draft{
		ExternalID: o.ExternalID, MerchantID: o.MerchantID, Customer: o.Customer, Pickup: o.Pickup, Dropoff: &o.Dropoff,
		Items: o.Items, Total: o.Total, Payment: o.Payment, Notes: o.Notes, Metadata: o.Metadata, ReadyAt: o.ReadyAt, PromisedAt: o.PromisedAt,
		DeliverAfter: o.DeliverAfter, DeliverBefore: o.DeliverBefore, Timezone: o.Timezone, Priority: o.Priority, Requirements: o.Requirements, ProofRequired: o.ProofRequired,
	}
}

// state checks the fields that a draft does not have, after the history was checked.
func (o *Order) state(f *Faults, now time.Time) {
	f.Status("/status", o.Status)
	f.past("/created_at", &o.CreatedAt, now)
	f.past("/updated_at", &o.UpdatedAt, now)
	if o.UpdatedAt.Before(o.CreatedAt.Add(-FutureTolerance)) {
		f.Add("/updated_at", string(CodeImpossibleTime), "must not be before created_at")
	}
	f.ending("/delivered_at", o.DeliveredAt, o.Status == StatusDelivered, now)
	f.ending("/cancelled_at", o.CancelledAt, o.Status == StatusCancelled, now)
	o.DeliveredAt, o.CancelledAt = timestamp(o.DeliveredAt), timestamp(o.CancelledAt)
	Within(f, "/attempts", o.Attempts, 0, MaxQuantity)
	if x := o.Exception; x != nil {
		f.Check("/exception", x)
		f.past("/exception/since", &x.Since, now)
	}
	if s := o.Shipment; s != nil {
		f.Text("/shipment/tracking_number", s.TrackingNumber, MaxKey)
		f.Required("/shipment/carrier", s.Carrier, MaxKey)
	}
	o.estimated(f)
}

// past checks a required time and brings it to the stores' precision.
func (f *Faults) past(pointer string, t *time.Time, now time.Time) {
	if t.IsZero() {
		f.Add(pointer, "required", "is required")
		return
	}
	f.notFuture(pointer, *t, now)
	*t = Timestamp(*t)
}

// ending checks that an end time is set exactly when the order has ended that way.
func (f *Faults) ending(pointer string, t *time.Time, reached bool, now time.Time) {
	switch {
	case reached && t == nil:
		f.Add(pointer, "required", "is required for this status")
	case !reached && t != nil:
		f.Add(pointer, "conflict", "does not go with this status")
	case t != nil:
		f.notFuture(pointer, *t, now)
	}
}

func (o *Order) estimated(f *Faults) {
	if o.ETA == nil {
		return
	}
	e := *o.ETA
	o.ETA = &e
	e.OrderID = cmp.Or(e.OrderID, o.ID)
	if e.OrderID != o.ID {
		f.Add("/eta/order_id", "conflict", "must be the order's id")
	}
	for pointer, t := range map[string]*time.Time{
		"/eta/eta": &e.ETA, "/eta/earliest": &e.Earliest, "/eta/latest": &e.Latest, "/eta/computed_at": &e.ComputedAt,
	} {
		f.Time(pointer, t)
		*t = t.UTC()
	}
	switch e.Method {
	case MethodLive, MethodRoute, MethodHistory, MethodCarrier, MethodPromised, MethodDefault, MethodActual:
	default:
		f.Add("/eta/method", "unknown_method", "must be one of the methods, such as %s", MethodRoute)
	}
	Within(f, "/eta/confidence", e.Confidence, 0, 1)
}

// history builds events from the steps, by the rules of reports: they may skip forward
// along any path of the table. Of two steps that may follow each other the earlier one comes
// first. Times in another order than the table's are rejected, but for what clocks may differ.
func (r Restored) history(o *Order, f *Faults, by By) []Event {
	steps := slices.Clone(r.Steps)
	slices.SortStableFunc(steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Status.depth(), b.Status.depth()), a.At.Compare(b.At), cmp.Compare(a.Status.rank(), b.Status.rank()))
	})
	wanted, given := o.Status, *o
	if o.CreatedAt.IsZero() {
		o.CreatedAt = by.Now
		if len(steps) > 0 {
			o.CreatedAt = steps[0].At
		}
	}
	o.CreatedAt = Timestamp(o.CreatedAt)
	by.Source = SourceImport
	o.Status, o.Version, o.Attempts, o.DeliveredAt, o.CancelledAt = StatusCreated, 0, 0, nil, nil
	courier, faults, last := o.CourierID, len(f.list), o.CreatedAt
	events := []Event{o.change(EventCreated, by.at(o.CreatedAt), nil)}
	for _, s := range steps {
		switch {
		case !s.Status.Valid():
			f.Status(s.Pointer, s.Status)
		case !o.Status.Leads(s.Status):
			f.Add(s.Pointer, string(CodeIllegalTransition), "an order that is %s can't become %s", o.Status, s.Status)
		default:
			f.notFuture(s.Pointer, s.At, by.Now)
			f.notBefore(s.Pointer, s.At, &last)
			o.CourierID = "" // the courier at that time is unknown
			at := by.at(s.At)
			at.Now = Later(at.Now, o.UpdatedAt) // it may have happened before it was recorded here
			events = append(events, o.enter(s.Status, at, nil))
		}
	}
	o.CourierID = courier
	if wanted != "" && wanted != o.Status && len(f.list) == faults {
		f.Add("/status", "conflict", "the times lead to %s", o.Status)
	}
	o.Attempts = max(o.Attempts, given.Attempts)
	if !given.UpdatedAt.IsZero() {
		o.UpdatedAt = given.UpdatedAt
	}
	if o.DeliveredAt != nil && given.DeliveredAt != nil { // which a report may tell later than another step
		o.DeliveredAt = given.DeliveredAt
	}
	return events
}

// notBefore rejects a time that precedes the last one by more than clocks may differ, and remembers the later of both.
func (f *Faults) notBefore(pointer string, t time.Time, last *time.Time) {
	if t.Before(last.Add(-FutureTolerance)) {
		f.Add(pointer, string(CodeImpossibleTime), "must not be before %s, the time of what came before it", last.UTC().Format(time.RFC3339))
	}
	*last = Later(*last, t)
}

// at returns by at another time.
func (b By) at(t time.Time) By {
	b.Now, b.OccurredAt = t, t
	return b
}

// depth is the number of statuses that must come before s.
func (s Status) depth() int {
	n := 0
	for _, t := range transitions {
		if t.From.Leads(s) && !s.Leads(t.From) {
			n++
		}
	}
	return n
}

// rank is the index of the status in the table.
func (s Status) rank() int {
	return slices.IndexFunc(transitions, func(t Transition) bool { return t.From == s })
}

// history checks that the events are a complete history that leads to the order, and brings them to the stores' precision.
func (f *Faults) history(o *Order, events []Event, now time.Time) {
	at := &Order{ID: o.ID}
	seen := make(map[string]bool, len(events))
	var last time.Time
	for i := range events {
		var of Faults
		e := &events[i]
		of.entry(e, o.ID, now)
		of.notBefore("/recorded_at", e.RecordedAt, &last) // when it occurred may be told late
		if seen[e.ID] {
			of.Add("/id", "duplicate", "is the id of an earlier event")
		}
		seen[e.ID] = true
		of.follows(at, e)
		f.Include("/events/"+strconv.Itoa(i), of.Err())
	}
	if o.Version != at.Version {
		f.Add("/version", "conflict", "the events lead to version %d", at.Version)
	}
	if o.Status != at.Status {
		f.Add("/status", "conflict", "the events lead to %s", at.Status)
	}
}

// entry checks an event on its own.
func (f *Faults) entry(e *Event, orderID string, now time.Time) {
	f.ID("/id", &e.ID)
	e.OrderID = cmp.Or(strings.ToLower(e.OrderID), orderID)
	if e.OrderID != orderID {
		f.Add("/order_id", "conflict", "must be the order's id")
	}
	if !slices.Contains(EventTypes(), e.Type) {
		f.Add("/type", "unknown_type", "must be one of the types of events, such as %s", EventStatusChanged)
	}
	f.past("/occurred_at", &e.OccurredAt, now)
	f.past("/recorded_at", &e.RecordedAt, now)
	if !slices.Contains(Roles(), e.Actor.Kind) {
		f.Add("/actor/kind", "unknown_role", "must be a role, such as %s", RoleDispatcher)
	}
	f.Text("/actor/id", e.Actor.ID, MaxKey)
	f.Text("/source", e.Source, MaxKey)
	f.Text("/reason", e.Reason, MaxText)
	f.Point("/location", e.Location)
}

// follows checks that an event can follow the current state of o, and applies it.
func (f *Faults) follows(o *Order, e *Event) {
	o.Bookkeeping.Seq++
	if e.Seq != o.Bookkeeping.Seq {
		f.Add("/seq", "not_contiguous", "must be %d", o.Bookkeeping.Seq)
	}
	first := o.Version == 0
	if first != (e.Type == EventCreated) {
		f.Add("/type", "conflict", "a history begins with %s, once", EventCreated)
	}
	if first || !e.Note() {
		o.Version++
	}
	if e.Version != o.Version {
		f.Add("/version", "not_contiguous", "must be %d", o.Version)
	}
	was := o.Status
	switch {
	case !e.Status.Valid():
		f.Status("/status", e.Status)
		return
	case first:
		was = StatusCreated
	case e.Type == EventReportLate:
		return // its status is the reported one
	case e.Type == EventStatusChanged:
		if e.PreviousStatus != o.Status {
			f.Add("/previous_status", "conflict", "must be %s", o.Status)
		}
		if !o.Status.Leads(e.Status) {
			f.Add("/status", string(CodeIllegalTransition), "an order that is %s can't become %s", o.Status, e.Status)
		}
		was = e.Status
	}
	if e.Status != was {
		f.Add("/status", "conflict", "must be %s", was)
	}
	o.Status = was
}

// remember rebuilds the bookkeeping from the history.
func (o *Order) remember(events []Event) {
	o.Bookkeeping = Bookkeeping{Seq: int64(len(events))}
	for _, e := range events {
		switch e.Type {
		case EventStatusChanged, EventReportLate:
			// People's steps are not compared by time.
			if e.Source != "" && e.Source != SourceAPI && e.Source != SourceImport {
				o.newestOf(e.Source, e.OccurredAt)
			}
		case EventOrderLate, EventCourierNear:
			o.Once(string(e.Type))
		case EventCourierSilent:
			o.Bookkeeping.SilentSince = instantOf(e.Data["last_heard_at"])
		}
		if e.Type != EventStatusChanged {
			continue
		}
		if handsOver(e.PreviousStatus, e.Status) {
			o.Bookkeeping.CustodyAt = new(e.OccurredAt)
		}
		if e.Status.Terminal() {
			o.Bookkeeping.EndedAt = new(e.OccurredAt)
		}
		if e.Status == StatusAssigned && e.Data["courier_id"] != nil {
			o.Bookkeeping.SentOnce, o.Bookkeeping.AssignedAt = nil, new(e.RecordedAt)
		}
		if e.Status == StatusDeliveryFailed {
			o.forget(comingAgain...)
		}
	}
}

// instantOf reads a time from an event's data, in memory or JSON form.
func instantOf(v any) *time.Time {
	switch at := v.(type) {
	case time.Time:
		return &at
	case string:
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
			return &t
		}
	}
	return nil
}

// RestoreCourier returns an imported courier unchanged but for position and load, which are derived; or all its faults.
func RestoreCourier(c Courier, region string, now time.Time) (*Courier, error) {
	var f Faults
	f.ID("/id", &c.ID)
	f.Include("", c.edit(CourierEdit{}, region, now))
	f.past("/created_at", &c.CreatedAt, now)
	f.past("/updated_at", &c.UpdatedAt, now)
	c.Position, c.ActiveOrders, c.Version = nil, 0, max(c.Version, 1)
	return &c, f.Err()
}
