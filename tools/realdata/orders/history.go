package orders

import (
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// Types of events that a row causes.
const (
	typeCreated = "order.created"
	typeStatus  = "order.status_changed"
	typeLate    = "order.report_late"
)

// theCourier stands in expected entries for the id that the rider got.
const theCourier = "<courier>"

// entry is an expected entry of a history; its seq is its place.
type entry struct {
	version          int64
	kind             string
	status, previous client.Status
	occurred         time.Time // zero: when it was recorded
	reported         bool      // by a machine; otherwise said through the API
	reason           string
	location         *client.Point
	data             map[string]any
}

// history predicts an order's history from its steps. It is written from the contract,
// independently of the product's code.
type history struct {
	status  client.Status
	version int64
	newest  time.Time // that the source reported
	seen    map[string]bool
	entries []entry
}

func newHistory() *history { return &history{seen: map[string]bool{}} }

// steps are the rows of the contract's table between the statuses of this data.
var steps = map[client.Status][]client.Status{
	client.StatusCreated:   {client.StatusConfirmed, client.StatusAssigned},
	client.StatusConfirmed: {client.StatusAssigned},
	client.StatusAssigned:  {client.StatusConfirmed, client.StatusAtPickup, client.StatusPickedUp},
	client.StatusAtPickup:  {client.StatusPickedUp, client.StatusConfirmed},
	client.StatusPickedUp:  {client.StatusDelivered},
}

// leads reports whether a path of at least one step leads from one status to another.
func leads(from, to client.Status) bool {
	seen := map[client.Status]bool{}
	for queue := steps[from]; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			return true
		}
		if !seen[queue[0]] {
			seen[queue[0]] = true
			queue = append(queue[:len(queue):len(queue)], steps[queue[0]]...)
		}
	}
	return false
}

func (h *history) create() {
	h.status, h.version = client.StatusCreated, 1
	h.entries = append(h.entries, entry{version: 1, kind: typeCreated, status: h.status})
}

func (h *history) assign() {
	h.enter(client.StatusAssigned, entry{data: map[string]any{"courier_id": theCourier}})
}

// move is a person's step, which the driver only takes where the table has it.
func (h *history) move(c client.StatusChange) {
	e := entry{occurred: *c.OccurredAt, reason: c.Reason, location: c.Location}
	if c.Proof != nil {
		e.data = map[string]any{"proof": map[string]any{"recipient": c.Proof.Recipient}}
	}
	h.enter(c.Status, e)
}

func (h *history) enter(to client.Status, e entry) {
	h.version++
	e.version, e.kind, e.status, e.previous = h.version, typeStatus, to, h.status
	h.status = to
	h.entries = append(h.entries, e)
}

// observeAll applies reports in the order in which they are sent and says what shows
// that they were applied.
func (h *history) observeAll(reports []report) wait {
	for _, r := range reports {
		h.observe(r)
	}
	w := wait{version: h.version}
	if h.entries[len(h.entries)-1].kind == typeLate {
		w.entries = len(h.entries)
	}
	return w
}

func (h *history) observe(r report) {
	if h.seen[r.EventID] {
		return
	}
	h.seen[r.EventID] = true
	e := entry{occurred: r.OccurredAt, reported: true, reason: r.Reason, location: r.Location}
	older := r.OccurredAt.Before(h.newest)
	if !older {
		h.newest = r.OccurredAt
	}
	if !older && r.Status != h.status && leads(h.status, r.Status) {
		h.enter(r.Status, e)
		return
	}
	e.version, e.kind, e.status = h.version, typeLate, r.Status
	h.entries = append(h.entries, e)
}

// changes are the entries that changed the order, by version: what is published.
func (h *history) changes() []entry {
	var out []entry
	for _, e := range h.entries {
		if e.kind != typeLate {
			out = append(out, e)
		}
	}
	return out
}
