package database

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// plan is what the calls of a group come to: the rows to write and each call's
// outcome. It is made in memory, from the locked rows, by running the closures one
// after the other; each gets an object of its own, decoded from the last good bytes.
type plan struct {
	log      *zap.Logger
	outcomes []outcome
	claims   map[*table][]claim // each kind in the order in which it is locked
	updates  [][]any            // rows of orders by id; each order once
	events   [][]any            // rows of the history, in order
	shipping [][]any            // rows of shipments
	moves    []move

	rows    map[string]*orderRow   // the orders as the calls so far leave them
	changed map[string]bool        // those of them to write
	taken   map[rowName]bool       // what the calls so far claim
	loads   map[string]courierLoad // the couriers as the calls so far leave them; nil when all have room
}

// outcome is what becomes of a call once the group is committed.
type outcome struct {
	order *domain.Order
	err   error
}

// errAgain is the outcome of a call that has none yet: it depended on one that failed,
// and runs in the next group.
var errAgain = errors.New("to be run again")

// plan runs the calls, on the orders and couriers as they are locked. Without loads it
// trusts that every courier has room.
func (s *Store) plan(calls []*call, rows map[string]*orderRow, loads map[string]courierLoad) *plan {
	p := &plan{
		log: s.log, outcomes: make([]outcome, len(calls)), claims: map[*table][]claim{},
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

// empty says whether there is nothing to write.
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
	// Whatever was tried on the object, without an event the order is as it was.
	if ch.Order, err = before.order(); err != nil {
		return outcome{err: err}
	}
	return p.take(c, ch, before, before, nil)
}

// safely runs what somebody else wrote and turns its panic into an error.
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
		if e.Version < ch.Order.Version && !ch.Imported { // with what came after it
			before, err := e.OrderJSON()
			if err != nil {
				return nil, nil, fmt.Errorf("encode order: %w", err)
			}
			order = string(before)
		}
		events[i] = eventValues(e, order, !e.Note() && (i == 0 || !ch.Imported))
	}
	return row, events, nil
}

// take adds a change to what is to be written, if it may be committed after those that
// were taken before it.
func (p *plan) take(c *call, ch *domain.Change, before, after *orderRow, events [][]any) outcome {
	claims := claimsOf(c, ch)
	for _, cl := range claims {
		if p.taken[cl.rowName] || p.taken[cl.external] {
			return outcome{err: cl.refusal()}
		}
	}
	var shipment []any
	if ch.Shipment != nil && len(events) > 0 {
		var err error
		if shipment, err = shipmentValues(ch.Shipment); err != nil {
			return outcome{err: err}
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
	if shipment != nil {
		p.shipping = append(p.shipping, shipment)
	}
	p.events = append(p.events, events...)
	if c.create == nil && len(events) > 0 {
		p.rows[c.id], p.changed[c.id] = after, true
	}
	return outcome{order: ch.Order}
}

// publishes says whether the plan adds to the outbox.
func (p *plan) publishes() bool { return slices.ContainsFunc(p.events, published) }
