//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// edit is a client's operation on the hot order: a change, conditional on the version if
// it is not zero; or a read of the history.
type edit struct {
	notes string
	match int64
}

// edited is the result: the new version and the notes, or a conflict.
type edited struct {
	version  int64
	conflict bool
}

// hotModel is the sequential model of an order: each change makes the next version, and
// a change for a different version is rejected.
var hotModel = porcupine.Model{
	Init: func() any { return int64(1) },
	Step: func(state, input, output any) (bool, any) {
		version, in, out := state.(int64), input.(edit), output.(edited)
		switch {
		case in.notes == "":
			return out.version == version, version
		case in.match != 0 && in.match != version:
			return out.conflict, version
		}
		return !out.conflict && out.version == version+1, version + 1
	},
}

// faultHot lets 16 clients change one order over both replicas.
func faultHot(ctx context.Context, c *cluster) error {
	var clients []*client.Client
	for _, s := range c.replicas {
		cl, err := client.New(s.HTTP, client.WithRetryFor(0))
		if err != nil {
			return err
		}
		clients = append(clients, cl)
	}
	o, err := clients[0].CreateOrder(ctx, client.Draft{Customer: client.Customer{Name: "Hot"}, Dropoff: &client.Place{Address: "x"}})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	var wrong error
	var wg sync.WaitGroup
	zero := time.Now()
	for n := range 16 {
		wg.Go(func() {
			last := int64(1)
			for i := range 60 {
				in := edit{}
				switch rand.IntN(4) {
				case 0, 1:
					in.notes = fmt.Sprintf("%d-%d", n, i)
				case 2:
					in.notes, in.match = fmt.Sprintf("%d-%d", n, i), last
				}
				call := time.Since(zero)
				out, err := in.do(ctx, clients[rand.IntN(2)], o.ID)
				back := time.Since(zero)
				mu.Lock()
				if err != nil {
					wrong = errors.Join(wrong, err)
				}
				history = append(history, porcupine.Operation{ClientId: n, Input: in, Output: out, Call: int64(call), Return: int64(back)})
				mu.Unlock()
				last = max(last, out.version)
			}
		})
	}
	wg.Wait()
	if wrong != nil {
		return wrong
	}
	conflicts := 0
	for _, op := range history {
		if op.Output.(edited).conflict {
			conflicts++
		}
	}
	result := porcupine.CheckOperationsTimeout(hotModel, history, 2*time.Minute)
	fmt.Printf("   %d operations in %v, %d conflicts: %s\n", len(history), time.Since(zero).Round(time.Millisecond), conflicts, result)
	if result != porcupine.Ok {
		return errors.New("the history is not linearizable")
	}
	return nil
}

func (e edit) do(ctx context.Context, cl *client.Client, id string) (edited, error) {
	if e.notes == "" {
		events, err := cl.Events(ctx, id)
		if err != nil {
			return edited{}, err
		}
		return edited{version: events[len(events)-1].Version}, nil
	}
	var opts []client.CallOption
	if e.match != 0 {
		opts = append(opts, client.IfMatch(e.match))
	}
	o, err := cl.EditOrder(ctx, id, client.Edit{Notes: &e.notes}, opts...)
	if client.CodeOf(err) == "version_conflict" {
		return edited{conflict: true}, nil
	}
	if err != nil {
		return edited{}, err
	}
	return edited{version: o.Version}, nil
}
