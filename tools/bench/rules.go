//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/tools/proc"
)

const (
	ruleOrders = 20_000 // on the slower side, at least
	ruleHeld   = 3 * time.Minute
)

// benchRules compares creates that three rules match with creates that none does. Messages
// are due only after all were created; then each must come once.
func benchRules(ctx context.Context, b *bench) error {
	return b.onEngines(ctx, func(ctx context.Context, engine string) error {
		in, err := newInbox(ctx)
		if err != nil {
			return err
		}
		var sides [2]*proc.Server
		for i, name := range []string{"ruled", "unruled"} {
			sides[i], err = b.on(ctx, engine, name, "OT_NOTIFY__SMS__URL=http://"+in.addr+"/", "OT_NOTIFY__SMS__BODY={{id}} {{text}}")
			if err != nil {
				return err
			}
			defer func() { _ = sides[i].Stop() }()
			var rules []string
			for n := range 3 * (1 - i) {
				rules = append(rules, fmt.Sprintf(`{"event":"order.created","channels":["sms"],"template":"%d","delay_s":%d}`, n, int(ruleHeld.Seconds())))
			}
			if err := call(ctx, http.MethodPut, "http://"+sides[i].HTTP+"/notification-rules",
				`{"channels":{"sms":{"enabled":true,"daily_cap":1000000}},"rules":[`+strings.Join(rules, ",")+`]}`); err != nil {
				return err
			}
		}
		made, err := b.createBoth(ctx, sides, engine)
		if err != nil {
			return err
		}
		if in.count() > 0 {
			return errors.New("messages were due before all orders were made: the machine is too busy")
		}
		return b.drained(ctx, in, sides[0], 3*made, engine)
	})
}

// createBoth makes orders on both sides at the same time, so that what else the machine does slows
// both, and returns how many the first one made.
func (b *bench) createBoth(ctx context.Context, sides [2]*proc.Server, engine string) (int, error) {
	const conns = 64
	var made [2]int
	var own [2]time.Duration // CPU, without that of a database both use
	var rates [2][]float64
	for made[0] < ruleOrders {
		var errs [2]error
		var wg sync.WaitGroup
		for i, s := range sides {
			wg.Go(func() {
				before, err := s.CPU()
				out, loadErr := load{addr: s.HTTP, conns: conns, request: always(postOrder(s.HTTP, orderBody)), status: http.StatusCreated}.run(ctx, b.each)
				after, afterErr := s.CPU()
				errs[i] = errors.Join(err, loadErr, afterErr)
				made[i], own[i] = made[i]+len(out.latencies), own[i]+after-before
				rates[i] = append(rates[i], out.perSecond)
			})
		}
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return 0, err
		}
	}
	for i, side := range []string{"three rules", "none"} {
		fmt.Printf("  %-9s %-12s %8.0f/s   %v of CPU each\n", engine, side, median(rates[i]), (own[i] / time.Duration(made[i])).Round(time.Microsecond))
	}
	r := float64(made[0]) / float64(made[1])
	verdict("creates with three rules over none, "+engine, r, "x", ">= 0.8x", r >= 0.8)
	return made[0], nil
}

// drained waits for the messages.
func (b *bench) drained(ctx context.Context, in *inbox, s *proc.Server, wanted int, engine string) error {
	if err := in.reach(ctx, 1); err != nil {
		return err
	}
	begun := time.Now()
	before, err := b.cpu(ctx, s, engine)
	if err != nil {
		return err
	}
	if err := in.reach(ctx, wanted); err != nil {
		return err
	}
	after, err := b.cpu(ctx, s, engine)
	if err != nil {
		return err
	}
	fmt.Printf("  %-9s %d messages in %v, %.0f for a second of CPU\n", engine, wanted, time.Since(begun).Round(time.Second), float64(wanted)/(after-before).Seconds())
	pause(ctx, 2*time.Second) // for what comes twice
	in.mu.Lock()
	defer in.mu.Unlock()
	lost := float64(wanted - len(in.ids))
	verdict("messages that did not come, "+engine, lost, "", "0", lost == 0)
	if lost != 0 || in.got != wanted {
		return fmt.Errorf("%d requests with %d ids; %d were to come", in.got, len(in.ids), wanted)
	}
	return nil
}
