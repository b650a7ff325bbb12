package database

import (
	"maps"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
		return duplicateExternalID(c.call.create.Order)
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
