package database

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// plan is the result of a group's calls: the rows to write and each call's outcome. It is computed in memory from the locked
// rows by running the closures sequentially; each gets its own object, decoded from the last good bytes.
type plan struct {
	log      *zap.Logger
	outcomes []outcome
	claims   map[*table][]claim // each table in locking order
	updates  [][]any            // rows of orders by id; each order once
	events   [][]any            // rows of order_events, in order
	shipping [][]any            // rows of shipments
	beside   map[*table][][]any // rows of other tables that only grow
	unsought [][]any            // rows of search_queue, of orders whose text changed
	created  [][]any            // the same of new orders, in case they are older than the newest segment
	moves    []move

	rows    map[string]*orderRow   // orders after the calls so far
	changed map[string]bool        // which of them to write
	taken   map[rowName]bool       // claims of the calls so far
	loads   map[string]courierLoad // couriers after the calls so far; nil if all have room
}

// outcome is the result of a call once the group is committed.
type outcome struct {
	order *domain.Order
	err   error
}

// errAgain is the provisional outcome of a call that depended on a failed one; it runs again in the next group.
var errAgain = errors.New("to be run again")

// plan runs the calls on the locked orders and couriers. Without loads it assumes that every courier has room.
func (s *Store) plan(calls []*call, rows map[string]*orderRow, loads map[string]courierLoad) *plan {
	p := &plan{
		log: s.log, outcomes: make([]outcome, len(calls)), claims: map[*table][]claim{}, beside: map[*table][][]any{},
		rows: maps.Clone(rows), changed: map[string]bool{}, taken: map[rowName]bool{}, loads: loads,
	}
	for i, c := range calls {
		if c.job == nil {
			p.outcomes[i] = p.run(c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.changed)) {
		p.updates = append(p.updates, p.rows[id].values)
	}
	for _, list := range p.claims {
		slices.SortFunc(list, func(a, b claim) int {
			x, y := a.lockKey(), b.lockKey()
			return slices.Compare(x[:], y[:])
		})
	}
	return p
}

// empty reports whether there is nothing to write.
func (p *plan) empty() bool { return len(p.events) == 0 && len(p.claims) == 0 }

func (p *plan) run(c *call) outcome {
	if c.create != nil {
		return p.take(c, c.create, nil, c.row, c.events)
	}
	before := p.rows[c.id]
	if before == nil {
		return outcome{err: orderNotFound(c.id)}
	}
	o, err := before.order()
	if err != nil {
		return outcome{err: fmt.Errorf("stored order %s: %w", c.id, err)}
	}
	ch := &domain.Change{Order: o}
	if err := safely(p.log, c.id, func() error { return c.fn(ch) }); err != nil {
		return outcome{err: err}
	}
	if len(ch.Events) > 0 {
		after, events, err := encodeChange(ch)
		if err != nil {
			return outcome{err: err}
		}
		return p.take(c, ch, before, after, events)
	}
	// Without an event the order stays unchanged, whatever the closure did to the object.
	if ch.Order, err = before.order(); err != nil {
		return outcome{err: err}
	}
	return p.take(c, ch, before, before, nil)
}

// safely runs a caller's function and turns a panic into an error.
func safely(log *zap.Logger, about string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("a change panicked", zap.String("id", about), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			err = domain.Errorf(domain.CodeInternal, "the change failed unexpectedly")
		}
	}()
	return fn()
}

func encodeChange(ch *domain.Change) (*orderRow, [][]any, error) {
	row, err := newOrderRow(ch.Order)
	if err != nil {
		return nil, nil, fmt.Errorf("encode order: %w", err)
	}
	events := make([][]any, len(ch.Events))
	for i := range ch.Events {
		e := &ch.Events[i]
		order := row.data
		if e.Version < ch.Order.Version && !ch.Imported { // the order has changed since
			before, err := e.OrderJSON()
			if err != nil {
				return nil, nil, fmt.Errorf("encode order: %w", err)
			}
			order = string(before)
		}
		events[i] = []any{e.OrderID, e.Seq, string(e.JSON()), nil}
		if !e.Note() && (i == 0 || !ch.Imported) { // it goes to the outbox
			events[i][3] = order
		}
	}
	return row, events, nil
}

// take adds a change to the plan if it may be committed after the changes already taken.
func (p *plan) take(c *call, ch *domain.Change, before, after *orderRow, events [][]any) outcome {
	claims := claimsOf(c, ch)
	for _, cl := range claims {
		if p.taken[cl.rowName] || p.taken[cl.external] {
			return outcome{err: cl.conflictError()}
		}
	}
	if m := (move{before.load(), after.load(), ch.Imported}); m.from != m.to {
		if p.loads != nil {
			if err := book(p.loads, m); err != nil {
				return outcome{err: err}
			}
		}
		p.moves = append(p.moves, m)
	}
	for _, cl := range claims {
		p.claims[cl.table] = append(p.claims[cl.table], cl)
		p.taken[cl.rowName] = true
		p.taken[cl.external] = cl.external != rowName{}
	}
	p.events = append(p.events, events...)
	if len(events) > 0 {
		if ch.Shipment != nil {
			p.shipping = append(p.shipping, shipmentValues(ch.Shipment))
		}
		if reported(ch) {
			p.add(reportQueue, ch.Order.ID)
		}
		for i := range ch.Deliveries {
			p.add(deliveriesTable, deliveryValues(&ch.Deliveries[i])...)
		}
		for _, m := range ch.Images {
			p.add(imagesTable, m.OrderID, m.OwnerID, m.Kind, m.Data, micros(m.CreatedAt))
		}
	}
	switch entry := after.searchEntry(); {
	case c.create != nil:
		p.created = append(p.created, entry)
	case len(events) > 0:
		p.rows[c.id], p.changed[c.id] = after, true
		if before.search != after.search && before.foldedText() != after.search {
			p.unsought = append(p.unsought, entry)
		}
	}
	return outcome{order: ch.Order}
}

// add adds a row of a table that only grows.
func (p *plan) add(t *table, row ...any) { p.beside[t] = append(p.beside[t], row) }

// publishes reports whether the plan adds to the outbox.
func (p *plan) publishes() bool { return slices.ContainsFunc(p.events, published) }

// rowName is the key of a row: one or two strings.
type rowName struct {
	table *table
	a, b  string
}

// claim is a unique row that may already exist: of several concurrent inserts one wins.
type claim struct {
	rowName
	external rowName // the second key of a new order
	call     *call
	values   []any
}

// claimed lists the tables of claims in locking order. A call that loses several claims gets the error of the first.
var claimed = []*table{idempotencyTable, inboundTable, ordersTable}

// claimsOf lists what a change claims.
func claimsOf(c *call, ch *domain.Change) []claim {
	var out []claim
	if i := ch.Idempotency; i != nil {
		out = append(out, claim{rowName: rowName{idempotencyTable, i.Scope, i.Key}, call: c, values: idempotencyValues(i)})
	}
	if ch.InboundID != "" {
		at := time.Now()
		if len(ch.Events) > 0 {
			at = ch.Events[0].RecordedAt
		}
		out = append(out, claim{rowName: rowName{inboundTable, ch.InboundID, ""}, call: c, values: []any{ch.InboundID, micros(at)}})
	}
	if c.create != nil {
		order := claim{rowName: rowName{ordersTable, c.id, ""}, call: c, values: c.row.values}
		if ch.Order.ExternalID != "" {
			order.external = rowName{nil, ch.Order.ExternalID, ch.Order.MerchantID}
		}
		out = append(out, order)
	}
	return out
}

// lockKey is the global locking order of rows that may collide.
func (c claim) lockKey() [4]string { return [4]string{c.external.a, c.external.b, c.a, c.b} }

// conflictError is the error of a call that loses the row.
func (c claim) conflictError() error {
	if c.table == ordersTable {
		return domain.Errorf(domain.CodeDuplicateExternalID, "an order with the external_id %q exists", c.call.create.Order.ExternalID)
	}
	return domain.ErrRecorded
}

// lostClaims returns the calls that claimed a row another caller holds, with their errors.
func (p *plan) lostClaims(ours map[rowName]bool) map[*call]error {
	out := map[*call]error{}
	for _, t := range claimed {
		for _, c := range p.claims[t] {
			if !ours[c.rowName] && out[c.call] == nil {
				out[c.call] = c.conflictError()
			}
		}
	}
	return out
}

// refuse sets the outcomes of the calls that lost a claim. The others may depend on their
// changes, so they have no outcome yet: nothing in the plan is committed.
func (p *plan) refuse(calls []*call, lost map[*call]error) {
	failed := map[string]bool{} // orders with a lost claim; later calls on them have to run again
	for i, c := range calls {
		p.outcomes[i] = outcome{err: errAgain}
		if err := lost[c]; err != nil && !failed[c.id] {
			p.outcomes[i].err, failed[c.id] = err, true
		}
	}
}

// move is an order's change of courier loads: one less for from, one more for to. A forced move ignores capacity.
type move struct {
	from, to string
	forced   bool
}

// courierLoad is a courier's current load and capacity.
type courierLoad struct{ capacity, active int }

// noCourier is the capacity of a courier that does not exist.
const noCourier = -1

// book applies a move between couriers, or returns why it can't.
func book(loads map[string]courierLoad, m move) error {
	from, locked := loads[m.from]
	if m.from != "" && !locked {
		return errAgain
	}
	if m.to != "" {
		to, locked := loads[m.to]
		switch {
		case !locked:
			return errAgain
		case to.capacity == noCourier:
			return courierNotFound(m.to)
		case to.active >= to.capacity && !m.forced:
			return domain.Errorf(domain.CodeCourierBusy, "the courier has no capacity for another order")
		}
		to.active++
		loads[m.to] = to
	}
	if m.from != "" {
		from.active--
		loads[m.from] = from
	}
	return nil
}

// fits reports whether the couriers have capacity for the plan.
func (p *plan) fits(loads map[string]courierLoad) bool {
	trial := maps.Clone(loads)
	return !slices.ContainsFunc(p.moves, func(m move) bool { return book(trial, m) != nil })
}

// shifts sums the moves by courier.
func (p *plan) shifts() map[string]int64 {
	sum := map[string]int64{}
	for _, m := range p.moves {
		sum[m.from]--
		sum[m.to]++
	}
	delete(sum, "")
	return sum
}
