//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lag notes when orders were answered and when their events came out of Kafka, both by
// their external ids. An answer is later than its commit, but not by much.
type lag struct {
	run string // begins the external ids

	mu       sync.Mutex
	answered map[string]time.Time
	read     map[string]time.Time
}

// external is the id of the i-th order of a connection.
func (l *lag) external(conn, i int) string { return fmt.Sprintf("%s-%d-%d", l.run, conn, i) }

func (l *lag) request(addr string) func(conn, i int) []byte {
	return func(conn, i int) []byte {
		return postOrder(addr, strings.Replace(orderBody, "{", `{"external_id":"`+l.external(conn, i)+`",`, 1))
	}
}

func (l *lag) hear(conn, i int, at time.Time) {
	l.mu.Lock()
	l.answered[l.external(conn, i)] = at
	l.mu.Unlock()
}

// follow reads order_created until the context ends.
func (l *lag) follow(ctx context.Context, client *kgo.Client) {
	mark := []byte(`"external_id":"` + l.run)
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		l.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			if i := bytes.Index(r.Value, mark); i >= 0 {
				id := r.Value[i+len(`"external_id":"`):]
				l.read[string(id[:bytes.IndexByte(id, '"')])] = now
			}
		})
		l.mu.Unlock()
	}
}

// lags waits until every answered order was read and returns how much later, sorted.
func (l *lag) lags(ctx context.Context) ([]time.Duration, error) {
	for begun := time.Now(); ; pause(ctx, 20*time.Millisecond) {
		l.mu.Lock()
		missing := 0
		out := make([]time.Duration, 0, len(l.answered))
		for id, at := range l.answered {
			read, ok := l.read[id]
			if !ok {
				missing++
			}
			out = append(out, max(0, read.Sub(at)))
		}
		l.mu.Unlock()
		if missing == 0 {
			slices.Sort(out)
			return out, nil
		}
		if ctx.Err() != nil || time.Since(begun) > 30*time.Second {
			return nil, fmt.Errorf("%d of %d orders did not come out of Kafka", missing, len(out))
		}
	}
}

// tailCreated is a consumer of order_created from where it ends now.
func tailCreated(ctx context.Context, brokers string) (*kgo.Client, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.FetchMaxWait(time.Second))
	if err != nil {
		return nil, err
	}
	for begun := time.Now(); ; pause(ctx, 200*time.Millisecond) { // a product that has just started makes it first
		ends, err := kadm.NewClient(client).ListEndOffsets(ctx, "order_created")
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			client.AddConsumePartitions(ends.KOffsets())
			return client, nil
		}
		if ctx.Err() != nil || time.Since(begun) > 30*time.Second {
			client.Close()
			return nil, err
		}
	}
}

// benchLag measures how long after its answer an order comes out of Kafka, at half the
// rate that the product reaches while Kafka is idle.
func benchLag(ctx context.Context, b *bench) error {
	p, err := newPgCreate(ctx, b)
	if err != nil {
		return err
	}
	full, err := p.ours(ctx, b.each)
	if err != nil {
		return err
	}
	if err := p.product.Stop(); err != nil {
		return err
	}
	schema, err := b.services.schema(ctx, "bench_lag")
	if err != nil {
		return err
	}
	s, err := b.replica(ctx, "lag", schema)
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	client, err := tailCreated(ctx, b.services.env["TEST_KAFKA_BROKERS"])
	if err != nil {
		return err
	}
	defer client.Close()
	var p99 []float64
	for range b.rounds {
		l := &lag{run: uuid.NewString(), answered: map[string]time.Time{}, read: map[string]time.Time{}}
		reading, stop := context.WithCancel(ctx)
		var follower sync.WaitGroup
		follower.Go(func() { l.follow(reading, client) })
		out, err := load{
			addr: s.HTTP, conns: 64, request: l.request(s.HTTP), status: http.StatusCreated,
			perSecond: full.perSecond / 2, answered: l.hear,
		}.run(ctx, b.each)
		var lags []time.Duration
		if err == nil {
			lags, err = l.lags(ctx)
		}
		stop()
		follower.Wait()
		if err != nil {
			return err
		}
		at := func(q float64) time.Duration { return outcome{latencies: lags}.quantile(q) }
		fmt.Printf("  %5.0f/s of %5.0f/s   lag p50 %-12v p99 %-12v worst %v\n", out.perSecond, full.perSecond, at(0.5), at(0.99), at(1))
		p99 = append(p99, float64(at(0.99).Microseconds())/1000)
	}
	verdict("commit to Kafka, p99 at half the full rate", median(p99), " ms", "<= 100 ms", median(p99) <= 100)
	return nil
}

// benchReplica compares reading a hot order on a replica that did not write it with
// reading one from a product in one process.
func benchReplica(ctx context.Context, b *bench) error {
	if err := b.services.up(ctx); err != nil {
		return err
	}
	schema, err := b.services.schema(ctx, "bench_replica")
	if err != nil {
		return err
	}
	writer, err := b.replica(ctx, "writer", schema)
	if err != nil {
		return err
	}
	defer func() { _ = writer.Stop() }()
	reader, err := b.replica(ctx, "reader", schema)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Stop() }()
	alone, err := b.server(ctx, "alone")
	if err != nil {
		return err
	}
	defer func() { _ = alone.Stop() }()
	var sides [2]load
	for i, at := range [][2]string{{writer.HTTP, reader.HTTP}, {alone.HTTP, alone.HTTP}} {
		order, err := createOne(ctx, at[0])
		if err != nil {
			return err
		}
		var id struct{ ID string }
		if err := json.Unmarshal(order, &id); err != nil {
			return err
		}
		request := fmt.Appendf(nil, "GET /order/%s HTTP/1.1\r\nHost: %s\r\n\r\n", id.ID, at[1])
		sides[i] = load{addr: at[1], conns: 16, request: always(request), status: http.StatusOK}
	}
	var rates [2][]float64
	for range b.rounds {
		for i, l := range sides {
			out, err := l.run(ctx, b.each)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], out.perSecond)
			fmt.Printf("  %-12s %8.0f/s   p50 %-12v p99 %v\n", []string{"replica", "one process"}[i],
				out.perSecond, out.quantile(0.5), out.quantile(0.99))
		}
	}
	r := median(ratios(rates[0], rates[1]))
	verdict("GET of a hot order, second replica over one process", r, "x", ">= 0.7x", r >= 0.7)
	return nil
}
