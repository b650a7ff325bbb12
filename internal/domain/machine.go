package domain

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Move takes the order to a status at the request of a person or an app: strictly by the table. Requesting the current
// status changes nothing. It fails with illegal_transition or cancel_after_pickup, which list the allowed steps, with
// proof_required, or with validation_failed.
func (o *Order) Move(to Status, proof *Proof, by By) ([]Event, error) {
	var f Faults
	switch {
	case !to.Valid():
		f.Status("/status", to)
	case to == StatusAssigned:
		f.Add("/status", "use_assign_courier", "assigning needs a courier: use the assign-courier operation")
	}
	by.validate(&f)
	if proof != nil {
		f.Check("/proof", proof)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if to == o.Status {
		return nil, nil
	}
	if !o.Status.CanMove(to) {
		return nil, o.refuse(to)
	}
	if to == StatusDelivered && !by.overrides() {
		if missing := o.MissingProof(); len(missing) > 0 {
			return nil, &Error{Code: CodeProofRequired, Message: "the delivery needs proof first: " + strings.Join(missing, ", "), Missing: missing}
		}
	}
	return []Event{o.enter(to, by, proof.data())}, nil
}

// Cancel is Move to cancelled.
func (o *Order) Cancel(by By) ([]Event, error) { return o.Move(StatusCancelled, nil, by) }

// Assign gives the order to a courier. Its current courier changes nothing.
func (o *Order) Assign(courierID string, by By) ([]Event, error) {
	switch {
	case o.Status == StatusAssigned && o.CourierID == courierID:
		return nil, nil
	case !o.Status.CanMove(StatusAssigned):
		return nil, o.refuse(StatusAssigned)
	case courierID == "":
		return nil, Invalid("/courier_id", "required", "is required")
	}
	data := map[string]any{"courier_id": courierID}
	if o.CourierID != "" {
		data["previous_courier_id"] = o.CourierID
	}
	at := Timestamp(by.Now)
	o.CourierID, o.Bookkeeping.SentOnce, o.Bookkeeping.AssignedAt = courierID, nil, &at
	return []Event{o.enter(StatusAssigned, by, data)}, nil
}

func (o *Order) refuse(to Status) error {
	code, text := CodeIllegalTransition, "an order that is "+string(o.Status)+" can't become "+string(to)
	if to == StatusCancelled && !o.Status.BeforeCustody() {
		code, text = CodeCancelAfterPickup, "an order can't be cancelled once it was handed over; send it returning instead"
	}
	return &Error{Code: code, Message: text, Allowed: o.Status.Next()}
}

// handsOver reports whether the step hands the goods to a courier or carrier.
func handsOver(from, to Status) bool {
	return from.BeforeCustody() && !to.BeforeCustody() && to != StatusCancelled
}

// enter makes a step that was checked to be allowed.
func (o *Order) enter(to Status, by By, data map[string]any) Event {
	previous, at := o.Status, by.occurred()
	if handsOver(previous, to) {
		o.Bookkeeping.CustodyAt = &at
	}
	if o.Status = to; to.Terminal() {
		o.Bookkeeping.EndedAt = &at
	}
	switch to {
	case StatusConfirmed:
		if o.CourierID != "" {
			data = map[string]any{"previous_courier_id": o.CourierID}
		}
		o.CourierID = ""
	case StatusDeliveryFailed:
		o.Attempts++
		o.forget(comingAgain...)
	case StatusDelivered:
		o.Attempts++
		o.DeliveredAt = &at
	case StatusCancelled:
		o.CancelledAt = &at
	}
	ev := o.change(EventStatusChanged, by, data)
	ev.PreviousStatus = previous
	return ev
}

// Report is a status reported by a machine: a Kafka message, a carrier scan, a courier entering a fence.
type Report struct {
	EventID        string    `json:"event_id" minLength:"1" maxLength:"128" doc:"identifies the report, which is applied once"`
	OrderID        string    `json:"order_id,omitempty"`
	ExternalID     string    `json:"external_id,omitempty" maxLength:"128"`
	MerchantID     string    `json:"merchant_id,omitempty" maxLength:"128"`
	TrackingNumber string    `json:"tracking_number,omitempty" maxLength:"128"`
	Status         Status    `json:"status"`
	OccurredAt     time.Time `json:"occurred_at" doc:"when it happened; at most 5 minutes in the future"`
	Source         string    `json:"source" minLength:"1" maxLength:"128" doc:"source of the report; of the reports of one source the newest counts"`
	Reason         string    `json:"reason,omitempty" maxLength:"2000"`
	Location       *Point    `json:"location,omitempty"`
	// Data is stored in the entry unchanged; only our own adapters set it.
	Data map[string]any `json:"-"`
}

// Validate returns every fault of the report; one too far ahead of now is impossible_time.
func (r *Report) Validate(now time.Time) error {
	var f Faults
	f.Check("", r)
	if r.OrderID == "" && r.ExternalID == "" && r.TrackingNumber == "" {
		f.Add("/order_id", "required", "order_id, external_id or tracking_number is required")
	}
	if r.OccurredAt.IsZero() {
		f.Add("/occurred_at", "required", "is required")
	}
	f.ahead("/occurred_at", r.OccurredAt, now)
	other := func(fault Fault) bool { return fault.Code != string(CodeImpossibleTime) }
	if len(f.list) > 0 && !slices.ContainsFunc(f.list, other) {
		return &Error{Code: CodeImpossibleTime, Message: "the report's time is impossible", Faults: f.list}
	}
	return f.Err()
}

// Observe applies a report. It may skip forward along any path of the table. A report is late when no path leads to its
// status or when its source has already reported something newer; one that repeats the status is a duplicate. Both are added
// to the history and leave the order unchanged.
func (o *Order) Observe(r Report, by By) []Event {
	by.Source, by.OccurredAt, by.Reason, by.Location = r.Source, Timestamp(r.OccurredAt), r.Reason, r.Location
	newest := o.newestOf(r.Source, by.OccurredAt)
	if newest && r.Status != o.Status && o.Status.Leads(r.Status) {
		return []Event{o.enter(r.Status, by, r.Data)}
	}
	ev := o.Note(EventReportLate, by, r.Data)
	ev.Status = r.Status
	return []Event{ev}
}

// newestOf remembers the time of a source's report, and reports whether the source has reported nothing newer.
func (o *Order) newestOf(source string, at time.Time) bool {
	if newest, known := o.Bookkeeping.Reported[source]; known && newest.After(at) {
		return false
	}
	reported := with(o.Bookkeeping.Reported, source, at)
	for len(reported) > maxReporters { // bounded, even if each report has a new source
		delete(reported, slices.MinFunc(slices.Collect(maps.Keys(reported)), func(a, b string) int {
			return cmp.Or(reported[a].Compare(reported[b]), cmp.Compare(a, b))
		}))
	}
	o.Bookkeeping.Reported = reported
	return true
}

// maxReporters is for how many sources, those with the newest times, an order remembers the time of the last report.
const maxReporters = 32
