package orders

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// driver replays the rows through the product.
type driver struct {
	rest        *client.Client
	rpc         *rpc
	bus         *bus
	tail        *tail
	run         string
	concurrency int
	within      time.Duration // how long one step may take, a dead server included
	faults      *faults

	couriers map[string]string // rider -> courier id, complete before the orders start

	mu     sync.Mutex
	driven map[string]*driven // by external id

	applied latencies // from a report's acknowledgement by the broker to what it published
}

// driven is a replayed row.
type driven struct {
	*plan
	orderID string
}

// each runs do for every index below n with the driver's concurrency. Failures are
// recorded as faults; too many end the run.
func (d *driver) each(ctx context.Context, n int, do func(context.Context, int) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.faults.onFull(cancel)
	var g errgroup.Group
	g.SetLimit(d.concurrency)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := do(ctx, i); err != nil && ctx.Err() == nil {
				d.faults.add("%v", err)
			}
			return nil
		})
	}
	_ = g.Wait() // what failed is among the faults
}

// hire creates a courier for each rider.
func (d *driver) hire(ctx context.Context, plans []*plan) {
	var first []*plan
	d.couriers = map[string]string{}
	for _, p := range plans {
		if _, ok := d.couriers[p.rider]; !ok {
			d.couriers[p.rider] = ""
			first = append(first, p)
		}
	}
	d.each(ctx, len(first), func(ctx context.Context, i int) error {
		rider := first[i].rider
		c, err := d.rest.CreateCourier(ctx, first[i].courier(), client.IdempotencyKey(d.run+"-"+rider))
		if err != nil {
			return fmt.Errorf("courier %s: %w", rider, err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.couriers[rider] = c.ID
		return nil
	})
}

// drive takes every row from creation to delivery.
func (d *driver) drive(ctx context.Context, plans []*plan, done *atomic.Int64) {
	d.driven = map[string]*driven{}
	d.each(ctx, len(plans), func(ctx context.Context, i int) error {
		err := d.one(ctx, plans[i])
		if err != nil {
			return fmt.Errorf("%s: %w", plans[i].externalID, err)
		}
		done.Add(1)
		return nil
	})
}

func (d *driver) one(ctx context.Context, p *plan) error {
	o, err := d.rest.CreateOrder(ctx, p.draft(), client.IdempotencyKey(p.externalID))
	if err != nil {
		return fmt.Errorf("creating: %w", err)
	}
	r := &driven{plan: p, orderID: o.ID}
	d.mu.Lock()
	d.driven[p.externalID] = r
	d.mu.Unlock()
	if err := d.report(ctx, r, p.before, p.wantBefore); err != nil {
		return err
	}
	if err := d.rpc.assign(ctx, o.ID, d.couriers[p.rider], p.externalID+"-assign"); err != nil {
		return fmt.Errorf("assigning: %w", err)
	}
	if err := d.report(ctx, r, p.after, p.wantAfter); err != nil {
		return err
	}
	if p.byHand {
		if _, err := d.rest.UpdateStatus(ctx, o.ID, p.pickupByHand()); err != nil {
			return fmt.Errorf("to picked_up by hand: %w", err)
		}
	}
	if p.overREST {
		_, err = d.rest.UpdateStatus(ctx, o.ID, p.delivery())
	} else {
		err = d.rpc.deliver(ctx, o.ID, p.delivery())
	}
	if err != nil {
		return fmt.Errorf("delivering: %w", err)
	}
	return nil
}

// report sends reports and waits until they were applied.
func (d *driver) report(ctx context.Context, r *driven, reports []report, w wait) error {
	if r.index%16 == 3 { // name the order as the shop does
		reports = slices.Clone(reports)
		for i := range reports {
			reports[i].ExternalID = r.externalID
		}
	}
	if err := d.bus.send(ctx, r.orderID, reports); err != nil {
		return err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.within)
	defer cancel()
	if w.entries > 0 {
		return d.awaitEntries(ctx, r.orderID, w.entries)
	}
	if !d.tail.await(ctx, r.orderID, w.version) {
		return fmt.Errorf("version %d was not published within %s after the reports were sent", w.version, time.Since(start).Round(time.Second))
	}
	d.applied.add(time.Since(start))
	return nil
}

// awaitEntries waits until the history has n entries, since note entries are not published.
func (d *driver) awaitEntries(ctx context.Context, orderID string, entries int) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		events, err := d.rest.Events(ctx, orderID)
		if err == nil && len(events) >= entries {
			return nil
		}
		if !pause(ctx, wait) {
			return errors.Join(fmt.Errorf("the history has %d entries instead of %d", len(events), entries), err)
		}
	}
}

// repeat resends a fifth of all reports, shuffled over all orders.
func (d *driver) repeat(ctx context.Context) error {
	var all []*kgo.Record
	for _, r := range d.driven {
		for _, one := range slices.Concat(r.before, r.after) {
			record, err := recordOf(r.orderID, one)
			if err != nil {
				return err
			}
			all = append(all, record)
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for part := range slices.Chunk(all[:(len(all)+4)/5], 2000) {
		if err := d.bus.produce(ctx, part); err != nil {
			return err
		}
	}
	return d.bus.drained(ctx)
}
