package database

import (
	"maps"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// rowName names a row of a table by its key of one or two texts.
type rowName struct {
	table *table
	a, b  string
}

// claim is a row that may exist already: of several who insert it one gets it.
type claim struct {
	rowName
	external rowName // of a new order, its other key
	call     *call
	values   []any
}

// claimed are the tables of claims, in the order in which they are locked, and in
// which a call that loses several is told of one.
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

// lockKey sorts rows that may collide in the same order everywhere.
func (c claim) lockKey() [4]string { return [4]string{c.external.a, c.external.b, c.a, c.b} }

// refusal is what who loses the row is told.
func (c claim) refusal() error {
	if c.table == ordersTable {
		return duplicateExternalID(c.call.create.Order)
	}
	return domain.ErrRecorded
}

// lost says which calls wanted a row that is somebody else's, and what they are told.
func (p *plan) lost(ours map[rowName]bool) map[*call]error {
	out := map[*call]error{}
	for _, t := range claimed {
		for _, c := range p.claims[t] {
			if !ours[c.rowName] && out[c.call] == nil {
				out[c.call] = c.refusal()
			}
		}
	}
	return out
}

// refuse gives the losers their outcomes. All others, which may build on what was not
// to be, have none: nothing of the plan is committed.
func (p *plan) refuse(calls []*call, lost map[*call]error) {
	failed := map[string]bool{} // orders with a loser, on which later calls were run in vain
	for i, c := range calls {
		p.outcomes[i] = outcome{err: errAgain}
		if err := lost[c]; err != nil && !failed[c.id] {
			p.outcomes[i].err, failed[c.id] = err, true
		}
	}
}

// move is an order's change of courier loads: one less for from, one more for to,
// whether there is room or not when it is forced.
type move struct {
	from, to string
	forced   bool
}

// courierLoad is what decides whether a courier has room.
type courierLoad struct{ capacity, active int }

// noCourier is the capacity of a courier that does not exist.
const noCourier = -1

// book moves a place between couriers, or says why it can't.
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

// fits says whether the couriers have room for the plan.
func (p *plan) fits(loads map[string]courierLoad) bool {
	trial := maps.Clone(loads)
	return !slices.ContainsFunc(p.moves, func(m move) bool { return book(trial, m) != nil })
}

// shifts sums up the moves by courier.
func (p *plan) shifts() map[string]int64 {
	sum := map[string]int64{}
	for _, m := range p.moves {
		sum[m.from]--
		sum[m.to]++
	}
	delete(sum, "")
	return sum
}
