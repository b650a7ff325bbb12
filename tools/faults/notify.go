//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/order-tracking/order-tracking/pkg/client"
	"github.com/order-tracking/order-tracking/tools/proc"
)

// receiverKinds are 50 receivers, and two that answer 410 until they are enabled again.
var receiverKinds = []struct {
	kind string
	n    int
}{
	{kindHealthy, 20}, {"errors", 5}, {"hangs", 5}, {"cuts", 5}, {"redirects", 5}, {"slow", 3}, {kindAway, 4}, {"mixed", 3}, {kindGone, 2},
}

const (
	notifyReceivers = 50
	notifyChanges   = 5 // of each order
	notifyMerchant  = "shop"
	notifyKills     = 3
	// stuckAfter is how long nothing may be taken: a killed replica's leases end after 10 s.
	stuckAfter = 2 * time.Minute
)

// notified is a run of faultNotify.
type notified struct {
	c      *cluster
	l      *load
	all    []*receiver
	trap   *receiver
	orders []string
	total  int // events that each receiver gets
	begun  time.Time
}

// faultNotify tells 50 receivers of whom most fail at random what happens to orders, kills the
// replicas amid it, and checks that each was told everything, in order.
func faultNotify(ctx context.Context, c *cluster) error {
	err := c.restart(ctx, "OT_WEBHOOKS__ALLOW=127.0.0.0/8", "OT_WEBHOOKS__TIMEOUT=2s",
		"OT_WEBHOOKS__TRIES="+strings.TrimSuffix(strings.Repeat("1s,", 50), ","))
	if err != nil {
		return err
	}
	n := &notified{c: c, begun: time.Now()}
	if n.l, err = startLoad(ctx, c, 0, 0); err != nil {
		return err
	}
	n.orders = make([]string, max(1, c.deliveries/notifyReceivers/notifyChanges))
	n.total = len(n.orders) * notifyChanges
	defer n.close()
	if err := n.receivers(ctx); err != nil {
		return err
	}
	over := make(chan error, 1)
	go func() { over <- n.change(ctx) }()
	for k := range notifyKills {
		if err := n.reach(ctx, n.share()*(k+1)/(notifyKills+1)); err != nil {
			return err
		}
		if err := c.replicas[k%2].Kill(); err != nil {
			return err
		}
		fmt.Printf("   %4.0f s: replica %d is killed\n", time.Since(n.begun).Seconds(), k%2)
		if _, err := c.replicas[k%2].Start(ctx); err != nil {
			return err
		}
	}
	if err := <-over; err != nil {
		return err
	}
	if err := errors.Join(n.reach(ctx, n.share()), n.enable(ctx)); err != nil {
		return err
	}
	err = n.reach(ctx, len(n.all)*n.total)
	n.table()
	return errors.Join(err, n.verdict(ctx))
}

// share is what all receivers but those that answer 410 take.
func (n *notified) share() int { return notifyReceivers * n.total }

func (n *notified) close() {
	for _, r := range append(n.all, n.trap) {
		if r != nil {
			close(r.over)
			r.close()
		}
	}
}

// receivers starts the receivers and makes a webhook for each.
func (n *notified) receivers(ctx context.Context) (err error) {
	if n.trap, err = newTrap(); err != nil {
		return err
	}
	for _, k := range receiverKinds {
		for range k.n {
			r, err := newReceiver(k.kind, n.trap.url)
			if err != nil {
				return err
			}
			n.all = append(n.all, r)
			in := map[string]any{"url": r.url}
			if k.kind == kindGone { // beside the 50 that those of all merchants may be
				in["merchant_id"] = notifyMerchant
			}
			var out struct{ ID, Secret string }
			if err := n.call(ctx, http.MethodPost, "/webhooks", in, &out); err != nil {
				return err
			}
			r.id = out.ID
			if r.verifier, err = webhook.NewWebhook(out.Secret); err != nil {
				return err
			}
		}
	}
	sleep(ctx, 2*time.Second) // until both replicas know them
	return nil
}

// call makes a request of the first replica and reads the answer.
func (n *notified) call(ctx context.Context, method, path string, in, out any) error {
	return proc.Call(ctx, method, "http://"+n.c.replicas[0].HTTP+path, in, out)
}

// change makes and changes the orders, spread over the time.
func (n *notified) change(ctx context.Context) error {
	const workers = 16
	errs := make([]error, workers)
	var wg sync.WaitGroup
	begun := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(n.orders) && errs[w] == nil; i += workers {
				sleep(ctx, n.c.long*time.Duration(i)/time.Duration(len(n.orders))-time.Since(begun))
				n.orders[i], errs[w] = n.order(ctx, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// order makes an order and changes it to the end; each change is one event.
func (n *notified) order(ctx context.Context, i int) (id string, err error) {
	key := fmt.Sprint(n.begun.UnixNano(), "-", i)
	draft := client.Draft{MerchantID: notifyMerchant, Customer: client.Customer{Name: "Anna"}, Dropoff: &client.Place{Address: "Main St 1"}}
	steps := [notifyChanges]func(*client.Client) (*client.Order, error){
		func(cl *client.Client) (*client.Order, error) {
			return cl.CreateOrder(ctx, draft, client.IdempotencyKey(key))
		},
		func(cl *client.Client) (*client.Order, error) {
			return cl.UpdateStatus(ctx, id, client.StatusChange{Status: "confirmed"})
		},
		func(cl *client.Client) (*client.Order, error) {
			return cl.EditOrder(ctx, id, client.Edit{Notes: &key})
		},
		func(cl *client.Client) (*client.Order, error) {
			return cl.EditOrder(ctx, id, client.Edit{Exception: &client.Exception{Code: "late"}})
		},
		func(cl *client.Client) (*client.Order, error) { return cl.CancelOrder(ctx, id, "") },
	}
	for s, step := range steps {
		o, err := n.l.insist(ctx, i+s, step)
		if err != nil {
			return id, err
		}
		id = o.ID
	}
	return id, nil
}

// taken is how many events all receivers have taken.
func (n *notified) taken() (sum int, err error) {
	for _, r := range append(n.all, n.trap) {
		taken, wrong := r.count()
		sum, err = sum+taken, errors.Join(err, wrong)
	}
	return sum, err
}

// reach waits until the receivers have taken as many events, as long as they take any.
func (n *notified) reach(ctx context.Context, wanted int) error {
	for last, since := 0, time.Now(); ; sleep(ctx, 50*time.Millisecond) {
		taken, err := n.taken()
		switch {
		case err != nil || taken >= wanted:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case taken > last:
			last, since = taken, time.Now()
		case time.Since(since) > stuckAfter:
			return fmt.Errorf("%d of %d deliveries came, and none for %v", taken, wanted, stuckAfter)
		}
	}
}

// enable checks that a 410 has disabled the webhook, and has it told what it missed.
func (n *notified) enable(ctx context.Context) error {
	for _, r := range n.all {
		if r.kind != kindGone {
			continue
		}
		var w struct {
			Enabled  bool
			Disabled struct{ Reason string }
		}
		if err := n.call(ctx, http.MethodGet, "/webhooks/"+r.id, nil, &w); err != nil {
			return err
		}
		if w.Enabled || w.Disabled.Reason != "gone" {
			return fmt.Errorf("a 410 did not disable a webhook: %+v", w)
		}
		r.gone.Store(false)
		if err := n.call(ctx, http.MethodPatch, "/webhooks/"+r.id, map[string]any{"enabled": true}, &w); err != nil {
			return err
		}
		if err := n.call(ctx, http.MethodPost, "/webhooks/"+r.id+"/replay", map[string]any{"from": n.begun.Add(-time.Minute)}, nil); err != nil {
			return err
		}
	}
	return nil
}

// table prints what came of the receivers, by kind.
func (n *notified) table() {
	fmt.Printf("   %-10s %9s %10s %8s %9s %9s %26s\n", "receivers", "", "requests", "faults", "taken", "repeated", "to the first try p50, p99")
	for _, k := range receiverKinds {
		var requests, failed, taken, repeats int
		var first []time.Duration
		for _, r := range n.all {
			if r.kind == k.kind {
				r.mu.Lock()
				requests, failed, taken, repeats = requests+r.requests, failed+r.failed, taken+len(r.had), repeats+r.repeats
				first = append(first, r.first...)
				r.mu.Unlock()
			}
		}
		slices.Sort(first)
		at := func(q int) time.Duration {
			if len(first) == 0 {
				return 0
			}
			return first[len(first)*q/100].Round(time.Millisecond)
		}
		fmt.Printf("   %-10s %9d %10d %8d %9d %9d %12v %13v\n", k.kind, k.n, requests, failed, taken, repeats, at(50), at(99))
	}
	all, _ := n.taken() // what was wrong is returned by others
	took := time.Since(n.begun)
	fmt.Printf("   %d deliveries about %d orders in %v, %.0f/s; %d kills\n", all, len(n.orders), took.Round(time.Second), float64(all)/took.Seconds(), notifyKills)
}

// verdict compares what each receiver took with the orders' histories, and looks for what
// the product believes to be unsent.
func (n *notified) verdict(ctx context.Context) error {
	var findings []error
	missing := 0
	for _, id := range n.orders {
		events, err := n.l.clients[0].Events(ctx, id)
		if err != nil {
			return err
		}
		var want []string
		for _, e := range events {
			want = append(want, e.ID)
		}
		if len(want) != notifyChanges {
			findings = append(findings, fmt.Errorf("order %s has %d events, not %d", id, len(want), notifyChanges))
		}
		for _, r := range n.all {
			if !slices.Equal(r.taken[id], want) {
				missing++
				findings = append(findings, fmt.Errorf("order %s at a receiver that is %s: %v, not %v", id, r.kind, r.taken[id], want))
			}
		}
	}
	fmt.Printf("   %d of %d histories at receivers are not the orders'\n", missing, len(n.orders)*len(n.all))
	for _, r := range n.all {
		for _, status := range []string{"waiting", "held", "refused", "exhausted"} {
			if err := n.none(ctx, r, status); err != nil {
				findings = append(findings, err)
			}
		}
	}
	return errors.Join(findings[:min(len(findings), 10)]...)
}

// none waits until a webhook's log has no delivery of a status: results are stored in batches.
func (n *notified) none(ctx context.Context, r *receiver, status string) error {
	for begun := time.Now(); ; sleep(ctx, 200*time.Millisecond) {
		var log struct {
			Deliveries []struct{ ID, Error string }
		}
		err := n.call(ctx, http.MethodGet, "/webhooks/"+r.id+"/deliveries?status="+status, nil, &log)
		if err != nil || len(log.Deliveries) == 0 {
			return err
		}
		if time.Since(begun) > time.Minute {
			return fmt.Errorf("%d deliveries are still %s at a receiver that is %s, such as %v", len(log.Deliveries), status, r.kind, log.Deliveries[0])
		}
	}
}
