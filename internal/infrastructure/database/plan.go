package database

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// plan is what the calls of a group come to: the rows to write and each call's
// outcome. It is made in memory, from the locked rows, by running the closures one
// after the other; each gets an object of its own, decoded from the last good bytes.
type plan struct {
	outcomes []outcome
	inserts  []*orderRow // in the order of their external ids
	updates  []*orderRow // by id; each order once
	events   []eventRow  // in order
	keys     []*domain.Idempotency
	inbound  []inboundRow
	moves    []move
	shipping [][]any // rows of shipments

	rows     map[string]*orderRow // the orders as the calls so far leave them
	changed  map[string]bool
	used     map[idemKey]bool
	applied  map[string]bool
	external map[[2]string]bool
	created  map[string]bool
}

// outcome is what becomes of a call once the group is committed.
type outcome struct {
	order *domain.Order
	err   error
	// again says that the call depended on one that failed: it runs in the next group.
	again bool
}

type idemKey struct{ scope, key string }

type inboundRow struct {
	id         string
	recordedAt time.Time
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

// planner makes plans for one group.
type planner struct {
	calls []*call
	rows  map[string]*orderRow // as locked
	log   *zap.Logger
}

// plan runs the calls. Without claims it trusts that every key is new and every
// courier has room; with claims it knows.
func (pl *planner) plan(known *claims) *plan {
	p := &plan{
		outcomes: make([]outcome, len(pl.calls)),
		rows:     make(map[string]*orderRow, len(pl.rows)), changed: map[string]bool{},
		used: map[idemKey]bool{}, applied: map[string]bool{}, external: map[[2]string]bool{},
		created: map[string]bool{},
	}
	for id, r := range pl.rows {
		p.rows[id] = r
	}
	if known != nil {
		copied := *known
		copied.couriers = make(map[string]courierLoad, len(known.couriers))
		for id, l := range known.couriers {
			copied.couriers[id] = l
		}
		known = &copied
	}
	for i, c := range pl.calls {
		if c.job == nil {
			p.outcomes[i] = pl.run(p, c, known)
		}
	}
	p.sort()
	return p
}

func (p *plan) sort() {
	slices.SortFunc(p.inserts, func(a, b *orderRow) int { return cmp.Compare(a.externalKey(), b.externalKey()) })
	for id := range p.changed {
		p.updates = append(p.updates, p.rows[id])
	}
	slices.SortFunc(p.updates, func(a, b *orderRow) int { return cmp.Compare(a.id, b.id) })
	slices.SortFunc(p.keys, func(a, b *domain.Idempotency) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Key, b.Key))
	})
	slices.SortFunc(p.inbound, func(a, b inboundRow) int { return cmp.Compare(a.id, b.id) })
}

// externalKey sorts rows that may collide in the same order everywhere.
func (r *orderRow) externalKey() string {
	external, _ := r.values[7].(string)
	merchant, _ := r.values[6].(string)
	return external + "\x00" + merchant
}

// empty says whether there is nothing to write.
func (p *plan) empty() bool { return len(p.events) == 0 && len(p.keys) == 0 && len(p.inbound) == 0 }

func (pl *planner) run(p *plan, c *call, known *claims) outcome {
	if c.create != nil {
		return p.settle(c, c.create, nil, c.row, c.events, known)
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
	if err := pl.safely(c, ch); err != nil {
		return outcome{err: err}
	}
	if len(ch.Events) > 0 {
		after, events, err := encodeChange(ch)
		if err != nil {
			return outcome{err: err}
		}
		return p.settle(c, ch, before, after, events, known)
	}
	// Whatever was tried on the object, without an event the order is as it was.
	o, err = before.order()
	if err != nil || ch.Idempotency == nil && ch.InboundID == "" {
		return outcome{order: o, err: err}
	}
	ch.Order = o
	return p.settle(c, ch, before, before, nil, known)
}

// settle takes a change into the plan if it may be committed.
func (p *plan) settle(
	c *call, ch *domain.Change, before, after *orderRow, events []eventRow, known *claims,
) outcome {
	if out, ok := p.admit(c, ch, before, after, known); !ok {
		return out
	}
	if ch.Shipment != nil && len(events) > 0 {
		row, err := shipmentValues(ch.Shipment)
		if err != nil {
			return outcome{err: err}
		}
		p.shipping = append(p.shipping, row)
	}
	p.take(c, ch, after, events)
	return outcome{order: ch.Order}
}

// safely runs a closure and turns its panic into an error.
func (pl *planner) safely(c *call, ch *domain.Change) (err error) {
	defer func() {
		if v := recover(); v != nil {
			pl.log.Error("a change panicked", zap.String("order_id", c.id), zap.Any("panic", v),
				zap.ByteString("stack", debug.Stack()))
			err = domain.Errorf(domain.CodeInternal, "the change failed unexpectedly")
		}
	}()
	return c.fn(ch)
}

func encodeChange(ch *domain.Change) (*orderRow, []eventRow, error) {
	row, err := newOrderRow(ch.Order)
	if err != nil {
		return nil, nil, fmt.Errorf("encode order: %w", err)
	}
	events := make([]eventRow, len(ch.Events))
	for i, e := range ch.Events {
		if events[i], err = newEventRow(e, row.data); err != nil {
			return nil, nil, fmt.Errorf("encode event: %w", err)
		}
		if ch.Imported && i > 0 {
			events[i].unpublish()
		}
	}
	return row, events, nil
}

// admit says whether the change may be committed, after those taken before it.
func (p *plan) admit(c *call, ch *domain.Change, before, after *orderRow, known *claims) (outcome, bool) {
	again := outcome{again: true}
	if i := ch.Idempotency; i != nil {
		key := idemKey{i.Scope, i.Key}
		if p.used[key] {
			return outcome{err: domain.ErrRecorded}, false
		}
		if known != nil {
			if ours, asked := known.keys[key]; !asked {
				return again, false
			} else if !ours {
				return outcome{err: domain.ErrRecorded}, false
			}
		}
	}
	if id := ch.InboundID; id != "" {
		if p.applied[id] {
			return outcome{err: domain.ErrRecorded}, false
		}
		if known != nil {
			if ours, asked := known.inbound[id]; !asked {
				return again, false
			} else if !ours {
				return outcome{err: domain.ErrRecorded}, false
			}
		}
	}
	if c.create != nil {
		if p.created[c.id] || ch.Order.ExternalID != "" && p.external[[2]string{ch.Order.MerchantID, ch.Order.ExternalID}] {
			return outcome{err: duplicateExternalID(ch.Order)}, false
		}
		if known != nil {
			if ours, asked := known.orders[after.id]; !asked {
				return again, false
			} else if !ours {
				return outcome{err: duplicateExternalID(ch.Order)}, false
			}
		}
	}
	return p.admitLoad(move{before.load(), after.load(), ch.Imported}, known)
}

// admitLoad books the place that the order takes with its courier.
func (p *plan) admitLoad(m move, known *claims) (outcome, bool) {
	if m.from == m.to {
		return outcome{}, true
	}
	if known != nil {
		if out, ok := known.book(m); !ok {
			return out, false
		}
	}
	p.moves = append(p.moves, m)
	return outcome{}, true
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

// take adds an admitted change to what is to be written.
func (p *plan) take(c *call, ch *domain.Change, after *orderRow, events []eventRow) {
	if ch.Idempotency != nil {
		p.used[idemKey{ch.Idempotency.Scope, ch.Idempotency.Key}] = true
		p.keys = append(p.keys, ch.Idempotency)
	}
	if ch.InboundID != "" {
		p.applied[ch.InboundID] = true
		at := time.Now()
		if len(ch.Events) > 0 {
			at = ch.Events[0].RecordedAt
		}
		p.inbound = append(p.inbound, inboundRow{ch.InboundID, at})
	}
	p.events = append(p.events, events...)
	if c.create != nil {
		if ch.Order.ExternalID != "" {
			p.external[[2]string{ch.Order.MerchantID, ch.Order.ExternalID}] = true
		}
		p.inserts, p.created[c.id] = append(p.inserts, after), true
		return
	}
	if len(events) > 0 {
		p.rows[c.id], p.changed[c.id] = after, true
	}
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

// publishes says whether the plan adds to the outbox.
func (p *plan) publishes() bool {
	return slices.ContainsFunc(p.events, eventRow.published)
}

// published says whether the event goes to the outbox; unpublish keeps it from there.
func (e eventRow) published() bool { return e.values[len(e.values)-1] != nil }

func (e eventRow) unpublish() { e.values[len(e.values)-1] = nil }

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
