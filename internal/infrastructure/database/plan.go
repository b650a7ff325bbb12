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
		events[i] = newEventRow(e, row.data)
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

// publishes says whether the plan adds to the outbox.
func (p *plan) publishes() bool {
	return slices.ContainsFunc(p.events, eventRow.published)
}

// published says whether the event goes to the outbox; unpublish keeps it from there.
func (e eventRow) published() bool { return e.values[len(e.values)-1] != nil }

func (e eventRow) unpublish() { e.values[len(e.values)-1] = nil }
