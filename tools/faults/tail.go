//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tail reads the outgoing topics from their current ends and checks that repeated events
// have the same ce_id and that first appearances of an order's events are in version
// order, without gaps.
type tail struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	seen    map[string]bool
	version map[string]int64
	repeats int
	wrong   error
}

func startTail(ctx context.Context, brokers string) (*tail, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.RetryTimeout(time.Minute))
	if err != nil {
		return nil, err
	}
	ends, err := ends(ctx, kadm.NewClient(client))
	if err != nil {
		client.Close()
		return nil, err
	}
	client.AddConsumePartitions(ends)
	t := &tail{client: client, done: make(chan struct{}), seen: map[string]bool{}, version: map[string]int64{}}
	ctx, t.cancel = context.WithCancel(ctx)
	go t.read(ctx)
	return t, nil
}

// ends returns the topics' current ends; a product that has just started creates them first.
func ends(ctx context.Context, admin *kadm.Client) (map[string]map[int32]kgo.Offset, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		listed, err := admin.ListEndOffsets(ctx, "order_created", "order_updated")
		if err == nil {
			err = listed.Error()
		}
		if err == nil {
			return listed.KOffsets(), nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (t *tail) read(ctx context.Context) {
	defer close(t.done)
	// order_created and order_updated are two topics: an order's first event may be read
	// after its second one, which then waits here.
	waiting := map[string]map[int64]bool{}
	for ctx.Err() == nil {
		fetches := t.client.PollFetches(ctx)
		t.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			if err := t.take(r, waiting); err != nil {
				t.wrong = errors.Join(t.wrong, err)
			}
		})
		t.mu.Unlock()
	}
}

func (t *tail) take(r *kgo.Record, waiting map[string]map[int64]bool) error {
	var e struct {
		ID      string `json:"id"`
		OrderID string `json:"order_id"`
		Version int64  `json:"version"`
	}
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return err
	}
	if t.seen[e.ID] {
		t.repeats++
		return nil
	}
	t.seen[e.ID] = true
	if e.Version == 1 {
		t.version[e.OrderID] = 1
		for v := int64(2); waiting[e.OrderID][v]; v++ {
			t.version[e.OrderID] = v
		}
		delete(waiting, e.OrderID)
		return nil
	}
	if t.version[e.OrderID] == 0 {
		ahead := waiting[e.OrderID]
		if ahead == nil {
			ahead = map[int64]bool{1: true}
			waiting[e.OrderID] = ahead
		}
		if !ahead[e.Version-1] && e.Version > 2 {
			return fmt.Errorf("order %s: version %d out of order", e.OrderID, e.Version)
		}
		ahead[e.Version] = true
		return nil
	}
	if e.Version != t.version[e.OrderID]+1 {
		return fmt.Errorf("order %s: version %d after %d", e.OrderID, e.Version, t.version[e.OrderID])
	}
	t.version[e.OrderID] = e.Version
	return nil
}

// caughtUp waits until every acknowledged version has been read.
func (t *tail) caughtUp(ctx context.Context, l *load, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		missing, example := 0, ""
		t.mu.Lock()
		wrong := t.wrong
		for id, v := range l.versions {
			if t.version[id] < v {
				missing++
				example = fmt.Sprintf("order %s: read up to version %d of %d", id, t.version[id], v)
			}
		}
		t.mu.Unlock()
		if wrong != nil {
			return wrong
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d orders have events that did not come: %s", missing, example)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (t *tail) has(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version[id] > 0
}

func (t *tail) close() {
	t.cancel()
	<-t.done
	t.client.Close()
}
