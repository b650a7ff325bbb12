package database

import (
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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

// claims is what the database says to a plan: the couriers as locked, and which of
// the rows that may exist already are this transaction's own.
type claims struct {
	couriers map[string]courierLoad
	keys     map[idemKey]bool
	inbound  map[string]bool
	orders   map[string]bool
}

// newClaims is what a plan asks, before the answers: no courier exists and nothing
// is its own.
func newClaims(p *plan, couriers []string) *claims {
	k := &claims{
		couriers: make(map[string]courierLoad, len(couriers)), keys: make(map[idemKey]bool, len(p.keys)),
		inbound: make(map[string]bool, len(p.inbound)), orders: make(map[string]bool, len(p.inserts)),
	}
	for _, id := range couriers {
		k.couriers[id] = courierLoad{capacity: noCourier}
	}
	for _, i := range p.keys {
		k.keys[idemKey{i.Scope, i.Key}] = false
	}
	for _, in := range p.inbound {
		k.inbound[in.id] = false
	}
	for _, r := range p.inserts {
		k.orders[r.id] = false
	}
	return k
}

// claimRows is the rows that may exist already, each kind sorted.
func (p *plan) claimRows() (keys, inbound, orders [][]any) {
	for _, i := range p.keys {
		keys = append(keys, idempotencyValues(i))
	}
	for _, in := range p.inbound {
		inbound = append(inbound, []any{in.id, micros(in.recordedAt)})
	}
	for _, r := range p.inserts {
		orders = append(orders, r.values)
	}
	return keys, inbound, orders
}

// book moves a place between couriers, or says why it can't.
func (k *claims) book(m move) (outcome, bool) {
	from, asked := k.couriers[m.from]
	if m.from != "" && !asked {
		return outcome{again: true}, false
	}
	if m.to != "" {
		to, asked := k.couriers[m.to]
		switch {
		case !asked:
			return outcome{again: true}, false
		case to.capacity == noCourier:
			return outcome{err: courierNotFound(m.to)}, false
		case to.active >= to.capacity && !m.forced:
			return outcome{err: domain.Errorf(domain.CodeCourierBusy, "the courier has no room for another order")}, false
		}
		to.active++
		k.couriers[m.to] = to
	}
	if m.from != "" {
		from.active--
		k.couriers[m.from] = from
	}
	return outcome{}, true
}

// holds says whether the plan stands with what the database answered.
func (p *plan) holds(known *claims) bool {
	for _, sets := range []map[string]bool{known.inbound, known.orders} {
		for _, ours := range sets {
			if !ours {
				return false
			}
		}
	}
	for _, ours := range known.keys {
		if !ours {
			return false
		}
	}
	trial := claims{couriers: make(map[string]courierLoad, len(known.couriers))}
	for id, l := range known.couriers {
		trial.couriers[id] = l
	}
	for _, m := range p.moves {
		if _, ok := trial.book(m); !ok {
			return false
		}
	}
	return true
}

// couriers lists whose loads the plan changes, sorted.
func (p *plan) couriers() []string {
	var ids []string
	for _, m := range p.moves {
		for _, id := range []string{m.from, m.to} {
			if id != "" {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// loads sums up the moves by courier.
func (p *plan) loads() map[string]int {
	sum := map[string]int{}
	for _, m := range p.moves {
		if m.from != "" {
			sum[m.from]--
		}
		if m.to != "" {
			sum[m.to]++
		}
	}
	return sum
}

// dropped is the rows that claimed has for itself and final does not want.
func dropped(known *claims, final *plan) (keys []idemKey, inbound, orders []string) {
	wanted := map[string]bool{}
	for _, r := range final.inserts {
		wanted[r.id] = true
	}
	for id, ours := range known.orders {
		if ours && !wanted[id] {
			orders = append(orders, id)
		}
	}
	for k, ours := range known.keys {
		if ours && !final.used[k] {
			keys = append(keys, k)
		}
	}
	for id, ours := range known.inbound {
		if ours && !final.applied[id] {
			inbound = append(inbound, id)
		}
	}
	return keys, inbound, orders
}
